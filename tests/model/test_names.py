"""What is asked and measured may be given by its name, and shows itself in a line."""

import pytest
from helpers import ready_dataset, untrained

from toolkit import bundle, evaluate, manifest, paths, predict, train


@pytest.mark.slow
def test_a_run_and_a_dataset_are_taken_by_their_names_and_show_themselves_briefly():
    table = ready_dataset(paths.dataset("pets"), per_class=10)
    run = untrained(paths.models(table.root) / "vgg", root=str(table.root))
    assert repr(run) == "pets/vgg: cars, tanks at 32 pixels"
    report = evaluate.measure("pets/vgg", "pets")
    assert repr(report) == str(report) and report.run == "vgg"
    assert repr(bundle.load("pets/vgg")).endswith("% right on test")
    answer = predict.picture("pets/vgg", table.files[0])
    assert repr(answer).startswith(f"{table.files[0].name}: ")
    assert repr(manifest.load("pets")).startswith("pets: 20 images\n")


@pytest.mark.slow
def test_a_training_takes_the_name_of_its_dataset():
    ready_dataset(paths.dataset("pets"), per_class=10)
    config = train.Config("vgg", size=32, epochs=1, options={"width": 0.05}, precision="float32")
    assert train.fit(config, "pets").classes == ("cars", "tanks")
