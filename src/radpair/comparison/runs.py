"""The models of a comparison, by the folders of their runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radpair.errors import ModelError
from radpair.models import Model, open_model
from radpair.models.folder import CONFIG
from radpair.models.place import RANDOM, model_place


@dataclass(frozen=True)
class Runner:
    """A model with the name that it bears in this comparison."""

    name: str
    model: Model
    origin: dict[str, Any]
    """Recipe, data and steps of its training, as the model folder says; empty for random ones."""

    @property
    def towers(self) -> list[str]:
        """``text`` and ``graph``, where the model has them."""
        has = {"text": self.model.has_text, "graph": self.model.has_graph}
        return [name for name, there in has.items() if there]


def open_runs(asked: Sequence[str], device: str = "cpu") -> list[Runner]:
    """The models of run folders, model folders and ``random:LIKE``, in this order.

    Models whose folders share a name are told apart by the folders above. Raises ``ModelError``
    for a folder without a finished model, and for the same weights twice.
    """
    places = [model_place(one) for one in asked]
    models = [open_model(place, device) for place in places]
    _refuse_twins(asked, models)
    names = _distinct([model.name for model in models], places)
    for model, name in zip(models, names, strict=True):
        model.name = name
    return [
        Runner(name, model, _origin(place))
        for name, model, place in zip(names, models, places, strict=True)
    ]


def _refuse_twins(asked: Sequence[str], models: Sequence[Model]) -> None:
    first: dict[str, str] = {}
    for name, model in zip(asked, models, strict=True):
        if model.hash in first:
            raise ModelError(
                f"{first[model.hash]} and {name} are the same weights; name each model once"
            )
        first[model.hash] = name


def _distinct(names: Sequence[str], places: Sequence[str]) -> list[str]:
    """Names that differ: where folders share one, folders above are put before it."""
    parts = [_parents(place) for place in places]
    found = list(names)
    for depth in range(1, 1 + max(map(len, parts))):
        shared = {name for name in found if found.count(name) > 1}
        if not shared:
            break
        for place, name in enumerate(found):
            if name in shared:
                found[place] = _under(names[place], parts[place][-depth:])
    return found


def _under(name: str, parents: Sequence[str]) -> str:
    prefix = RANDOM if name.startswith(RANDOM) else ""
    return prefix + "/".join([*parents, name.removeprefix(prefix)])


def _parents(place: str) -> list[str]:
    """The folders above the run, outermost first."""
    path = Path(place.removeprefix(RANDOM)).resolve()
    run = path.parent if path.name == "model" else path
    return [part for part in run.parent.parts if part != run.anchor]


def _origin(place: str) -> dict[str, Any]:
    if place.startswith(RANDOM):
        return {}
    told: dict[str, Any] = json.loads((Path(place) / CONFIG).read_text(encoding="utf-8"))
    return dict(told.get("origin") or {})
