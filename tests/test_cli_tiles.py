"""The command ``tiles``: the notebook's lines, every layer, every table, the report, and errors."""

from __future__ import annotations

import numpy as np
import pytest

import huffq
from huffq.cli import main
from huffq.testbench import read_numbers
from huffq.tiles import read_code_table, read_stream, write_code_table
from huffq.words import read_table_memory

torch = pytest.importorskip("torch")

WIDTH = "0.03125"


@pytest.fixture
def command(images, network, save):
    """The command on the tiny VGG16, up to its own options."""
    return ["tiles", save(network), *images, "--width", WIDTH]


@pytest.fixture
def run(command, capsys):
    """Run the command with further options; give the lines that it prints."""

    def run(*argv):
        assert main([*command, *map(str, argv)]) == 0
        return capsys.readouterr().out.splitlines()

    return run


def test_the_notebooks_lines_are_printed(tmp_path, run):
    out = tmp_path / "tiles"
    lines = run("--out-dir", out, "--psums", "--header", "--crlf")
    assert lines[0] == "Activation.txt file length: 1152 bits."
    coded = sum(len(line) for line in (out / "activation_tile0_huffman.txt").read_text().split())
    assert lines[1] == f"Activation.txt with Huffman coding file length: {coded} bits."
    assert lines[2] == f"Compression ratio: {coded / 1152:.4f}"
    assert len(lines) == 3
    notebook = {f"activation_tile0{part}.txt" for part in ("", "_ref", "_huffman")}
    assert notebook <= {path.name for path in out.iterdir()}
    assert len(list(out.iterdir())) == 3 + 9 + 9 + 2 + 5
    assert (out / "activation_tile0.txt").read_bytes().count(b"\r\n") == 3 + 36


def test_tiles_of_a_wide_layer_are_printed_one_by_one(tmp_path, run):
    lines = run("--out-dir", tmp_path / "tiles", "--layers", "features.33", "--array-size", "4x2")
    assert [line for line in lines if "Tile" in line] == [f"Tile {number}" for number in range(4)]
    assert (tmp_path / "tiles" / "weight_itile3_otile7_kij8.txt").exists()


def test_layers_and_images_have_folders_of_their_own(tmp_path, run):
    out = tmp_path / "deep" / "tiles"
    lines = run("--out-dir", out, "--layers", "features.27", "features.0", "--images", 2)
    assert [line for line in lines if not line.startswith(("Activation", "Compression"))] == [
        *("Layer features.27", "Image 0, tile 0", "Image 1, tile 0"),
        *("Layer features.0", "Image 0, tile 0", "Image 1, tile 0"),
    ]
    assert {path.name for path in out.iterdir()} == {"features.0", "features.27"}
    assert (out / "features.0" / "image1" / "activation_tile0.txt").exists()
    assert (out / "features.0" / "weight_itile0_otile0_kij8.txt").exists()


def test_strided_layers_and_forms_follow_the_options(tmp_path, images, save):
    model = huffq.models.resnet20(num_classes=3, channels=(2, 2, 2))
    options = ["--model", "resnet20", "--channels", "2", "2", "2", "--layers", "layer2.0.conv1"]
    forms = ["--order", "output-stationary", "--digits", "hex", "--memory-digits", "binary"]
    out = tmp_path / "tiles"
    command = ["tiles", save(model), *images, *options, *forms, "--out-dir", str(out)]
    assert main([*command, "--word-bits", "7", "--slots", "4096"]) == 0
    lines = (out / "activation_tile0.txt").read_text().split()
    assert len(lines) == 16 * 16 * 9
    assert {len(line) for line in lines} == {8}
    stream = read_stream(out / "stream.memb", out / "stream_index.memb", 7, "binary")
    assert len(stream.words) == 4096
    table = read_code_table(out / "activation_tile0_ref.txt")
    rows = read_numbers(out / "activation_tile0.txt", bits=4, signed=False)
    np.testing.assert_array_equal(stream.decode(0, table), rows[:, ::-1].ravel())


def test_a_table_serves_a_layer_or_is_given_or_trained(tmp_path, run, command, images):
    out, given, acts = tmp_path / "tiles", tmp_path / "given.txt", tmp_path / "acts.huffq"
    run("--out-dir", out / "layer", "--table", "layer")
    layer = read_code_table(out / "layer" / "code_table.txt")
    assert 0 in layer.lengths

    uniform = huffq.CodeTable.from_lengths([4] * 16)
    write_code_table(given, uniform)
    lines = run("--out-dir", out / "given", "--table", given, "--max-length", 4)
    assert lines[1] == "Activation.txt with Huffman coding file length: 1152 bits."
    assert read_table_memory(out / "given" / "code_table.memh", 4) == uniform

    assert main(["extract", command[1], str(acts), *images, "--width", WIDTH]) == 0
    run("--out-dir", out / "trained", "--table", acts, "--max-length", 6)
    trained = read_table_memory(out / "trained" / "code_table.memh", 6)
    assert trained.lengths.all()
    codes = huffq.open(acts)["features.27"][:]
    padding = len(codes) * 8 * (36 - 16)
    counts = np.bincount(codes.ravel(), minlength=16) + np.eye(16, dtype=int)[0] * padding
    best = huffq.CodeTable.from_counts(counts, 6)
    assert (counts * trained.lengths).sum() <= (counts * best.lengths).sum() + counts.max()


