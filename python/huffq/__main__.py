"""``python -m huffq``: the command line."""

import sys

from huffq.cli import main

sys.exit(main())
