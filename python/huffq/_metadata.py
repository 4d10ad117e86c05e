"""Free-form metadata of files and fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def plain(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return metadata as a dict that JSON can hold.

    Raises:
        TypeError, ValueError: It cannot.
    """
    found = dict(metadata or {})
    try:
        json.loads(json.dumps(found, allow_nan=False))
    except RecursionError:
        raise ValueError("metadata are nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise type(error)(f"metadata must be serialisable as JSON: {error}") from None
    return found
