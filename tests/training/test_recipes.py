"""Recipes: the trainings of five projects, by name, and what is said besides goes before them."""

import pytest

from toolkit import networks, recipes, run
from toolkit.training.train import config_from

CASES = [(name, config) for name, recipe in recipes.RECIPES.items() for config in recipe.configs]


@pytest.mark.parametrize(("name", "config"), CASES)
def test_a_recipe_can_be_trained(name, config):
    resolved = config.resolved()
    assert recipes.get(name, network=config.network) == config
    assert set(config.options) <= set(networks.get(config.network).options)
    assert vars(config_from(vars(resolved))) == vars(resolved)


def test_hand_digits_is_as_its_authors_trained_it():
    recipe, config = recipes.recipe("hand_digits"), recipes.get("hand_digits")
    assert recipe.folds == 5
    assert (config.network, config.size, config.batch_size) == ("xception", 299, 10)
    assert (config.optimizer, config.momentum, config.learning_rate) == ("sgd", 0.9, 0.01)
    assert config.schedule == {15: 0.003, 28: 0.001, 50: 0.0003}
    assert config.options == {"frozen_below": 66, "pooling": "average", "dropout": 0.5, "l1": 0.003, "l2": 0.4}
    assert recipes.networks("hand_digits") == ("xception",)
    assert recipes.get("hand_digits", network="mobilenet").options == config.options


def test_the_others_are_too():
    thumbs, pizza, cifar10 = (recipes.get(name) for name in ("thumbs", "pizza", "cifar10"))
    assert (thumbs.network, thumbs.epochs, thumbs.batch_size, thumbs.learning_rate) == ("vgg16", 7, 32, 5e-5)
    assert (thumbs.options["dense"], thumbs.options["dropout"]) == (256, 0.6)
    assert (pizza.network, pizza.size, pizza.monitor, pizza.resolved().optimizer) == (
        "small_cnn",
        180,
        "val_accuracy",
        "adam",
    )
    assert (cifar10.network, cifar10.size, cifar10.monitor) == ("deep_cnn", 32, "val_loss")
    assert recipes.networks("cars_tanks") == ("vgg", "dual_stack", "xception")


def test_an_unknown_recipe_is_answered_with_the_known_ones():
    with pytest.raises(ValueError, match="cars_tanks, cifar10, hand_digits, pizza, thumbs, got 'cake'"):
        recipes.get("cake")


def test_what_is_said_goes_before_the_recipe():
    settings = {"epochs": 3, "learning_rate": 0.1}
    (config,) = run.configs_for([], recipe="thumbs", weights="none", settings=settings, options={"dropout": 0.1})
    assert (config.epochs, config.patience, config.learning_rate, config.batch_size) == (3, 2, 0.1, 32)
    assert config.options == {"pooling": "flatten", "dense": 256, "dropout": 0.1, "weights": "none"}
    assert config.resolved()


def test_a_network_that_is_named_goes_before_those_of_the_recipe():
    (vgg,) = run.configs_for(["vgg"], recipe="cars_tanks")
    assert vgg == recipes.get("cars_tanks")
    (other,) = run.configs_for(["resnet50v2"], recipe="hand_digits")
    assert (other.network, other.size, other.batch_size) == ("resnet50v2", 299, 10)
