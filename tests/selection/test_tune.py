"""A search tries settings on train and val, remembers what it tried, and goes on where it was killed."""

import json
import sys
from functools import partial
from types import SimpleNamespace

import pandas as pd
import pytest
from helpers import ready_dataset

from toolkit import crossval, paths, plot, train, tune
from toolkit.core import locking
from toolkit.core.framework import tf
from toolkit.errors import BundleError, DatasetError, ToolkitError
from toolkit.selection import search_space
from toolkit.training.train import Config, config_from

pytest.importorskip("optuna", reason="needs Optuna: pip install 'optuna>=4'")
SPACE = {"C": (1e-3, 1.0), "views": [1, 2]}
KEPT = ["number", "state", "accuracy", "loss", "C", "views"]
pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture(scope="module")
def table(place):
    table = ready_dataset(place / "set", per_class=16, noise=300)
    for file in table.where(split="test").files:
        file.write_bytes(b"closed")  # whoever looks at a test picture fails
    return table


@pytest.fixture(scope="module")
def config():
    return Config("xception", style="modern", size=32, options={"weights": "cifar10"})


@pytest.fixture(scope="module")
def outcome(place, table, config):
    return tune.search(table, config, space=SPACE, trials=6, folds=2)


@pytest.mark.slow
def test_the_best_trial_is_the_most_accurate_and_its_settings_are_kept(outcome):
    trials = outcome.trials
    assert trials["state"].tolist() == ["complete"] * 6
    assert outcome.best["accuracy"] == trials["accuracy"].max()
    close = trials[trials["accuracy"] == trials["accuracy"].max()]
    assert outcome.best["loss"] == close["loss"].min()
    assert (outcome.config.C, outcome.config.views) == (outcome.best["C"], outcome.best["views"])
    assert trials["C"].between(1e-3, 1).all()
    assert config_from(json.loads((outcome.folder / tune.BEST).read_text())) == outcome.config
    assert "xception: " in str(outcome)


@pytest.mark.slow
def test_a_search_that_is_done_is_not_done_again_and_more_trials_are_added_to_it(outcome, table, config, monkeypatch):
    more = tune.search(table, config, space=SPACE, trials=8, folds=2)
    pd.testing.assert_frame_equal(more.trials[KEPT].head(6), outcome.trials[KEPT])
    assert len(more.trials) == 8
    monkeypatch.setattr(crossval, "run", lambda *_, **__: pytest.fail("tried again"))
    assert len(tune.search(table, config, space=SPACE, trials=8, folds=2).trials) == 8


@pytest.mark.slow
def test_a_search_that_is_interrupted_ends_as_if_nothing_had_happened(outcome, table, config, monkeypatch):
    run, left = crossval.run, [3]

    def stopping(*what, **how):
        left[0] -= 1
        return run(*what, **how) if left[0] else stop()

    monkeypatch.setattr(crossval, "run", stopping)
    with pytest.raises(KeyboardInterrupt):
        tune.search(table, config, space=SPACE, trials=6, folds=2, name="stopped")
    monkeypatch.setattr(crossval, "run", run)
    resumed = tune.search(table, config, space=SPACE, trials=6, folds=2, name="stopped")
    pd.testing.assert_frame_equal(resumed.trials[KEPT], outcome.trials[KEPT])


def stop():
    raise KeyboardInterrupt


@pytest.mark.slow
def test_a_grid_tries_every_point_once(table, config):
    space = {"C": [0.01, 0.1], "views": [1, 2]}
    outcome = tune.search(table, config, space=space, method="grid", trials=30, folds=2, name="grid")
    assert outcome.trials[["C", "views"]].apply(tuple, axis=1).tolist() == [(0.01, 1), (0.01, 2), (0.1, 1), (0.1, 2)]
    assert plot.png(plot.trials(outcome)).startswith(b"\x89PNG")


@pytest.mark.slow
def test_of_a_grid_with_too_many_points_some_from_all_over_it_are_tried(table, config):
    lines, space = [], {"C": [0.001, 0.01, 0.1, 1.0, 10.0], "views": [1, 2]}
    how = {"space": space, "method": "grid", "folds": 2, "name": "large grid"}
    trials = tune.search(table, config, trials=4, log=lines.append, **how).trials
    assert lines[0] == "4 of 10 points of the grid" and lines[-1].startswith("trial 4 of 4: ")
    assert trials["C"].nunique() > 2
    rest = tune.search(table, config, trials=30, **how).trials
    assert len(rest) == 10 and not rest.duplicated(["C", "views"]).any()
    pd.testing.assert_frame_equal(rest[KEPT].head(4), trials[KEPT])


@pytest.mark.slow
def test_a_trial_that_is_a_training_in_a_search_over_heads_is_judged_in_folds_as_they_are(table, config):
    config = config_from({**vars(config), "size": 40, "epochs": 1, "batch_size": 8})
    space = {"options.dense": [8, None]}
    outcome = tune.search(table, config, space=space, method="grid", folds=2, name="dense")
    assert outcome.trials["state"].tolist() == ["complete"] * 2
    assert outcome.trials["options.dense"].tolist() == [8, None]
    assert outcome.config.options["dense"] is outcome.best["options.dense"]
    assert plot.png(plot.trials(outcome)).startswith(b"\x89PNG")
    kept = pd.read_csv(outcome.folder / tune.TABLE, keep_default_na=False)
    assert kept["options.dense"].tolist() == ["8", ""]


