"""Scales and zero points of stored fields: of all samples, or of each, in every way of reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import huffq

RNG = np.random.default_rng(11)
N, SHAPE = 90, (6, 4, 8)
CODES = RNG.integers(0, 16, (N, *SHAPE)).astype(np.uint8)
LENGTHS = RNG.integers(0, 7, N)
LENGTHS[:2] = 0, 5
ENDS = np.cumsum(LENGTHS)
TOKENS = RNG.integers(-8, 8, (LENGTHS.sum(), 12)).astype(np.int8)

Array = np.ndarray[Any, Any]


def spread(numbers: Array, shape: tuple[int, ...]) -> Array:
    """Numbers in full, by the definition: each stands for equally many indices of each axis."""
    full = numbers.reshape((1,) * (len(shape) - numbers.ndim) + numbers.shape)
    for axis, length in enumerate(shape):
        full = np.repeat(full, length // full.shape[axis], axis)
    return full


def real(codes: Array, scale: Array, zero_point: Array) -> Array:
    """What codes stand for, with numbers for each of them; all arithmetic is exact."""
    return ((codes.astype(np.float64) - zero_point) * scale).astype(np.float32)


def numbers(shape: tuple[int, ...], kind: str) -> Array:
    """Scales, or zero points, that need few bits."""
    if kind == "scale":
        return (2.0 ** RNG.integers(-6, 6, shape)).astype(np.float32)
    return RNG.integers(-100, 100, shape)


KINDS = ("scale", "zero_point")
SHAPES = [(), (6, 1, 1), (3, 1, 1), (2, 4, 1), (8,), (4,), (2, 2), (6, 4, 8), (1, 1, 1)]


@pytest.fixture(params=range(2 * len(SHAPES)))
def images(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Array]:
    """A store of images, and their real values: scales and zero points of all, and of each."""
    number, of_each = divmod(request.param, 2)
    shapes = SHAPES[number], SHAPES[-number - 1]
    if of_each:
        scale, zero_point = (numbers((N, *s), kind) for s, kind in zip(shapes, KINDS, strict=True))
        sides = {"s": scale, "z": zero_point.astype(np.int8)}
        codes = huffq.Codes(CODES, 4, "s", "z")
        full = [np.stack([spread(x, SHAPE) for x in y]) for y in (scale, zero_point)]
    else:
        scale, zero_point = (numbers(s, kind) for s, kind in zip(shapes, KINDS, strict=True))
        sides, codes = {}, huffq.Codes(CODES, 4, scale, zero_point)
        full = [spread(x, SHAPE) for x in (scale, zero_point)]
    path = tmp_path / "images.huffq"
    huffq.encode_dataset({"x": codes, "label": np.arange(N), **sides}, path)
    return path, real(CODES, *full)


INDICES = [0, -1, np.int64(17), np.array(5), slice(None), slice(10, 20), slice(-5, None),
           slice(20, 10), slice(None, None, -7), [3, 1, 2, 3], [-1, 0], [],
           np.array([89, 0]), np.arange(N) % 3 == 0]  # fmt: skip


def picked(x: Array, index: Any) -> Array:
    return x[np.array(index, int)] if isinstance(index, list) else x[index]


def test_every_way_of_reading_gives_the_real_values(images: tuple[Path, Array]) -> None:
    path, expected = images
    field = huffq.open(path)["x"]
    for index in INDICES:
        np.testing.assert_array_equal(field.dequantize(index), picked(expected, index), strict=True)
    for fields in (None, ["x"], ["label", "x"]):
        batches = list(huffq.open(path).iter_batches(7, fields, dequantize=["x"]))
        np.testing.assert_array_equal(np.concatenate([b["x"] for b in batches]), expected)
        assert batches[0].keys() == (huffq.open(path).fields.keys() if not fields else set(fields))
    (batch,) = huffq.open(path).iter_batches(N, dequantize=True, dtype=np.float64)
    assert (batch["x"].dtype, batch["label"].dtype) == (np.float64, np.int64)


def test_tensors_have_the_same_real_values(images: tuple[Path, Array]) -> None:
    torch = pytest.importorskip("torch")
    path, expected = images
    dataset = huffq.torch.ActivationDataset(path, ["x"], dequantize=True)
    batch = dataset.__getitems__([5, 88, 5])
    np.testing.assert_array_equal(batch.columns["x"], expected[[5, 88, 5]], strict=True)
    half = huffq.torch.ActivationDataset(path, dequantize=["x"], dtype=torch.bfloat16)
    assert torch.equal(half[3]["x"], torch.from_numpy(expected[3]).bfloat16())


Case = tuple[huffq.Codes, dict[str, Any], Array]


def token_cases() -> dict[str, Case]:
    """Codes of ragged samples, side fields, and the real values of all tokens."""

    cases: dict[str, Case] = {}
    for what, shape in (("tensor", ()), ("channel", (12,)), ("group", (3,))):
        scale, zero = numbers(shape, "scale"), numbers(shape, "zero_point")
        full = real(TOKENS, spread(scale, (12,)), spread(zero, (12,)))
        cases[f"of all, {what}"] = huffq.Codes(TOKENS, 4, scale, zero), {}, full
        scale, zero = numbers((N, *shape), "scale"), numbers((N, *shape), "zero_point")
        each = [np.repeat([spread(x, (12,)) for x in y], LENGTHS, 0) for y in (scale, zero)]
        sides: dict[str, Any] = {"s": scale, "z": zero}
        cases[f"of a sample, {what}"] = huffq.Codes(TOKENS, 4, "s", "z"), sides, real(TOKENS, *each)
        scale = numbers((len(TOKENS), *shape), "scale")
        zero = numbers((len(TOKENS), *shape), "zero_point")
        each = [np.stack([spread(x, (12,)) for x in y]) for y in (scale, zero)]
        sides = {"s": huffq.Ragged(scale, LENGTHS), "z": huffq.Ragged(zero, LENGTHS)}
        cases[f"of a token, {what}"] = huffq.Codes(TOKENS, 4, "s", "z"), sides, real(TOKENS, *each)
    _, sides, _ = cases["of a token, group"]
    mixed = huffq.Codes(TOKENS, 4, "s", np.float32(0.5))
    each = [np.stack([spread(x, (12,)) for x in sides["s"].values]), np.array(0.5)]
    cases["a scale of each token, a fractional zero point"] = (
        mixed, {"s": sides["s"]}, real(TOKENS, *each)
    )  # fmt: skip
    return cases


CASES = token_cases()


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
@pytest.mark.parametrize("sharded", [False, True], ids=["file", "shards"])
def test_ragged_samples_have_their_real_values(tmp_path: Path, case: Case, sharded: bool) -> None:
    codes, sides, flat = case
    path = tmp_path / "set"
    whole = {"x": huffq.Ragged(codes, LENGTHS), **sides}
    if sharded:
        columns = huffq.source.as_columns(whole, None, infer=True)
        for first in range(0, N, 40):
            writer = huffq.Writer(path, append=True)
            writer.write_columns({k: v[first : first + 40] for k, v in columns.items()})
            writer.close()
    else:
        huffq.encode_dataset(whole, path)
    expected = np.split(flat, ENDS[:-1])
    store = huffq.open(path)
    field = store["x"]
    for index in INDICES:
        found, numbers = field.dequantize(index), picked(np.arange(N), index)
        for one, number in zip(found if numbers.shape else [found], numbers.flat, strict=True):
            np.testing.assert_array_equal(one, expected[number], strict=True)
    for index in (slice(None), slice(9, 200), slice(100, 3, -4), 17, -1, [5, 200, 0, 5], []):
        np.testing.assert_array_equal(
            field.flat.dequantize(index), picked(flat, index), strict=True
        )
    batches = store.iter_batches(8, ["x"], dequantize=True)
    for one, other in zip((x for b in batches for x in b["x"]), expected, strict=True):
        np.testing.assert_array_equal(one, other, strict=True)
    pytest.importorskip("torch")
    dataset = huffq.torch.ActivationDataset(path, ["x"], dequantize=True)
    for one, number in zip(dataset.__getitems__([4, 0, 77]), (4, 0, 77), strict=True):
        np.testing.assert_array_equal(one["x"], expected[number], strict=True)


def write(path: Path, **changes: Any) -> None:
    """A store with all that codes may have."""
    given = {"scale": "s", "zero_point": numbers((3, 1, 1), "zero_point") * 0 + 5,
             "real_dtype": "bfloat16", "metadata": {"layer": "conv", "clip": [1, 2]}}  # fmt: skip
    options = {name: changes.pop(name) for name in ("append", "shard_bytes") if name in changes}
    codes = huffq.Codes(CODES, 4, **(given | changes))
    huffq.encode_dataset({"x": codes, "s": SIDE}, path, **options)


SIDE = numbers((N, 2), "scale")


def test_fields_and_info_show_what_codes_have(tmp_path: Path) -> None:
    write(tmp_path / "x.huffq")
    store = huffq.open(tmp_path / "x.huffq")
    field = store["x"]
    assert field.scale is store["s"]
    assert field.scale[3].tolist() == SIDE[3].tolist()
    assert field.zero_point.tolist() == [[[5]], [[5]], [[5]]]
    assert field.real_dtype == "bfloat16"
    assert field.dequantize(0).dtype == np.float32
    assert field.metadata == {"layer": "conv", "clip": [1, 2]}
    shown = json.loads(json.dumps(store.info))["fields"]["x"]
    assert shown["scale"] == {"field": "s"}
    assert shown["zero_point"] == [[[5]]] * 3
    assert shown["real_dtype"] == "bfloat16"
    assert shown["metadata"] == {"layer": "conv", "clip": [1, 2]}
    torch = pytest.importorskip("torch")
    dataset = huffq.torch.ActivationDataset(tmp_path / "x.huffq", ["x"], dequantize=True)
    assert dataset[0]["x"].dtype == torch.bfloat16


CHANGES: list[dict[str, Any]] = [
    {"scale": np.float32(1)}, {"zero_point": 5}, {"real_dtype": "float32"}, {"metadata": {}},
]  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_what_codes_stand_for_is_the_same_in_all_batches_and_shards(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    write(tmp_path / "set", shard_bytes=1 << 30)
    with pytest.raises(ValueError, match="has shards with other fields"):
        write(tmp_path / "set", append=True, **change)
    write(tmp_path / "set", append=True)
    assert len(huffq.open(tmp_path / "set")) == 2 * N
    given = {"scale": "s", "zero_point": 3, "real_dtype": "float16", "metadata": {"a": 1}}
    batches = [
        {"x": huffq.Codes(CODES, 4, **given), "s": SIDE},
        {"x": huffq.Codes(CODES, 4, **(given | change)), "s": SIDE},
    ]
    what = next(iter(change)).replace("_", " ")
    with pytest.raises(ValueError, match=f"field 'x': a batch has {what} .*; the first had"):
        huffq.encode_dataset(batches, tmp_path / "x.huffq")


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_resuming_needs_the_same(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "x.huffq"
    given = {"scale": "s", "zero_point": 3, "real_dtype": "float16", "metadata": {"a": 1}}
    many, sides = np.tile(CODES, (600, 1, 1, 1)), np.tile(SIDE, (600, 1))

    def stream(given: dict[str, Any]) -> dict[str, Any]:
        return {"x": huffq.Codes(many, 4, **given), "s": sides}

    def interrupted() -> Any:
        yield stream(given)
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        huffq.encode_dataset(interrupted(), path)
    assert huffq.resume_point(path) > 0
    with pytest.raises(ValueError, match="resume"):
        huffq.encode_dataset(stream(given | change), path, resume=True)
    huffq.encode_dataset(stream(given), path, resume=True)
    np.testing.assert_array_equal(huffq.open(path)["x"][-N:], CODES)


def test_recovered_files_keep_it(tmp_path: Path) -> None:
    write(tmp_path / "x.huffq")
    whole = huffq.open(tmp_path / "x.huffq")
    data = (tmp_path / "x.huffq").read_bytes()
    (tmp_path / "x.huffq").write_bytes(data[:-10])
    huffq.recover(tmp_path / "x.huffq", tmp_path / "new.huffq")
    new = huffq.open(tmp_path / "new.huffq")["x"]
    assert (new.real_dtype, new.metadata) == (whole["x"].real_dtype, whole["x"].metadata)
    np.testing.assert_array_equal(new.zero_point, whole["x"].zero_point, strict=True)
    np.testing.assert_array_equal(new.dequantize(), whole["x"].dequantize(), strict=True)


def ragged(lengths: Array) -> huffq.Ragged:
    return huffq.Ragged(np.ones(int(lengths.sum()), np.float32), lengths)


@pytest.mark.parametrize(
    ("name", "sides", "message"),
    [
        ("s", {}, "its scale is 's', which is no side field"),
        ("s", {"s": huffq.Codes(CODES, 4)}, "its scale is 's', which is no side field"),
        ("s", {"s": np.ones((N, 5))}, r"scale has shape \(5,\); it must broadcast"),
        ("s", {"s": np.ones((N, 2, 1, 1, 1))}, r"scale has shape \(2, 1, 1, 1\)"),
        ("s", {"s": np.ones(N, int)}, "scale is int64; it must be float16"),
        ("s", {"s": np.full(N, np.inf)}, "scale holds NaN or infinity"),
        ("s", {"s": ragged(LENGTHS)}, "its scale, 's', is ragged with other lengths"),
    ],
)
def test_side_fields_that_do_not_fit_are_refused(
    tmp_path: Path, name: str, sides: dict[str, Any], message: str
) -> None:
    source = {"x": huffq.Codes(CODES, 4, name), **sides}
    with pytest.raises(ValueError, match=f"field 'x': .*{message}"):
        huffq.encode_dataset(source, tmp_path / "x.huffq")
    assert not list(tmp_path.iterdir())


def test_ragged_sides_have_the_lengths_of_the_codes(tmp_path: Path) -> None:
    codes = huffq.Ragged(huffq.Codes(TOKENS, 4, "s"), LENGTHS)
    with pytest.raises(ValueError, match="'s', is ragged with other lengths"):
        huffq.encode_dataset({"x": codes, "s": ragged(LENGTHS[::-1])}, tmp_path / "x.huffq")


def test_side_fields_have_no_real_values(tmp_path: Path) -> None:
    write(tmp_path / "x.huffq")
    store = huffq.open(tmp_path / "x.huffq")
    with pytest.raises(ValueError, match="'s' is a side field; it holds no codes"):
        store["s"].dequantize()
    with pytest.raises(ValueError, match="'s' is a side field; it holds no codes"):
        store.iter_batches(3, dequantize=["s"])
    with pytest.raises(KeyError, match="'x' is no field of the samples; they have 's'"):
        store.iter_batches(3, ["s"], dequantize=["x"])
    with pytest.raises(TypeError, match="dtype is int64; real values need a floating-point one"):
        store.iter_batches(3, dequantize=True, dtype=np.int64)
