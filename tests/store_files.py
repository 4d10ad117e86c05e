"""A store of fields of every kind, in many small groups."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

import reference_store
from huffq import _huffq

RNG = np.random.default_rng(9)
SAMPLES = 3000
ACTS = np.repeat(RNG.geometric(0.5, (SAMPLES, 3, 8, 4)).clip(1, 16) - 1, 2, 3).astype(np.uint8)
LABELS = np.arange(SAMPLES, dtype=np.int32)
LENGTHS = RNG.integers(0, 5, SAMPLES)
TOKENS = [RNG.integers(0, 9, (n, 6)).astype(np.uint8) for n in LENGTHS]


def write(path: Path, samples: int = SAMPLES, group_samples: int = 256, **more: Any) -> bytes:
    """A file of many small groups, with fields of every kind; small blocks."""
    fields: list[dict[str, Any]] = [
        {"name": "acts", "bits": 4, "sample_shape": [3, 8, 8], "block_items": 32},
        {"name": "label", "item_bytes": 4, "dtype": "<i4", "sample_shape": [], "block_items": 64},
        {"name": "tokens", "bits": 4, "sample_shape": [None, 6], "block_items": 50},
    ]
    schema = {"fields": fields, "group_samples": group_samples, "metadata": {"a": 1}} | more
    writer = _huffq.StoreWriter(path, json.dumps(schema), None, False)
    tokens = np.concatenate(TOKENS[:samples])
    writer.write(
        samples,
        [
            (ACTS[:samples].reshape(-1), None),
            (LABELS[:samples].view(np.uint8), None),
            (tokens.reshape(-1), LENGTHS[:samples].astype(np.uint64)),
        ],
    )
    writer.finish()
    return path.read_bytes() if path.is_file() else b""


def records(data: bytes, kind: int) -> list[reference_store.Record]:
    return [record for record in reference_store.records(data) if record.kind == kind]
