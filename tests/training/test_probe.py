"""A linear probe is the same head, found faster."""

import shutil

import numpy as np
import pytest
from helpers import ready_dataset
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from toolkit import calibrate, evaluate, images, networks, split, train
from toolkit.core import arrays, workers
from toolkit.dataset.manifest import Manifest
from toolkit.errors import BundleError
from toolkit.training import features, logistic, probe, tensorboard
from toolkit.training.finetune import FineTune
from toolkit.training.train import Config

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def table(place):
    return ready_dataset(place / "set", per_class=24)


@pytest.fixture(scope="module")
def config():
    return Config("xception", style="modern", size=32, views=2, precision="float32", options={"weights": "cifar10"})


@pytest.fixture(scope="module")
def trained(place, table, config):
    said = []
    run = train.fit(config, table, log=said.append)
    assert said == [probe.IN_WORDS]
    return run


@pytest.mark.slow
def test_a_frozen_backbone_gets_its_head_from_features_and_that_is_a_bundle_like_any_other(trained, table):
    assert evaluate.measure(trained, table).accuracy > 0.6
    history = trained.history
    assert set(probe.CS) <= set(history["C"])
    assert trained.facts["best_epoch"] == history["val_loss"].argmin()
    assert history["loss"].is_monotonic_decreasing


@pytest.mark.slow
def test_the_whole_network_answers_as_the_head_does_on_kept_features(trained, table, config):
    known, learned = probe.features_for(config, table), probe.learn(config.resolved(), table)
    pictures = np.stack([images.prepare(file, 32) for file in table.files])
    expected = calibrate.rescale(learned.probe.probabilities(known[:, 0]), trained.facts["temperature"])
    assert np.abs(trained.probabilities(pictures) - expected).max() < 1e-4


@pytest.mark.slow
def test_kept_features_give_the_same_head_as_fresh_ones_and_the_same_seed_the_same_weights(trained, table, config):
    shutil.rmtree(table.root / features.FOLDER)
    again = train.fit(config, table, name="again")
    for one, other in zip(trained.model.get_weights(), again.model.get_weights(), strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("count", [40, 150])  # fewer and more pictures than features
def test_a_probe_is_logistic_regression_on_standardized_features(classes, count, weighted):
    random = np.random.default_rng(classes)
    labels = np.maximum(np.arange(count) % (classes + 2) - 2, 0)  # half or more of all pictures are of the first class
    seen = (random.normal(0, 2, (count, 60)) + labels[:, None] * random.normal(0, 1, 60)).astype(np.float32)
    seen[:, 7] = 3.0  # says nothing
    ((_, found),) = probe.regularization_path(seen, labels, Cs=(0.1,), weighted=weighted)
    weights = "balanced" if weighted else None
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight=weights, tol=1e-8, max_iter=5000))
    expected = model.fit(seen.astype(np.float64), labels).predict_proba(seen)
    assert np.abs(found.probabilities(seen) - expected).max() < 0.03  # with the other weights it is above 0.1
    assert np.allclose(found.probabilities(seen).sum(axis=1), 1)


@pytest.mark.parametrize("count", [40, 150])  # fewer and more pictures than features
def test_what_a_solver_says_of_others_is_what_its_probes_say(count):
    random = np.random.default_rng(2)
    labels = np.arange(count) % 5 // 2  # of three classes, the last one rarer
    seen = (random.normal(0, 2, (count, 2, 60)) + labels[:, None, None] * random.normal(0, 1, 60)).astype(np.float32)
    learned, asked = np.flatnonzero(np.arange(count) % 3), np.flatnonzero(np.arange(count) % 3 == 0)
    solver = probe.Solver(seen)
    told = solver.answers(learned, labels[learned], asked, Cs=(0.01, 0.3), weighted=True)
    probes = solver.path(learned, labels[learned], (0.01, 0.3), True)
    assert told.shape == (2, len(asked), 3) and np.allclose(told.sum(axis=2), 1)
    for answers, one in zip(told, probes, strict=True):
        assert np.abs(answers - one.probabilities(seen[asked, 0])).max() < 0.01


