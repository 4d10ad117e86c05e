"""Image datasets as training and test loaders of normalised 3x32x32 float32 tensors.

Every dataset is normalised with CIFAR-10's per-channel mean and standard deviation, so that one
checkpoint means the same thing whichever way its images came in.
"""

from __future__ import annotations

import fnmatch
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets
from torchvision.transforms import v2

from huffq.errors import DataError

CIFAR10_MEAN: Final = (0.491, 0.482, 0.447)
"""Mean of CIFAR-10's red, green and blue, in units of full scale; the notebook's figures."""
CIFAR10_STD: Final = (0.247, 0.243, 0.262)
"""Standard deviation of CIFAR-10's red, green and blue; the notebook's figures."""
IMAGE_SIZE: Final = 32
"""Height and width of every image, in pixels."""
NAMES: Final = ("cifar10", "digits", "folder", "npz")
"""The datasets that `load` knows."""

Transform = Callable[[Any], torch.Tensor]
LabelledImages = Dataset[tuple[torch.Tensor, int]]
Loader = DataLoader[tuple[torch.Tensor, int]]


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


@dataclass(frozen=True)
class ImageData:
    """A dataset of labelled images, split into training and test images.

    Attributes:
        name: What `load` was asked for.
        num_classes: Number of classes; labels lie in ``[0, num_classes)``.
        train: Training images, augmented.
        test: Test images.
        batch_size: Images in a batch; the last batch may be smaller.
        workers: Processes that load images; 0 loads them in the caller's own.
        seed: Seed of the training images' order.
    """

    name: str
    num_classes: int
    train: LabelledImages
    test: LabelledImages
    batch_size: int
    workers: int
    seed: int

    def train_loader(self) -> Loader:
        """Return shuffled batches ``(images float32 [B,3,32,32], labels int64 [B])``.

        A fresh loader repeats the same orders, epoch by epoch.
        """
        return self._loader(self.train, shuffle=True)

    def test_loader(self) -> Loader:
        """Return batches ``(images float32 [B,3,32,32], labels int64 [B])``, unshuffled."""
        return self._loader(self.test, shuffle=False)

    def _loader(self, dataset: LabelledImages, *, shuffle: bool) -> Loader:
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            shuffle=shuffle,
            num_workers=self.workers,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator().manual_seed(self.seed),
        )


class _ArrayImages(LabelledImages):
    """Images `[N,3,H,W]` and labels `[N]` that lie in memory."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor, transform: Transform) -> None:
        self.images = images
        self.labels = labels.tolist()
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


class _Split(NamedTuple):
    """Training images, test images and the number of classes."""

    train: Any
    test: Any
    num_classes: int


def load(
    name: str,
    root: str | Path | None = None,
    *,
    batch_size: int = 100,
    workers: int = 2,
    seed: int = 0,
    download: bool = False,
    keys: NpzKeys = NpzKeys(),
) -> ImageData:
    """Open a dataset by name.

    Training images are cropped at random from a frame of 4 zero pixels and flipped at random, as in
    the notebook; digits are shifted only, because a mirrored digit is none. Images that are not
    32x32 are scaled to 32 pixels on their shorter side and cropped around the centre.

    Args:
        name: ``"digits"`` (scikit-learn's 1,797 handwritten digits, needs no download),
            ``"cifar10"``, ``"folder"`` or ``"npz"``.
        root: For ``"cifar10"`` the folder that holds, or is to hold, torchvision's copy (default
            ``data``); for ``"folder"`` a folder with ``train/CLASS/IMAGE`` and
            ``test/CLASS/IMAGE``; for ``"npz"`` the file, with images ``[N,3,H,W]`` as uint8 or as
            floats in [0, 1], and integer labels ``[N]``.
        batch_size: Images in a batch.
        workers: Processes that load images; digits lie in memory and take none.
        seed: Seed of the training images' order.
        download: Whether CIFAR-10 (170 MB) may be downloaded when `root` does not hold it.
        keys: Names of the arrays in an ``.npz`` file.

    Returns:
        The dataset.

    Raises:
        FileNotFoundError: The folder or file does not exist.
        DataError: The name is unknown, or the dataset is empty or malformed.
    """
    if name == "digits":
        split, workers = _digits(), 0
    elif name == "cifar10":
        split = _cifar10(Path("data" if root is None else root), download)
    elif name in NAMES:
        if root is None:
            raise DataError(f"dataset {name!r} needs root, the path of its images")
        split = _folder(Path(root)) if name == "folder" else _npz(Path(root), keys)
    else:
        raise DataError(f"there is no dataset {name!r}; choose one of {', '.join(NAMES)}")
    for part, images in (("training", split.train), ("test", split.test)):
        if len(images) == 0:
            raise DataError(f"dataset {name!r} has no {part} images")
    return ImageData(name, split.num_classes, split.train, split.test, batch_size, workers, seed)


def _transform(*augmentation: v2.Transform) -> Transform:
    """Return an image's way to a normalised tensor, with `augmentation` at the final size."""
    steps: Transform = v2.Compose(
        [
            v2.ToImage(),
            v2.Resize(IMAGE_SIZE),
            v2.CenterCrop(IMAGE_SIZE),
            *augmentation,
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(CIFAR10_MEAN, CIFAR10_STD),
            v2.ToPureTensor(),
        ]
    )
    return steps


