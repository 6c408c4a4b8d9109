"""Pair models and the folders that they are kept in."""

from radpair.models.model import ImageCodes, Model, load, open_model, random_model

__all__ = ["ImageCodes", "Model", "load", "open_model", "random_model"]