@pytest.mark.slow
@pytest.mark.parametrize("error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM")])
def test_settings_for_which_there_is_no_memory_have_failed_and_the_others_go_on(table, config, error, monkeypatch):
    run = crossval.run

    def running_out(used, config, **how):
        if config.views == 2:
            raise error
        return run(used, config, **how)

    monkeypatch.setattr(crossval, "run", running_out)
    how = {"space": {"views": [2, 1]}, "method": "grid", "folds": 2, "name": type(error).__name__}
    trials = tune.search(table, config, **how).trials
    assert trials["state"].tolist() == ["failed", "complete"]
    assert "try a smaller size" in trials["reason"][0]


@pytest.mark.slow
def test_a_trial_over_which_the_process_died_twice_is_given_up(table, config, monkeypatch):
    run = crossval.run

    def killing(used, config, **how):
        if config.views == 2:
            raise SystemExit  # which leaves the journal as a kill does
        return run(used, config, **how)

    monkeypatch.setattr(crossval, "run", killing)
    how = {"space": {"views": [2, 1]}, "method": "grid", "folds": 2, "name": "deadly"}
    for _ in range(2):
        with pytest.raises(SystemExit):
            tune.search(table, config, **how)
    trials = tune.search(table, config, **how).trials
    assert dict(zip(trials["views"], trials["state"], strict=True)) == {1: "complete", 2: "failed"}
    assert trials["reason"].str.contains("it died 2 times").any()


@pytest.mark.slow
def test_who_interrupts_a_search_says_nothing_against_a_trial(table, config, monkeypatch):
    how = {"space": {"views": [2, 1]}, "method": "grid", "folds": 2, "name": "impatient"}
    with monkeypatch.context() as patch:
        patch.setattr(crossval, "run", lambda *_, **__: stop())
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                tune.search(table, config, **how)
    assert tune.search(table, config, **how).trials["state"].tolist() == ["complete"] * 2


@pytest.mark.slow
def test_settings_that_do_not_go_together_are_a_row_with_a_reason(table, config):
    space = {"size": [16, 32]}
    outcome = tune.search(table, config, space=space, method="grid", folds=2, name="failing")
    assert outcome.trials["state"].tolist() == ["failed", "complete"]
    assert "expected pictures of at least 32 pixels" in outcome.trials["reason"][0]
    with pytest.raises(ToolkitError, match="none of 1 did; .*at least 32 pixels"):
        tune.search(table, config, space={"size": [16]}, method="grid", folds=2, name="all failing")


@pytest.mark.slow
def test_trainings_that_lag_behind_are_given_up(place, monkeypatch):
    monkeypatch.setattr(train, "fit", partial(train.fit, checkpoint_seconds=0))
    easy = ready_dataset(place / "easy", per_class=20, size=16)
    config = Config("vgg", style="classic", size=16, epochs=4, batch_size=8, options={"width": 0.1}, augmentation=None)
    space = {"learning_rate": [1e-2, 5e-3, 3e-3, 1e-9]}
    outcome = tune.search(easy, config, space=space, method="grid")
    assert outcome.trials["state"].tolist() == ["complete"] * 3 + ["pruned"]
    assert outcome.config.learning_rate >= 1e-3
    assert not list(outcome.folder.rglob("model.keras"))
    assert not list(outcome.folder.rglob(train.CHECKPOINT))


@pytest.mark.slow
def test_trainings_at_the_same_time_come_to_the_same_as_one_after_the_other(place):
    easy = ready_dataset(place / "spread", per_class=20, size=16)
    config = Config("vgg", style="classic", size=16, epochs=1, batch_size=8, options={"width": 0.1})
    how = {"space": {"learning_rate": [1e-2, 1e-3, 1e-4]}, "method": "random", "trials": 3}
    one, two = (tune.search(easy, config, jobs=jobs, name=f"{jobs} jobs", **how) for jobs in (1, 2))
    columns = ["number", "state", "accuracy", "loss", "learning_rate"]
    pd.testing.assert_frame_equal(one.trials[columns], two.trials[columns])


@pytest.mark.slow
def test_a_training_is_worth_what_the_weights_that_were_kept_are_be_it_their_average(place):
    easy = ready_dataset(place / "averaged", per_class=20, size=16)
    how = {"epochs": 2, "patience": 1, "batch_size": 8, "options": {"width": 0.1}, "augmentation": None}
    outcome = tune.search(
        easy, Config("vgg", style="classic", size=16, ema=0.9, **how), space={"learning_rate": [5e-2]}, trials=1
    )
    (file,) = outcome.folder.rglob("history.csv")
    history = pd.read_csv(file)
    assert history["average_val_loss"].min() < history["val_loss"].min()
    assert outcome.best["loss"] == history["average_val_loss"].min()