def test_a_trained_table_fixes_width_and_sign_of_the_tiles(tmp_path, run, command, images, fails):
    out, acts = tmp_path / "tiles", tmp_path / "acts.huffq"
    assert main(["extract", command[1], str(acts), *images, "--width", WIDTH]) == 0
    field = huffq.open(acts)["features.0"]
    assert field.dtype == np.int8
    run("--out-dir", out, "--layers", "features.0", "--table", acts)
    assert len(read_code_table(out / "code_table.txt").lengths) == 1 << field.bits
    rows = read_numbers(out / "activation_tile0.txt", bits=field.bits, signed=True)
    image = np.pad(field[0], ((0, 5), (1, 1), (1, 1)))
    np.testing.assert_array_equal(rows, image.reshape(8, -1).T)
    message = fails(*command, "--layers", "features.0", "features.27", "--table", acts)
    assert "one table cannot serve codes of" in message


def test_activations_may_be_wider_than_the_layer(tmp_path, run, command, fails):
    out = tmp_path / "tiles"
    run("--out-dir", out, "--activation-bits", 8)
    assert read_numbers(out / "activation_tile0.txt", bits=8, signed=False).max() < 16
    message = fails(*command, "--out-dir", tmp_path / "narrow", "--activation-bits", 1)
    assert "does not fit 1 unsigned bits" in message


def test_the_report_writes_nothing_and_agrees_with_the_files(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = run("--report", "--layers", "all", "--table", "layer", "--images", 2)
    assert not (tmp_path / "tiles").exists()
    assert "features.27: 1 input and 1 output tiles of a 8x8 array, 1 pairs" in "\n".join(lines)
    summary = {line.split()[0]: line.split() for line in lines if line.startswith("features.")}
    assert len(summary) > 10
    row = summary["features.27"]
    run("--out-dir", tmp_path / "files", "--table", "layer", "--images", 2)
    stream = read_stream(
        tmp_path / "files" / "stream.memh", tmp_path / "files" / "stream_index.memh", 32
    )
    coded = sum(span.bits for span in stream.spans)
    words = len(stream.words)
    assert row[2:8] == [
        *("2304", str(coded), f"{coded / 2304:.4f}", "72", str(words), str(72 - words)),
    ]
    assert row[10:] == ["72", str(2 * (288 + 1)), "64"]


def test_two_symbols_a_clock_halve_the_decoding(run):
    clocks = [int(run("--report", "--symbols-per-clock", n)[-2].split()[-2]) for n in (1, 2)]
    assert clocks == [288 + 1, 144 + 1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layers", "features.99"], "no layer 'features.99'"),
        (["--layers", "classifier"], "'classifier' is not quantised"),
        (["--image", "10"], "no 1 test images from number 10 on"),
        (["--psum-bits", "4"], "does not fit 4 signed bits"),
        (["--psum-bits", "64"], "psum_bits is 64"),
        (["--word-bits", "1025"], "width is 1025"),
        (["--slots", "1"], "words; its slot has 1"),
        (["--symbols-per-clock", "2"], "--symbols-per-clock belongs to --report"),
        (["--max-length", "2"], "max_length"),
        (["--array-size", "8x0"], "argument --array-size"),
        (["--array-size", "8x"], "argument --array-size"),
        (["--table", "absent.txt"], "absent.txt: No such file"),
        (["--table", "absent.huffq"], "absent.huffq: No such file"),
    ],
)
def test_what_cannot_be_is_named_and_leaves_no_files(tmp_path, command, options, message, capsys):
    out = tmp_path / "tiles"
    argv = [*command, "--out-dir", str(out), *options]
    if "--array-size" in options:
        with pytest.raises(SystemExit):
            main(argv)
    else:
        assert main(argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("huffq: error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not out.exists()


def test_tables_that_do_not_serve_are_named(tmp_path, command, fails):
    table, out = tmp_path / "table.txt", tmp_path / "tiles"
    options = [*command, "--out-dir", out, "--table"]
    table.write_text("0\n1x\n")
    assert "table.txt:2: 'x' is not a binary digit" in fails(*options, table)
    lengths = [0, *[4] * 14, 3]
    write_code_table(table, huffq.CodeTable.from_lengths(lengths))
    assert "no codeword for symbol 0 of the activation tiles" in fails(*options, table)
    acts = tmp_path / "acts.huffq"
    huffq.encode_dataset({"other": np.zeros((2, 8, 4, 4), np.uint8)}, acts, bits=4)
    assert "acts.huffq has no field 'features.27'; it has other" in fails(*options, acts)
    huffq.encode_dataset({"features.27": np.zeros((2, 9, 4, 4), np.uint8)}, acts, bits=4)
    assert "have 9 channels and the weights have 8" in fails(*options, acts)
    assert not out.exists()


def test_codes_that_are_no_integers_are_named(tmp_path, images, network, save, fails):
    with torch.no_grad():
        network.features[27].act_alpha.fill_(1e-44)
    out = tmp_path / "tiles"
    message = fails("tiles", save(network), *images, "--width", WIDTH, "--out-dir", out)
    assert "'features.27': with delta" in message
    assert not out.exists()
