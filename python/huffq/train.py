"""Training and validation on Lightning, with the notebook's hyperparameters and checkpoints."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl

from huffq import checkpoint
from huffq._lightning import (
    Checkpoints,
    Sgd,
    Training,
    Validation,
    build_trainer,
    keyboard_interrupt,
    quiet,
)
from huffq.data import require_seed
from huffq.errors import CheckpointError, DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from huffq.data import ImageData, Loader


@dataclass(frozen=True)
class FitReport:
    """What a training run reached.

    Attributes:
        epochs: Finished epochs, those before a resume included.
        best_top1: Best top-1 accuracy on the test images after any epoch, in per cent.
        loss: Mean training loss of the last epoch; None if there was nothing left to train.
        path: The checkpoint of the best epoch.
    """

    epochs: int
    best_top1: float
    loss: float | None
    path: Path


@dataclass(frozen=True)
class ValidationReport:
    """How well a network classifies.

    Attributes:
        loss: Mean cross entropy, in nats.
        top1: Images whose label has the largest logit, in per cent.
        top5: Images whose label is among the five largest logits, in per cent.
        samples: Number of images.
    """

    loss: float
    top1: float
    top5: float
    samples: int


def fit(
    model: nn.Module,
    data: ImageData,
    *,
    out_dir: str | Path,
    epochs: int = 100,
    lr: float = 0.02,
    momentum: float = 0.8,
    weight_decay: float = 1e-4,
    milestones: Sequence[int] = (150, 225),
    gamma: float = 0.1,
    resume: bool = False,
    device: str = "auto",
    devices: int | str | list[int] = 1,
    seed: int = 0,
    progress: bool = True,
) -> FitReport:
    """Train `model` by stochastic gradient descent; the defaults are the notebook's.

    After every epoch the network is validated on the test images and written to
    ``checkpoint.pth``, and to ``model_best.pth.tar`` too if it was the best so far. An interrupt
    leaves the last finished epoch there. What an earlier run left is continued with `resume`, or
    else replaced, its best model only when the first epoch has finished. `model` ends with the
    weights of the last epoch, on the CPU. The global random state is seeded; seed it before
    building `model` to repeat the initial weights too.

    Args:
        model: The network, from images ``[B,3,H,W]`` to logits ``[B, classes]``.
        data: Training and test images.
        out_dir: Folder of the checkpoints; made if need be.
        epochs: Number of epochs altogether, those before a resume included.
        lr: Learning rate.
        momentum: Momentum.
        weight_decay: Weight of the squared parameters in the loss.
        milestones: Epochs before which the learning rate is multiplied by `gamma`.
        gamma: Factor on the learning rate.
        resume: Go on from ``checkpoint.pth`` in `out_dir`. On a CPU the result is that of an
            undisturbed run.
        device: Lightning's accelerator: ``"auto"``, ``"cpu"``, ``"cuda"`` …
        devices: Lightning's devices: how many (``"auto"``: all), or which.
        seed: Seed of the images' order and augmentation, at least 0 and below 2**32.
        progress: Show a bar with the running means of the epoch where the output is a terminal,
            and elsewhere print a line per epoch to standard error.

    Returns:
        What was reached.

    Raises:
        ValueError: `epochs` is below 1, `seed` is out of range, or there is no such device.
        OSError: `out_dir` cannot be written; nothing has been trained then.
        FileNotFoundError: There is no checkpoint to resume from.
        CheckpointError: The checkpoint to resume from belongs to another architecture or holds no
            optimizer state.
        TrainingError: The loss is no longer finite.
        KeyboardInterrupt: The run was interrupted.
    """
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}; it must be at least 1")
    require_seed(seed)
    folder = Path(out_dir)
    previous = _resumable(folder / checkpoint.LAST, model) if resume else None
    _require_writable(folder)
    checkpoints = Checkpoints(folder, previous)
    module = Training(
        model.train(), Sgd(lr, momentum, weight_decay, milestones, gamma), seed, previous
    )
    with quiet():
        pl.seed_everything(seed, workers=True, verbose=False)
        trainer = build_trainer(
            device, devices, progress, max_epochs=epochs, callbacks=[checkpoints]
        )
        if previous is not None:
            # Lightning's own epoch counter, which restoring one of its checkpoints would set.
            position: Any = trainer.fit_loop.epoch_progress.current
            position.processed = position.completed = previous["epoch"]
        with keyboard_interrupt(folder):
            trainer.fit(module, data.train_loader(), data.test_loader())
    return FitReport(
        trainer.current_epoch, checkpoints.best, checkpoints.loss, folder / checkpoint.BEST
    )


def validate(
    model: nn.Module,
    loader: Loader,
    *,
    device: str = "auto",
    progress: bool = True,
) -> ValidationReport:
    """Classify every image of `loader` with `model`, which ends on the CPU in its former mode.

    Args:
        model: The network, from images ``[B,3,H,W]`` to logits ``[B, classes]``.
        loader: Batches of images and labels.
        device: Lightning's accelerator: ``"auto"``, ``"cpu"``, ``"cuda"`` …
        progress: Show a progress bar where the output is a terminal.

    Returns:
        Loss and accuracies.

    Raises:
        DataError: `loader` is empty.
        ValueError: There is no such device.
    """
    if len(loader) == 0:
        raise DataError("there are no images to validate on")
    with quiet():
        trainer = build_trainer(device, 1, progress, enable_checkpointing=False)
        (metrics,) = trainer.validate(Validation(model), loader, verbose=False)
    return ValidationReport(
        loss=metrics["val_loss"],
        top1=metrics["val_top1"],
        top5=metrics["val_top5"],
        samples=int(metrics["val_samples"]),
    )


def _resumable(path: Path, model: nn.Module) -> checkpoint.Checkpoint:
    previous = checkpoint.load(path, model)
    absent = [key for key in checkpoint.Checkpoint.__annotations__ if key not in previous]
    if absent:
        raise CheckpointError(f"{path} cannot be resumed: it holds no {', '.join(absent)}")
    return previous


def _require_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OSError(
            error.errno, f"checkpoints cannot be written to {folder} ({error.strerror})"
        ) from error
