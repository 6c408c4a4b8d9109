"""Pretraining: recipes, the loop, checkpoints, and the folder of a run."""

from radpair.pretraining.loop import pretrain
from radpair.pretraining.recipe import Recipe, load_recipe, recipe_names

__all__ = ["Recipe", "load_recipe", "pretrain", "recipe_names"]
