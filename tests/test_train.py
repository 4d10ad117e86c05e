"""huffq.train: runs repeat, resume, keep the best model, and leave nothing else behind."""

from __future__ import annotations

import dataclasses
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from huffq import checkpoint, models
from huffq.data import ImageData, NpzKeys, load
from huffq.errors import CheckpointError, DataError, TrainingError
from huffq.quant import QuantConv2d
from huffq.train import FitReport, fit, validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CLASSES = 3


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Tiny layers lose more to waking threads than they gain from them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Blobs(Dataset[tuple[torch.Tensor, int]]):
    """Images whose brightness tells their class, with fresh noise from the global random state."""

    def __init__(self, n: int, on_read: Callable[[], None] = lambda: None) -> None:
        self.n = n
        self.on_read = on_read

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        self.on_read()
        label = index % CLASSES
        return torch.full((3, 8, 8), float(label - 1)) + 0.3 * torch.randn(3, 8, 8), label


def blobs(seed: int = 0, workers: int = 0, on_read: Callable[[], None] = lambda: None) -> ImageData:
    return ImageData("blobs", CLASSES, Blobs(24, on_read), Blobs(12), 8, workers, seed)


def network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        QuantConv2d(3, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(4, CLASSES),
    )


def train(
    model: nn.Module, out_dir: Path, data: ImageData | None = None, **options: Any
) -> FitReport:
    options = {"epochs": 3, "milestones": (2,), "device": "cpu", "progress": False, **options}
    return fit(model, data or blobs(), out_dir=out_dir, **options)


def loader(logits: torch.Tensor, labels: torch.Tensor) -> DataLoader[Any]:
    return DataLoader(TensorDataset(logits, labels), batch_size=32)


def same(first: nn.Module, second: nn.Module) -> bool:
    theirs = second.state_dict()
    return all(torch.equal(value, theirs[key]) for key, value in first.state_dict().items())


def test_learns_and_keeps_the_best_model(tmp_path: Path) -> None:
    model = network()
    report = train(model, tmp_path, epochs=12, lr=0.1)
    assert report.best_top1 > 80
    assert report.loss is not None
    assert report.loss < 1
    assert report.epochs == 12
    best = checkpoint.load(report.path, network())
    assert best["best_prec"] == report.best_top1
    assert 0 < best["epoch"] <= 12
    last = checkpoint.load(tmp_path / checkpoint.LAST, network())
    assert last["epoch"] == 12
    assert last["best_prec"] == report.best_top1


def test_the_first_epoch_is_the_best_so_far_even_at_no_accuracy(tmp_path: Path) -> None:
    never = TensorDataset(torch.full((4, 3, 8, 8), -1.0), torch.full((4,), CLASSES - 1))
    model = network()
    model[-1].bias.data[-1] = -1e3
    report = train(model, tmp_path, dataclasses.replace(blobs(), test=never), epochs=1)
    assert report.best_top1 == 0
    assert checkpoint.load(report.path, network())["epoch"] == 1


def test_best_model_is_not_overwritten_by_a_worse_one(tmp_path: Path) -> None:
    report = train(network(), tmp_path, epochs=2)
    best = checkpoint.load(report.path, network())
    unbeatable = {**checkpoint.load(tmp_path / checkpoint.LAST, network()), "best_prec": 100.0}
    torch.save(unbeatable, tmp_path / checkpoint.LAST)
    resumed = train(network(), tmp_path, epochs=4, resume=True)
    assert resumed.best_top1 == 100
    assert checkpoint.load(report.path, network())["epoch"] == best["epoch"]


@pytest.mark.parametrize("workers", [0, 1])
def test_seed_repeats_a_run(tmp_path: Path, workers: int) -> None:
    first, second, other = network(), network(), network()
    train(first, tmp_path / "first", blobs(workers=workers))
    train(second, tmp_path / "second", blobs(workers=workers))
    train(other, tmp_path / "other", blobs(workers=workers), seed=1)
    assert same(first, second)
    assert not same(first, other)


@pytest.mark.parametrize("stop", [1, 2])
def test_resumed_run_equals_an_undisturbed_one(tmp_path: Path, stop: int) -> None:
    whole, part, resumed = network(), network(), network(seed=9)
    undisturbed = train(whole, tmp_path / "whole", epochs=4)
    train(part, tmp_path / "part", epochs=stop)
    report = train(resumed, tmp_path / "part", epochs=4, resume=True)
    assert same(whole, resumed)
    assert (report.epochs, report.best_top1) == (4, undisturbed.best_top1)
    ends = [
        checkpoint.load(tmp_path / name / checkpoint.LAST, network()) for name in ("whole", "part")
    ]
    assert ends[0]["optimizer"]["param_groups"] == ends[1]["optimizer"]["param_groups"]
    assert ends[1]["epoch"] == 4


def test_a_fresh_run_keeps_an_earlier_best_model_until_an_epoch_has_finished(
    tmp_path: Path,
) -> None:
    def fail() -> None:
        raise OSError("the disk is gone")

    best = tmp_path / checkpoint.BEST
    best.write_bytes(b"an earlier run's")
    with pytest.raises(OSError, match="the disk is gone"):
        train(network(), tmp_path, blobs(on_read=fail))
    assert best.read_bytes() == b"an earlier run's"
    assert checkpoint.load(tmp_path / checkpoint.LAST, network())["epoch"] == 0
    train(network(), tmp_path, epochs=1)
    assert checkpoint.load(best, network())["epoch"] == 1


