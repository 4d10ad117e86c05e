"""The quantiser, its gradients, and the extraction of integers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from huffq.errors import ExtractionError, LayerError
from huffq.quant import (
    QuantConv2d,
    QuantLinear,
    activation_codes,
    find_layer,
    integer_codes,
    quantized_layers,
    weight_codes,
)
from huffq.quant.quantizer import WeightQuantizer, quantize_activation


def linear(weight: list[list[float]], bits: int = 4, alpha: float = 1.0) -> QuantLinear:
    layer = QuantLinear(len(weight[0]), len(weight), bias=False, bits=bits)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
        layer.act_alpha.fill_(alpha)
    return layer


def test_activations_are_clipped_above_only() -> None:
    # alpha 3 and 2 bits: the step is 1.
    x = torch.tensor([-5.2, -0.4, 0.0, 0.6, 1.4, 2.9, 3.0, 7.0])
    quantized = quantize_activation(x, torch.tensor(3.0), 2)
    assert quantized.tolist() == pytest.approx([-5.0, 0.0, 0.0, 1.0, 1.0, 3.0, 3.0, 3.0])


def test_halves_round_to_even() -> None:
    x = torch.tensor([-1.5, -0.5, 0.5, 1.5, 2.5])
    quantized = quantize_activation(x, torch.tensor(3.0), 2)
    assert quantized.tolist() == [-2.0, 0.0, 0.0, 2.0, 2.0]


def test_activation_gradients_pass_where_not_clipped() -> None:
    x = torch.tensor([-5.0, 0.2, 2.0, 2.1, 9.0], requires_grad=True)
    alpha = torch.tensor(2.0, requires_grad=True)
    quantize_activation(x, alpha, 4).backward(torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0]))
    assert x.grad is not None
    assert alpha.grad is not None
    assert x.grad.tolist() == [1.0, 2.0, 4.0, 0.0, 0.0]
    assert alpha.grad.item() == 24.0


def test_weights_are_normalised_clipped_and_rounded() -> None:
    # Mean 1, unbiased deviation sqrt(32 / 3); alpha 1 and 3 bits: steps of 1/3, clipped at 1.
    weight = torch.tensor([-3.0, 1.0, 1.0, 5.0])
    quantizer = WeightQuantizer(3)
    quantizer.wgt_alpha.data.fill_(1.0)
    assert quantizer(weight).tolist() == [-1.0, 0.0, 0.0, 1.0]
    quantizer.wgt_alpha.data.fill_(3.0)
    # 4 / sqrt(32 / 3) = 1.2247; of 3 that is 0.408, whose nearest third is 1/3.
    assert quantizer(weight).tolist() == pytest.approx([-1.0, 0.0, 0.0, 1.0])


def test_weight_gradients_ignore_mean_and_deviation() -> None:
    weight = torch.tensor([-3.0, 1.0, 1.0, 5.0], requires_grad=True)
    quantizer = WeightQuantizer(3)
    deviation = math.sqrt(32 / 3)
    quantizer(weight).backward(torch.tensor([1.0, 2.0, 4.0, 8.0]))
    assert weight.grad is not None
    assert weight.grad.tolist() == pytest.approx([g / deviation for g in (1, 2, 4, 8)])
    assert quantizer.wgt_alpha.grad is not None
    assert quantizer.wgt_alpha.grad.item() == 0.0

    weight.grad = quantizer.wgt_alpha.grad = None
    quantizer.wgt_alpha.data.fill_(1.0)
    quantizer(weight).backward(torch.tensor([1.0, 2.0, 4.0, 8.0]))
    # Both ends, at ±1.22, are clipped; alpha gets -1 from the left and +8 from the right.
    assert weight.grad.tolist() == pytest.approx([0.0, 2 / deviation, 4 / deviation, 0.0])
    assert quantizer.wgt_alpha.grad.item() == 7.0


@settings(deadline=None, max_examples=50)
@given(bits=st.integers(2, 8), alpha=st.floats(0.25, 4.0), seed=st.integers(0, 2**31))
def test_convolution_agrees_with_a_straightforward_reference(
    bits: int, alpha: float, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = QuantConv2d(2, 3, 3, stride=2, padding=1, bias=True, bits=bits)
    layer.act_alpha.data.fill_(alpha)
    x = torch.randn(2, 2, 5, 5)
    w = (layer.weight - layer.weight.mean()) / layer.weight.std()
    w_ratio = (w / 3.0).clamp(-1, 1)
    w_levels, x_levels = 2 ** (bits - 1) - 1, 2**bits - 1
    w_q = w_ratio.sign() * (w_ratio.abs() * w_levels).round() / w_levels * 3.0
    x_q = ((x / alpha).clamp(max=1) * x_levels).round() / x_levels * alpha
    assert torch.equal(layer(x), F.conv2d(x_q, w_q, layer.bias, stride=2, padding=1))
    assert torch.equal(layer.weight_q, w_q)


def test_state_dict_has_the_keys_of_existing_checkpoints() -> None:
    keys = ["weight", "act_alpha", "weight_q", "weight_quant.wgt_alpha"]
    assert list(QuantConv2d(3, 4, 3).state_dict()) == keys
    assert list(QuantLinear(3, 4, bias=False).state_dict()) == keys
    layer = QuantConv2d(3, 4, 3)
    assert layer.act_alpha.item() == 8.0
    assert layer.weight_quant.wgt_alpha.item() == 3.0


def test_weight_q_follows_loading_and_training() -> None:
    layer, other = QuantLinear(6, 5), QuantLinear(6, 5)
    layer.load_state_dict(other.state_dict())
    assert torch.equal(layer.weight_q, other.weight_quant(other.weight))
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5, weight_decay=0.1)
    layer(torch.rand(4, 6)).square().sum().backward()
    optimizer.step()
    for context in (torch.no_grad(), torch.inference_mode()):
        with context:
            layer(torch.rand(4, 6))
        assert torch.equal(layer.weight_q, layer.weight_quant(layer.weight))
    assert not torch.equal(layer.weight_q, other.weight_q)


@pytest.mark.parametrize("bits", [1, 9])
def test_bits_outside_2_to_8_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match=f"bits is {bits}; it must lie between 2 and 8"):
        QuantConv2d(1, 1, 3, bits=bits)
    with pytest.raises(ValueError, match=f"bits is {bits}; it must lie between 2 and 8"):
        QuantLinear(2, 2, bits=bits)


def test_a_weight_without_a_deviation_is_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \[1, 1\]; it must have at least two elements"):
        QuantLinear(1, 1)
    with pytest.raises(ValueError, match=r"shape \[1, 1, 1, 1\]"):
        QuantConv2d(1, 1, 1)


def test_layers_are_found_by_name() -> None:
    model = nn.Sequential(QuantConv2d(1, 1, 3), nn.ReLU(), nn.Sequential(QuantLinear(2, 2)))
    assert list(quantized_layers(model)) == ["0", "2.0"]
    assert find_layer(model, "2.0") is model[2][0]
    with pytest.raises(LayerError, match=r"no layer 'conv9'; the quantised layers are: 0, 2\.0"):
        find_layer(model, "conv9")
    with pytest.raises(LayerError, match=r"layer '1' is not quantised; .* are: 0, 2\.0"):
        find_layer(model, "1")
    with pytest.raises(LayerError, match="the quantised layers are: none"):
        find_layer(nn.ReLU(), "conv9")


def test_unsigned_activation_codes() -> None:
    layer = linear([[0.0, 1.0]], alpha=1.5)
    codes = activation_codes(layer, torch.tensor([[0.0, 0.26, 1.44, 9.0]]), name="fc")
    assert codes.values.dtype == np.uint8
    assert codes.values.tolist() == [[0, 3, 14, 15]]
    assert codes.bits == 4
    assert codes.scale.shape == ()
    assert codes.scale == np.float32(1.5) / np.float32(15)


def test_negative_inputs_give_signed_codes_of_as_many_bits_as_needed() -> None:
    layer = linear([[0.0, 1.0]], alpha=1.5)
    small = activation_codes(layer, torch.tensor([-0.8, 0.7]), name="fc")
    assert (small.values.tolist(), small.bits, small.signed) == ([-8, 7], 4, True)
    high = activation_codes(layer, torch.tensor([-0.1, 1.5]), name="fc")
    assert (high.values.tolist(), high.bits) == ([-1, 15], 5)
    low = activation_codes(layer, torch.tensor([-12.8, 1.5]), name="fc")
    assert (low.values.tolist(), low.bits) == ([-128, 15], 8)
    assert low.dequantize().tolist() == pytest.approx([-12.8, 1.5])


def test_negative_alpha_gives_signed_codes_and_a_negative_scale() -> None:
    # x / alpha is clipped above at 1, so inputs below alpha stick to code 15 and positive ones,
    # whose codes are negative, are not clipped at all.
    layer = linear([[0.0, 1.0]], alpha=-1.5)
    codes = activation_codes(layer, torch.tensor([-9.0, -1.5, -0.3, 0.0, 0.3, 2.0]), name="fc")
    assert codes.values.tolist() == [15, 15, 3, 0, -3, -20]
    assert (codes.bits, codes.signed) == (6, True)
    assert codes.scale == np.float32(-1.5) / np.float32(15)
    assert codes.dequantize().tolist() == pytest.approx([-1.5, -1.5, -0.3, 0.0, 0.3, 2.0])


def test_signedness_can_be_declared() -> None:
    layer = linear([[0.0, 1.0]], alpha=1.5)
    x = torch.tensor([0.0, 1.5])
    assert activation_codes(layer, x, name="fc", signed=True).values.dtype == np.int8
    assert activation_codes(layer, x, name="fc", signed=False).values.dtype == np.uint8
    with pytest.raises(ExtractionError, match=r"'fc': its codes go down to -3.*`signed`"):
        activation_codes(layer, torch.tensor([-0.3]), name="fc", signed=False)


@pytest.mark.parametrize(("bits", "x"), [(4, -12.9), (8, -0.1)])
def test_codes_beyond_8_bits_are_refused(bits: int, x: float) -> None:
    layer = linear([[0.0, 1.0]], bits=bits, alpha=1.5)
    with pytest.raises(ExtractionError, match=r"'fc': its codes span -\d+ to \d+, .*-128 to 127"):
        activation_codes(layer, torch.tensor([x, 1.5]), name="fc")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_non_finite_values_are_refused(value: float) -> None:
    layer = linear([[0.0, 1.0]])
    with pytest.raises(ExtractionError, match="'fc': its input holds NaN or infinity"):
        activation_codes(layer, torch.tensor([0.5, value]), name="fc")
    layer = linear([[0.0, value]])
    with pytest.raises(ExtractionError, match="'fc': its weight holds NaN or infinity"):
        weight_codes(layer, name="fc")


def test_a_zero_alpha_is_refused() -> None:
    layer = linear([[0.0, 1.0]], alpha=0.0)
    with pytest.raises(ExtractionError, match="'fc': with delta 0 the values are not integer"):
        activation_codes(layer, torch.tensor([0.5]), name="fc")


def test_a_wrong_step_is_refused_with_the_worst_deviation() -> None:
    # With the step alpha / 2**(bits - 1) code k lands on 8 k / 15; code 1, on 0.533, is the worst.
    codes = torch.arange(16.0)
    delta = torch.tensor(1.5 / 15)
    assert torch.equal(integer_codes(codes * delta, delta, name="fc"), codes)
    with pytest.raises(ExtractionError, match=r"'fc': with delta 0\.1875 .* deviation is 0\.467"):
        integer_codes(codes * delta, torch.tensor(1.5 / 8), name="fc")


def test_float_error_is_rounded_not_truncated() -> None:
    delta = torch.tensor(0.1)
    values = torch.tensor([0.29999, 0.70001, -0.29999])
    assert integer_codes(values, delta, name="fc").tolist() == [3.0, 7.0, -3.0]


def test_half_precision_is_refused_where_it_blurs_the_codes() -> None:
    layer = linear([[0.0, 1.0]], bits=8, alpha=1.3).bfloat16()
    with pytest.raises(ExtractionError, match="computes in float32"):
        activation_codes(layer, torch.linspace(0, 1.3, 50).bfloat16(), name="fc")


@pytest.mark.parametrize("bits", range(2, 9))
def test_weight_codes_are_signed_and_of_the_layers_width(bits: int) -> None:
    torch.manual_seed(bits)
    layer = QuantConv2d(8, 8, 3, bits=bits)
    layer.weight_quant.wgt_alpha.data.fill_(1.0)
    codes = weight_codes(layer, name="conv")
    levels = 2 ** (bits - 1) - 1
    assert codes.values.dtype == np.int8
    assert codes.bits == bits
    assert (codes.values.min(), codes.values.max()) == (-levels, levels)
    quantized = layer.weight_quant(layer.weight).detach().numpy()
    np.testing.assert_allclose(codes.dequantize(), quantized, rtol=1e-6)


def test_weight_codes_do_not_depend_on_a_stale_weight_q() -> None:
    layer = QuantConv2d(2, 2, 3)
    expected = weight_codes(layer, name="conv").values
    layer.weight_q.data.zero_()
    assert np.array_equal(weight_codes(layer, name="conv").values, expected)
