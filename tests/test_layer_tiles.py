"""From a network's layers to convolutions in integers."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from huffq.errors import LayerError, TileError  # noqa: E402
from huffq.layer_tiles import layer_convolutions  # noqa: E402
from huffq.quant import QuantConv2d, QuantLinear  # noqa: E402
from huffq.tiles import Tiling  # noqa: E402


def network(*layers):
    torch.manual_seed(0)
    return torch.nn.Sequential(*layers).eval()


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel")
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": (1, 4), "padding": "same"},
        {"kernel_size": 2, "padding": "valid", "stride": (2, 1)},
        {"kernel_size": 3, "padding": (2, 0), "dilation": (1, 2), "groups": 3},
        {"kernel_size": 4, "padding": "same", "dilation": 3},
    ],
    ids=str,
)
def test_integers_give_back_what_the_layer_computes(options):
    layer = QuantConv2d(6, 9, **options)
    images = torch.rand(2, 6, 9, 8) * 4
    expected = layer(images).detach()
    convolution = layer_convolutions(network(layer), images, ["0"])["0"]
    outputs = [np.concatenate(list(Tiling(convolution).output(n)), axis=1)[:, :9] for n in (0, 1)]
    sums = torch.from_numpy(np.stack(outputs)).transpose(1, 2).reshape(expected.shape)
    real = sums * float(convolution.codes.scale) * float(convolution.weights.scale)
    torch.testing.assert_close(real.to(torch.float32), expected)


def test_all_convolutions_are_taken_by_default():
    model = network(
        QuantConv2d(3, 4, 3),
        torch.nn.ReLU(),
        QuantConv2d(4, 2, 3),
        torch.nn.Flatten(),
        QuantLinear(2, 2),
    )
    images = torch.rand(1, 3, 5, 5)
    assert list(layer_convolutions(model, images)) == ["0", "2"]
    with pytest.raises(TileError, match="layer '4' is a QuantLinear; tiles need a convolution"):
        layer_convolutions(model, images, ["0", "4"])
    with pytest.raises(LayerError, match="no layer '9'"):
        layer_convolutions(model, images, ["9"])
