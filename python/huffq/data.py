"""Image datasets as training and test loaders of normalised 3x32x32 float32 tensors.

Every dataset is normalised with CIFAR-10's per-channel mean and standard deviation, so that one
checkpoint means the same thing whichever way its images came in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset
from torchvision import datasets
from torchvision.datasets.folder import default_loader
from torchvision.transforms import v2

from huffq._npz import NpzKeys, read_npz
from huffq.errors import DataError

__all__ = [
    "CIFAR10_MEAN",
    "CIFAR10_STD",
    "IMAGE_SIZE",
    "NAMES",
    "NPZ_KEYS",
    "ImageData",
    "LabelledImages",
    "Loader",
    "NpzKeys",
    "Transform",
    "load",
    "require_seed",
]

CIFAR10_MEAN: Final = (0.491, 0.482, 0.447)
"""Mean of CIFAR-10's red, green and blue, in units of full scale; the notebook's figures."""
CIFAR10_STD: Final = (0.247, 0.243, 0.262)
"""Standard deviation of CIFAR-10's red, green and blue; the notebook's figures."""
IMAGE_SIZE: Final = 32
"""Height and width of every image, in pixels."""
NAMES: Final = ("cifar10", "digits", "folder", "npz")
"""The datasets that `load` knows."""

NPZ_KEYS: Final = NpzKeys()
"""The names of an ``.npz`` file's arrays unless others are given."""

Transform = Callable[[Any], torch.Tensor]
LabelledImages = Dataset[tuple[torch.Tensor, int]]
Loader = DataLoader[tuple[torch.Tensor, int]]

_SEEDS: Final = 2**32


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
        return _Loader(
            dataset,
            batch_size=self.batch_size,
            shuffle=shuffle,
            num_workers=self.workers,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator().manual_seed(self.seed),
        )


class _Loader(Loader):
    """A loader whose workers' `DataError` reads as if it had been raised here."""

    def __iter__(self) -> Any:
        return _without_tracebacks(super().__iter__())


def _without_tracebacks(batches: Iterator[Any]) -> Iterator[Any]:
    try:
        yield from batches
    except DataError as error:
        # PyTorch puts a worker's whole traceback into the message; its last line is ours.
        prefix = f"{DataError.__module__}.{DataError.__qualname__}: "
        raise DataError(str(error).rpartition(prefix)[2].strip()) from error


class _ArrayImages(LabelledImages):
    """Images `[N,3,H,W]` and labels `[N]` that lie in memory."""

    def __init__(
        self, images: torch.Tensor, labels: npt.NDArray[np.integer], transform: Transform
    ) -> None:
        self.images = images
        self.labels: list[int] = labels.tolist()
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
    keys: NpzKeys = NPZ_KEYS,
) -> ImageData:
    """Open a dataset by name.

    Training images are cropped at random from a frame of 4 zero pixels and flipped at random, as in
    the notebook; digits are shifted by up to 2 pixels only, because a mirrored digit is none.
    Images that are not 32x32 are scaled to 32 pixels on their shorter side and cropped around the
    centre.

    Args:
        name: ``"digits"`` (scikit-learn's 1,797 handwritten digits, needs no download),
            ``"cifar10"``, ``"folder"`` or ``"npz"``.
        root: For ``"cifar10"`` the folder that holds, or is to hold, torchvision's copy (default
            ``data``); for ``"folder"`` a folder with ``train/CLASS/IMAGE`` and
            ``test/CLASS/IMAGE``; for ``"npz"`` the file, with images ``[N,3,H,W]`` as uint8 or as
            floats in [0, 1], and integer labels ``[N]``.
        batch_size: Images in a batch.
        workers: Processes that load images; digits lie in memory and take none.
        seed: Seed of the training images' order, at least 0 and below 2**32.
        download: Whether CIFAR-10 (170 MB) may be downloaded when `root` does not hold it.
        keys: Names of the arrays in an ``.npz`` file.

    Returns:
        The dataset.

    Raises:
        FileNotFoundError: The folder or file does not exist.
        OSError: CIFAR-10 could not be downloaded.
        DataError: The name is unknown, or the dataset is empty or malformed. A damaged image of a
            folder raises it when it is loaded.
        ValueError: `seed` is out of range.
    """
    require_seed(seed)
    if name == "digits":
        split, workers = _digits(), 0
    elif name == "cifar10":
        split = _cifar10(Path("data" if root is None else root), download)
    elif name not in NAMES:
        raise DataError(f"there is no dataset {name!r}; choose one of {', '.join(NAMES)}")
    elif root is None:
        raise DataError(f"dataset {name!r} needs root, the path of its images")
    else:
        split = _folder(Path(root)) if name == "folder" else _npz(Path(root), keys)
    for part, images in (("training", split.train), ("test", split.test)):
        if len(images) == 0:
            raise DataError(f"dataset {name!r} has no {part} images")
    return ImageData(name, split.num_classes, split.train, split.test, batch_size, workers, seed)


