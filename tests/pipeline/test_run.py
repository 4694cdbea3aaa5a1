"""The whole pipeline: settings for each network, stages that can be repeated, and a run that may be killed anywhere."""

import random
import subprocess
import sys
import time

import numpy as np
import pytest
from helpers import coloured, encoded

from toolkit import bundle, manifest, paths, run, train

SCRIPT = """
import sys
from toolkit import run, train
from toolkit.scrape import Options
small = {"style": "modern", "size": 16, "options": {"width": 0.1}, "precision": "float32"}
config = train.Config("vgg", epochs=12, patience=11, **small)
train_fit = train.fit
train.fit = lambda *a, **k: train_fit(*a, **k, checkpoint_seconds=0)
run.pipeline(f"folder:{sys.argv[1]}", into="mine", configs=[config], log=lambda line: print(line, flush=True))
"""


@pytest.fixture
def pictures(tmp_path):
    for place, label in enumerate(("cars", "tanks")):
        folder = tmp_path / "pictures" / label
        folder.mkdir(parents=True)
        for number in range(40):
            (folder / f"{number}.png").write_bytes(encoded(coloured(place, number, noise=120)))
        (folder / "copy.jpg").write_bytes(encoded(coloured(place, 0, noise=120), "JPEG", quality=95))
        (folder / "broken.jpg").write_bytes(encoded(coloured(place, 1), "JPEG")[:300])
    return tmp_path / "pictures"


def start(pictures, home, monkeypatch):
    monkeypatch.setenv("TOOLKIT_HOME", str(home))
    return subprocess.Popen([sys.executable, "-c", SCRIPT, str(pictures)], stdout=subprocess.DEVNULL)


@pytest.mark.slow
def test_a_run_that_is_killed_anywhere_ends_as_if_nothing_had_happened(pictures, tmp_path, monkeypatch):
    started = time.monotonic()
    assert start(pictures, tmp_path / "calm", monkeypatch).wait() == 0
    whole = time.monotonic() - started
    dice, kills = random.Random(5), 0
    for moment in (0.35, 0.6, 0.85):  # the first falls into scraping or cleaning, the others into training
        process = start(pictures, tmp_path / "rough", monkeypatch)
        try:
            process.wait(timeout=whole * (moment + dice.uniform(-0.1, 0.1)))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
    assert kills >= 1
    assert start(pictures, tmp_path / "rough", monkeypatch).wait() == 0

    calm, rough = (tmp_path / name / "data" / "mine" / manifest.FILE for name in ("calm", "rough"))
    assert calm.read_bytes() == rough.read_bytes()
    calm, rough = (bundle.load(tmp_path / name / "models" / "mine" / "vgg") for name in ("calm", "rough"))
    assert calm.history.equals(rough.history)
    pairs = zip(calm.model.get_weights(), rough.model.get_weights(), strict=True)
    assert all(np.array_equal(one, other) for one, other in pairs)
    assert calm.predictions.equals(rough.predictions)


def test_each_network_gets_the_weights_only_if_it_can_start_from_some():
    vgg, xception = run.configs_for(["vgg", "xception"], weights="none", settings={"epochs": 3})
    assert vgg.options == {}
    assert xception.options == {"weights": "none"}
    assert vgg.epochs == xception.epochs == 3


def test_where_no_network_is_named_the_pretrained_one_needs_no_download_unless_its_weights_are_named():
    assert run.usual_networks() == ("vgg", "dual_stack", "efficientnet_lite0")
    assert run.usual_networks("imagenet") == run.usual_networks("mine.h5") == ("vgg", "dual_stack", "xception")


def test_trainings_are_modern_unless_another_style_or_a_recipe_is_chosen():
    assert train.Config("vgg").style == train.config_from({"network": "vgg"}).style == "modern"
    (classic,) = run.configs_for(["vgg"], settings={"style": "classic"})
    assert (classic.resolved().mixing, classic.resolved().learning_rate) == (None, 3e-4)
    styles = [
        config.style for name in ("cars_tanks", "pizza", "cifar10") for config in run.configs_for([], recipe=name)
    ]
    assert set(styles) == {"classic"}


def test_an_unknown_setting_is_refused():
    with pytest.raises(ValueError, match="speed"):
        run.configs_for(["vgg"], settings={"speed": 9})


def test_what_only_a_head_on_features_uses_goes_to_the_networks_that_have_one():
    given = {"views": 2, "C": 0.1, "refit": True, "epochs": 3}
    vgg, head = run.configs_for(["vgg", "mobilenet"], settings=given)
    assert (vgg.views, vgg.C, vgg.refit, vgg.epochs) == (1, None, False, 3)
    assert (head.views, head.C, head.refit) == (2, 0.1, True)


def test_what_is_stored_goes_before_the_recipe_and_after_what_is_said():
    stored = {"epochs": 20, "batch_size": 4, "fine_tune": {"share": 0.5, "epochs": 9}, "options": {"dropout": 0.1}}
    how = {"recipe": "hand_digits", "stored": stored, "settings": {"batch_size": 8, "fine_tune": {"epochs": 2}}}
    (config,) = run.configs_for([], **how)
    assert (config.network, config.size, config.epochs, config.patience, config.batch_size) == (
        "xception",
        299,
        20,
        19,
        8,
    )
    assert (config.fine_tune.share, config.fine_tune.epochs) == (0.5, 2)
    assert config.options == {"dropout": 0.1}
    (named,) = run.configs_for([], stored={"network": "vgg"})
    assert named == train.Config("vgg")


def test_a_pipeline_with_a_setting_of_no_effect_is_refused_before_anything_is_scraped(pictures):
    with pytest.raises(ValueError, match="expected views for one dense layer"):
        run.pipeline(f"folder:{pictures}", into="mine", configs=[train.Config("vgg", views=4)])
    assert not paths.dataset("mine").exists()


@pytest.mark.slow
def test_the_stages_in_between_are_saved_and_can_be_repeated(pictures):
    from toolkit import scrape

    table = scrape.collect(f"folder:{pictures}", into="mine")
    said = []
    table = run.prepare(table, sizes=[16, 24], log=said.append)
    assert [line.split()[0] for line in said] == ["verify", "dedup", "resize", "split"]
    before = (paths.dataset("mine") / manifest.FILE).read_bytes()
    run.prepare(manifest.load("mine"), sizes=[16, 24])
    assert (paths.dataset("mine") / manifest.FILE).read_bytes() == before
    assert table.table["status"].value_counts().to_dict() == {"ok": 80, "duplicate": 2, "unreadable": 2}
