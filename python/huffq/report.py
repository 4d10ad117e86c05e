"""Plain-text tables and units, for people at a terminal."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from huffq.field import Field

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from huffq.encode_report import EncodeReport
    from huffq.scales import Numbers
    from huffq.store import Dataset
    from huffq.tiles import TileFigures


def format_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay cells out in columns: the first flush left, the others flush right.

    Args:
        header: Names of the columns.
        rows: Cells, as many per row as there are columns.

    Returns:
        The lines of the table, without a final newline.
    """
    table = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if position else cell.ljust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def format_bytes(count: float) -> str:
    """Return a number of bytes in decimal units, such as ``1.5 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def format_rate(symbols: int, seconds: float) -> str:
    """Return symbols per second in millions, such as ``812 M/s``; ``-`` if nothing was coded."""
    return f"{symbols / seconds / 1e6:.0f} M/s" if symbols and seconds > 0 else "-"


def _format_number(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"


def _format_shape(shape: Sequence[int | None]) -> str:
    return "x".join("*" if n is None else str(n) for n in shape) or "scalar"


def _sizes(encoded_bits: int, raw_bits: int, symbols: int) -> list[str]:
    """Return coded bits per symbol and the ratio of coded to raw bits."""
    if symbols == 0:
        return ["-", "-"]
    return [f"{encoded_bits / symbols:.3f}", f"{encoded_bits / raw_bits:.4f}"]


def encode_table(report: EncodeReport, decode_seconds: Mapping[str, float] | None = None) -> str:
    """Describe what encoding a dataset gave, one row per field and one for the whole file.

    Args:
        report: From `huffq.encode_dataset`.
        decode_seconds: Time that one thread took to decode each field; adds a column.

    Returns:
        The table: sample shape, bit width, share of zeros, entropy and coded bits per symbol, coded
        size over that at the bit width (smaller is better), and symbols that this run coded per
        second of one thread.
    """
    header = ["field", "shape", "bits", "zeros", "entropy", "bits/symbol", "ratio", "encode"]
    rows = [
        [
            name,
            _format_shape(field.sample_shape),
            str(field.bits),
            _format_number(field.zeros, 2),
            _format_number(field.entropy, 3),
            *_sizes(field.encoded_bits, field.raw_bits, field.elements),
            format_rate(field.encoded, field.encode_seconds),
        ]
        for name, field in report.fields.items()
    ]
    encoded = sum(field.encoded for field in report.fields.values())
    encode_seconds = sum(field.encode_seconds for field in report.fields.values())
    rows.append(
        [
            "whole file",
            "",
            "",
            "",
            _format_number(report.entropy, 3),
            *_sizes(report.encoded_bits, report.raw_bits, report.symbols),
            format_rate(encoded, encode_seconds),
        ]
    )
    if decode_seconds is not None:
        header.append("decode")
        for row, field in zip(rows, report.fields.values(), strict=False):
            row.append(format_rate(field.symbols, decode_seconds[field.name]))
        rows[-1].append(format_rate(report.symbols, sum(decode_seconds.values())))
    return format_table(header, rows)


def info_table(dataset: Dataset) -> str:
    """Describe the fields of an open file: sample shape, type, width, scale and coded size."""
    rows = []
    for name, field in dataset.fields.items():
        bits = field.bits or 8 * field.dtype.itemsize
        scale = _format_scale(field.scale)
        sizes = _sizes(field.encoded_bits, field.elements * bits, field.elements)
        shape = _format_shape(field.shape[1:])
        rows.append([name, shape, str(field.dtype), str(bits), scale, *sizes])
    return format_table(["field", "shape", "dtype", "bits", "scale", "bits/symbol", "ratio"], rows)


def _format_scale(scale: Numbers | Field) -> str:
    if isinstance(scale, Field):
        return f"by sample: {scale.name}"
    return f"{scale.item():.6g}" if scale.size == 1 else f"varies {list(scale.shape)}"


def figures_table(what: str, figures: Mapping[str, TileFigures]) -> str:
    """Describe what coding tiles saves and costs, one row per tile or layer.

    Args:
        what: What a row is.
        figures: By the name of the row.

    Returns:
        The table: the code, bits plain and coded, their ratio, words plain and coded, words saved,
        words of the largest coded tile and of the worst case, clocks to read the plain and to
        decode the coded tiles, and bits of the code tables.
    """
    header = [what, "code", "raw bits", "coded bits", "ratio", "raw words", "coded words"]
    header += ["saved", "largest tile", "worst tile", "raw clocks", "decode clocks", "table bits"]
    rows = [
        [
            name,
            _format_code(row.lengths),
            str(row.raw_bits),
            str(row.coded_bits),
            f"{row.ratio:.4f}",
            str(row.raw_words),
            str(row.coded_words),
            str(row.saved_words),
            str(row.largest_words),
            str(row.worst_words),
            str(row.raw_words),
            str(row.decode_cycles),
            str(row.table_bits),
        ]
        for name, row in figures.items()
    ]
    return format_table(header, rows)


def _format_code(lengths: Sequence[int] | None) -> str:
    """Return codeword lengths as one hexadecimal digit per symbol, or their range if many."""
    if lengths is None:
        return "several"
    if len(lengths) <= 16:
        return "".join(f"{length:x}" if length else "-" for length in lengths)
    used = [length for length in lengths if length]
    return f"{len(used)} symbols, {min(used)}-{max(used)} bits"
