"""What many small arrays share, so that each takes little more than its codewords."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from huffq import _huffq
from huffq.codec import IntegerArray, as_bytes, check_bits, integer_array, output, sample_axes

CodebookLevel: TypeAlias = Literal["dense", "max"]


class Codebook:
    """Codes that arrays of samples of one shape share, trained on some of them.

    Make one with `train` or `from_bytes`, and give it to `encode` and to `decode`. Codebooks
    compare by their bytes, hash, and pickle.

    Attributes:
        level: ``"dense"`` or ``"max"``.
        bits: Bit width of the codes, 1 to 8.
        signed: Whether the codes are two's complement.
        dtype: ``int8`` where they are, else ``uint8``.
        sample_shape: Shape of one sample.
        channel_axis: The axis of ``[samples, *sample_shape]`` whose indices have statistics of
            their own, or None.
        neighbour_axes: The axes of it along which symbols resemble their neighbours.
    """

    __slots__ = (
        "_shared",
        "bits",
        "channel_axis",
        "dtype",
        "level",
        "neighbour_axes",
        "sample_shape",
        "signed",
    )

    def __init__(self, shared: _huffq.Codebook) -> None:
        self._shared = shared
        self.level = cast(CodebookLevel, shared.level)
        self.bits = shared.bits
        self.signed = shared.signed
        self.dtype: np.dtype[Any] = np.dtype(np.int8 if shared.signed else np.uint8)
        self.sample_shape = tuple(shared.sample_shape)
        channel, neighbours = shared.axes
        self.channel_axis = None if channel is None else channel + 1
        self.neighbour_axes = tuple(axis + 1 for axis in neighbours)

    @classmethod
    def train(
        cls,
        x: npt.ArrayLike,
        bits: int | None = None,
        level: CodebookLevel = "dense",
        channel_axis: int | None = None,
        neighbour_axes: Sequence[int] | None = None,
    ) -> Codebook:
        """Return a codebook that suits `x`; it can code every other value too.

        Args:
            x: Samples to learn from, uint8 or int8 ``[samples, *sample_shape]``, at least one. A
                sample has 1 to 65,536 elements, at level max to 524,288.
            bits: Bit width, 1 to 8; None takes the narrowest that holds every value of `x`.
            level: ``"dense"`` tells channels apart; ``"max"`` neighbours too.
            channel_axis: As for `encode`.
            neighbour_axes: As for `encode`.

        Raises:
            TypeError: `x` is not uint8 or int8.
            ValueError: A value does not fit `bits` (names the value and its flat index), the axes
                are not such axes of `x`, or there is no sample, or an empty or too large one.
        """
        array = integer_array(x)
        if not array.ndim:
            raise ValueError("x is a scalar; its first axis must be the samples")
        axes = None
        if channel_axis is not None or neighbour_axes is not None:
            axes = sample_axes(array.ndim, channel_axis, neighbour_axes)
        signed = array.dtype == np.int8
        shape = array.shape[1:]
        check_bits(bits)
        return cls(_huffq.Codebook.train(as_bytes(array), shape, bits, signed, level, axes))

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview) -> Codebook:
        """Return the codebook that `to_bytes` wrote.

        Raises:
            CorruptFileError: The bytes are foreign or damaged.
            TruncatedFileError: The bytes end too early.
            UnsupportedVersionError: Another version of huffq wrote them.
        """
        return cls(_huffq.Codebook.from_bytes(np.frombuffer(data, np.uint8)))

    def to_bytes(self) -> bytes:
        """Return the codebook as bytes, for `from_bytes`."""
        return self._shared.to_bytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Codebook) and self._shared == other._shared

    def __hash__(self) -> int:
        return hash(self._shared)

    def __reduce__(self) -> tuple[Any, ...]:
        return Codebook.from_bytes, (self.to_bytes(),)

    def __repr__(self) -> str:
        return (
            f"<Codebook of level {self.level} for {self.dtype} of {self.bits} bits, "
            f"samples {list(self.sample_shape)}>"
        )

    def _encode(self, x: npt.ArrayLike, threads: int | None) -> bytes:
        """Encode `[samples, *sample_shape]`, or one sample."""
        array = integer_array(x)
        if array.dtype != self.dtype:
            raise TypeError(f"the array is {array.dtype}; the codebook is for {self.dtype}")
        if array.shape == self.sample_shape:
            samples = None
        elif array.ndim and array.shape[1:] == self.sample_shape:
            samples = array.shape[0]
        else:
            raise ValueError(
                f"the array has shape {list(array.shape)}; the codebook is for samples "
                f"{list(self.sample_shape)}, alone or along a first axis"
            )
        return self._shared.encode(as_bytes(array), samples, threads)

    def _decode(
        self, source: npt.NDArray[np.uint8], out: IntegerArray | None, threads: int | None
    ) -> IntegerArray:
        out = output(out, self._shared.describe(source), self.dtype)
        self._shared.decode_into(source, as_bytes(out), threads)
        return out

    def _check(
        self,
        bits: int | None,
        level: str | None,
        channel_axis: int | None,
        neighbour_axes: Sequence[int] | None,
    ) -> None:
        """Demand that options of `encode` are the codebook's own, or left out."""
        given: list[tuple[str, object, object]] = [
            ("bits", bits, self.bits),
            ("level", level, self.level),
        ]
        if channel_axis is not None or neighbour_axes is not None:
            ndim = 1 + len(self.sample_shape)
            axes = sample_axes(ndim, channel_axis, neighbour_axes)
            channel, neighbours = self._shared.axes
            given += [
                ("channel axis within a sample", axes[0], channel),
                ("neighbour axes within a sample", axes[1], neighbours),
            ]
        for name, value, own in given:
            if value is not None and value != own:
                raise ValueError(f"{name} is {value!r}; the codebook has {own!r}, so leave it out")
