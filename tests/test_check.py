"""The recovered-output check, on trained weights and on layers worked out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from huffq import models
from huffq.check import CheckResult, recover_output, verify_layer
from huffq.codes import Codes
from huffq.errors import DataError, LayerError
from huffq.quant import QuantConv2d, QuantLinear

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def digits() -> tuple[torch.Tensor, torch.Tensor]:
    pixels, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(pixels).float().view(-1, 1, 8, 8) / 8 - 1
    return F.interpolate(images, 32).expand(-1, 3, -1, -1), torch.from_numpy(labels)


@pytest.fixture(scope="module")
def trained(digits: tuple[torch.Tensor, torch.Tensor]) -> models.VGG:
    """A narrow bottleneck VGG16 after a few steps."""
    torch.manual_seed(0)
    model = models.vgg16(width=0.125, bottleneck=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.8, weight_decay=1e-4)
    for images, labels in zip(*(part[:800].split(50) for part in digits), strict=True):
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return model


def test_the_8x8_layer_is_recovered_on_trained_weights(
    trained: models.VGG, digits: tuple[torch.Tensor, torch.Tensor]
) -> None:
    result = verify_layer(trained, digits[0][:100], "features.27")
    assert (result.layer, result.next_layer) == ("features.27", "features.29")
    assert result.scale > 0.1
    assert result.relative_error <= 1e-4
    assert result.ok
    assert trained.training


def test_every_layer_is_recovered_through_batch_norm_and_pooling(
    trained: models.VGG, digits: tuple[torch.Tensor, torch.Tensor]
) -> None:
    # The first layer's inputs are negative; batch norm and pooling lie between the others.
    for layer in ("features.0", "features.3", "features.20", "features.24", "features.36"):
        result = verify_layer(trained, digits[0][:200], layer)
        assert result.scale > 0.1, layer
        assert result.ok, result


def test_a_missing_relu_fails_the_check(
    trained: models.VGG, digits: tuple[torch.Tensor, torch.Tensor]
) -> None:
    result = verify_layer(trained, digits[0][:8], "features.27", "features.29", between=[])
    assert not result.ok
    assert 0 < result.mean_error < result.max_error
    assert result.relative_error == result.max_error / result.scale


def test_real_checkpoint_is_recovered_through_a_given_path(shared_data: Path) -> None:
    model = models.resnet20(channels=(8, 16, 48))
    path = shared_data / "resnet20-4bit" / "model_best.pth.tar"
    model.load_state_dict(torch.load(path, weights_only=True, map_location="cpu")["state_dict"])
    with np.load(shared_data / "resnet20-4bit" / "golden-integers.npz") as data:
        images = torch.from_numpy(data["images"]).float() / 128 - 1
    for name, block in model.named_modules():
        if isinstance(block, models.resnet.BasicBlock):
            between = [block.bn1, nn.ReLU()]
            result = verify_layer(model, images, f"{name}.conv1", f"{name}.conv2", between=between)
            assert result.ok, result


def test_integer_output_worked_out_by_hand() -> None:
    layer = QuantConv2d(2, 2, 1, bias=True)
    norm = nn.BatchNorm2d(2, eps=0.0).eval()
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([1.0, 0.0]))
        norm.running_mean.copy_(torch.tensor([0.0, 1.0]))
        norm.running_var.copy_(torch.tensor([1.0, 4.0]))
        norm.weight.copy_(torch.tensor([1.0, 3.0]))
        norm.bias.copy_(torch.tensor([0.0, 0.5]))
    x = Codes(np.array([[[[3, 0]], [[1, 2]]]], np.uint8), 4, np.float32(0.5))
    weight = Codes(np.array([[2, -1], [0, -3]], np.int8).reshape(2, 2, 1, 1), 4, np.float32(0.25))
    # Sums: 2·3 - 1, -2 and -3, -6; times 1/8, plus the bias.
    plain = [[[[1.625, 0.75]], [[-0.375, -0.75]]]]
    assert recover_output(layer, x, weight).tolist() == plain
    # The second channel becomes (y - 1) / 2 · 3 + 0.5.
    normed = [[[[1.625, 0.75]], [[-1.5625, -2.125]]]]
    assert recover_output(layer, x, weight, [norm]).tolist() == normed
    relu = [[[[1.625, 0.75]], [[0.0, 0.0]]]]
    assert recover_output(layer, x, weight, [norm, nn.ReLU()]).tolist() == relu


def test_sums_beyond_float32_are_exact() -> None:
    # 127 · (255·66051 + 1) is odd and above 2**24.
    count = 66052
    layer = QuantLinear(count, 1, bias=False).double()
    x = Codes(np.full((1, count), 255, np.uint8), 8)
    x.values[0, -1] = 1
    weight = Codes(np.full((1, count), 127, np.int8), 8)
    assert recover_output(layer, x, weight).item() == 127 * (255 * (count - 1) + 1)


def test_linear_layers_with_negative_alpha_are_recovered() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(QuantLinear(6, 5), nn.ReLU(), nn.Dropout(), QuantLinear(5, 2, bits=3))
    model[0].act_alpha.data.fill_(-2.0)
    result = verify_layer(model, torch.randn(20, 6), "0", "3")
    assert result.scale > 0.1
    assert result.ok


def test_what_cannot_be_known_is_refused(trained: models.VGG) -> None:
    images = torch.zeros(1, 3, 32, 32)
    resnet = models.resnet20(width=0.125)
    with pytest.raises(LayerError, match=r"'layer1\.0\.conv1' is not in a torch\.nn\.Sequential"):
        verify_layer(resnet, images, "layer1.0.conv1", "layer1.0.conv2")
    with pytest.raises(LayerError, match=r"no quantised layer follows 'features\.39'"):
        verify_layer(trained, images, "features.39")
    with pytest.raises(
        LayerError, match=r"after 'features\.24' is 'features\.27', not 'features\.29'"
    ):
        verify_layer(trained, images, "features.24", "features.29")
    with pytest.raises(LayerError, match="name that layer too"):
        verify_layer(trained, images, "features.24", between=[])
    with pytest.raises(LayerError, match=r"shape \(1, 8, 4, 4\), but the input of 'features\.33'"):
        verify_layer(trained, images, "features.27", "features.33", between=[])


def test_bad_names_and_empty_input_are_refused(trained: models.VGG) -> None:
    with pytest.raises(
        LayerError, match=r"no layer 'features\.99'; the quantised layers are: feat"
    ):
        verify_layer(trained, torch.zeros(1, 3, 32, 32), "features.99")
    with pytest.raises(LayerError, match=r"'features\.28' is not quantised"):
        verify_layer(trained, torch.zeros(1, 3, 32, 32), "features.27", "features.28")
    with pytest.raises(DataError, match="holds no images"):
        verify_layer(trained, torch.zeros(0, 3, 32, 32), "features.27")


def test_relative_error_of_a_silent_layer() -> None:
    assert CheckResult("a", "b", 0.0, 0.0, 0.0).ok
    assert not CheckResult("a", "b", 1e-9, 0.0, 0.0).ok