@pytest.mark.slow
def test_another_search_of_the_name_is_replaced_only_if_allowed(outcome, table, config):
    with pytest.raises(BundleError, match="other settings or other pictures"):
        tune.search(table, config, space={"C": (1e-3, 1.0)}, trials=1, folds=2)


@pytest.mark.slow
def test_a_search_that_runs_already_is_not_disturbed_by_another_of_its_name(outcome, table, config):
    before = {file: file.read_bytes() for file in outcome.folder.iterdir() if file.is_file()}
    with locking.alone(outcome.folder, kind="search"), pytest.raises(ToolkitError, match="one search in .* at a time"):
        tune.search(table, config, space=SPACE, trials=8, folds=2)
    assert {file: file.read_bytes() for file in outcome.folder.iterdir() if file.is_file()} == before


def test_a_dataset_without_a_split_is_refused(table, config):
    with pytest.raises(DatasetError, match="run split first"):
        tune.search(table.assign(split=""), config)


def test_without_optuna_it_says_what_to_install(table, config, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ToolkitError, match="pip install"):
        tune.search(table, config, space=SPACE, trials=1, name="no optuna")


@pytest.mark.parametrize(
    ("space", "why"),
    [
        ({}, "settings to vary"),
        ({"speed": [1]}, "got 'speed'"),
        ({"C": 1}, "a pair"),
        ({"C": (1.0, 0.1)}, "rising"),
        ({"views": []}, "a pair"),
        ({"options.growing": [[3, 4, 3]]}, "words and numbers"),
    ],
)
def test_what_cannot_be_varied_is_refused_before_anything_is_tried(space, why):
    with pytest.raises(ValueError, match=why):
        search_space.check(Config("dual_stack"), space)


def test_a_dot_leads_into_settings_within_others():
    changed = search_space.with_settings(
        Config("vgg"), {"options.width": 0.5, "augmentation.rotation": 3.0, "batch_size": 8}
    )
    assert changed.options == {"width": 0.5}
    assert changed.augmentation.rotation == 3.0
    assert changed.augmentation.brightness == Config("vgg").resolved().augmentation.brightness
    assert changed.batch_size == 8
    assert (
        search_space.with_settings(Config("vgg", augmentation=None), {"augmentation.zoom": 0.2}).augmentation.zoom
        == 0.2
    )


@pytest.mark.parametrize("network", ["vgg", "mobilenet", "xception"])
def test_what_is_usually_varied_can_be_varied(network):
    config = Config(network, style="modern")
    search_space.check(config, search_space.usual(config))
    assert paths.check_label(network)
    assert all(
        train.config_from(vars(search_space.with_settings(config, {name: choice[0]})))
        for name, choice in search_space.usual(config).items()
    )


def counted(monkeypatch, fails):
    """How often a trial is tried, each of which fails in this way."""
    tried = []

    def fail(used, config, **_):
        tried.append(config)
        raise ValueError(fails(config))

    monkeypatch.setattr(crossval, "run", fail)
    return tried


@pytest.mark.parametrize("space", [{"views": [1, 2, 4]}, {"C": (1e-3, 1.0)}, {"views": [1, 2], "C": (1e-3, 1.0)}])
def test_a_search_that_fails_for_one_reason_whatever_is_set_stops_and_leaves_nothing(table, config, space, monkeypatch):
    tried = counted(monkeypatch, lambda config: "no such weights")
    with pytest.raises(
        ToolkitError, match="no settings (of these can work|can work, . trials failed for one reason): no such weights"
    ):
        tune.search(table, config, space=space, trials=30, folds=2, name="hopeless", method="random")
    assert 2 <= len(tried) <= 8
    assert not (paths.models(table.root) / "tune" / "hopeless").exists()


def test_a_search_stops_where_all_its_settings_have_failed_each_for_a_reason_of_its_own(table, config, monkeypatch):
    tried = counted(monkeypatch, lambda config: f"not {config.views} views")
    with pytest.raises(ToolkitError, match="no settings of these can work: not [12] views"):
        tune.search(table, config, space={"views": [1, 2]}, trials=30, folds=2, name="all", method="random")
    assert {config.views for config in tried} == {1, 2} and len(tried) < 12


def test_settings_that_fail_for_one_reason_are_no_proof_while_others_are_left():
    space = {"views": [1, 2, 4], "C": (1e-3, 1.0)}

    def failed(**params):
        return SimpleNamespace(user_attrs={"reason": "no"}, params=params, state=SimpleNamespace(name="FAIL"))

    trials = [failed(views=1, C=C) for C in (0.1, 0.2, 0.3)]
    tune._check_hope(trials, space)
    trials += [failed(views=views, C=0.1) for views in (2, 4)]
    with pytest.raises(ToolkitError, match="5 trials failed for one reason: no"):
        tune._check_hope(trials, space)


def test_folds_that_cannot_be_made_are_refused_before_a_trial_and_block_nothing(table, config, monkeypatch):
    with pytest.raises(DatasetError, match="expected more than 50 pictures of every class for 50 folds"):
        tune.search(table, config, space=SPACE, trials=2, folds=50, name="mended")
    assert not (paths.models(table.root) / "tune" / "mended").exists()
