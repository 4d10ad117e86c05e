"""Files of other writers: what huffq.open makes of attributes and metadata."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huffq
import reference_decoder
import reference_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acts.huffq"


def file_of(schema: dict[str, Any], **parts: str) -> bytes:
    """Return a file without samples, as docs/format.md has it; `parts` take strings' places."""

    def crc(data: bytes) -> bytes:
        return struct.pack("<I", reference_decoder.crc32c(data))

    def record(kind: int, payload: bytes) -> bytes:
        rest = struct.pack("<BBHIII", kind, 1, 0, 0, 0, len(payload)) + payload
        return b"\xf7HQR" + crc(rest) + rest

    text = json.dumps(schema)
    for name, part in parts.items():
        text = text.replace(json.dumps(name), part)
    described = text.encode()
    header = b"\x89HUFFQ\r\n" + struct.pack("<HHII", reference_store.VERSION, 0, 0, 0)
    body = header + crc(header) + record(1, described)
    sizes = [16 + 8 * (2 ** field["bits"] if "bits" in field else 0) for field in schema["fields"]]
    totals = bytes(sum(sizes))
    root = record(5, struct.pack("<I", len(described)) + described + totals)
    trailer = struct.pack("<QIHHII", len(body), len(root), reference_store.VERSION, 0, 0, 0)
    return body + root + trailer + crc(trailer) + b"HUFFQEND"


FIELD = {"name": "f", "bits": 4, "signed": False, "sample_shape": [2], "block_items": 10}


@pytest.mark.parametrize("more", [{}, {"attributes": None}, {"attributes": {}},
                                  {"attributes": {"layer": "conv"}}])  # fmt: skip
def test_files_of_other_writers_need_no_attributes(path: Path, more: dict[str, Any]) -> None:
    path.write_bytes(file_of({"fields": [FIELD | more]}))
    dataset = huffq.open(path)
    assert (dataset["f"].scale, dataset["f"].zero_point, dataset.metadata) == (1, 0, {})
    assert dataset["f"].scale.dtype == np.float32


SCALE = {"dtype": "float32", "values": 1.0}


@pytest.mark.parametrize(
    "attributes",
    [
        [], 3, "scale", {"scale": None}, {"scale": 0.5}, {"scale": {"values": 1.0}},
        {"scale": SCALE | {"dtype": "int32"}}, {"scale": SCALE | {"dtype": "nonsense"}},
        {"scale": SCALE | {"dtype": None}}, {"scale": SCALE | {"values": None}},
        {"scale": SCALE | {"values": [1.0, [2.0]]}}, {"scale": SCALE | {"values": "a"}},
        {"scale": SCALE | {"values": [1.0] * 3}}, {"scale": SCALE | {"values": 10**400}},
        {"scale": SCALE | {"values": []}}, {"scale": {"field": "g"}}, {"scale": {"field": "f"}},
        {"scale": {"field": 3}}, {"zero_point": 0}, {"zero_point": None},
        {"scale": SCALE | {"values": "1"}}, {"scale": SCALE | {"values": True}},
        {"scale": SCALE | {"values": [1.0, "2"]}},
        {"scale": {"dtype": "S2000000000", "values": "a"}},
        {"scale": {"dtype": "U500000000", "values": 1}},
        {"scale": {"dtype": "(9,)f4", "values": 1}},
        {"zero_point": {"dtype": "int64", "values": 0.5}},
        {"zero_point": {"dtype": "int8", "values": 300}}, {"real_dtype": "int8"},
        {"real_dtype": 3}, {"metadata": None}, {"metadata": [1]},
    ],
    ids=str,
)  # fmt: skip
def test_attributes_of_a_wrong_form_name_the_field(path: Path, attributes: Any) -> None:
    path.write_bytes(file_of({"fields": [FIELD | {"attributes": attributes}]}))
    with pytest.raises(huffq.CorruptFileError, match=r"acts\.huffq: the attributes of field 'f'"):
        huffq.open(path)


