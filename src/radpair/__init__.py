"""radpair: image encoders from radiographs and their reports, with very few labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from radpair.models import Model

__version__ = "0.1.0"


def load(folder: str | Path, device: str = "cpu") -> Model:
    """Loads a model folder with no network: ``encode_images``, ``encode_texts``, ``encode_graphs``.

    Raises ``radpair.errors.ModelError`` where a part of the folder is missing or altered.
    """
    from radpair.models import load as load_model

    return load_model(folder, device)
