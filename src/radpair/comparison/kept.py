"""Finished protocols on disk, each under a hash of everything that decides its figures.

A comparison that was stopped reads what it had finished; another model, study set, prompt or
setting has another hash, so a stale entry cannot be met.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from radpair.errors import EvaluationError
from radpair.evaluation.code import code_hash
from radpair.models.folder import write_atomically

_FORM = "radpair.compare.unit/3"


@dataclass(frozen=True)
class Unit:
    """What one protocol found with one model on one study set."""

    arrays: dict[str, NDArray[Any]]
    facts: dict[str, Any] = field(default_factory=dict)
    """JSON values."""
    of_runs: tuple[Unit, ...] = ()
    """Of each training run, where this is their mean (``methods.merged``); never kept."""


def unit_key(parts: Mapping[str, Any]) -> str:
    """Hex digits that stand for ``parts`` (JSON values) and the code that makes figures."""
    told = json.dumps([_FORM, code_hash(), parts], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:32]


class Kept:
    """A folder of units."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, key: str) -> Unit | None:
        """The unit of this key, None if it was not finished. Raises ``EvaluationError``."""
        path = self._path(key)
        if not path.is_file():
            return None
        try:
            with safe_open(path, framework="np") as file:
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                facts = json.loads(file.metadata()["facts"])
        except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
            raise EvaluationError(
                f"{path} is damaged ({error}): delete it and run again"
            ) from error
        return Unit(arrays, facts)

    def write(self, key: str, unit: Unit) -> None:
        """Keeps ``unit``, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        arrays = {name: np.ascontiguousarray(value) for name, value in unit.arrays.items()}
        told = {"form": _FORM, "facts": json.dumps(unit.facts)}
        write_atomically(self._path(key), save(arrays, metadata=told))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"