def test_metadata_of_a_wrong_form_is_named(path: Path) -> None:
    path.write_bytes(file_of({"fields": [FIELD], "metadata": [1]}))
    with pytest.raises(huffq.CorruptFileError, match=r"acts\.huffq: its metadata"):
        huffq.open(path)


SIDE = {"name": "s", "item_bytes": 4, "dtype": "<f4", "sample_shape": [], "block_items": 9}


@pytest.mark.parametrize(
    "side",
    [{"dtype": "<i4"}, {"sample_shape": [3]}, {"sample_shape": [1, 1]}, {"sample_shape": [None]}],
    ids=str,
)  # fmt: skip
def test_scales_in_side_fields_that_do_not_fit_name_the_field(
    path: Path, side: dict[str, Any]
) -> None:
    field = FIELD | {"attributes": {"scale": {"field": "s"}}}
    path.write_bytes(file_of({"fields": [field, SIDE]}))
    assert huffq.open(path)["f"].scale.name == "s"
    path.write_bytes(file_of({"fields": [field, SIDE | side]}))
    with pytest.raises(huffq.CorruptFileError, match=r"acts\.huffq: the attributes of field 'f'"):
        huffq.open(path)


@pytest.mark.parametrize(
    "dtype",
    [
        None, 4, "nonsense", "O", "(" * 5000, "f4," * 3, "<f4\0", "", {}, [], [[]], [["a"]],
        [["a", "<f4", [-1]]], [["a", "<f4", ["x"]]], [["a", "O"]], [[["a"], "<f4"]],
        [["a", "<i2"], ["a", "<i2"]], ["a", "b", "c"],
    ],
    ids=lambda dtype: str(dtype)[:20],
)  # fmt: skip
def test_dtypes_of_a_wrong_form_name_the_field(path: Path, dtype: Any) -> None:
    path.write_bytes(file_of({"fields": [SIDE | {"dtype": dtype}]}))
    with pytest.raises(huffq.CorruptFileError, match=r"acts\.huffq: the attributes of field 's'"):
        huffq.open(path)


@pytest.mark.parametrize(
    "part", ["[" * 100_000 + "]" * 100_000, "9" * 5000], ids=["nested", "long number"]
)
def test_what_python_cannot_take_of_a_schema_is_a_damaged_file(path: Path, part: str) -> None:
    for schema in (
        {"fields": [FIELD], "metadata": {"a": "PART"}},
        {"fields": [FIELD | {"attributes": {"metadata": {"a": "PART"}}}]},
        {"fields": [SIDE | {"dtype": "PART"}]},
    ):
        path.write_bytes(file_of(schema, PART=part))
        with pytest.raises(huffq.CorruptFileError, match=r"acts\.huffq: its schema"):
            huffq.open(path)


def test_dtypes_that_are_nested_deeply_are_refused(path: Path) -> None:
    for depth in (50, 200, 400):
        nested = '[["a", ' * depth + '"<f4"' + "]]" * depth
        path.write_bytes(file_of({"fields": [SIDE | {"dtype": "PART"}]}, PART=nested))
        try:
            assert huffq.open(path)["s"].dtype.itemsize == 4
        except huffq.CorruptFileError:
            assert depth > 50


def test_metadata_that_could_not_be_read_again_are_not_written(tmp_path: Path) -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"a": deep}
    codes = np.zeros((1, 1), np.uint8)
    with pytest.raises(ValueError, match="metadata are nested too deeply"):
        huffq.Writer(tmp_path / "a.huffq", metadata=deep)
    with pytest.raises(ValueError, match="metadata are nested too deeply"):
        huffq.Codes(codes, 1, metadata=deep)
    with pytest.raises(ValueError, match="metadata must be serialisable"):
        huffq.Codes(codes, 1, metadata={"a": 10**5000})
