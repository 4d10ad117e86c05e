"""huffq.data: every source gives the same kind of batches, and bad sources say what is wrong."""

from __future__ import annotations

import hashlib
import pickle
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from huffq import data
from huffq.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path


def npz_arrays(n: int = 6) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.integers(0, 256, (n, 3, 32, 32), dtype=np.uint8),
        "y_train": np.arange(n) % 3,
        "x_test": rng.random((n, 3, 32, 32), dtype=np.float32),
        "y_test": np.arange(n) % 3,
    }


def save_npz(path: Path, **changes: Any) -> Path:
    np.savez(path, **{**npz_arrays(), **changes})
    return path


def save_image(path: Path, size: tuple[int, int] = (32, 32), value: int = 128) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, value, value)).save(path)


def test_digits_split_is_stratified_and_whole() -> None:
    digits = data.load("digits", batch_size=400)
    images, labels = next(iter(digits.test_loader()))
    assert images.shape == (360, 3, 32, 32)
    assert images.dtype == torch.float32
    assert torch.bincount(labels, minlength=10).min() >= 34
    assert sum(len(labels) for _, labels in digits.train_loader()) == 1797 - 360
    assert digits.num_classes == 10


def test_digits_are_normalised_like_every_image() -> None:
    images, _ = next(iter(data.load("digits").test_loader()))
    black = -np.divide(data.CIFAR10_MEAN, data.CIFAR10_STD)
    np.testing.assert_allclose(images.amin((0, 2, 3)), black, rtol=1e-5)


def test_order_follows_from_the_seed() -> None:
    def order(seed: int) -> list[int]:
        return [int(y) for _, ys in data.load("digits", seed=seed).train_loader() for y in ys]

    assert order(3) == order(3)
    assert order(3) != order(4)


def test_workers_repeat_their_augmentation(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "images.npz")

    def batches() -> list[torch.Tensor]:
        loader = data.load("npz", path, batch_size=4, workers=1).train_loader()
        return [images for images, _ in loader]

    first, second = torch.cat(batches()), torch.cat(batches())
    assert torch.equal(first, second)


def test_npz_scales_and_normalises(tmp_path: Path) -> None:
    white = np.full((2, 3, 32, 32), 255, np.uint8)
    path = save_npz(tmp_path / "images.npz", x_test=white, y_test=np.array([0, 4]))
    source = data.load("npz", path, workers=0)
    images, labels = next(iter(source.test_loader()))
    expected = (1 - np.array(data.CIFAR10_MEAN)) / data.CIFAR10_STD
    np.testing.assert_allclose(images[0, :, 5, 5], expected, rtol=1e-5)
    assert labels.tolist() == [0, 4]
    assert source.num_classes == 5


def test_npz_reads_float_images_and_other_sizes(tmp_path: Path) -> None:
    grey = np.full((6, 3, 40, 64), 0.5)
    path = save_npz(tmp_path / "images.npz", x_test=grey)
    images, _ = next(iter(data.load("npz", path, workers=0).test_loader()))
    expected = (0.5 - np.array(data.CIFAR10_MEAN)) / data.CIFAR10_STD
    assert images.shape == (6, 3, 32, 32)
    np.testing.assert_allclose(images[0, :, 0, 0], expected, rtol=1e-4)


