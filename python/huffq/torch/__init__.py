"""Datasets and samplers for torch's DataLoader (``pip install 'huffq[torch]'``)."""

from huffq.torch.dataset import ActivationDataset
from huffq.torch.sampler import BlockSampler

__all__ = ["ActivationDataset", "BlockSampler"]
