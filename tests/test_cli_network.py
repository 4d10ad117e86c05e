"""The commands that run a network, on a tiny one and on a real checkpoint."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import huffq

torch = pytest.importorskip("torch")

from huffq import data, models  # noqa: E402
from huffq.cli import main, options  # noqa: E402

WIDTH = "0.03125"


def test_options_offer_what_the_modules_know():
    assert set(options.MODELS) == set(models.NAMES)
    assert set(options.DATASETS) == set(data.NAMES)


def test_train_writes_checkpoints_and_resumes(tmp_path, images, capsys):
    out = tmp_path / "result"
    command = ["train", *images, "--width", WIDTH, "--out-dir", str(out), "--device", "cpu"]
    assert main([*command, "--epochs", "1"]) == 0
    assert capsys.readouterr().out.startswith("1 epochs, best top-1 ")
    assert main([*command, "--epochs", "2", "--resume"]) == 0
    assert capsys.readouterr().out.startswith("2 epochs, best top-1 ")
    assert sorted(path.name for path in out.iterdir()) == ["checkpoint.pth", "model_best.pth.tar"]


def test_extract_writes_integers(tmp_path, images, network, save):
    output = tmp_path / "integers.npz"
    command = ["extract", save(network), str(output), *images, "--width", WIDTH, "--images", "2"]
    assert main([*command, "--layers", "features.27", "features.0"]) == 0
    layer = network.features[27]
    with np.load(output) as arrays:
        assert arrays["features.27.x_int"].shape == (2, 8, 4, 4)
        assert arrays["features.0.x_int"].dtype == np.int8
        assert arrays["features.27.x_delta"] == layer.act_alpha.item() / 15
        restored = arrays["features.27.w_int"] * arrays["features.27.w_delta"]
    np.testing.assert_allclose(restored, layer.weight_q.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_extract_writes_a_store_of_all_test_images(tmp_path, images, network, save, capsys):
    output = tmp_path / "activations.huffq"
    assert main(["extract", save(network), str(output), *images, "--width", WIDTH]) == 0
    assert capsys.readouterr().out.count("features.") == 13
    dataset = huffq.open(output)
    assert len(dataset) == 10
    assert len(dataset.fields) == 13
    assert dataset.metadata["model"] == "vgg16-bottleneck"


def test_extract_shows_how_many_batches_there_are(
    tmp_path, images, network, save, capsys, monkeypatch
):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    output = str(tmp_path / "acts.huffq")
    command = ["extract", save(network), output, *images, "--width", WIDTH]
    assert main([*command, "--layers", "features.0", "--device", "cpu"]) == 0
    bar = capsys.readouterr().err
    assert "extract:" in bar
    assert "/3 " in bar


def test_a_real_checkpoint_gives_its_owners_files(tmp_path, shared_data):
    folder = shared_data / "resnet20-4bit"
    options = [
        *("--model", "resnet20", "--channels", "8", "16", "48"),
        *("--data", "npz", "--root", str(shared_data / "cifar10-original-subset.npz")),
        *("--keys", "data_batch_*_x", "data_batch_?_y", "test_batch_x", "test_batch_y"),
    ]
    weights = str(folder / "model_best.pth.tar")
    out = tmp_path / "tiles"
    command = ["tiles", weights, *options, "--layers", "layer1.0.conv2", "--header"]
    assert main([*command, "--out-dir", str(out)]) == 0
    for k in range(9):
        real = folder / "layer1.0.conv2-weights" / f"weight_kij{k}.txt"
        assert (out / f"weight_itile0_otile0_kij{k}.txt").read_bytes() == real.read_bytes()

    command = ["extract", weights, f"{tmp_path}/integers.npz", *options]
    assert main(command) == 0
    with (
        np.load(tmp_path / "integers.npz") as found,
        np.load(folder / "golden-integers.npz") as golden,
    ):
        assert set(golden.files) - set(found.files) == {"images", "labels", "logits"}
        for name in found.files:
            np.testing.assert_array_equal(found[name], golden[name], err_msg=name)


def test_wrong_layers_are_named(tmp_path, images, network, save, fails):
    options = [save(network), *images, "--width", WIDTH]
    out = tmp_path / "tiles"
    message = fails("tiles", *options, "--layers", "features.99", "--out-dir", out)
    assert "no layer 'features.99'" in message
    assert "features.27" in message
    message = fails("tiles", *options, "--layers", "classifier", "--out-dir", out)
    assert "'classifier' is not quantised" in message
    assert not out.exists()
    store = tmp_path / "acts.huffq"
    assert "features.99" in fails(
        "extract", options[0], store, *options[1:], "--layers", "features.99"
    )
    assert not store.exists()


def test_a_checkpoint_of_another_architecture_names_its_keys(
    tmp_path, images, network, save, fails
):
    command = ["extract", save(network), tmp_path / "x.npz", *images]
    message = fails(*command, "--width", WIDTH, "--model", "vgg16")
    assert "another architecture" in message
    assert "features.28.weight" in message
    assert "features.0.weight" in fails(*command, "--width", "0.0625")


def test_values_that_are_no_codes_are_named(tmp_path, images, network, save, fails):
    def extract(name):
        options = [*images, "--width", WIDTH, "--images", 4]
        return fails("extract", save(network), tmp_path / name, *options)

    with torch.no_grad():
        network.features[0].act_alpha.fill_(0.01)
        assert "'features.0'" in extract("acts.huffq")
        assert "8-bit" in extract("integers.npz")
        network.features[0].act_alpha.fill_(1e-44)
        message = extract("acts.huffq")
        assert "'features.0': with delta" in message
        assert "worst deviation" in message
        network.features[0].act_alpha.fill_(8.0)
        network.features[27].weight[0, 0, 0, 0] = float("nan")
        assert "'features.27': its weight holds NaN" in extract("acts.huffq")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoints"]


def test_wrong_data_and_models_are_named(tmp_path, images, network, save, fails):
    output = tmp_path / "x.npz"
    options = [save(network), output, "--width", WIDTH]
    absent = tmp_path / "absent"
    assert str(absent) in fails("extract", *options, "--data", "folder", "--root", absent)
    assert "root" in fails("extract", *options, "--data", "npz")
    assert "must end in .npz or .huffq" in fails("extract", options[0], "x.txt", *images)
    assert "no checkpoint" in fails("extract", absent, output, *images)
    assert "no 11 test images from number 0 on, only 10" in fails(
        "extract", *options, *images, "--images", 11
    )
    assert "no 1 test images from number 10 on" in fails(
        "tiles", options[0], *images, "--width", WIDTH, "--image", 10
    )
    missing = absent / "x.npz"
    assert f"{missing}: its folder does not exist" in fails("extract", options[0], missing, *images)
    assert "--channels belongs to resnet20" in fails(
        "extract", *options, *images, "--channels", 1, 2, 3
    )
    assert "bits is 9" in fails("extract", *options, *images, "--bits", 9)
    assert not output.exists()


def test_an_empty_dataset_is_named(tmp_path, fails):
    path = tmp_path / "empty.npz"
    none, labels = np.zeros((0, 3, 32, 32), np.uint8), np.zeros(0, np.int64)
    np.savez(path, x_train=none, y_train=labels, x_test=none, y_test=labels)
    message = fails("train", "--data", "npz", "--root", path, "--out-dir", tmp_path / "result")
    assert "has no training images" in message
    assert not (tmp_path / "result").exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path, images, network, save, fails):
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" / "out"
    options = [*images, "--width", WIDTH, "--out-dir", out]
    assert str(out) in fails("train", *options)
    assert str(out) in fails("tiles", save(network), *options)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_an_absent_gpu_is_named(tmp_path, images, fails):
    message = fails("train", *images, "--device", "cuda", "--out-dir", tmp_path / "result")
    assert "PyTorch finds no CUDA GPU" in message
