"""Training and validation on Lightning, with the notebook's hyperparameters and checkpoints."""

from __future__ import annotations

import logging
import signal
import sys
import tempfile
import warnings
from bisect import bisect_right
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.warnings import PossibleUserWarning
from pytorch_lightning.callbacks import Checkpoint as CheckpointCallback
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.functional.classification import multiclass_accuracy

from huffq import checkpoint
from huffq.errors import CheckpointError, DataError, TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from huffq.data import ImageData, Loader

Batch = tuple[Tensor, Tensor]


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


@dataclass(frozen=True)
class _Sgd:
    """Stochastic gradient descent with momentum and a learning rate that falls in steps."""

    lr: float
    momentum: float
    weight_decay: float
    milestones: Sequence[int]
    gamma: float

    def decay(self, epoch: int) -> float:
        """Return the factor on the learning rate after `epoch` finished epochs."""
        return float(self.gamma ** bisect_right(sorted(self.milestones), epoch))


class _Validation(pl.LightningModule):
    """A classifier and the metrics of its validation."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def validation_step(self, batch: Batch) -> None:
        images, labels = batch
        logits = self.model(images)
        metrics = {
            "val_loss": F.cross_entropy(logits, labels),
            "val_top1": _accuracy(logits, labels, 1),
            "val_top5": _accuracy(logits, labels, 5),
        }
        self.log_dict(metrics, batch_size=len(labels), sync_dist=True, prog_bar=True)
        self.log("val_samples", float(len(labels)), reduce_fx="sum", sync_dist=True)


class _Training(_Validation):
    """A classifier, its training step and its optimizer, fresh or as a checkpoint left it."""

    def __init__(
        self, model: nn.Module, sgd: _Sgd, seed: int, previous: checkpoint.Checkpoint | None
    ) -> None:
        super().__init__(model)
        self.sgd = sgd
        self.seed = seed
        self.previous = previous

    def configure_optimizers(self) -> Any:
        sgd = self.sgd
        optimizer = torch.optim.SGD(
            [{"params": list(self.model.parameters()), "initial_lr": sgd.lr}],
            lr=sgd.lr,
            momentum=sgd.momentum,
            weight_decay=sgd.weight_decay,
        )
        finished = 0
        if self.previous is not None:
            finished = self.previous["epoch"]
            # The momentum goes on; the hyperparameters are those of this run.
            groups = optimizer.state_dict()["param_groups"]
            state = self.previous["optimizer"]["state"]
            optimizer.load_state_dict({"state": state, "param_groups": groups})
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, sgd.decay, last_epoch=finished - 1)
        return [optimizer], [scheduler]

    def on_train_epoch_start(self) -> None:
        # Order and augmentation of an epoch follow from its number alone, so that a resumed run
        # sees the images that an undisturbed one would have seen.
        entropy = (self.seed, self.current_epoch, self.global_rank)
        seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
        pl.seed_everything(seed, workers=True, verbose=False)
        loader: Any = self.trainer.train_dataloader
        loader.generator.manual_seed(seed)

    def training_step(self, batch: Batch) -> Tensor:
        images, labels = batch
        logits = self.model(images)
        loss = F.cross_entropy(logits, labels)
        metrics = {"loss": loss, "top1": _accuracy(logits, labels, 1)}
        self.log_dict(
            metrics,
            on_step=True,
            on_epoch=True,
            batch_size=len(labels),
            sync_dist=True,
            prog_bar=True,
        )
        return loss


class _Checkpoints(CheckpointCallback):
    """Writes the notebook's checkpoint files before the first epoch and after every one."""

    def __init__(self, folder: Path, previous: checkpoint.Checkpoint | None) -> None:
        self.folder = folder
        self.fresh = previous is None
        self.best = previous["best_prec"] if previous is not None else 0.0
        self.loss: float | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.fresh:  # so that a run interrupted within its first epoch can be resumed
            self._save(trainer, pl_module, finished=0, is_best=True)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.loss = trainer.callback_metrics["loss_epoch"].item()
        if not np.isfinite(self.loss):
            raise TrainingError(
                f"the loss became {self.loss} in epoch {trainer.current_epoch}; train with a "
                f"smaller learning rate from {self.folder / checkpoint.LAST}"
            )
        top1 = trainer.callback_metrics["val_top1"].item()
        is_best = top1 > self.best
        self.best = max(top1, self.best)
        self._save(trainer, pl_module, finished=trainer.current_epoch + 1, is_best=is_best)

    def _save(self, trainer: pl.Trainer, pl_module: Any, *, finished: int, is_best: bool) -> None:
        if trainer.is_global_zero:
            checkpoint.save(
                self.folder,
                pl_module.model,
                epoch=finished,
                best_prec=self.best,
                optimizer=trainer.optimizers[0].state_dict(),
                is_best=is_best,
            )


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
    leaves the last finished epoch there. `model` ends with the weights of the last epoch, on the
    CPU. The global random state is seeded; seed it before building `model` to repeat that too.

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
        seed: Seed of the images' order and augmentation.
        progress: Show a progress bar where the output is a terminal.

    Returns:
        What was reached.

    Raises:
        OSError: `out_dir` cannot be written; nothing has been trained then.
        FileNotFoundError: There is no checkpoint to resume from.
        CheckpointError: The checkpoint to resume from belongs to another architecture or holds no
            optimizer state.
        TrainingError: The loss is no longer finite.
        KeyboardInterrupt: The run was interrupted.
    """
    folder = Path(out_dir)
    previous = _resumable(folder / checkpoint.LAST, model) if resume else None
    _require_writable(folder)
    checkpoints = _Checkpoints(folder, previous)
    module = _Training(
        model.train(), _Sgd(lr, momentum, weight_decay, milestones, gamma), seed, previous
    )
    with _quiet_lightning():
        pl.seed_everything(seed, workers=True, verbose=False)
        trainer = _trainer(device, devices, progress, max_epochs=epochs, callbacks=[checkpoints])
        if previous is not None:
            position: Any = trainer.fit_loop.epoch_progress.current
            position.processed = position.completed = previous["epoch"]
        with _keyboard_interrupt(folder):
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
    """
    if len(loader) == 0:
        raise DataError("there are no images to validate on")
    with _quiet_lightning():
        trainer = _trainer(device, 1, progress, enable_checkpointing=False)
        (metrics,) = trainer.validate(_Validation(model), loader, verbose=False)
    return ValidationReport(
        loss=metrics["val_loss"],
        top1=metrics["val_top1"],
        top5=metrics["val_top5"],
        samples=int(metrics["val_samples"]),
    )


def _accuracy(logits: Tensor, labels: Tensor, k: int) -> Tensor:
    """Return how many labels are among the `k` largest logits, in per cent."""
    classes = logits.shape[1]
    return 100 * multiclass_accuracy(
        logits, labels, classes, average="micro", top_k=min(k, classes), validate_args=False
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


def _trainer(
    device: str, devices: int | str | list[int], progress: bool, **options: Any
) -> pl.Trainer:
    return pl.Trainer(
        accelerator=device,
        devices=devices,
        enable_progress_bar=progress and sys.stdout.isatty(),
        enable_model_summary=False,
        logger=False,
        num_sanity_val_steps=0,
        **options,
    )


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Silence Lightning's banners, its advice, and what PyTorch deprecates in its code."""
    logger = logging.getLogger("pytorch_lightning")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PossibleUserWarning)
            warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _keyboard_interrupt(folder: Path) -> Iterator[None]:
    """Raise KeyboardInterrupt where Lightning would exit and leave the signal ignored."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt(
            f"training was interrupted; resume it from {folder / checkpoint.LAST}"
        ) from error
