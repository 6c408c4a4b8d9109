from __future__ import annotations

import pytest

from radpair.errors import RecipeError
from radpair.models.pair import PairConfig
from radpair.pretraining.recipe import Recipe, load_recipe, recipe_names
from radpair.settings import build, plain


def test_every_recipe_opens_with_its_paper_and_command() -> None:
    from importlib import resources

    assert {"convirt", "igc", "convirt-small", "igc-small"} <= set(recipe_names())
    for name in recipe_names():
        recipe = load_recipe(name)
        assert isinstance(recipe.model, PairConfig)
        text = (resources.files("radpair") / "recipes" / f"{name}.yaml").read_text()
        assert f"radpair pretrain {name} --data SET --out RUN" in text


def test_convirt_has_the_papers_values() -> None:
    recipe = load_recipe("convirt")
    assert recipe.objective.temperature == 0.1
    assert recipe.objective.image_weight == 0.75
    assert not recipe.objective.learn_temperature
    assert (recipe.training.batch, recipe.training.steps_per_epoch) == (32, 5000)
    assert (recipe.text.frozen_layers, recipe.text.pooling) == (6, "max")
    assert recipe.augmentation.crop == (0.6, 1.0)


def test_igc_has_the_papers_values() -> None:
    recipe = load_recipe("igc")
    assert recipe.objective.learn_temperature
    assert recipe.objective.temperature == 0.07
    assert (recipe.training.batch, recipe.training.epochs) == (250, 10)
    assert recipe.training.freeze_image == 20
    assert recipe.training.learning_rate == 1e-3
    assert (recipe.graph.nodes, recipe.graph.width, recipe.graph.heads) == ("contextual", 512, 2)


def test_overrides_reach_nested_keys() -> None:
    recipe = load_recipe(
        "igc-small",
        ["training.epochs=3", "augmentation.crop=[0.5, 0.9]", "text.weights=some/folder"],
    )
    assert recipe.training.epochs == 3
    assert recipe.augmentation.crop == (0.5, 0.9)
    assert recipe.text.weights == "some/folder"


def test_settings_survive_the_round_trip() -> None:
    recipe = load_recipe("igc")
    assert build(Recipe, plain(recipe)) == recipe


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["training.epoch=3"], "unknown key 'training.epoch'; did you mean 'epochs'"),
        (["imagee.size=3"], "unknown key 'imagee'; did you mean 'image'"),
        (["training.epochs=many"], "'training.epochs' is 'many'; it must be a whole number"),
        (["training.epochs=0"], "'training.epochs' is 0; it must be at least 1"),
        (["image=3"], "'image' is 3; it must be a group of keys such as {name: .., weights: .., "),
        (
            ["evaluators=[knn]"],
            "'evaluators[0]' is 'knn'; it must be a group of keys such as {name: ",
        ),
        (["augment_on=device"], "unknown key 'augment_on'; did you mean 'training.augment_on'?"),
        (["image.epochs=3"], "unknown key 'image.epochs'; did you mean 'training.epochs'?"),
        (["batchsize=3"], "unknown key 'batchsize'; did you mean 'training.batch'?"),
        (["weights=none"], "'weights'; did you mean 'image.weights' or 'text.weights'?"),
        (["training.qqq=3"], "unknown key 'training.qqq'; known: augment_on, average, batch"),
        (["training.schedule=cosinus"], "did you mean 'cosine'"),
        (["training.epochs"], "write it as key=value"),
        (["augmentation.crop=0.5"], "must be a list"),
        (["partner=graphs"], "did you mean 'graph'"),
    ],
)
def test_mistakes_name_the_key_and_the_nearest(overrides: list[str], message: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe("igc-small", overrides)
    assert message in str(caught.value)


def test_unknown_recipes_name_the_nearest(tmp_path) -> None:
    with pytest.raises(RecipeError, match="did you mean 'convirt'"):
        load_recipe("convirtt")
    broken = tmp_path / "mine.yaml"
    broken.write_text("image: [")
    with pytest.raises(RecipeError, match=r"mine\.yaml, line 1: not valid YAML"):
        load_recipe(str(broken))
    broken.write_text("")
    with pytest.raises(RecipeError, match=r"mine\.yaml: .*; start from a copy of one: convirt, "):
        load_recipe(str(broken))


def test_defect_the_second_of_two_equal_keys_won_silently(tmp_path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("partner: graph\ntraining:\n  batch: 8\n  epochs: 2\n  batch: 16\n")
    with pytest.raises(RecipeError, match=r"mine\.yaml, line 5: the key 'batch' a second time"):
        load_recipe(str(mine))
    mine.write_text("image: &one\n  size: 64\ntext: {<<: {width: 128}, layers: 2, width: 96}\n")
    recipe = load_recipe(str(mine))
    assert (recipe.image.size, recipe.text.width, recipe.text.layers) == (64, 96, 2)