def test_npz_key_pattern_joins_arrays(shared_data: Path) -> None:
    keys = data.NpzKeys("data_batch_*_x", "data_batch_*_y", "test_batch_x", "test_batch_y")
    cifar = data.load("npz", shared_data / "cifar10-original-subset.npz", workers=0, keys=keys)
    assert len(cifar.train) == 5170
    assert len(cifar.test) == 1017
    assert cifar.num_classes == 10


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_train": np.zeros((0, 3, 32, 32), np.uint8), "y_train": np.zeros(0, int)}, "no train"),
        ({"x_test": np.zeros((0, 3, 32, 32), np.uint8), "y_test": np.zeros(0, int)}, "no test"),
        ({"x_test": np.full((6, 3, 32, 32), np.nan)}, "'x_test' contains NaN"),
        ({"x_test": np.full((6, 3, 32, 32), 255.0)}, r"must lie in \[0, 1\]"),
        ({"x_train": np.zeros((6, 32, 32, 3), np.uint8)}, r"must be \[N,3,H,W\]"),
        ({"x_train": np.zeros((6, 3, 32, 32), np.int64)}, "must be uint8 or float"),
        ({"y_train": np.zeros(5, int)}, "6 images but 5 labels"),
        ({"y_train": np.zeros(6)}, "labels must be integers"),
        ({"y_test": np.full(6, -1)}, "labels start at 0"),
        ({"x_train": np.array([None] * 6)}, "holds something else than numbers"),
    ],
)
def test_bad_arrays_are_named(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = save_npz(tmp_path / "images.npz", **changes)
    with pytest.raises(DataError, match=message):
        data.load("npz", path)


def test_missing_array_lists_those_present(tmp_path: Path) -> None:
    path = save_npz(tmp_path / "images.npz")
    with pytest.raises(DataError, match="no array 'pixels'; it holds x_train, y_train"):
        data.load("npz", path, keys=data.NpzKeys(x_train="pixels"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"neither zip nor npy"])
def test_foreign_npz(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "images.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is not a whole"):
        data.load("npz", path)


def test_folder_scales_only_what_is_not_32(tmp_path: Path) -> None:
    for part in ("train", "test"):
        save_image(tmp_path / part / "cat" / "0.png", value=255)
        save_image(tmp_path / part / "dog" / "0.png", size=(64, 48), value=0)
    source = data.load("folder", tmp_path, workers=0)
    images, labels = next(iter(source.test_loader()))
    assert images.shape == (2, 3, 32, 32)
    assert labels.tolist() == [0, 1]
    assert source.num_classes == 2
    assert images[0].min() > 0 > images[1].max()


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("content", ["cut", "foreign", "empty"])
def test_a_damaged_image_is_named(tmp_path: Path, workers: int, content: str) -> None:
    for part in ("train", "test"):
        for name in ("0.png", "1.png"):
            save_image(tmp_path / part / "cat" / name)
    damaged = tmp_path / "test" / "cat" / "1.png"
    raw = {"cut": damaged.read_bytes()[:60], "foreign": b"no image", "empty": b""}
    damaged.write_bytes(raw[content])
    source = data.load("folder", tmp_path, workers=workers, batch_size=1)
    with pytest.raises(DataError) as caught:
        list(source.test_loader())
    assert str(caught.value) == f"{damaged} is not a whole image; replace or remove it"
    assert len(list(source.train_loader())) == 2


def test_folder_missing_says_what_layout_is_expected(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected as .*/train/CLASS/IMAGE"):
        data.load("folder", tmp_path / "nowhere")


def test_folder_without_images_is_empty(tmp_path: Path) -> None:
    (tmp_path / "train" / "cat").mkdir(parents=True)
    with pytest.raises(DataError, match="is empty"):
        data.load("folder", tmp_path)


def test_folder_classes_must_agree(tmp_path: Path) -> None:
    for name in ("train/cat", "train/dog", "test/cat"):
        save_image(tmp_path / name / "0.png")
    with pytest.raises(DataError, match="differ in the classes dog"):
        data.load("folder", tmp_path)


def test_cifar10_missing_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"download=True, .* --download\)"):
        data.load("cifar10", tmp_path)


def test_cifar10_that_cannot_be_downloaded_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise URLError(OSError("Name or service not known"))

    monkeypatch.setattr("urllib.request.urlopen", offline)
    with pytest.raises(OSError, match="CIFAR-10 could not be downloaded from http") as caught:
        data.load("cifar10", tmp_path, download=True)
    assert str(caught.value).endswith(f"to {tmp_path}: Name or service not known")


def test_cifar10_reads_torchvisions_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / datasets.CIFAR10.base_folder
    folder.mkdir()

    def pickled(name: str, content: dict[str, Any]) -> list[str]:
        raw = pickle.dumps(content)
        (folder / name).write_bytes(raw)
        return [name, hashlib.md5(raw).hexdigest()]

    batch = {"data": np.full((4, 3072), 255, np.uint8), "labels": [0, 9, 3, 3]}
    meta = pickled("batches.meta", {"label_names": [str(i) for i in range(10)]})
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [pickled("data_batch_1", batch)])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [pickled("test_batch", batch)])
    monkeypatch.setattr(
        datasets.CIFAR10,
        "meta",
        {"filename": meta[0], "key": "label_names", "md5": meta[1]},
    )
    source = data.load("cifar10", tmp_path, workers=0)
    images, labels = next(iter(source.test_loader()))
    assert images.shape == (4, 3, 32, 32)
    assert labels.tolist() == [0, 9, 3, 3]
    assert source.num_classes == 10


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_are_checked(seed: int) -> None:
    with pytest.raises(ValueError, match=f"seed is {seed}; it must lie between 0 and 4294967295"):
        data.load("digits", seed=seed)


def test_names_are_checked() -> None:
    with pytest.raises(DataError, match="choose one of cifar10, digits, folder, npz"):
        data.load("imagenet")
    with pytest.raises(DataError, match="'npz' needs root"):
        data.load("npz")
