"""Tiling against torch's integer convolution, and against the psums of real test benches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from huffq.codes import Codes
from huffq.errors import TileError
from huffq.testbench import PSUM_BITS, read_numbers
from huffq.tiles import Convolution, Tiling
from tile_sets import TILE_SETS, random_convolution, real_convolution

torch = pytest.importorskip("torch")

ORDERS = ("weight-stationary", "output-stationary")


def torch_output(convolution):
    """Convolve in torch's int64, ``[N, o_nij, OC]``."""
    planes = torch.from_numpy(convolution.padded().astype(np.int64))
    weights = torch.from_numpy(convolution.weights.values.astype(np.int64))
    output = torch.nn.functional.conv2d(
        planes,
        weights,
        stride=convolution.stride,
        dilation=convolution.dilation,
        groups=convolution.groups,
    )
    return output.flatten(2).transpose(1, 2).numpy()


def accumulated_pairs(tiling, image):
    """Add the psums of all pairs up, ``[o_nij, OC]``, channels of the last tile cut off."""
    outputs = np.zeros((tiling.output_tiles, len(tiling.output(image)[0]), tiling.columns), int)
    for i, o in tiling.pairs:
        outputs[o] += tiling.accumulate(tiling.psums(image, i, o))
    joined = np.concatenate(list(outputs), axis=1)
    channels = tiling.convolution.weights.values.shape[0]
    assert not joined[:, channels:].any()
    return joined[:, :channels]


def assert_equals_torch(tiling):
    expected = torch_output(tiling.convolution)
    for image in range(tiling.convolution.images):
        np.testing.assert_array_equal(accumulated_pairs(tiling, image), expected[image])
        output = np.concatenate(list(tiling.output(image)), axis=1)
        channels = expected.shape[2]
        np.testing.assert_array_equal(output[:, :channels], expected[image])
        assert not output[:, channels:].any()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("shape", "outputs", "options", "tiles"),
    [
        ((1, 48, 8, 8), 48, {"padding": (1, 1, 1, 1)}, (6, 6, 36)),
        ((1, 16, 9, 9), 16, {"stride": (2, 2), "padding": (1, 1, 1, 1)}, (2, 2, 4)),
        ((1, 16, 5, 5), 8, {"kernel": (1, 1)}, (2, 1, 2)),
        ((1, 16, 5, 5), 24, {"kernel": (1, 1), "stride": (2, 2)}, (2, 3, 6)),
        ((1, 32, 6, 6), 64, {"groups": 4, "padding": (1, 1, 1, 1)}, (4, 8, 8)),
        ((1, 24, 6, 6), 24, {"groups": 24, "padding": (1, 1, 1, 1)}, (3, 3, 3)),
        ((1, 18, 6, 6), 6, {"groups": 3}, (3, 1, 3)),
        ((1, 10, 6, 6), 10, {"padding": (1, 1, 1, 1)}, (2, 2, 4)),
        ((3, 8, 5, 7), 40, {"padding": (0, 1, 2, 3)}, (1, 5, 5)),
        ((1, 8, 9, 9), 8, {"dilation": (2, 3), "padding": (2, 2, 3, 3)}, (1, 1, 1)),
    ],
    ids=lambda value: str(value).replace(" ", ""),
)
def test_accumulated_psums_equal_torchs_integer_convolution(shape, outputs, options, tiles, order):
    tiling = Tiling(random_convolution(np.random.default_rng(1), shape, outputs, **options))
    assert (tiling.input_tiles, tiling.output_tiles, len(tiling.pairs)) == tiles
    assert_equals_torch(replace(tiling, order=order))


@given(data=st.data(), order=st.sampled_from(ORDERS), seed=st.integers(0, 2**32 - 1))
def test_any_convolution_equals_torchs(data, order, seed):
    def pair(low, high):
        return data.draw(st.tuples(st.integers(low, high), st.integers(low, high)))

    groups = data.draw(st.integers(1, 4))
    channels, outputs = pair(1, 6)
    convolution = random_convolution(
        np.random.default_rng(seed),
        (data.draw(st.integers(1, 2)), groups * channels, *pair(5, 9)),
        groups * outputs,
        pair(1, 3),
        bits=data.draw(st.sampled_from([2, 4, 8])),
        signed=data.draw(st.booleans()),
        stride=pair(1, 3),
        padding=pair(0, 2) + pair(0, 2),
        dilation=pair(1, 2),
        groups=groups,
    )
    rows, columns = pair(1, 17)
    assert_equals_torch(Tiling(convolution, rows, columns, order))


