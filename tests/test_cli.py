"""The commands end to end, and one sentence for everything that can be wrong with their input."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import huffq
from huffq.cli import main


def exit_code(*argv):
    """Run a command as the shell does."""
    try:
        return main([str(arg) for arg in argv])
    except SystemExit as end:
        return end.code


@pytest.fixture
def fails(capsys):
    """Run a command that must fail; give its one sentence."""

    def run(*argv):
        assert exit_code(*argv) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("huffq: error: ")
        assert captured.err.count("\n") == 1
        return captured.err

    return run


@pytest.fixture
def store(tmp_path):
    """A file of two fields, and the arrays in it."""
    rng = np.random.default_rng(0)
    arrays = {
        "a": rng.integers(0, 16, (20, 3, 4), dtype=np.uint8),
        "b": rng.integers(-8, 8, (20, 5), dtype=np.int8),
    }
    path = tmp_path / "codes.huffq"
    huffq.encode_dataset(arrays, path, progress=False, metadata={"origin": "test"})
    return path, arrays


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_encode_and_decode_an_npy(tmp_path, capsys):
    codes = np.random.default_rng(0).integers(0, 16, (50, 7), dtype=np.uint8)
    np.save(tmp_path / "codes.npy", codes)
    assert main(["encode", f"{tmp_path}/codes.npy", f"{tmp_path}/codes.huffq"]) == 0
    assert "whole file" in capsys.readouterr().out
    assert main(["decode", f"{tmp_path}/codes.huffq", f"{tmp_path}/back.npy"]) == 0
    back = np.load(tmp_path / "back.npy")
    assert back.dtype == codes.dtype
    np.testing.assert_array_equal(back, codes)
    assert names(tmp_path) == ["back.npy", "codes.huffq", "codes.npy"]


def test_encode_and_decode_an_npz(tmp_path, store):
    _, arrays = store
    np.savez(tmp_path / "codes.npz", **arrays, scale=np.ones(3))
    command = ["encode", f"{tmp_path}/codes.npz", f"{tmp_path}/two.huffq", "--bits", "5"]
    assert main([*command, "--fields", "a", "b"]) == 0
    assert huffq.open(tmp_path / "two.huffq")["b"].bits == 5
    assert main(["decode", f"{tmp_path}/two.huffq", f"{tmp_path}/back.npz"]) == 0
    with np.load(tmp_path / "back.npz") as back:
        assert back.files == ["a", "b"]
        for name, codes in arrays.items():
            assert back[name].dtype == codes.dtype
            np.testing.assert_array_equal(back[name], codes)


def test_decode_keeps_the_dtypes_of_side_fields(tmp_path):
    records = np.zeros(5, [("a", "<i4"), ("b", "u1", (2, 3))])
    records["a"] = np.arange(5)
    arrays = {"r": records, "t": np.arange(5).astype("datetime64[s]")}
    huffq.encode_dataset(arrays, tmp_path / "sides.huffq")
    assert main(["decode", f"{tmp_path}/sides.huffq", f"{tmp_path}/back.npz"]) == 0
    with np.load(tmp_path / "back.npz") as back:
        for name, array in arrays.items():
            np.testing.assert_array_equal(back[name], array, strict=True)


def test_decode_reads_piece_by_piece(tmp_path, store, monkeypatch):
    path, arrays = store
    monkeypatch.setattr("huffq._chunks.CHUNK_BYTES", 30)
    assert main(["decode", str(path), f"{tmp_path}/a.npy", "--fields", "a"]) == 0
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), arrays["a"])


def test_info_shows_fields_and_metadata(store, capsys):
    path, _ = store
    assert main(["info", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{path}: 20 samples, 2 fields, ")
    assert [line.split()[:4] for line in lines[3:5]] == [
        ["a", "3x4", "uint8", "4"],
        ["b", "5", "int8", "4"],
    ]
    assert lines[-1] == "origin: test"


def test_info_prints_json(store, capsys):
    path, _ = store
    assert main(["info", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == huffq.open(path).info


def test_verify_says_that_a_file_is_sound(store, capsys):
    path, _ = store
    assert main(["verify", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: 2 fields of 20 samples are sound\n"


def test_damaged_and_foreign_files_are_refused(tmp_path, store, fails):
    path, _ = store
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    for name, content in {
        "truncated.huffq": whole[:-5],
        "damaged.huffq": bytes(damaged),
        "foreign.huffq": b"not what huffq wrote" * 20,
        "empty.huffq": b"",
    }.items():
        broken = tmp_path / name
        broken.write_bytes(content)
        assert name in fails("verify", broken)
        fails("decode", broken, tmp_path / "out.npz")
    assert "out.npz" not in names(tmp_path)
    assert not [name for name in names(tmp_path) if name.endswith(".part")]
    assert "No such file" in fails("info", tmp_path / "absent.huffq")


def test_inputs_that_are_no_codes_are_refused(tmp_path, fails):
    output = tmp_path / "out.huffq"
    for name, array, expected in (
        ("float.npy", np.array([[0.5, np.nan]]), "float64"),
        ("empty.npy", np.zeros((0, 3), np.uint8), "no samples"),
        ("object.npy", np.array([None]), "not a whole .npy or .npz file of numbers"),
    ):
        np.save(tmp_path / name, array)
        assert expected in fails("encode", tmp_path / name, output)
    np.save(tmp_path / "range.npy", np.array([[1, 2], [3, 16]], np.uint8))
    message = fails("encode", tmp_path / "range.npy", output, "--bits", 4)
    assert "16" in message
    assert 'field "data", sample 1' in message
    np.savez(tmp_path / "uneven.npz", a=np.zeros((2, 1), np.uint8), b=np.zeros((3, 1), np.uint8))
    assert "number of samples" in fails("encode", tmp_path / "uneven.npz", output)
    assert "no field 'c'; it has a, b" in fails(
        "encode", tmp_path / "uneven.npz", output, "--fields", "c"
    )
    assert "leave --fields out" in fails("encode", tmp_path / "range.npy", output, "--fields", "a")
    for content in (b"", b"text", (tmp_path / "uneven.npz").read_bytes()[:-30]):
        (tmp_path / "foreign.npz").write_bytes(content)
        assert "not a whole" in fails("encode", tmp_path / "foreign.npz", output)
    assert not list(tmp_path.glob("out.huffq*"))


def test_empty_paths_and_folders_are_one_sentence(tmp_path, fails):
    output = tmp_path / "out.huffq"
    assert fails("encode", "", output) == (
        "huffq: error: the input is empty; give an .npy or .npz file\n"
    )
    assert f"{tmp_path} is a folder; give an .npy or .npz file" in fails("encode", tmp_path, output)
    np.save(tmp_path / "codes.npy", np.zeros((2, 2), np.uint8))
    assert "the output is empty; it must end in .huffq" in fails(
        "encode", tmp_path / "codes.npy", ""
    )
    for command in (("info", ""), ("verify", ""), ("decode", "", tmp_path / "x.npz")):
        assert "the path is empty; give that of a .huffq file or folder" in fails(*command)
    assert names(tmp_path) == ["codes.npy"]


def test_outputs_that_cannot_be_written_are_refused(tmp_path, store, fails):
    path, _ = store
    np.save(tmp_path / "codes.npy", np.zeros((2, 2), np.uint8))
    assert "must end in .huffq" in fails("encode", tmp_path / "codes.npy", tmp_path / "x.npy")
    assert "must end in .npz or .npy" in fails("decode", path, tmp_path / "x.txt")
    assert "holds one field, not 2" in fails("decode", path, tmp_path / "x.npy")
    assert "no field 'z'; it has a, b" in fails("decode", path, tmp_path / "x.npz", "--fields", "z")
    absent = tmp_path / "absent"
    for command in (
        ("encode", tmp_path / "codes.npy", absent / "x.huffq"),
        ("decode", path, absent / "x.npz"),
    ):
        assert f"{command[-1]}: its folder does not exist" in fails(*command)
    (tmp_path / "x.huffq").mkdir()
    command = ("encode", tmp_path / "codes.npy", tmp_path / "x.huffq")
    assert f"{command[-1]}: is a folder" in fails(*command)
    (tmp_path / "x.huffq").rmdir()
    assert names(tmp_path) == ["codes.huffq", "codes.npy"]


def test_a_full_disk_names_the_output(tmp_path, store, fails, monkeypatch):
    def write(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("huffq.cli.files._write_array", write)
    output = tmp_path / "x.npz"
    assert fails("decode", store[0], output) == (
        f"huffq: error: {output}: No space left on device\n"
    )


@pytest.mark.parametrize(
    ("command", "option", "value"),
    [
        *(("decode", "--threads", "0"), ("verify", "--threads", "-1")),
        *(("encode", "--threads", 10**30), ("encode", "--bits", "0")),
        *(("demo", "--epochs", "1.5"), ("demo", "--width", "nan"), ("demo", "--lr", "inf")),
        *(("train", "--batch-size", "0"), ("train", "--workers", "-1"), ("train", "--lr", "x")),
        *(("train", "--seed", "-1"), ("extract", "--images", "-1")),
        *(("tiles", "--image", "-1"), ("tiles", "--array-size", "0"), ("tiles", "--psum-bits", "")),
    ],
)
def test_numbers_that_cannot_be_are_refused(command, option, value, fails):
    message = fails(command, option, value)
    assert f"argument {option}: " in message
    assert str(value) in message
    assert f"see 'huffq {command} --help'" in message


def test_unknown_commands_are_refused(fails):
    assert "'melt'" in fails("melt")
    assert "COMMAND" in fails()


def test_version(capsys):
    assert exit_code("--version") == 0
    assert capsys.readouterr().out == f"huffq {huffq.__version__}\n"
    done = subprocess.run(
        [sys.executable, "-m", "huffq", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"huffq {huffq.__version__}\n"


def test_bars_show_on_a_terminal_only(tmp_path, store, capsys, monkeypatch):
    command = ["decode", str(store[0]), f"{tmp_path}/x.npz"]
    assert main(command) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert main(command) == 0
    assert "decode:" in (bar := capsys.readouterr().err)
    assert "/40 " in bar


def test_an_interrupt_ends_with_130(store, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(huffq, "open", interrupt)
    assert main(["info", str(store[0])]) == 130
    assert capsys.readouterr().err == "huffq: interrupted\n"


@pytest.mark.parametrize(
    "command", ["demo", "train", "extract", "tiles", "encode", "decode", "info", "verify"]
)
def test_help_shows_examples(command, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert f"examples:\n  huffq {command}" in capsys.readouterr().out


def test_files_need_no_torch_and_networks_say_what_to_install(tmp_path):
    np.save(tmp_path / "codes.npy", np.arange(12, dtype=np.uint8).reshape(3, 4))
    script = """
