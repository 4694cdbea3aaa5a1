"""The map of a dataset: what is alike lies near each other, and every picture has its place."""

import numpy as np
import pytest
from helpers import fake_table, ready_dataset, untrained
from threadpoolctl import threadpool_limits

from toolkit import embedding, evaluate, plot


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return ready_dataset(tmp_path_factory.mktemp("embedding") / "pets", per_class=24)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("run") / "run")


@pytest.fixture(scope="module")
def places(run, table):
    return embedding.tsne(run, table, seed=3)


@pytest.mark.slow
def test_pictures_of_one_colour_lie_near_each_other(places):
    assert list(places.columns) == ["path", "label", "split", "x", "y"]
    assert places[["x", "y"]].min().min() == 0 and places[["x", "y"]].max().max() == 1
    where = places[["x", "y"]].to_numpy()
    apart = np.linalg.norm(where[:, None] - where[None], axis=2) + 9 * np.eye(len(where))
    same = places["label"].to_numpy()[apart.argmin(axis=1)] == places["label"].to_numpy()
    assert same.mean() >= 0.9


@pytest.mark.slow
def test_it_is_the_same_again_and_places_only_what_is_in_use(run, table, places):
    assert embedding.tsne(run, table, seed=3).equals(places)
    path = table.table["path"].iloc[5]
    fewer = embedding.tsne(run, table.update({path: {"status": "excluded"}}))
    assert set(places["path"]) - set(fewer["path"]) == {path}


@pytest.mark.slow
def test_of_many_pictures_some_are_drawn_of_every_class_in_proportion(run, table):
    paths = table.table["path"][table.table["label"] == "cars"].tolist()[:16]
    lopsided = table.update({path: {"status": "excluded"} for path in paths})  # 8 cars and 24 tanks
    drawn = embedding.tsne(run, lopsided, most=12)
    assert drawn["label"].value_counts().to_dict() == {"tanks": 9, "cars": 3}
    assert not drawn.equals(embedding.tsne(run, lopsided, most=12, seed=1))


@pytest.mark.slow
def test_a_map_is_the_same_on_one_core_as_on_two():
    features = np.random.default_rng(4).normal(size=(200, 600)).astype(np.float32)
    features[:50] += 0.3
    with threadpool_limits(1):
        alone = embedding._placed(features, 0)
    with threadpool_limits(2):
        np.testing.assert_array_equal(embedding._placed(features, 0), alone)


def test_too_few_pictures_are_refused(run, table):
    few = table.where(path=table.table["path"].tolist()[:9])
    with pytest.raises(ValueError, match="at least 10 pictures to place, got 9"):
        embedding.tsne(run, few)


@pytest.mark.slow
def test_a_map_has_a_dot_for_every_picture_and_a_ring_for_every_mistake(run, table, places):
    report = evaluate.measure(run, table)
    dots, rings = plot.embedding(places, table, report=report).axes[0].collections
    assert np.allclose(dots.get_offsets(), places[["x", "y"]])
    wrong = places[places["path"].isin(report.mistakes["path"])]
    assert len(rings.get_offsets()) == len(wrong) == len(report.mistakes) > 0
    assert len(plot.embedding(places, table).axes[0].collections) == 1


def test_of_many_classes_the_largest_have_their_names_on_the_map(tmp_path):
    table = fake_table(tmp_path, [(f"class {n % 70:02}", "") for n in range(100)])
    where = np.random.default_rng(0).random((100, 2))
    places = table.table[["path", "label", "split"]].assign(x=where[:, 0], y=where[:, 1])
    texts = plot.embedding(places, table).axes[0].texts
    named = [text.get_text() for text in texts]
    assert len(named) == 60 and set(named) >= {f"class {n:02}" for n in range(30)}  # of which there are two
    first = places[places["label"] == "class 00"]
    assert texts[0].get_position() == tuple(first[["x", "y"]].median())
