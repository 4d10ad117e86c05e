"""Free-form metadata of files and fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def plain(metadata: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return metadata as a dict that JSON can hold.

    Raises:
        TypeError, ValueError: It cannot, or is no mapping.
    """
    if not isinstance(metadata, Mapping | None):
        raise TypeError(f"metadata is a {type(metadata).__name__}; give a dict, such as {{'a': 1}}")
    found = dict(metadata or {})
    try:
        json.loads(json.dumps(found, allow_nan=False))
    except RecursionError:
        raise ValueError("metadata are nested too deeply") from None
    except (TypeError, ValueError) as error:
        raise type(error)(f"metadata must be serialisable as JSON: {error}") from None
    return found