@pytest.mark.parametrize("count", [8, 60])  # fewer and more pictures than features
def test_features_that_are_the_same_for_all_pictures_leave_how_frequent_each_class_is(count):
    seen, labels = np.full((count, 20), 3.0, np.float32), (np.arange(count) % 4 == 0).astype(int)
    for _, found in probe.regularization_path(seen, labels, Cs=(0.01, 1.0), weighted=False):
        assert np.allclose(found.probabilities(seen), [0.75, 0.25], atol=1e-3)


def many_classes(classes, columns, *, each=10, spread=0.5, seed=0):
    """Features of pictures of classes that overlap, one after another, and their labels."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), each)
    seen = random.normal(0, spread, (classes, columns))[labels] + random.normal(2, 1, (len(labels), columns))
    return seen.astype(np.float32), labels


@pytest.mark.parametrize("on_disk", [True, False])
def test_a_head_from_slices_is_the_one_from_memory(tmp_path, monkeypatch, on_disk):
    seen, labels = many_classes(3, 20, each=80)
    seen, used = seen.reshape(120, 2, 20), np.arange(5, 120)
    labels = labels[::2]
    expected = probe.Solver(seen, used).path(np.arange(1, 115), labels[used][1:], (0.01, 1.0), True)
    vectors = seen
    if on_disk:
        with arrays.Writer(tmp_path) as writer:
            writer.add([b"%d" % number for number in range(240)], seen.reshape(240, 20))
        vectors = arrays.Store(tmp_path).rows(np.arange(240).reshape(120, 2))
    monkeypatch.setattr(logistic, "HELD", 0)
    monkeypatch.setattr(logistic, "AT_ONCE", 7 * 40)  # seven pictures at a time
    solver = probe.Solver(vectors, used)
    assert solver.held is None
    found = solver.path(np.arange(1, 115), labels[used][1:], (0.01, 1.0), True)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one.probabilities(seen[:, 0]) - other.probabilities(seen[:, 0])).max() < 1e-3
    told = solver.answers(np.arange(1, 115), labels[used][1:], np.arange(9), Cs=(0.01,), weighted=True)[0]
    assert np.abs(told - found[0].probabilities(seen[used[:9], 0])).max() < 1e-4


def searched(seen, labels, folds):
    search = probe._Search(probe.Solver(seen), seen[:, None], labels, np.arange(len(seen)), folds, True)
    search.run(probe.CS)
    while C := search.further():
        search.run((C,))
    return search


def test_strengths_are_tried_until_the_best_is_neither_the_first_nor_the_last():
    seen, labels = many_classes(40, 60)
    folds = [(np.arange(0, 400, 2), np.arange(1, 400, 2))]
    history = searched(seen, labels, folds).history()
    best = history["val_loss"].argmin()
    assert history["C"].iloc[best] > 1  # beyond those that are always tried
    assert 0 < best < len(history) - 1 or history["C"].iloc[best] == probe.LIMITS[1]
    assert history["C"].is_monotonic_increasing and history["epoch"].tolist() == list(range(1, len(history) + 1))


@pytest.mark.parametrize("at_most", [logistic.MANY, 0])  # small problems side by side, large ones in turn
def test_folds_come_to_the_same_on_any_number_of_cores(monkeypatch, at_most):
    monkeypatch.setattr(logistic, "MANY", at_most)
    seen, labels = many_classes(3, 40)
    order = np.random.default_rng(2).permutation(len(labels))
    folds = [
        (np.sort(np.delete(order, part)), np.sort(order[part])) for part in (slice(0, 10), slice(10, 20), slice(20, 30))
    ]
    found = []
    for cores in (1, 3):
        monkeypatch.setattr(workers, "cores", lambda cores=cores: cores)
        found.append(searched(seen, labels, folds))
    assert found[0].history().equals(found[1].history())
    for one, other in zip(found[0].probes, found[1].probes, strict=True):
        assert list(one) == list(other)
        assert all((one[C].kernel == other[C].kernel).all() for C in one)


def test_where_features_say_nothing_weaker_and_weaker_heads_are_tried_to_the_limit():
    random = np.random.default_rng(3)
    seen, labels = random.normal(0, 1, (60, 30)).astype(np.float32), np.arange(60) % 2
    search = searched(seen, labels, [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))])
    tried = search.history()["C"].to_numpy()
    assert probe.LIMITS[0] <= tried[0] < probe.CS[0] and tried[-1] == 1
    assert search.history()["val_loss"].iloc[search.best()] == pytest.approx(np.log(2), abs=0.02)


@pytest.mark.slow
def test_a_search_ends_by_what_is_left_to_gain_however_many_classes_there_are():
    seen, labels = many_classes(200, 100, each=4, spread=1.0)
    learned, held = np.arange(0, 800, 2), np.arange(1, 800, 2)
    (found,) = probe.Solver(seen[learned]).path(np.arange(400), labels[learned], (3.0,), True)
    rows = StandardScaler().fit(seen[learned])
    model = LogisticRegression(C=3.0, tol=1e-7, max_iter=2000).fit(rows.transform(seen[learned]), labels[learned])
    best = calibrate.log_loss(model.predict_proba(rows.transform(seen[held])), labels[held])
    assert calibrate.log_loss(found.probabilities(seen[held]), labels[held]) == pytest.approx(best, rel=0.03)


@pytest.mark.slow
def test_a_given_strength_is_not_chosen(table, config):
    learned = probe.learn(Config(**{**vars(config), "C": 0.5}).resolved(), table)
    assert learned.history["C"].tolist() == [0.5]


@pytest.mark.slow
def test_a_head_that_is_refit_knows_val_too_and_is_not_judged_on_it(table, config):
    plain, refit = (Config(**{**vars(config), "C": 0.1, "refit": again}) for again in (False, True))
    one, other = (probe.learn(some.resolved(), table) for some in (plain, refit))
    used, known = table.where(status="ok"), probe.features_for(refit, table)
    both = used.table["split"].isin(["train", "val"]).to_numpy()
    labels = used.table["label"].map({label: place for place, label in enumerate(table.classes)}).to_numpy()
    flat = known[both].reshape(-1, known.shape[-1])
    ((_, expected),) = probe.regularization_path(flat, np.repeat(labels[both], 2), Cs=(0.1,), weighted=True)
    assert np.abs(other.probe.probabilities(known[:, 0]) - expected.probabilities(known[:, 0])).max() < 0.01
    assert not np.allclose(other.probe.kernel, one.probe.kernel)
    run = train.fit(refit, table, name="refit")
    with pytest.raises(BundleError, match="refit on val; use test"):
        evaluate.measure(run, table, split="val")
    assert evaluate.measure(run, table).accuracy > 0.6


@pytest.mark.slow
def test_a_head_that_is_refit_is_held_back_as_folds_of_train_and_val_say(table, config):
    refit = Config(**{**vars(config), "refit": True}).resolved()
    used = table.where(status="ok", split=("train", "val"))
    folds = probe.folds_of(used.table, used.table["class_index"].to_numpy(int), np.arange(len(used)), refit.seed)
    groups = split.groups(used.table).to_numpy()
    for learned, judged in folds:
        assert not set(groups[learned]) & set(groups[judged])  # a near-duplicate would choose too free a head
    assert sorted(np.concatenate([judged for _, judged in folds])) == list(range(len(used)))
    learned = probe.learn(refit, table)
    assert len(learned.val) == len(learned.val_labels) == len(used)
    assert learned.history["val_loss"].iloc[learned.best] == pytest.approx(
        calibrate.log_loss(learned.val, learned.val_labels)
    )


def test_where_a_class_is_too_small_for_folds_val_says_how_far_a_head_that_is_refit_is_held_back(table, config):
    few = table.table.groupby(["label", "split"]).head(2).index
    small = Manifest(table.root, table.table.loc[few].reset_index(drop=True), partial=True)
    plain, refit = (
        probe.learn(Config(**{**vars(config), "refit": again}).resolved(), small) for again in (False, True)
    )
    assert np.array_equal(plain.val_labels, refit.val_labels)
    assert not np.allclose(plain.probe.kernel, refit.probe.kernel)


@pytest.mark.slow
def test_enough_pictures_choose_how_far_a_head_is_held_back(table, monkeypatch):
    used = table.where(status="ok", split=("train", "val"))
    monkeypatch.setattr(probe, "ENOUGH", len(used) // 4)
    folds = probe.folds_of(used.table, used.table["class_index"].to_numpy(int), np.arange(len(used)), 7)
    assert len(folds) == 2


def test_only_a_head_on_features_is_refit(table, config):
    with pytest.raises(ValueError, match="expected refit for one dense layer on a frozen backbone alone"):
        train.fit(Config(**{**vars(config), "refit": True, "fine_tune": FineTune(epochs=1)}), table, name="never")
    with pytest.raises(ValueError, match="expected refit for one dense layer"):
        train.fit(Config("vgg", refit=True), table, name="never")


@pytest.mark.parametrize("setting", [{"views": 2}, {"C": 0.1}])
def test_only_a_head_on_features_learns_from_views_and_has_a_strength(table, config, setting):
    (name,) = setting
    each = {**vars(config), "views": 1, "features_once": False, **setting}
    for other in (Config("vgg", **setting), Config(**each)):
        with pytest.raises(ValueError, match=f"expected {name} for one dense layer on a frozen backbone alone"):
            train.fit(other, table, name="never")


@pytest.mark.slow
def test_fine_tuning_begins_with_the_probe(table, config):
    tuned = Config(**{**vars(config), "fine_tune": FineTune(epochs=1, share=0.1), "batch_size": 8})
    history = train.fit(tuned, table, name="tuned").history
    assert history["phase"].tolist() == ["probe"] * (len(history) - 1) + ["fine-tune"]
    assert history["epoch"].tolist() == list(range(1, len(history) + 1))


@pytest.mark.slow
def test_fine_tuning_with_an_average_of_the_weights_begins_with_the_probe_too_and_tensorboard_sees_both(table, config):
    tuned = {"fine_tune": FineTune(epochs=1, share=0.1), "batch_size": 8, "ema": 0.5}
    run = train.fit(Config(**{**vars(config), **tuned}), table, name="averaged", tensorboard=True)
    assert run.history["average_val_loss"].notna().tolist() == [False] * (len(run.history) - 1) + [True]
    row, kept = run.best
    assert row["epoch"] == run.facts["best_epoch"] + 1
    assert kept.loss == run.history[["val_loss", "average_val_loss"]].min().min()
    assert {folder.name for folder in (run.folder / tensorboard.FOLDER).iterdir()} == {"train", "validation", "average"}


@pytest.mark.slow
def test_a_probe_alone_can_be_written_for_tensorboard(table, config):
    run = train.fit(config, table, name="watched", tensorboard=True)
    assert {folder.name for folder in (run.folder / tensorboard.FOLDER).iterdir()} == {"train", "validation"}


@pytest.mark.parametrize(
    ("network", "settings", "is_probe"),
    [
        ("mobilenet", {}, True),
        ("efficientnet_lite0", {}, True),
        ("mobilenet", {"style": "classic"}, True),
        ("xception", {"style": "modern"}, True),
        ("xception", {"style": "classic"}, False),  # its authors' head has layers of its own
        ("mobilenet", {"options": {"trainable_layers": 3}}, False),
        ("mobilenet", {"options": {"frozen_below": 66}}, False),
        ("mobilenet", {"options": {"weights": "none"}}, False),
        ("mobilenet", {"options": {"l2": 0.4}}, False),
        ("mobilenet", {"options": {"dense": 64}}, False),
        ("mobilenet", {"features_once": False}, False),
        ("mobilenet", {"options": {"pooling": "pyramid"}}, True),
        ("mobilenet", {"options": {"pooling": "flatten"}}, False),
        ("mobilenet", {"strategy": "mirrored"}, False),
        ("vgg", {}, False),
    ],
)
def test_only_what_is_one_dense_layer_on_a_frozen_backbone_is_found_so(network, settings, is_probe):
    assert Config(network, **settings).is_linear_probe is is_probe


def test_a_network_drawn_here_has_no_frozen_backbone():
    assert not any(networks.get(name).is_linear() for name in networks.own())