import sys
sys.modules["torch"] = None
from huffq.cli import main
for command in (
    ["encode", "codes.npy", "codes.huffq"],
    ["decode", "codes.huffq", "codes.npz"],
    ["info", "codes.huffq"],
    ["verify", "codes.huffq"],
):
    assert main(command) == 0
for command in (["demo"], ["train"], ["extract", "x", "y.npz"], ["tiles", "x"]):
    assert main(command) == 2
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines() == [
        f"huffq: error: {command!r} needs the package 'torch'; "
        "install it with: pip install 'huffq[train]'"
        for command in ("demo", "train", "extract", "tiles")
    ]


def test_the_rate_of_a_resumed_run_counts_its_own_symbols(tmp_path, monkeypatch):
    x = np.random.default_rng(0).integers(0, 16, (70_000, 128), np.uint8)
    np.save(tmp_path / "x.npy", x)

    def failing():
        yield x[:-100]
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        huffq.encode_dataset(failing(), "x.huffq", bits=4)
    left = x[huffq.resume_point("x.huffq") :].size
    seen = []
    monkeypatch.setattr("huffq.report.format_rate", lambda symbols, _: seen.append(symbols) or "-")
    assert main(["encode", "x.npy", "x.huffq", "--resume", "--bits", "4"]) == 0
    assert seen == [left, left]
    assert 0 < left < x.size / 4
