"""Files of every version of the format are read for ever; `golden_files` makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import golden_files
import huffq
import reference_decoder
import reference_store
from reference_shared import SharedCodebook

V1 = golden_files.GOLDEN / "v1"


def assert_same(found: Any, expected: Any) -> None:
    if not isinstance(expected, list):
        np.testing.assert_array_equal(found, expected, strict=True)
        return
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize("level", golden_files.LEVELS)
def test_files_are_read(level: str) -> None:
    dataset = huffq.open(V1 / f"{level}.huffq")
    dataset.verify()
    assert (dataset.level, dataset.metadata) == (level, {"golden": 1})
    reference = reference_store.decode_file((V1 / f"{level}.huffq").read_bytes())
    expected = golden_files.contents()
    assert list(dataset.fields) == list(reference) == list(expected)
    for name, x in expected.items():
        assert_same(dataset[name][:], x)
        assert_same(reference[name], x)


@pytest.mark.parametrize("level", golden_files.LEVELS)
def test_codes_stand_for_what_they_stood_for(level: str) -> None:
    dataset = huffq.open(V1 / f"{level}.huffq")
    data = (V1 / f"{level}.huffq").read_bytes()
    for name in ("images", "wide", "tokens"):
        assert_same(list(dataset[name].dequantize(dtype=np.float64)),
                    reference_store.real_values(data, name))  # fmt: skip
    assert dataset["images"].real_dtype == "bfloat16"
    assert dataset["images"].metadata == {"layer": "größe"}


@pytest.mark.parametrize("level", golden_files.LEVELS)
@pytest.mark.parametrize("name", golden_files.arrays())
def test_arrays_are_read(level: str, name: str) -> None:
    blob = (V1 / f"{level}-{name}.hqa").read_bytes()
    x = golden_files.arrays()[name]
    np.testing.assert_array_equal(huffq.decode(blob), x)
    np.testing.assert_array_equal(reference_decoder.decode_array(blob), x)


@pytest.mark.parametrize("level", golden_files.CODEBOOK_LEVELS)
def test_arrays_under_a_codebook_are_read(level: str) -> None:
    data = (V1 / f"{level}.hqc").read_bytes()
    book, reference = huffq.Codebook.from_bytes(data), SharedCodebook(data)
    for name, x in golden_files.shared_arrays().items():
        blob = (V1 / f"{level}-{name}.hqs").read_bytes()
        np.testing.assert_array_equal(huffq.decode(blob, codebook=book), x)
        np.testing.assert_array_equal(reference.decode(blob), x)


def test_what_is_written_changes_by_a_new_version_alone(tmp_path: Path) -> None:
    golden_files.make(tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in V1.iterdir()}
    assert written.keys() == kept.keys()
    for name, data in kept.items():
        assert written[name] == data, f"{name} is written in another way"
