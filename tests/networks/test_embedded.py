"""The backbone that comes with the toolkit: its files, what is computed from them, and what its features are worth."""

import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from toolkit import images, networks, practice
from toolkit.core.framework import keras
from toolkit.errors import BundleError
from toolkit.networks import embedded

layers = keras.layers
CIFAR10 = Path(__file__).parents[3] / "shared" / "data" / "cifar10.tar.xz"


@pytest.fixture(scope="module")
def backbone():
    return embedded.backbone()


def averages(model, pictures):
    return np.asarray(model.predict_on_batch(np.asarray(pictures, np.float32))).mean(axis=(1, 2))


def drawn(seeds, *, size=64):
    """Drawn cars and tanks by turns, and which are tanks."""
    labels = [number % 2 for number in seeds]
    pictures = [
        practice.vehicle(practice.LABELS[label], seed=seed).picture for label, seed in zip(labels, seeds, strict=True)
    ]
    return np.stack([np.asarray(images.square(picture, size)) for picture in pictures]), np.array(labels)


def test_the_shipped_weights_are_one_small_file_and_few_parameters():
    files = sorted(embedded.SHIPPED.iterdir())
    assert {file.name for file in files} == {embedded.FACTS, embedded.WEIGHTS}
    assert sum(file.stat().st_size for file in files) <= 3_500_000
    assert embedded.classifier().count_params() <= 1_700_000
    with np.load(embedded.SHIPPED / embedded.WEIGHTS, allow_pickle=False) as stored:
        assert {stored[key].dtype for key in stored.files} == {np.dtype("float16")}


def test_what_was_measured_on_the_test_set_is_kept_beside_the_weights():
    plain = embedded.facts()["test"][0]
    assert plain["pictures"] == 10_000
    assert plain["low"] < plain["accuracy"] < plain["high"]
    assert plain["accuracy"] >= 0.86  # copies that have lost what JPEG of quality 75 loses


@pytest.mark.slow
@pytest.mark.parametrize("size", [32, 48, 65, 96, 128])
def test_it_works_at_any_size_from_32_pixels(backbone, size):
    shown, _ = drawn(range(2), size=size)
    features = backbone.predict_on_batch(shown.astype(np.float32))
    assert features.shape == (2, (size - 1) // 8, (size - 1) // 8, 352)
    assert np.isfinite(features).all()
    assert np.abs(features[0] - features[1]).max() > 0.1
    assert np.array_equal(features, embedded.backbone(size).predict_on_batch(shown.astype(np.float32)))


def test_pictures_that_are_too_small_are_refused():
    with pytest.raises(ValueError, match="at least 32 pixels for the weights cifar10, got 31"):
        embedded.backbone(31)


@pytest.mark.slow
def test_there_is_nothing_in_it_that_could_drift_or_run_code(backbone, tmp_path):
    assert not [layer for layer in backbone.layers if isinstance(layer, layers.BatchNormalization)]
    backbone.save(tmp_path / "backbone.keras")
    again = keras.saving.load_model(tmp_path / "backbone.keras", compile=False, safe_mode=True)
    shown, _ = drawn(range(2))
    assert np.array_equal(averages(again, shown), averages(backbone, shown))


@pytest.mark.slow
def test_a_mirrored_picture_has_nearly_the_same_features(backbone):
    shown, _ = drawn(range(20))
    straight, mirrored = averages(backbone, shown), averages(backbone, shown[:, :, ::-1])
    between = np.linalg.norm(straight - np.roll(straight, 1, axis=0), axis=1)
    assert np.linalg.norm(straight - mirrored, axis=1).mean() < between.mean() / 2


@pytest.mark.slow
def test_a_linear_classifier_on_the_features_tells_drawn_cars_from_tanks(backbone):
    shown, truth = drawn(range(240))
    features = averages(backbone, shown)
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01)).fit(features[:160], truth[:160])
    assert probe.score(features[160:], truth[160:]) >= 0.8


@pytest.mark.slow
def test_merged_normalization_computes_the_same():
    keras.utils.set_random_seed(1)
    trained = embedded.with_head(embedded.network(32, normalization=layers.BatchNormalization))
    generator = np.random.default_rng(2)
    for layer in trained.layers:
        if isinstance(layer, layers.BatchNormalization):
            beta, mean, variance = layer.get_weights()
            layer.set_weights(
                [generator.normal(size=beta.shape), generator.normal(size=mean.shape), variance + generator.random()]
            )
    merged = embedded.with_head(embedded.network(32))
    embedded.set_weights(merged, embedded.merge_normalization(trained))
    shown = generator.integers(0, 256, (4, 32, 32, 3)).astype(np.float32)
    assert np.allclose(merged.predict_on_batch(shown), trained.predict_on_batch(shown), atol=1e-4)


