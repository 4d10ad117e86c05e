"""What huffq adds to Lightning: the training step, the notebook's checkpoints, and quiet."""

from __future__ import annotations

import logging
import math
import signal
import sys
import warnings
from bisect import bisect_right
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from lightning_fabric.utilities.warnings import PossibleUserWarning
from pytorch_lightning.callbacks import Checkpoint as CheckpointCallback
from pytorch_lightning.callbacks import TQDMProgressBar
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric
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
        _, labels = batch
        metrics = {f"val_{name}": value for name, value in self.metrics(batch).items()}
        self.log_dict(metrics, batch_size=len(labels), sync_dist=True, prog_bar=True)
        self.log("val_samples", float(len(labels)), reduce_fx="sum", sync_dist=True)

    def metrics(self, batch: Batch) -> dict[str, Tensor]:
        """Return a batch's mean cross entropy in nats, and its accuracies in per cent."""
        images, labels = batch
        logits = self.model(images)
        return {
            "loss": F.cross_entropy(logits, labels),
            "top1": _accuracy(logits, labels, 1),
            "top5": _accuracy(logits, labels, 5),
        }


class Training(Validation):
    """A classifier, its training step and its optimizer, fresh or as a checkpoint left it."""

    def __init__(
        self, model: nn.Module, sgd: Sgd, seed: int, previous: checkpoint.Checkpoint | None
    ) -> None:
        super().__init__(model)
        self.sgd = sgd
        self.seed = seed
        self.previous = previous
        # Of this process alone: the bar must not wait for the others after every batch.
        mean = partial(MeanMetric, nan_strategy=math.nan, sync_on_compute=False)
        self.running = nn.ModuleDict({name: mean() for name in ("loss", "top1", "top5")})

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
        mean: Any
        for mean in self.running.values():
            mean.reset()

    def training_step(self, batch: Batch) -> Tensor:
        _, labels = batch
        metrics = self.metrics(batch)
        for name, value in metrics.items():
            mean: Any = self.running[name]
            mean.update(value.detach(), len(labels))
            self.log(f"mean_{name}", mean.compute(), prog_bar=True)
        self.log_dict(
            {f"train_{name}": value for name, value in metrics.items()},
            on_step=False,
            on_epoch=True,
            batch_size=len(labels),
            sync_dist=True,
        )
        return metrics["loss"]


class Checkpoints(CheckpointCallback):
    """Writes ``checkpoint.pth`` before the first epoch, and the notebook's files after every one.

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
            self._save(trainer, pl_module, finished=0, is_best=False)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        finished = trainer.current_epoch + 1
        metrics = {name: value.item() for name, value in trainer.callback_metrics.items()}
        if not np.isfinite(metrics["train_loss"] + metrics["val_loss"]):
            raise TrainingError(
                f"the loss became infinite or NaN in epoch {finished}; resume with a smaller "
                f"learning rate from {self.folder / checkpoint.LAST}"
            )
        self.loss = metrics["train_loss"]
        is_best = finished == 1 or metrics["val_top1"] > self.best
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


class EpochLines(pl.Callback):
    """Prints one line per epoch to standard error."""

    def on_train_epoch_end(self, trainer: pl.Trainer, _: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        metrics = trainer.callback_metrics
        figures = [
            f"{title} loss {metrics[f'{part}_loss']:.4f}, top-1 {metrics[f'{part}_top1']:.2f} %, "
            f"top-5 {metrics[f'{part}_top5']:.2f} %"
            for title, part in (("training", "train"), ("test", "val"))
        ]
        epoch = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        print(f"{epoch}: {'; '.join(figures)}", file=sys.stderr, flush=True)


def _accuracy(logits: Tensor, labels: Tensor, k: int) -> Tensor:
    """Return how many labels are among the `k` largest logits, in per cent."""
    classes = logits.shape[1]
    return 100 * multiclass_accuracy(
        logits, labels, classes, average="micro", top_k=min(k, classes), validate_args=False
    )


def build_trainer(
    device: str,
    devices: int | str | list[int],
    progress: bool,
    callbacks: Sequence[pl.Callback] = (),
    **options: Any,
) -> pl.Trainer:
    """Return a trainer that writes no logs; it shows a bar on a terminal, and lines elsewhere.

    Raises:
        ValueError: There is no such device.
    """
    terminal = sys.stdout.isatty()
    shown: list[pl.Callback] = []
    if progress:
        # Lightning would take another bar where rich happens to be installed.
        shown = [TQDMProgressBar() if terminal else EpochLines()]
    try:
        return pl.Trainer(
            accelerator=device,
            devices=devices,
            callbacks=[*callbacks, *shown],
            enable_progress_bar=progress and terminal,
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
