"""Tables and units."""

from __future__ import annotations

import numpy as np
import pytest

import huffq
from huffq.encode_report import EncodeReport, FieldReport
from huffq.report import encode_table, format_bytes, format_rate, format_table, info_table


def field(name, counts, encoded_bits, seconds):
    return FieldReport(
        name=name,
        sample_shape=(2, 3),
        bits=2,
        signed=False,
        samples=1,
        elements=sum(counts),
        counts=np.array(counts),
        encoded_bits=encoded_bits,
        encoded=sum(counts),
        encode_seconds=seconds,
    )


def test_columns_are_aligned_without_trailing_blanks():
    table = format_table(["name", "n"], [["a", "1000"], ["longer", "1"]])
    assert table.splitlines() == [
        "name       n",
        "------  ----",
        "a       1000",
        "longer     1",
    ]
    assert format_table(["a", "b"], [["x", ""]]).splitlines()[-1] == "x"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1500, "1.5 kB"),
        (3.86e6, "3.9 MB"),
        (2e9, "2.0 GB"),
        (5e15, "5000.0 TB"),
    ],
)
def test_bytes_in_decimal_units(count, text):
    assert format_bytes(count) == text


def test_rates_in_millions():
    assert format_rate(3_000_000, 0.5) == "6 M/s"
    assert format_rate(3, 0.0) == "-"
    assert format_rate(0, 0.5) == "-"


def test_encode_table_has_a_row_per_field_and_one_for_the_file():
    fields = {
        "a": field("a", [2, 2, 0, 0], 8, 1e-6),
        "b": field("b", [4, 0, 0, 0], 4, 1e-6),
    }
    report = EncodeReport(samples=1, fields=fields, encoded_bits=20, seconds=1.0, paths=["a"])
    rows = [line.split() for line in encode_table(report, {"a": 2e-6, "b": 2e-6}).splitlines()[2:]]
    assert rows == [
        ["a", "2x3", "2", "0.50", "1.000", "2.000", "1.0000", "4", "M/s", "2", "M/s"],
        ["b", "2x3", "2", "1.00", "0.000", "1.000", "0.5000", "4", "M/s", "2", "M/s"],
        ["whole", "file", "0.500", "2.500", "1.2500", "4", "M/s", "2", "M/s"],
    ]
    assert "decode" not in encode_table(report)


def test_tables_of_fields_without_symbols_have_dashes(tmp_path):
    path = tmp_path / "x.huffq"
    codes = np.zeros((3, 0), np.uint8)
    report = huffq.encode_dataset(codes, path, bits=4, progress=False)
    dashes = ["-", "-", "-", "-"]
    rows = [line.split() for line in encode_table(report, {"data": 1.0}).splitlines()[2:]]
    assert rows == [
        ["data", "0", "4", *dashes, "-", "-"],
        ["whole", "file", *dashes[1:], "-", "-"],
    ]
    assert info_table(huffq.open(path)).splitlines()[2].split() == [
        *("data", "0", "uint8", "4", "1", "-", "-"),
    ]