@pytest.mark.slow
def test_the_network_in_the_package_can_go_on_learning_from_where_it_is(monkeypatch):
    spec = importlib.util.spec_from_file_location("backbone", Path(__file__).parents[2] / "tools" / "backbone.py")
    tool = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, tool)  # its dataclass asks for its module
    spec.loader.exec_module(tool)
    shown, _ = drawn(range(30), size=32)
    unmerged = tool.unmerged(tool.Plan(epochs=0, more=1), shown)
    expected = embedded.classifier().predict_on_batch(shown.astype(np.float32))
    assert np.allclose(unmerged.predict_on_batch(shown.astype(np.float32)), expected, atol=1e-4)


def test_weights_are_read_as_they_were_written(tmp_path):
    weights = {"a/kernel": np.linspace(-1, 1, 400_000), "b/kernel": np.arange(200_000.0) % 100, "b/bias": np.ones(3)}
    files = embedded.write(weights, tmp_path, note="a fact")
    assert [file.name for file in files] == ["cifar10.npz", "cifar10.json"]
    back = embedded.read(tmp_path)
    assert list(back) == list(weights)
    assert all(np.allclose(back[name], weights[name], atol=1e-3) for name in weights)
    assert embedded.facts(tmp_path)["note"] == "a fact"


@pytest.fixture
def copy(tmp_path):
    return Path(shutil.copytree(embedded.SHIPPED, tmp_path / "weights"))


def test_a_damaged_file_is_refused_by_its_name(copy):
    file = copy / "cifar10.npz"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleError, match="expected cifar10.npz with sha256 .* missing or damaged; install"):
        embedded.read(copy)


@pytest.mark.parametrize("name", ["cifar10.npz", "cifar10.json"])
def test_a_missing_file_is_named(copy, name):
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"expected {name}"):
        embedded.read(copy)


@pytest.mark.slow
@pytest.mark.parametrize("style", networks.STYLES)
def test_xception_stands_on_it_if_asked_to(style):
    model = networks.build("xception", classes=2, style=style, weights="cifar10")
    assert model.input_shape == (None, 64, 64, 3)
    shown, _ = drawn(range(4))
    answers = model.predict_on_batch(shown.astype(np.float32))
    assert np.allclose(answers.sum(axis=1), 1, atol=1e-5)
    (inner,) = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    assert inner.trainable_variables == []
    assert np.array_equal(averages(inner, shown), averages(embedded.backbone(64), shown))


@pytest.mark.slow
def test_its_last_layers_learn_if_asked_to():
    model = networks.build("xception", classes=2, size=32, style="modern", weights="cifar10", trainable_layers=8)
    (inner,) = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    before = {variable.path: variable.numpy() for variable in inner.variables}
    learning = {variable.path for variable in inner.trainable_variables}
    assert {path.split("/")[-2] for path in learning} == {"stage3_second", "stage3_third"}
    model.compile("adam", "categorical_crossentropy", jit_compile=False)
    shown, truth = drawn(range(4), size=32)
    model.train_on_batch(shown.astype(np.float32), np.eye(2, dtype=np.float32)[truth])
    for variable in inner.variables:
        assert np.array_equal(variable.numpy(), before[variable.path]) == (variable.path not in learning)


def test_whether_it_can_be_used_is_known_before_training():
    networks.get("xception").check(size=64, style="modern", weights="cifar10")
    with pytest.raises(ValueError, match="at least 32 pixels"):
        networks.get("xception").check(size=31, style="modern", weights="cifar10")


@pytest.mark.slow
@pytest.mark.skipif(not CIFAR10.exists(), reason="needs the pictures of CIFAR-10 beside this checkout")
def test_the_pictures_of_the_test_set_are_named_as_well_as_was_measured():
    pictures, truth = sample_of_the_test_set(per_class=100)
    named = embedded.classifier().predict(pictures, batch_size=250, verbose=0).argmax(axis=1)
    assert (named == truth).mean() >= 0.86  # copies that have lost what JPEG of quality 75 loses


def sample_of_the_test_set(per_class):
    """The first pictures of each class in the archive, float32, and the numbers of their classes."""
    import tarfile

    pictures, truth = [], []
    with tarfile.open(CIFAR10) as archive:
        for member in archive:
            part, _, label = member.name.rpartition("/")[0].rpartition("/")
            place = embedded.CLASSES.index(label) if part.endswith("test") and member.isfile() else None
            if place is not None and truth.count(place) < per_class:
                pictures.append(np.asarray(images.read(archive.extractfile(member).read())))
                truth.append(place)
    return np.stack(pictures).astype(np.float32), np.array(truth)