def _crop_and_flip() -> Transform:
    return _transform(v2.RandomCrop(IMAGE_SIZE, padding=4), v2.RandomHorizontalFlip())


def _digits() -> _Split:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    raw = load_digits()
    grey = torch.from_numpy(raw.images).float()[:, None] / 16  # the digits' full scale is 16
    scaled = torch.nn.functional.interpolate(grey, size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear")
    images = scaled.expand(-1, 3, -1, -1)
    labels = torch.from_numpy(raw.target)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=0.2, stratify=raw.target, random_state=0
    )
    shift = _transform(v2.RandomCrop(IMAGE_SIZE, padding=2))
    return _Split(
        _ArrayImages(images[train], labels[train], shift),
        _ArrayImages(images[test], labels[test], _transform()),
        num_classes=10,
    )


def _cifar10(root: Path, download: bool) -> _Split:
    try:
        train = datasets.CIFAR10(root, train=True, download=download, transform=_crop_and_flip())
        test = datasets.CIFAR10(root, train=False, transform=_transform())
    except RuntimeError as error:
        raise FileNotFoundError(
            f"{root} does not hold a whole CIFAR-10; allow its download (download=True) or name "
            "the folder that contains cifar-10-batches-py"
        ) from error
    return _Split(train, test, num_classes=10)


def _folder(root: Path) -> _Split:
    parts = []
    for part, transform in (("train", _crop_and_flip()), ("test", _transform())):
        folder = root / part
        if not folder.is_dir():
            raise FileNotFoundError(
                f"there is no folder {folder}; images are expected as "
                f"{root}/train/CLASS/IMAGE and {root}/test/CLASS/IMAGE"
            )
        try:
            parts.append(datasets.ImageFolder(str(folder), transform=transform))
        except FileNotFoundError as error:
            raise DataError(
                f"{folder} is empty, or one of its class folders is; every class needs an image "
                f"{folder}/CLASS/IMAGE"
            ) from error
    train, test = parts
    if train.classes != test.classes:
        differing = ", ".join(sorted(set(train.classes) ^ set(test.classes)))
        raise DataError(f"{root}/train and {root}/test differ in the classes {differing}")
    return _Split(train, test, num_classes=len(train.classes))


def _npz(path: Path, keys: NpzKeys) -> _Split:
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; root must name an .npz file")
    if not zipfile.is_zipfile(path):
        raise DataError(f"{path} is not a whole .npz file")
    try:
        with np.load(path, allow_pickle=False) as file:
            x_train, x_test = (_images(path, file, key) for key in (keys.x_train, keys.x_test))
            y_train, y_test = (_labels(path, file, key) for key in (keys.y_train, keys.y_test))
    except DataError:
        raise
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged, or holds something else than numbers") from error
    for images, labels, key in (
        (x_train, y_train, keys.x_train),
        (x_test, y_test, keys.x_test),
    ):
        if len(images) != len(labels):
            raise DataError(f"{path}: {key!r} has {len(images)} images but {len(labels)} labels")
    num_classes = 1 + max((int(y.max()) for y in (y_train, y_test) if len(y)), default=0)
    return _Split(
        _ArrayImages(x_train, y_train, _crop_and_flip()),
        _ArrayImages(x_test, y_test, _transform()),
        num_classes,
    )


def _array(path: Path, file: Any, pattern: str) -> npt.NDArray[Any]:
    names = sorted(fnmatch.filter(file.files, pattern))
    if not names:
        raise DataError(f"{path} has no array {pattern!r}; it holds {', '.join(file.files)}")
    return np.concatenate([file[name] for name in names])


def _images(path: Path, file: Any, pattern: str) -> torch.Tensor:
    images = _array(path, file, pattern)
    if images.ndim != 4 or images.shape[1] != 3:
        raise DataError(f"{path}: {pattern!r} has shape {images.shape}; it must be [N,3,H,W]")
    if images.dtype == np.uint8:
        return torch.from_numpy(images)
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"{path}: {pattern!r} is {images.dtype}; it must be uint8 or float")
    if not np.isfinite(images).all():
        raise DataError(f"{path}: {pattern!r} contains NaN or infinity")
    if images.size and (images.min() < 0 or images.max() > 1):
        raise DataError(
            f"{path}: {pattern!r} reaches from {images.min():g} to {images.max():g}; float images "
            "must lie in [0, 1], before any normalisation"
        )
    return torch.from_numpy(images.astype(np.float32, copy=False))


def _labels(path: Path, file: Any, pattern: str) -> torch.Tensor:
    labels = _array(path, file, pattern)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{path}: {pattern!r} is {labels.dtype} of shape {labels.shape}; labels must be "
            "integers of shape [N]"
        )
    if labels.size and labels.min() < 0:
        raise DataError(f"{path}: {pattern!r} holds the label {labels.min()}; labels start at 0")
    return torch.from_numpy(labels.astype(np.int64))
