"""Capture of layer inputs: by name, declared once per stream, leaving the model as it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from huffq.capture import activations, layer_inputs
from huffq.errors import DataError, ExtractionError, LayerError
from huffq.quant import QuantConv2d, QuantLinear


class Reversed(nn.Module):
    """Runs its layers in the opposite order of their definition."""

    def __init__(self) -> None:
        super().__init__()
        self.last = QuantLinear(4, 3, bits=3)
        self.relu = nn.ReLU(inplace=True)
        self.first = QuantLinear(2, 4, bits=4)
        self.last.act_alpha.data.fill_(2.0)
        self.first.act_alpha.data.fill_(1.5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.last(self.relu(self.first(x)))
        return out


@pytest.fixture
def model() -> Reversed:
    torch.manual_seed(0)
    return Reversed()


def test_codes_belong_to_the_named_layer_not_to_the_order_of_execution(model: Reversed) -> None:
    x = torch.tensor([[0.0, 0.3], [1.5, 9.0]])
    (batch,) = activations(model, [x], ["first", "last"])
    assert list(batch) == ["first", "last"]
    assert batch["first"].values.tolist() == [[0, 3], [15, 15]]
    assert batch["first"].scale == np.float32(1.5) / np.float32(15)
    assert batch["first"].real_dtype == "float32"
    with torch.no_grad():
        hidden = model.relu(model.first(x))
    expected = (hidden / 2.0).clamp(max=1).mul(7).round()
    assert batch["last"].values.tolist() == expected.tolist()
    assert (batch["last"].bits, batch["last"].values.dtype) == (3, np.uint8)


def test_all_quantised_layers_are_the_default(model: Reversed) -> None:
    assert list(next(activations(model, [torch.rand(2, 2)]))) == ["last", "first"]


def test_loaders_of_tensors_tuples_and_lists_are_read(model: Reversed) -> None:
    x, labels = torch.rand(5, 2), torch.arange(5)
    expected = next(activations(model, [x]))["last"].values
    for loader in (DataLoader(TensorDataset(x, labels), 2), x.split(2), [(x[:2], None), (x[2:],)]):
        batches = [batch["last"].values for batch in activations(model, loader, ["last"])]
        np.testing.assert_array_equal(np.concatenate(batches), expected)


def test_one_forward_pass_captures_all_layers_and_passes_on_what_comes_with_the_images(
    model: Reversed,
) -> None:
    x, labels, ids = torch.rand(5, 2), torch.arange(5), torch.rand(5, 3, dtype=torch.float64)
    passes = []
    model.register_forward_hook(lambda *_: passes.append(1))
    loader = DataLoader(TensorDataset(x, labels, ids), 2)
    batches = list(activations(model, loader, ["last", "first"], sides=["label", "vector"]))
    assert len(passes) == 3
    assert [list(batch) for batch in batches] == [["last", "first", "label", "vector"]] * 3
    for name, expected in (("label", labels), ("vector", ids)):
        found = np.concatenate([batch[name] for batch in batches])
        np.testing.assert_array_equal(found, expected.numpy(), strict=True)
    (batch,) = activations(model, [(x, labels.tolist(), ids)], ["first"], sides=["label"])
    assert (list(batch), batch["label"].tolist()) == (["first", "label"], [0, 1, 2, 3, 4])


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (torch.rand(2, 2), "holds 0 items beside its images; sides names 1"),
        ((torch.rand(2, 2),), "holds 0 items beside its images; sides names 1"),
        ((torch.rand(2, 2), torch.zeros(3)), r"2 images and 'label' of shape \[3\]; their first"),
        ((torch.rand(2, 2), 7), r"2 images and 'label' of shape \[\]; their first"),
    ],
)
def test_sides_that_do_not_go_with_the_images_are_refused(
    model: Reversed, batch: Any, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        next(activations(model, [batch], sides=["label"]))


@pytest.mark.parametrize("sides", [["a", "a"], ["first"]])
def test_names_of_sides_are_their_own(model: Reversed, sides: list[str]) -> None:
    with pytest.raises(ValueError, match="names must differ, and from those of layers"):
        activations(model, [], sides=sides)


@pytest.mark.parametrize(
    ("lowest", "bits"), [(-0.3, 4), (-0.8, 5), (-0.9, 6), (-1.7, 7), (-3.3, 8), (-12.8, 8)]
)
def test_a_layer_with_negative_inputs_is_int8_with_a_spare_bit_throughout(
    model: Reversed, lowest: float, bits: int
) -> None:
    loader = [torch.tensor([[lowest, 0.2]]), torch.tensor([[0.1, 0.2]])]
    batches = list(activations(model, loader))
    codes = [[[round(10 * lowest), 2]], [[1, 2]]]
    assert [batch["first"].values.tolist() for batch in batches] == codes
    for batch in batches:
        assert (batch["first"].bits, batch["first"].values.dtype) == (bits, np.int8)
        assert (batch["last"].bits, batch["last"].values.dtype) == (3, np.uint8)


def test_late_negative_codes_need_a_declaration(model: Reversed) -> None:
    loader = [torch.tensor([[0.1, 0.2]]), torch.tensor([[-0.3, 0.2]])]
    stream = activations(model, loader)
    next(stream)
    with pytest.raises(ExtractionError, match=r"'first': its codes go down to -3.*`signed`"):
        next(stream)
    batches = list(activations(model, loader, signed=["first"]))
    assert [batch["first"].values.tolist() for batch in batches] == [[[1, 2]], [[-3, 2]]]
    assert all(batch["first"].bits == 8 and batch["first"].signed for batch in batches)


def test_codes_that_outgrow_the_first_batch_need_a_declaration(model: Reversed) -> None:
    loader = [torch.tensor([[-0.3, x]]) for x in (0.2, 0.7, 0.8)]
    stream = activations(model, loader)
    assert [next(stream)["first"].bits for _ in range(2)] == [4, 4]
    with pytest.raises(ExtractionError, match=r"'first': its codes need 5 bits, .*4; .*`signed`"):
        next(stream)
    assert [batch["first"].bits for batch in activations(model, loader, signed=["first"])] == [
        8
    ] * 3


def test_a_spoilt_weight_is_blamed_on_its_own_layer(model: Reversed) -> None:
    model.first.weight.data[0, 0] = torch.nan
    x = torch.rand(2, 2)
    for run in (
        lambda: next(activations(model, [x], ["last"])),
        lambda: layer_inputs(model, x, ["last"]),
    ):
        with pytest.raises(ExtractionError, match="'first': its weight holds NaN"):
            run()


def test_a_negative_alpha_is_captured_with_its_scale(model: Reversed) -> None:
    model.first.act_alpha.data.fill_(-1.5)
    (batch,) = activations(model, [torch.tensor([[-0.3, 0.2], [-9.0, 3.0]])])
    assert batch["first"].values.tolist() == [[3, -2], [15, -30]]
    assert batch["first"].scale == np.float32(-1.5) / np.float32(15)


def test_the_model_is_left_as_it_was_between_batches(model: Reversed) -> None:
    model.train()
    model.relu.eval()
    stream = activations(model, [torch.rand(2, 2)] * 2)
    next(stream)
    assert [m.training for m in (model, model.last, model.relu, model.first)] == [
        True,
        True,
        False,
        True,
    ]
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert model(torch.rand(1, 2)).requires_grad


def test_the_model_is_left_as_it_was_after_an_error(model: Reversed) -> None:
    model.train()
    with pytest.raises(ExtractionError, match="'first': its input holds NaN"):
        next(activations(model, [torch.full((2, 2), torch.nan)]))
    assert all(module.training for module in model.modules())
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_capture_runs_in_eval_mode() -> None:
    model = nn.Sequential(nn.BatchNorm1d(2), QuantLinear(2, 2))
    x = torch.tensor([[3.0, 3.0], [5.0, 5.0]])
    inputs = layer_inputs(model, x, ["1"])
    assert torch.allclose(inputs["1"], x, atol=1e-3)
    assert model[0].num_batches_tracked == 0


def test_layer_inputs_survive_changes_in_place() -> None:
    model = nn.Sequential(nn.Identity(), QuantConv2d(1, 2, 1))
    x = torch.full((1, 1, 2, 2), -1.0)
    inputs = layer_inputs(model, (x, torch.zeros(1)), ["1"])
    x.fill_(7.0)
    assert inputs["1"].unique().tolist() == [-1.0]


def test_unknown_and_float_layers_are_refused_at_once(model: Reversed) -> None:
    with pytest.raises(LayerError, match="no layer 'conv9'; the quantised layers are: last, first"):
        activations(model, [], ["first", "conv9"])
    with pytest.raises(LayerError, match="layer 'relu' is not quantised"):
        activations(model, [], ["relu"])
    with pytest.raises(LayerError, match="no layer 'conv9'"):
        activations(model, [], signed=["conv9"])
    with pytest.raises(LayerError, match="no quantised layer to capture"):
        activations(nn.Linear(2, 2), [])


@pytest.mark.parametrize(
    ("loader", "message"),
    [
        ([], "gives no batch"),
        ([torch.empty(0, 2)], "holds no images"),
        ([np.zeros((1, 2))], "a batch is a ndarray"),
        ([()], "a batch is a tuple"),
    ],
)
def test_loaders_without_images_are_refused(model: Reversed, loader: list, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(activations(model, loader))


def test_layers_that_run_twice_or_never_are_refused() -> None:
    layer = QuantLinear(2, 2)
    with pytest.raises(LayerError, match="'0' runs more than once"):
        next(activations(nn.Sequential(layer, layer), [torch.rand(1, 2)]))
    idle = nn.Sequential(nn.Identity())
    idle[0].unused = layer
    with pytest.raises(LayerError, match=r"'0\.unused' does not run"):
        next(activations(idle, [torch.rand(1, 2)]))
