"""The networks: their keys and shapes, and a real checkpoint with real images."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from huffq import models
from huffq.capture import activations
from huffq.quant import QuantConv2d, quantized_layers, weight_codes

if TYPE_CHECKING:
    from pathlib import Path

MEAN = torch.tensor([0.491, 0.482, 0.447]).view(3, 1, 1)
STD = torch.tensor([0.247, 0.243, 0.262]).view(3, 1, 1)


def normalise(images: np.ndarray) -> torch.Tensor:
    return (torch.from_numpy(images).float() / 255 - MEAN) / STD


def notebook_vgg16() -> nn.Module:
    """Build the bottleneck VGG16 in the notebook's own steps: make the plain one, then edit it."""
    layers: list[nn.Module] = []
    channels = 3
    stages = [
        64,
        64,
        "M",
        128,
        128,
        "M",
        256,
        256,
        256,
        "M",
        512,
        512,
        512,
        "M",
        512,
        512,
        512,
        "M",
    ]
    for out in stages:
        if isinstance(out, str):
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [QuantConv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU()]
            channels = out
    layers.append(nn.AvgPool2d(kernel_size=1, stride=1))
    features = nn.Sequential(*layers)
    features[24] = QuantConv2d(256, 8, kernel_size=3, padding=1)
    features[25] = nn.BatchNorm2d(8)
    features[27] = QuantConv2d(8, 8, kernel_size=3, padding=1)
    features[30] = QuantConv2d(8, 512, kernel_size=3, padding=1)
    del features[28]
    return nn.ModuleDict({"features": features, "classifier": nn.Linear(512, 10)})


def shapes(model: nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


@pytest.fixture(scope="module")
def resnet(shared_data: Path) -> nn.Module:
    model = models.resnet20(channels=(8, 16, 48))
    path = shared_data / "resnet20-4bit" / "model_best.pth.tar"
    checkpoint = torch.load(path, weights_only=True, map_location="cpu")
    model.load_state_dict(checkpoint["state_dict"], strict=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    optimizer.load_state_dict(checkpoint["optimizer"])
    assert all(
        state["momentum_buffer"].shape == parameter.shape
        for parameter, state in optimizer.state.items()
    )
    return model.eval()


def test_bottleneck_has_the_notebooks_keys_and_shapes() -> None:
    model = models.vgg16(bottleneck=True)
    assert shapes(model) == shapes(notebook_vgg16())
    assert list(model.state_dict()) == list(notebook_vgg16().state_dict())
    assert shapes(model)["features.27.weight"] == (8, 8, 3, 3)
    assert shapes(model)["features.27.weight_quant.wgt_alpha"] == ()
    assert isinstance(model.features[28], nn.ReLU)


def test_plain_vgg16() -> None:
    model = models.vgg16(width=0.25, quantize_first=False)
    assert isinstance(model.features[0], nn.Conv2d)
    assert not isinstance(model.features[0], QuantConv2d)
    names = [f"features.{i}" for i in (3, 7, 10, 14, 17, 20, 24, 27, 30, 34, 37, 40)]
    assert list(quantized_layers(model)) == names
    assert shapes(model)["features.40.weight"] == (128, 128, 3, 3)
    assert "features.28.running_mean" in model.state_dict()


def test_width_leaves_the_bottleneck_alone() -> None:
    model = models.vgg16(width=0.125, bottleneck=True, num_classes=7)
    assert shapes(model)["features.24.weight"] == (8, 32, 3, 3)
    assert shapes(model)["features.27.weight"] == (8, 8, 3, 3)
    assert shapes(model)["features.29.weight"] == (64, 8, 3, 3)
    assert model.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 7)


def test_resnet20_channels_and_width() -> None:
    model = models.resnet20(width=0.5, num_classes=3)
    assert shapes(model)["layer3.2.conv2.weight"] == (32, 32, 3, 3)
    assert shapes(model)["layer2.0.downsample.0.weight"] == (16, 8, 1, 1)
    assert "layer1.0.downsample.0.weight" not in model.state_dict()
    assert len(quantized_layers(model)) == 20
    assert model.eval()(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


@pytest.mark.parametrize("name", models.NAMES)
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_every_model_trains_and_keeps_its_logits_when_saved(
    name: str, bits: int, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = models.build(name, width=0.125, bits=bits)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
    x, labels = torch.randn(8, 3, 32, 32), torch.arange(8)
    nn.functional.cross_entropy(model(x), labels).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    optimizer.step()
    with torch.no_grad():
        logits = model.eval()(x)
    torch.save(model.state_dict(), tmp_path / "model.pth")
    again = models.build(name, width=0.125, bits=bits).eval()
    again.load_state_dict(torch.load(tmp_path / "model.pth", weights_only=True))
    with torch.no_grad():
        assert torch.equal(again(x), logits)


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"no model 'vgg19'; .*: vgg16, vgg16-bottleneck, resnet20"
    ):
        models.build("vgg19")
    for width in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"width is {width}; it must be positive and finite"):
            models.vgg16(width=width)
    for channels in (0, -4):
        with pytest.raises(ValueError, match=f"channels is {channels}; it must be at least 1"):
            models.resnet20(channels=(16, channels, 64))
    with pytest.raises(ValueError, match=r"weight has shape \[1, 1, 1, 1\]"):
        models.resnet20(channels=(1, 1, 1))
    with pytest.raises(ValueError, match="bits is 1"):
        models.resnet20(bits=1)


def test_real_checkpoint_reaches_its_accuracy(resnet: nn.Module, shared_data: Path) -> None:
    with np.load(shared_data / "cifar10-original-subset.npz") as data:
        images, labels = normalise(data["test_batch_x"]), torch.from_numpy(data["test_batch_y"])
    with torch.inference_mode():
        predicted = torch.cat([resnet(batch).argmax(1) for batch in images.split(128)])
    assert len(labels) == 1017
    # 909 of 1017 are 89.38 %.
    assert (predicted == labels).sum() == 909


def test_real_checkpoint_gives_the_golden_integers(resnet: nn.Module, shared_data: Path) -> None:
    with np.load(shared_data / "resnet20-4bit" / "golden-integers.npz") as data:
        golden = dict(data)
    images = normalise(golden["images"])
    with torch.inference_mode():
        np.testing.assert_allclose(resnet(images), golden["logits"], rtol=0, atol=1e-4)
    captured = next(activations(resnet, [images]))
    assert len(captured) == 20
    for name, layer in quantized_layers(resnet).items():
        weights = weight_codes(layer, name=name)
        np.testing.assert_array_equal(captured[name].values, golden[f"{name}.x_int"])
        np.testing.assert_array_equal(weights.values, golden[f"{name}.w_int"])
        assert captured[name].scale == golden[f"{name}.x_delta"]
        assert weights.scale == golden[f"{name}.w_delta"]
        assert (captured[name].bits, captured[name].signed, weights.bits) == (4, False, 4)
