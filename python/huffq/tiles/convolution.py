"""The integers of one convolution, and where its kernel meets the padded plane."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import numpy.typing as npt

from huffq.codes import Codes
from huffq.errors import TileError
from huffq.scales import Parameter
from huffq.testbench import Integers


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution of a batch of images, in integers.

    Attributes:
        codes: Codes ``[N, C, H, W]`` at its input.
        weights: Signed weights ``[OC, C / groups, KH, KW]``.
        stride: Steps of the kernel down and to the right.
        padding: Rows and columns of zeros at top, bottom, left and right.
        dilation: Distances of neighbouring kernel positions, down and to the right.
        groups: Equal parts of the channels; outputs of a part see inputs of that part alone.

    Raises:
        TileError: The shapes do not belong together, the kernel exceeds the padded plane, or a
            value does not fit its bit width.
        ValueError: A stride, padding, dilation or number of groups is impossible.
    """

    codes: Codes
    weights: Codes
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    def __post_init__(self) -> None:
        _require(self.codes.values, "N, C, H, W")
        _require(self.weights.values, "OC, IC, KH, KW")
        if not self.weights.signed:
            raise TileError("the weights are unsigned; tiles hold signed ones")
        for name, smallest in (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1)):
            value = getattr(self, name)
            if np.min(value) < smallest:
                raise ValueError(f"{name} is {value}; it must be at least {smallest}")
        channels, (outputs, inputs) = self.codes.values.shape[1], self.weights.values.shape[:2]
        if channels % self.groups or outputs % self.groups:
            raise TileError(
                f"{channels} input and {outputs} output channels do not divide into "
                f"{self.groups} groups"
            )
        if inputs * self.groups != channels:
            raise TileError(
                f"the images have {channels} channels and the weights have {inputs} input channels "
                f"in {self.groups} groups; they must agree"
            )
        _require_width(self.codes, "activation", "image, channel, row, column")
        _require_width(self.weights, "weight", "output channel, input channel, row, column")
        if min(self.output_shape) < 1:
            height, width = self.reach
            raise TileError(
                f"a kernel that reaches over {height}x{width} positions does not fit on a padded "
                f"plane of {self.plane_shape[0]}x{self.plane_shape[1]}"
            )

    @property
    def images(self) -> int:
        """Number of images."""
        return int(self.codes.values.shape[0])

    @property
    def kernel(self) -> tuple[int, int]:
        """Height and width of the kernel."""
        height, width = self.weights.values.shape[2:]
        return height, width

    @property
    def reach(self) -> tuple[int, int]:
        """Height and width of what the dilated kernel spans."""
        down, right = ((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilation, strict=True))
        return down, right

    @property
    def plane_shape(self) -> tuple[int, int]:
        """Height and width of the padded plane, whose positions are nij."""
        height, width = self.codes.values.shape[2:]
        top, bottom, left, right = self.padding
        return top + height + bottom, left + width + right

    @property
    def output_shape(self) -> tuple[int, int]:
        """Height and width of the output plane, whose positions are o_nij."""
        height, width = (
            (plane - reach) // step + 1
            for plane, reach, step in zip(self.plane_shape, self.reach, self.stride, strict=True)
        )
        return height, width

    def positions(self) -> npt.NDArray[np.intp]:
        """Return the nij that each kij meets at each o_nij, ``[kij, o_nij]``, all row by row."""
        kernel_rows, kernel_columns = np.indices(self.kernel).reshape(2, -1, 1)
        rows, columns = np.indices(self.output_shape).reshape(2, 1, -1)
        down = kernel_rows * self.dilation[0] + rows * self.stride[0]
        right = kernel_columns * self.dilation[1] + columns * self.stride[1]
        return np.asarray(down * self.plane_shape[1] + right, np.intp)

    def padded(self) -> Integers:
        """Return the codes with their border of zeros, ``[N, C, plane height, plane width]``."""
        top, bottom, left, right = self.padding
        return np.pad(self.codes.values, ((0, 0), (0, 0), (top, bottom), (left, right)))

    def dense_weights(self) -> npt.NDArray[np.int8]:
        """Return the weights ``[OC, C, KH, KW]``, zero between channels of different groups."""
        values = self.weights.values
        outputs, inputs = values.shape[0] // self.groups, values.shape[1]
        dense = np.zeros((values.shape[0], inputs * self.groups, *self.kernel), np.int8)
        for g in range(self.groups):
            rows = slice(g * outputs, (g + 1) * outputs)
            dense[rows, g * inputs : (g + 1) * inputs] = values[rows]
        return dense

    def with_activations(self, bits: int, signed: bool) -> Convolution:
        """Return the same convolution with activations of a given kind, as a chip fixes it.

        Args:
            bits: Their bit width, 1 to 8.
            signed: Whether they are two's complement.

        Raises:
            TileError: An activation does not fit.
            ValueError: `bits` is out of range.
        """
        values = self.codes.values
        limits = np.iinfo(np.int8 if signed else np.uint8)
        low, high = int(values.min()), int(values.max())
        if low < limits.min or high > limits.max:
            raise TileError(
                f"activation {low if low < limits.min else high} does not fit {bits} "
                f"{'signed' if signed else 'unsigned'} bits"
            )
        cast = values.astype(np.int8) if signed else values.astype(np.uint8)
        return replace(self, codes=replace(self.codes, values=cast, bits=bits))

    def describe(self) -> dict[str, object]:
        """Return the convolution's parameters by name, ready for JSON."""
        names = [field.name for field in fields(self) if field.name not in ("codes", "weights")]
        return {
            "images": self.images,
            "input_shape": list(self.codes.values.shape[1:]),
            "output_shape": [self.weights.values.shape[0], *self.output_shape],
            "kernel": list(self.kernel),
            **{name: getattr(self, name) for name in names},
            "activation_bits": self.codes.bits,
            "activation_signed": self.codes.signed,
            "activation_scale": _plain(self.codes.scale),
            "weight_bits": self.weights.bits,
            "weight_scale": _plain(self.weights.scale),
        }


def _plain(scale: Parameter) -> object:
    """Return a scale as JSON has it, or the name of the field that holds it."""
    return scale if isinstance(scale, str) else scale.tolist()


def _require(array: Integers, axes: str) -> None:
    """Demand an array with at least one element and one dimension per name in `axes`."""
    if array.ndim != axes.count(",") + 1 or array.size == 0:
        raise TileError(f"an array of shape {list(array.shape)} is not [{axes}]")


def _require_width(codes: Codes, what: str, axes: str) -> None:
    values, bits = codes.values, codes.bits
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if codes.signed else (0, (1 << bits) - 1)
    if low <= values.min() and values.max() <= high:
        return
    index = tuple(np.argwhere((values < low) | (values > high))[0].tolist())
    raise TileError(
        f"{what} {values[index]} at ({axes}) {index} does not fit {bits} "
        f"{'signed' if codes.signed else 'unsigned'} bits, which hold {low} to {high}"
    )
