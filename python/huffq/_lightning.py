"""What huffq adds to Lightning: the training step, the notebook's checkpoints, and quiet."""

from __future__ import annotations

import logging
import signal
import sys
import warnings
from bisect import bisect_right
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from lightning_fabric.utilities.warnings import PossibleUserWarning
from pytorch_lightning.callbacks import Checkpoint as CheckpointCallback
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.functional.classification import multiclass_accuracy

from huffq import checkpoint
from huffq.errors import TrainingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Sgd:
    """Stochastic gradient descent with momentum and a learning rate that falls in steps."""

    lr: float
    momentum: float
    weight_decay: float
    milestones: Sequence[int]
    gamma: float

    def decay(self, epoch: int) -> float:
        """Return the factor on the learning rate after `epoch` finished epochs."""
        return float(self.gamma ** bisect_right(sorted(self.milestones), epoch))


class Validation(pl.LightningModule):
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


class Training(Validation):
    """A classifier, its training step and its optimizer, fresh or as a checkpoint left it."""

    def __init__(
        self, model: nn.Module, sgd: Sgd, seed: int, previous: checkpoint.Checkpoint | None
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


class Checkpoints(CheckpointCallback):
    """Writes the notebook's checkpoint files before the first epoch and after every one.

    Attributes:
        best: Best top-1 accuracy on the test images so far, in per cent.
        loss: Mean training loss of the latest epoch; None before the first.
    """

    def __init__(self, folder: Path, previous: checkpoint.Checkpoint | None) -> None:
        self.folder = folder
        self.fresh = previous is None
        self.best = previous["best_prec"] if previous is not None else 0.0
        self.loss: float | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.fresh:  # so that a run interrupted within its first epoch can be resumed
            self._save(trainer, pl_module, finished=0, is_best=True)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        finished = trainer.current_epoch + 1
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items()}
        if not np.isfinite(metrics["loss_epoch"] + metrics["val_loss"]):
            raise TrainingError(
                f"the loss became infinite or NaN in epoch {finished}; resume with a smaller "
                f"learning rate from {self.folder / checkpoint.LAST}"
            )
        self.loss = metrics["loss_epoch"]
        is_best = metrics["val_top1"] > self.best
        self.best = max(metrics["val_top1"], self.best)
        self._save(trainer, pl_module, finished=finished, is_best=is_best)

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


def _accuracy(logits: Tensor, labels: Tensor, k: int) -> Tensor:
    """Return how many labels are among the `k` largest logits, in per cent."""
    classes = logits.shape[1]
    return 100 * multiclass_accuracy(
        logits, labels, classes, average="micro", top_k=min(k, classes), validate_args=False
    )


def build_trainer(
    device: str, devices: int | str | list[int], progress: bool, **options: Any
) -> pl.Trainer:
    """Return a trainer that writes no logs, and shows a bar on a terminal only.

    Raises:
        ValueError: There is no such device.
    """
    try:
        return pl.Trainer(
            accelerator=device,
            devices=devices,
            enable_progress_bar=progress and sys.stdout.isatty(),
            enable_model_summary=False,
            logger=False,
            num_sanity_val_steps=0,
            **options,
        )
    except MisconfigurationException as error:
        raise ValueError(f"device {device!r} cannot be used: {error}") from error


@contextmanager
def quiet() -> Iterator[None]:
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
def keyboard_interrupt(folder: Path) -> Iterator[None]:
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
