"""What an output folder holds already: another comparison there is not replaced unsaid."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from radpair.errors import EvaluationError
from radpair.evaluation.results import jsonable


def check_before(
    file: Path,
    models: Mapping[str, str],
    sets: Mapping[str, str],
    labels: Sequence[str],
    settings: Mapping[str, Any],
    lists: bool = False,
) -> None:
    """Raises ``EvaluationError`` where ``file``, earlier results, has what would be lost.

    ``models`` and ``sets`` are hashes by name. More models, sets, labels and budgets are welcome:
    their report has everything that the earlier one has.
    """
    if not file.exists():
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        lost = next(_lost(before, models, sets, labels, jsonable(dict(settings))), None)
        if lost is None and before["lists"] and not lists:
            lost = "by the 8x200 lists too"
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise EvaluationError(
            f"{file}: damaged, so nobody can say what was compared; choose another --out"
        ) from problem
    if lost is not None:
        raise EvaluationError(
            f"{file.parent} holds another comparison ({lost}); repeat its command, with more "
            "models or study sets if you like, or choose another --out"
        )


def _lost(
    before: Mapping[str, Any],
    models: Mapping[str, str],
    sets: Mapping[str, str],
    labels: Sequence[str],
    settings: Mapping[str, Any],
) -> Iterator[str]:
    """What the earlier comparison has and this one would not, in words."""
    for model in before["models"]:
        for run in model["runs"]:
            if run["hash"] not in models.values():
                other = "other weights of" if run["name"] in models else "the model"
                yield f"of {other} '{run['name']}'"
    for one in before["sets"]:
        if one["hash"] not in sets.values():
            yield f"on the study set '{one['name']}'"
        for label in (*one["labels"], *one["left_out"]):
            if labels and label not in labels:
                yield f"of the label '{label}'"
    for key, was in before["settings"].items():
        now = settings.get(key, was)
        if isinstance(was, list) and isinstance(now, list):
            if not {str(item) for item in was} <= {str(item) for item in now}:
                yield f"{key} {_words(was)}, not {_words(now)}"
        elif was is not None and now != was:
            yield f"{key} {was}, not {now}" if not isinstance(was, dict) else f"with other {key}"


def _words(items: Sequence[Any]) -> str:
    return ", ".join(map(str, items)) or "none"
