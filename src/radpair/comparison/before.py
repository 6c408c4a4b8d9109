"""What an output folder holds already: another comparison there is not replaced unsaid."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from radpair.errors import EvaluationError
from radpair.evaluation.results import jsonable


def check_folder(out: Path) -> None:
    """Raises ``EvaluationError`` where ``out`` is no folder for results; else makes it."""
    if out.exists() and not out.is_dir():
        raise EvaluationError(f"{out}: is a file; name a folder with --out")
    for name, kind in (("manifest.json", "a study set"), ("hashes.json", "a model folder")):
        if (out / name).exists():
            raise EvaluationError(f"{out}: is {kind}; name another folder with --out")
    out.mkdir(parents=True, exist_ok=True)


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
    _refuse_loss(
        file, lambda before: _lost(before, models, sets, labels, jsonable(dict(settings)), lists)
    )


def check_readers_before(file: Path, found: Mapping[str, Any]) -> None:
    """The same for ``found``, a comparison of readers: more readers and labels are welcome, and a
    model or thresholds where there were none."""
    _refuse_loss(file, lambda before: _lost_of_readers(before, found))


def _refuse_loss(file: Path, lost_of: Callable[[Any], Iterator[str]]) -> None:
    if not file.exists():
        return
    try:
        lost = next(lost_of(json.loads(file.read_text(encoding="utf-8"))), None)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise EvaluationError(
            f"{file}: damaged, so nobody can say what was compared; choose another --out"
        ) from problem
    if lost is not None:
        raise EvaluationError(
            f"{file.parent} holds another comparison ({lost}); repeat its command, which may "
            "add to it, or choose another --out"
        )


def _lost(
    before: Mapping[str, Any],
    models: Mapping[str, str],
    sets: Mapping[str, str],
    labels: Sequence[str],
    settings: Mapping[str, Any],
    lists: bool,
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
    if before["lists"] and not lists:
        yield "by the 8x200 lists too"


def _lost_of_readers(before: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for label in before["labels"]:
        if label not in found["labels"]:
            yield f"of the label '{label}'"
    for name, digest in before["files"].items():
        if digest not in found["files"].values():
            yield f"of other contents of {name}" if name in found["files"] else f"of {name}"
    cuts = (before["model"] or {}).get("thresholds") or {}
    if not cuts.items() <= ((found["model"] or {}).get("thresholds") or {}).items():
        yield "with other thresholds"
    now = {**found["settings"], "patients": found["patients"]}
    for key, was in {**before["settings"], "patients": before["patients"]}.items():
        if now[key] != was:
            yield f"{key} {was}, not {now[key]}"


def _words(items: Sequence[Any]) -> str:
    return ", ".join(map(str, items)) or "none"
