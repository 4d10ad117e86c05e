"""Arguments that callers get wrong in the same ways everywhere."""

from __future__ import annotations

import operator
import os
from collections.abc import Sequence
from typing import Any


def check_path(path: str | bytes | os.PathLike[Any]) -> str:
    """Return a path as a string.

    Raises:
        TypeError: It is none.
        ValueError: It is empty, which would be taken for the current folder.
    """
    found = os.fsdecode(path)
    if not found:
        raise ValueError("the path is empty; give that of a .huffq file or folder")
    return found


def check_whole(least: int, **numbers: Any) -> None:
    """Demand of each number, unless it is None, that it is whole and at least `least`.

    Raises:
        TypeError: It is no integer.
        ValueError: It is below.
    """
    for name, number in numbers.items():
        if number is None:
            continue
        if isinstance(number, bool) or not hasattr(number, "__index__"):
            raise TypeError(f"{name} is {number!r}; give a whole number")
        if operator.index(number) < least:
            raise ValueError(f"{name} is {number}; it must be at least {least}")


def check_list(name: str, strings: Sequence[Any]) -> None:
    """Demand a list of strings where one string would be taken for its letters.

    Raises:
        TypeError: It is a string, or no list at all.
    """
    if isinstance(strings, str | bytes):
        raise TypeError(f"{name} is the string {strings!r}; give a list, [{strings!r}]")
    if not hasattr(strings, "__iter__"):
        raise TypeError(f"{name} is {strings!r}; give a list")