@pytest.mark.parametrize(("bits", "rows"), [(2, 16), (4, 8), (8, 4)])
def test_bit_width_and_array_size_are_free(bits, rows):
    convolution = random_convolution(np.random.default_rng(2), (1, 20, 5, 5), 9, bits=bits)
    tiling = Tiling(convolution, rows, 8)
    assert tiling.activation(0, 0).shape == (25, rows)
    assert tiling.weights(0, 1).shape == (9, 8, rows)
    assert_equals_torch(tiling)


def test_sums_beyond_float32_stay_exact():
    codes = Codes(np.full((1, 2048, 3, 3), 255, np.uint8), 8)
    weights = Codes(np.full((1, 2048, 3, 3), -127, np.int8), 8)
    weights.values[0, 0, 0, 0] = -126
    tiling = Tiling(Convolution(codes, weights), rows=2048)
    assert tiling.output(0)[0, 0, 0] == 2048 * 9 * 255 * -127 + 255
    assert tiling.psums(0, 0, 0)[0, 0, 0] == 2048 * 255 * -127 + 255


@pytest.mark.parametrize("name", TILE_SETS)
def test_real_tiles_reproduce_their_output(shared_data, name):
    folder = shared_data / "tiles" / name
    output = Tiling(real_convolution(folder)).output(0)[0]
    assert (output < 0).any()
    expected = read_numbers(folder / "out.txt", bits=PSUM_BITS, signed=True)
    np.testing.assert_array_equal(np.maximum(output, 0), expected)


def test_real_tiles_reproduce_their_psums(shared_data):
    folder = shared_data / "tiles" / "headed-8x8"
    for k, partial in enumerate(Tiling(real_convolution(folder)).psums(0, 0, 0)):
        expected = read_numbers(folder / f"psum_kij{k}.txt", bits=PSUM_BITS, signed=True)
        np.testing.assert_array_equal(partial, expected)


def test_a_line_is_a_position_or_a_kij_of_an_output_position():
    convolution = random_convolution(
        np.random.default_rng(3), (1, 8, 4, 5), 8, stride=(2, 1), padding=(1, 0, 0, 2)
    )
    padded = convolution.padded()[0]
    weight_stationary = Tiling(convolution)
    assert weight_stationary.lines == 5 * 7
    np.testing.assert_array_equal(weight_stationary.activation(0, 0), padded.reshape(8, -1).T)
    output_stationary = Tiling(convolution, order="output-stationary")
    assert output_stationary.lines == 2 * 5 * 9
    lines = output_stationary.activation(0, 0)
    for line, (row, column, kernel_row, kernel_column) in enumerate(np.ndindex(2, 5, 3, 3)):
        expected = padded[:, 2 * row + kernel_row, column + kernel_column]
        np.testing.assert_array_equal(lines[line], expected)