def require_seed(seed: int) -> None:
    """Demand a seed that every random number generator takes.

    Raises:
        ValueError: `seed` is negative or has more than 32 bits.
    """
    if not 0 <= seed < _SEEDS:
        raise ValueError(f"seed is {seed}; it must lie between 0 and {_SEEDS - 1}")


def _to_unit_range(image: torch.Tensor) -> torch.Tensor:
    """Divide bytes by 255, as the notebook's ToTensor does; floats lie in [0, 1] already.

    torchvision's `v2.ToDtype` multiplies by the reciprocal: other last bits, and now and then
    another integer code.
    """
    return image.float() / 255 if image.dtype == torch.uint8 else image.float()


def _transform(*augmentation: v2.Transform) -> Transform:
    """Return an image's way to a normalised tensor, with `augmentation` at the final size."""
    steps: Transform = v2.Compose(
        [
            v2.ToImage(),
            v2.Resize(IMAGE_SIZE),
            v2.CenterCrop(IMAGE_SIZE),
            *augmentation,
            v2.Lambda(_to_unit_range),
            v2.Normalize(CIFAR10_MEAN, CIFAR10_STD),
            v2.ToPureTensor(),
        ]
    )
    return steps


def _crop_and_flip() -> Transform:
    return _transform(v2.RandomCrop(IMAGE_SIZE, padding=4), v2.RandomHorizontalFlip())


def _digits() -> _Split:
    # Here and not above, because scikit-learn takes a second to import and only digits need it.
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    raw = load_digits()
    grey = torch.from_numpy(raw.images).float()[:, None] / 16  # the digits' full scale is 16
    scaled = torch.nn.functional.interpolate(grey, size=(IMAGE_SIZE, IMAGE_SIZE), mode="bilinear")
    images = scaled.expand(-1, 3, -1, -1)
    train, test = train_test_split(
        np.arange(len(images)), test_size=0.2, stratify=raw.target, random_state=0
    )
    shift = _transform(v2.RandomCrop(IMAGE_SIZE, padding=2))
    return _Split(
        _ArrayImages(images[train], raw.target[train], shift),
        _ArrayImages(images[test], raw.target[test], _transform()),
        num_classes=10,
    )


def _cifar10(root: Path, download: bool) -> _Split:
    try:
        if download:
            _download_cifar10(root)
        train = datasets.CIFAR10(root, train=True, transform=_crop_and_flip())
        test = datasets.CIFAR10(root, train=False, transform=_transform())
    except RuntimeError as error:
        raise FileNotFoundError(
            f"{root} does not hold a whole CIFAR-10; allow its download (download=True, on the "
            "command line --download) or name the folder that contains cifar-10-batches-py"
        ) from error
    return _Split(train, test, num_classes=10)


def _download_cifar10(root: Path) -> None:
    try:
        datasets.CIFAR10(root, download=True)
    except OSError as error:
        reason = getattr(error, "reason", error)  # a URLError's own text is wrapped in <>
        raise OSError(
            f"CIFAR-10 could not be downloaded from {datasets.CIFAR10.url} to {root}: {reason}"
        ) from error


def _open_image(path: str) -> Any:
    try:
        return default_loader(path)
    except Exception as error:  # damaged bytes make image readers raise nearly anything
        raise DataError(f"{path} is not a whole image; replace or remove it") from error


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
            parts.append(datasets.ImageFolder(str(folder), transform, loader=_open_image))
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
    train, test = read_npz(path, keys)
    return _Split(
        _ArrayImages(torch.from_numpy(train.images), train.labels, _crop_and_flip()),
        _ArrayImages(torch.from_numpy(test.images), test.labels, _transform()),
        num_classes=1 + max(int(part.labels.max(initial=0)) for part in (train, test)),
    )
