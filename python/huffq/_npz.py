"""Labelled images in one ``.npz`` file, checked array by array."""

from __future__ import annotations

import fnmatch
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from huffq.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class NpzKeys:
    """Names of the four arrays in an ``.npz`` file.

    Each may be a pattern with ``*`` and ``?``: the arrays that match, in order of their names, are
    concatenated (``data_batch_*_x``).
    """

    x_train: str = "x_train"
    y_train: str = "y_train"
    x_test: str = "x_test"
    y_test: str = "y_test"


class LabelledArrays(NamedTuple):
    """Images ``[N,3,H,W]``, uint8 or float32 in [0, 1], and their labels ``[N]``, int64."""

    images: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]


def read_npz(path: Path, keys: NpzKeys) -> tuple[LabelledArrays, LabelledArrays]:
    """Read the training and the test images of `path`.

    Raises:
        FileNotFoundError: There is no such file.
        DataError: The file is damaged, or an array is missing, of the wrong form or not finite.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; root must name an .npz file")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is not a whole .npz file")
    try:
        with np.load(path, allow_pickle=False) as file:
            return (
                _labelled(path, file, keys.x_train, keys.y_train),
                _labelled(path, file, keys.x_test, keys.y_test),
            )
    except DataError:
        raise
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged, or holds something else than numbers") from error


def _labelled(path: Path, file: Any, x_key: str, y_key: str) -> LabelledArrays:
    images = _checked_images(f"{path}: {x_key!r}", _array(path, file, x_key))
    labels = _checked_labels(f"{path}: {y_key!r}", _array(path, file, y_key))
    if len(images) != len(labels):
        raise DataError(f"{path}: {x_key!r} has {len(images)} images but {len(labels)} labels")
    return LabelledArrays(images, labels)


def _array(path: Path, file: Any, pattern: str) -> npt.NDArray[Any]:
    names = sorted(fnmatch.filter(file.files, pattern))
    if not names:
        raise DataError(f"{path} has no array {pattern!r}; it holds {', '.join(file.files)}")
    return np.concatenate([file[name] for name in names])


def _checked_images(what: str, images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if images.ndim != 4 or images.shape[1] != 3:
        raise DataError(f"{what} has shape {images.shape}; it must be [N,3,H,W]")
    if images.dtype == np.uint8:
        return images
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"{what} is {images.dtype}; it must be uint8 or float")
    if not np.isfinite(images).all():
        raise DataError(f"{what} contains NaN or infinity")
    if images.size and (images.min() < 0 or images.max() > 1):
        raise DataError(
            f"{what} reaches from {images.min():g} to {images.max():g}; float images must lie in "
            "[0, 1], before any normalisation"
        )
    return images.astype(np.float32, copy=False)


def _checked_labels(what: str, labels: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{what} is {labels.dtype} of shape {labels.shape}; labels must be integers of "
            "shape [N]"
        )
    if labels.size and labels.min() < 0:
        raise DataError(f"{what} holds the label {labels.min()}; labels start at 0")
    return labels.astype(np.int64)