def test_weights_are_indexed_by_kij_oc_and_ic():
    weights = np.arange(-30, 30, dtype=np.int8).reshape(3, 5, 2, 2)
    codes = Codes(np.zeros((1, 5, 3, 3), np.uint8), 4)
    tiling = Tiling(Convolution(codes, Codes(weights, 8)), rows=2, columns=2)
    for oc, ic, k in np.ndindex(3, 5, 4):
        matrix = tiling.weights(ic // 2, oc // 2)[k]
        assert matrix[oc % 2, ic % 2] == weights[oc, ic, k // 2, k % 2]


@pytest.mark.parametrize(
    ("codes", "weights", "options", "message"),
    [
        ((4, 4), (8, 8, 3, 3), {}, r"\[4, 4\] is not \[N, C, H, W\]"),
        ((0, 8, 4, 4), (8, 8, 3, 3), {}, r"\[0, 8, 4, 4\] is not"),
        ((1, 8, 4, 4), (8, 8, 9), {}, r"\[8, 8, 9\] is not \[OC, IC, KH, KW\]"),
        ((1, 7, 4, 4), (8, 8, 3, 3), {}, "have 7 channels and the weights have 8 input channels"),
        ((1, 8, 4, 4), (8, 8, 3, 3), {"groups": 3}, "do not divide into 3 groups"),
        ((1, 8, 4, 4), (8, 8, 3, 3), {"dilation": (1, 2)}, "reaches over 3x5 .* of 4x4"),
    ],
)
def test_shapes_that_do_not_belong_together_are_named(codes, weights, options, message):
    with pytest.raises(TileError, match=message):
        Convolution(
            Codes(np.zeros(codes, np.uint8), 4), Codes(np.zeros(weights, np.int8), 4), **options
        )


@pytest.mark.parametrize(
    "options", [{"stride": (0, 1)}, {"padding": (0, 0, -1, 0)}, {"dilation": (1, 0)}, {"groups": 0}]
)
def test_impossible_geometries_are_refused(options):
    (name,) = options
    codes, weights = np.zeros((1, 1, 2, 2), np.uint8), np.zeros((1, 1, 1, 1), np.int8)
    with pytest.raises(ValueError, match=f"{name} is .*; it must be at least"):
        Convolution(Codes(codes, 4), Codes(weights, 4), **options)


def test_values_beyond_the_bit_width_are_named():
    codes, weights = np.zeros((1, 2, 2, 2), np.uint8), np.zeros((1, 2, 1, 1), np.int8)
    codes[0, 1, 0, 1] = 16
    with pytest.raises(TileError, match=r"activation 16 at .* \(0, 1, 0, 1\) .* hold 0 to 15"):
        Convolution(Codes(codes, 4), Codes(weights, 4))
    weights[0, 1] = -9
    with pytest.raises(TileError, match=r"weight -9 at .* \(0, 1, 0, 0\) .* hold -8 to 7"):
        Convolution(Codes(codes, 8), Codes(weights, 4))


def test_activations_take_the_width_and_sign_of_a_chip():
    codes = Codes(np.array([[[[0, 200]]]], np.uint8), 8)
    convolution = Convolution(codes, Codes(np.ones((1, 1, 1, 1), np.int8), 2))
    with pytest.raises(TileError, match="activation 200 does not fit 8 signed bits"):
        convolution.with_activations(8, signed=True)
    codes.values[...] = [[[[3, 7]]]]
    signed = convolution.with_activations(4, signed=True)
    assert (signed.codes.bits, signed.codes.signed) == (4, True)
    np.testing.assert_array_equal(Tiling(signed).output(0), Tiling(convolution).output(0))
    with pytest.raises(TileError, match="does not fit 3 signed bits"):
        convolution.with_activations(3, signed=True)
    signed.codes.values[0, 0, 0, 0] = -1
    with pytest.raises(TileError, match="activation -1 does not fit 4 unsigned bits"):
        signed.with_activations(4, signed=False)


@pytest.mark.parametrize(
    ("layer", "options", "pairs"),
    [
        ("layer3.2.conv2", {"padding": (1, 1, 1, 1)}, 36),
        ("layer3.0.conv1", {"padding": (1, 1, 1, 1), "stride": (2, 2)}, 12),
        ("layer3.0.downsample.0", {"stride": (2, 2)}, 12),
    ],
)
def test_layers_of_a_real_network_equal_torchs(shared_data, layer, options, pairs):
    with np.load(shared_data / "resnet20-4bit" / "golden-integers.npz") as golden:
        codes = Codes(golden[f"{layer}.x_int"][:2].astype(np.uint8), 4)
        weights = Codes(golden[f"{layer}.w_int"].astype(np.int8), 4)
    tiling = Tiling(Convolution(codes, weights, **options))
    assert len(tiling.pairs) == pairs
    assert_equals_torch(tiling)
    assert_equals_torch(replace(tiling, order="output-stationary"))


def test_impossible_arrays_are_refused():
    convolution = random_convolution(np.random.default_rng(0), (1, 1, 3, 3), 1)
    for options in ({"rows": 0}, {"columns": 0}, {"order": "input-stationary"}):
        with pytest.raises(ValueError, match=next(iter(options))):
            Tiling(convolution, **options)


def test_sums_that_overflow_are_named():
    codes = Codes(np.full((1, 8, 1, 1), 15, np.uint8), 4)
    tiling = Tiling(Convolution(codes, Codes(np.full((8, 8, 1, 1), 7, np.int8), 4)))
    tiling.check_sums(11)
    with pytest.raises(TileError, match="output of image 0, output tile 0: 840 does not fit 10"):
        tiling.check_sums(10)
    weights = np.full((8, 16, 1, 1), 7, np.int8)
    weights[:, 8:] = -7
    codes = Codes(np.full((1, 16, 1, 1), 15, np.uint8), 4)
    tiling = Tiling(Convolution(codes, Codes(weights, 4)))
    with pytest.raises(TileError, match="psum of image 0, input tile 0, output tile 0: 840"):
        tiling.check_sums(10)