@pytest.mark.parametrize("reads", [5, 40])
def test_interrupt_leaves_a_resumable_checkpoint(tmp_path: Path, reads: int) -> None:
    left = reads

    def interrupt() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            signal.raise_signal(signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt, match=r"resume it from .*checkpoint\.pth"):
        train(network(), tmp_path / "part", blobs(on_read=interrupt))
    assert signal.getsignal(signal.SIGINT) is handler
    whole, resumed = network(), network(seed=9)
    train(whole, tmp_path / "whole")
    train(resumed, tmp_path / "part", resume=True)
    assert same(whole, resumed)


def test_resume_with_nothing_left_to_train(tmp_path: Path) -> None:
    model = network()
    first = train(model, tmp_path)
    again = network(seed=9)
    report = train(again, tmp_path, resume=True)
    assert report == FitReport(3, first.best_top1, None, first.path)
    assert same(model, again)


def test_learning_rate_falls_at_the_milestones(tmp_path: Path) -> None:
    train(network(), tmp_path, epochs=2, lr=0.5, milestones=(1,), gamma=0.1)
    (group,) = checkpoint.load(tmp_path / checkpoint.LAST, network())["optimizer"]["param_groups"]
    assert group["lr"] == pytest.approx(0.05)
    assert (group["momentum"], group["weight_decay"]) == (0.8, 1e-4)


def test_leaves_only_the_checkpoints_and_no_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    train(network(), tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {checkpoint.LAST, checkpoint.BEST}
    assert capfd.readouterr() == ("", "")


def test_prints_a_line_per_epoch_off_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = network()
    report = train(model, tmp_path, epochs=2, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    first, second = err.splitlines()
    figures = r"loss \d\.\d{4}, top-1 [\d.]+ %, top-5 100\.00 %"
    assert re.fullmatch(f"epoch 1/2: training {figures}; test {figures}", first)
    assert second.startswith(f"epoch 2/2: training loss {report.loss:.4f}, top-1 ")


def test_shows_running_means_on_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    report = train(network(), tmp_path, epochs=1, progress=True)
    out, err = capsys.readouterr()
    assert err == ""
    # After the last batch the running mean is that of the epoch.
    shown = re.findall(r"mean_loss=([\d.]+), mean_top1=[\d.]+, mean_top5=100", out)
    assert float(shown[-1]) == pytest.approx(report.loss, abs=0.006)


def test_unwritable_folder_is_refused_before_training(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    read: list[int] = []
    with pytest.raises(OSError, match=r"checkpoints cannot be written to .*file"):
        train(network(), tmp_path / "file" / "out", blobs(on_read=lambda: read.append(1)))
    assert not read


def test_wrong_arguments_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="epochs is -1"):
        train(network(), tmp_path, epochs=-1)
    with pytest.raises(ValueError, match="seed is -1"):
        train(network(), tmp_path, seed=-1)
    with pytest.raises(ValueError, match="device 'cuda' cannot be used"):
        train(network(), tmp_path, device="cuda", devices=99)


def test_resume_needs_a_whole_checkpoint_of_this_network(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no checkpoint"):
        train(network(), tmp_path, resume=True)
    torch.save({"state_dict": network().state_dict()}, tmp_path / checkpoint.LAST)
    with pytest.raises(CheckpointError, match="holds no epoch, best_prec, optimizer"):
        train(network(), tmp_path, resume=True)
    with pytest.raises(CheckpointError, match="another architecture"):
        train(nn.Linear(3, 2), tmp_path, resume=True)


def test_diverged_loss_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="smaller learning rate"):
        train(network(), tmp_path, lr=1e30, epochs=9)
    good = checkpoint.load(tmp_path / checkpoint.LAST, network())
    assert all(value.isfinite().all() for value in good["state_dict"].values())


def test_validate_agrees_with_counting() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(70, 10, generator=generator)
    labels = torch.randint(10, (70,), generator=generator)
    model = nn.Identity().train()
    report = validate(model, loader(logits, labels), device="cpu")
    order = logits.argsort(1, descending=True)
    assert report.top1 == pytest.approx(100 * (order[:, 0] == labels).float().mean().item())
    within = (order[:, :5] == labels[:, None]).any(1)
    assert report.top5 == pytest.approx(100 * within.float().mean().item())
    assert report.loss == pytest.approx(nn.functional.cross_entropy(logits, labels).item())
    assert report.samples == 70
    assert model.training


def test_validate_with_few_classes_and_without_images() -> None:
    report = validate(nn.Identity(), loader(torch.eye(2), torch.tensor([0, 0])), device="cpu")
    assert (report.top1, report.top5) == (50, 100)
    with pytest.raises(DataError, match="no images"):
        validate(nn.Identity(), loader(torch.empty(0, 2), torch.empty(0)), device="cpu")


def test_validate_scores_a_foreign_users_checkpoint(shared_data: Path) -> None:
    keys = NpzKeys("test_batch_x", "test_batch_y", "test_batch_x", "test_batch_y")
    cifar = load("npz", shared_data / "cifar10-original-subset.npz", keys=keys, workers=0)
    model = models.resnet20(channels=(8, 16, 48))
    checkpoint.load(shared_data / "resnet20-4bit" / checkpoint.BEST, model)
    report = validate(model, cifar.test_loader(), device="cpu")
    assert report.samples == 1017
    assert report.top1 == pytest.approx(89.38, abs=0.005)  # what its owner's code gives
    assert report.top5 > 99
