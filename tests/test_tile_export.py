"""Complete tile sets: the real ones rewritten from their numbers, and one of several tiles."""

from __future__ import annotations

import numpy as np
import pytest

from huffq.codes import Codes
from huffq.errors import TileError
from huffq.testbench import TextForm, read_numbers
from huffq.tile_export import Convolution, export_convolution


def numbers_of(folder, activation, weight):
    """Read a real 8x8 set of a padded 6x6 plane."""
    plane = read_numbers(folder / activation, bits=4, signed=False).T.reshape(8, 6, 6)
    matrices = [read_numbers(folder / weight.format(k), bits=4, signed=True) for k in range(9)]
    weights = np.stack(matrices, axis=2).reshape(8, 8, 3, 3)
    codes = Codes(plane[:, 1:5, 1:5].astype(np.uint8), 4)
    return Convolution(codes, Codes(weights.astype(np.int8), 4), padding=1)


@pytest.mark.parametrize(
    ("name", "activation", "weight", "written"),
    [
        ("plain-8x8", "activation_tile0.txt", "weight_itile0_otile0_kij{}.txt", 11),
        ("headed-8x8", "activation.txt", "weight_kij{}.txt", 20),
    ],
)
def test_real_sets_are_rewritten_byte_for_byte(
    shared_data, tmp_path, name, activation, weight, written
):
    folder = shared_data / "tiles" / name
    convolution = numbers_of(folder, activation, weight)
    form = TextForm(header=name == "headed-8x8")
    (report,) = export_convolution(tmp_path, convolution, psums=written == 20, form=form)
    assert report.raw_bits == 1152
    expected = {
        "activation_tile0.txt": activation,
        "out_otile0.txt": "out.txt",
        **{f"weight_itile0_otile0_kij{k}.txt": weight.format(k) for k in range(9)},
        **{f"psum_itile0_otile0_kij{k}.txt": f"psum_kij{k}.txt" for k in range(9)},
    }
    compared = 0
    for path in tmp_path.iterdir():
        if path.name in expected:
            assert path.read_bytes() == (folder / expected[path.name]).read_bytes(), path.name
            compared += 1
    assert compared == written
    assert len(list(tmp_path.iterdir())) == written + 2  # the code table and the coded tile


def test_channels_beyond_one_tile_make_further_files(tmp_path):
    rng = np.random.default_rng(1)
    codes = Codes(rng.integers(-8, 8, (10, 5, 4), dtype=np.int8), 4)
    weights = Codes(rng.integers(-7, 8, (5, 10, 3, 3), dtype=np.int8), 4)
    reports = export_convolution(
        tmp_path, Convolution(codes, weights, padding=0), array_size=4, relu=False, psum_bits=20
    )
    assert [report.raw_bits for report in reports] == [4 * 20 * 4] * 3
    assert len(list(tmp_path.iterdir())) == 3 * 3 + 3 * 2 * 9 + 2

    columns = [
        read_numbers(tmp_path / f"out_otile{o}.txt", bits=20, signed=True, channels=4)
        for o in range(2)
    ]
    output = np.concatenate(columns, axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(codes.values.astype(int), (3, 3), (1, 2))
    expected = np.einsum("cyxkl,ockl->yxo", windows, weights.values.astype(int)).reshape(6, 5)
    assert (expected < 0).any()
    np.testing.assert_array_equal(output, np.pad(expected, ((0, 0), (0, 3))))


def test_a_sum_that_does_not_fit_is_named(tmp_path):
    codes = Codes(np.full((8, 1, 1), 15, np.uint8), 4)
    weights = Codes(np.full((8, 8, 1, 1), 7, np.int8), 4)
    with pytest.raises(TileError, match=r"out_otile0\.txt: value 840 .* 10 signed bits"):
        export_convolution(tmp_path, Convolution(codes, weights, padding=0), psum_bits=10)
    assert not list(tmp_path.iterdir())


def test_weights_of_another_layer_are_refused(tmp_path):
    codes = Codes(np.zeros((7, 4, 4), np.uint8), 4)
    weights = Codes(np.zeros((8, 8, 3, 3), np.int8), 4)
    with pytest.raises(TileError, match="image has 7 channels and the weights have 8 input"):
        export_convolution(tmp_path / "tiles", Convolution(codes, weights, padding=1))
    assert not (tmp_path / "tiles").exists()
