"""huffq.checkpoint: the notebook's files, written atomically and read with suspicion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from torch import nn

from huffq import checkpoint, models
from huffq.errors import CheckpointError
from huffq.quant import QuantConv2d, QuantLinear

if TYPE_CHECKING:
    from pathlib import Path


def save(folder: Path, model: nn.Module, *, is_best: bool = True) -> Path:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02).state_dict()
    checkpoint.save(folder, model, epoch=3, best_prec=91.5, optimizer=optimizer, is_best=is_best)
    return folder / checkpoint.LAST


def test_round_trip_keeps_weights_and_the_notebooks_keys(tmp_path: Path) -> None:
    model, other = nn.Linear(3, 2), nn.Linear(3, 2)
    loaded = checkpoint.load(save(tmp_path, model), other)
    assert set(loaded) == {"epoch", "state_dict", "best_prec", "optimizer"}
    assert (loaded["epoch"], loaded["best_prec"]) == (3, 91.5)
    assert loaded["optimizer"]["param_groups"][0]["lr"] == 0.02
    assert torch.equal(model.weight, other.weight)


def test_best_is_written_only_when_asked(tmp_path: Path) -> None:
    save(tmp_path, nn.Linear(3, 2), is_best=False)
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.LAST]
    save(tmp_path, nn.Linear(3, 2))
    assert {path.name for path in tmp_path.iterdir()} == {checkpoint.LAST, checkpoint.BEST}


def test_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = save(tmp_path, nn.Linear(3, 2)).read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        save(tmp_path, nn.Linear(3, 2))
    assert (tmp_path / checkpoint.LAST).read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_other_architecture_names_the_keys_and_changes_nothing(tmp_path: Path) -> None:
    path = save(tmp_path, nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2)))
    other = nn.Sequential(nn.Linear(4, 2), nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
    before = {key: value.clone() for key, value in other.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load(path, other)
    message = str(caught.value)
    assert "missing: 1.0.weight, 1.0.bias, 1.1.weight, 1.1.bias" in message
    assert "unexpected: 1.weight, 1.bias" in message
    assert "of another shape: 0.weight [2, 3] instead of [2, 4]" in message
    assert all(torch.equal(value, before[key]) for key, value in other.state_dict().items())


def test_many_keys_are_counted(tmp_path: Path) -> None:
    path = save(tmp_path, nn.Sequential(*(nn.Linear(2, 2) for _ in range(5))))
    with pytest.raises(CheckpointError, match=r"unexpected: 1\.weight, .* and 4 more$"):
        checkpoint.load(path, nn.Sequential(nn.Linear(2, 2)))


@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.99])
def test_truncated(tmp_path: Path, kept: float) -> None:
    path = save(tmp_path, nn.Linear(30, 20))
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * kept)])
    with pytest.raises(CheckpointError, match="or truncated"):
        checkpoint.load(path, nn.Linear(30, 20))


@pytest.mark.parametrize("raw", [b"foreign", b"\x80\x02}q\x00.", b"PK\x03\x04", b"\n", b"123"])
def test_foreign_bytes(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "file.pth"
    path.write_bytes(raw)
    with pytest.raises(CheckpointError):
        checkpoint.load(path, nn.Linear(3, 2))


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 1}, {"state_dict": {"weight": 1}}, 7])
def test_foreign_content(tmp_path: Path, content: object) -> None:
    path = tmp_path / "file.pth"
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="no 'state_dict'"):
        checkpoint.load(path, nn.Linear(3, 2))


def trained(bits: int, *, steps: int, fresh: bool) -> nn.Module:
    """Train a little; without `fresh`, `weight_q` is from before the last step."""
    torch.manual_seed(0)
    model = nn.Sequential(QuantConv2d(3, 12, 3, bits=bits), nn.Flatten(), QuantLinear(12, 30))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.8)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.rand(8, 3, 3, 3)).square().mean().backward()
        optimizer.step()
    if fresh:
        model(torch.rand(1, 3, 3, 3))
    return model


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize("steps", [0, 1, 20])
@pytest.mark.parametrize("bits", [2, 3, 4, 7, 8])
def test_weights_of_the_models_bit_width_load(
    tmp_path: Path, bits: int, steps: int, fresh: bool
) -> None:
    model = trained(bits, steps=steps, fresh=fresh)
    if steps and not fresh and bits > 2:  # coarse weights may stay as they were
        layer = model[0]
        assert not torch.equal(layer.weight_q, layer.weight_quant(layer.weight))
    other = trained(bits, steps=0, fresh=True)
    checkpoint.load(save(tmp_path, model), other)
    assert torch.equal(other[0].weight, model[0].weight)


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize(
    ("stored", "wanted"), [(2, 3), (3, 2), (3, 5), (4, 2), (4, 5), (4, 7), (7, 8), (8, 4), (8, 7)]
)
def test_another_bit_width_is_refused_and_changes_nothing(
    tmp_path: Path, stored: int, wanted: int, fresh: bool
) -> None:
    path = save(tmp_path, trained(stored, steps=20, fresh=fresh))
    other = trained(wanted, steps=0, fresh=True)
    before = {key: value.clone() for key, value in other.state_dict().items()}
    message = f"another bit width: the weights of layer '0' have {stored} bits, .* {wanted}$"
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(path, other)
    assert all(torch.equal(value, before[key]) for key, value in other.state_dict().items())


def test_weights_that_show_no_width_load(tmp_path: Path) -> None:
    for value in (0.0, torch.nan):
        model = QuantLinear(9, 9)
        model.weight_q.data.fill_(value)
        checkpoint.load(save(tmp_path, model), QuantLinear(9, 9))
    model = QuantLinear(9, 9)
    model.weight.data[0, 0] = torch.nan
    checkpoint.load(save(tmp_path, model), QuantLinear(9, 9))
    # All but one weight round to zero.
    model = QuantLinear(9, 9)
    model.weight.data.fill_(1e-3).view(-1)[0] = 1.0
    model(torch.rand(1, 9))
    checkpoint.load(save(tmp_path, model), QuantLinear(9, 9))
    # Spread out over few of many levels.
    model = QuantLinear(2, 2, bits=8)
    checkpoint.load(save(tmp_path, model), QuantLinear(2, 2, bits=8))


@pytest.mark.parametrize("bits", [2, 3, 5, 8])
def test_foreign_users_checkpoint_has_4_bits(shared_data: Path, bits: int) -> None:
    model = models.resnet20(channels=(8, 16, 48), bits=bits)
    with pytest.raises(CheckpointError, match=f"'layer1.0.conv1' have 4 bits, the model's {bits}"):
        checkpoint.load(shared_data / "resnet20-4bit" / checkpoint.BEST, model)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no checkpoint .*nothing\.pth"):
        checkpoint.load(tmp_path / "nothing.pth", nn.Linear(3, 2))
    with pytest.raises(FileNotFoundError):
        save(tmp_path / "nowhere", nn.Linear(3, 2))


def test_foreign_users_checkpoint_loads(shared_data: Path) -> None:
    model = models.resnet20(channels=(8, 16, 48))
    loaded = checkpoint.load(shared_data / "resnet20-4bit" / checkpoint.BEST, model)
    assert set(loaded) == {"epoch", "state_dict", "best_prec", "optimizer"}
    assert torch.equal(model.get_parameter("fc.weight"), loaded["state_dict"]["fc.weight"])
