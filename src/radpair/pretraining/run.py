"""The folder of a run: what was asked for, what happened, and who may write in it now."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from radpair import __version__
from radpair.errors import RadpairError, RunError
from radpair.models.folder import load_folder, write_atomically
from radpair.pretraining.recipe import Recipe
from radpair.settings import plain
from radpair.studyset import StudySet, content_hash

ASKED, METRICS, CHECKPOINTS, MODEL, PLOT, CACHE = (
    "run.json",
    "metrics.jsonl",
    "checkpoints",
    "model",
    "loss.png",
    "cache",
)
UNDECIDING = ("workers", "checkpoint", "log")
"""Training settings that the weights do not depend on."""
NO_FILES = ("none", "pretrained")
"""What ``weights`` of a tower can say that is no path."""


@contextmanager
def claim(folder: Path) -> Iterator[None]:
    """Keeps other processes out of the run. Raises ``RunError`` where one has it.

    A folder that was made for a run which is refused before its first step is removed again.
    """
    if (folder / "manifest.json").exists():
        raise RunError(f"{folder} is a study set; choose another folder as --out")
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as problem:
        raise RunError(
            f"{folder}: the run folder cannot be written ({problem.strerror}); choose another --out"
        ) from problem
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            raise RunError(
                f"{folder}: another pretrain is writing here; wait for it or choose another --out"
            ) from problem
        try:
            yield
        except RadpairError:
            if made and not (folder / ASKED).exists():
                shutil.rmtree(folder, ignore_errors=True)
            raise


def asked_for(name: str, recipe: Recipe, studies: StudySet) -> dict[str, Any]:
    """Everything that decides a run."""
    facts = data_facts(recipe, studies)
    return {"recipe": name, "settings": plain(recipe), "data": facts, "radpair": __version__}


def data_facts(recipe: Recipe, studies: StudySet) -> dict[str, str]:
    """What a run rests on: the study set, its graphs where they are partners, weights of files.

    Raises ``RunError`` where the graphs are missing.
    """
    facts = {"hash": content_hash(studies)}
    if recipe.start:
        facts["start"] = load_folder(Path(recipe.start))[3]
    for tower, weights in (("text", recipe.text.weights), ("image", recipe.image.weights)):
        if weights not in NO_FILES and Path(weights).exists():
            facts[f"{tower}_weights"] = _weights_hash(Path(weights))
    if recipe.model.has_graph:
        if not studies.has_graphs:
            raise RunError(
                f"{studies.path}: the study set has no graphs, and this recipe pairs images with "
                f"them; run: radpair graphs {studies.path}"
            )
        facts["graphs"] = studies.graphs_hash
    return facts


def _weights_hash(place: Path) -> str:
    """Of a file, or of the files of a folder."""
    digest = hashlib.sha256()
    files = place.iterdir() if place.is_dir() else [place]
    for path in sorted(path for path in files if path.is_file()):
        with path.open("rb") as stream:
            digest.update(path.name.encode() + hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:16]


def refuse_other(folder: Path, asked: Mapping[str, Any]) -> None:
    """Raises ``RunError`` where ``folder`` holds a run of another configuration."""
    path = folder / ASKED
    if not path.is_file():
        _refuse_unknown(folder)
        return
    try:
        before = json.loads(path.read_text())
    except ValueError as problem:
        raise RunError(
            f"{path}: damaged, so nobody can say what this run is; choose another --out"
        ) from problem
    if before.get("recipe") != asked["recipe"]:
        raise RunError(
            f"{folder} holds a run of the recipe '{before.get('recipe')}'; choose another --out"
        )
    for key in ("settings", "data"):
        difference = _difference(_deciding(before[key]), _deciding(asked[key]), key)
        if difference:
            raise RunError(
                f"{folder} holds a run with another configuration ({difference}); "
                "continue it with the values it was started with, or choose another --out"
            )


def _refuse_unknown(folder: Path) -> None:
    for made in (CHECKPOINTS, MODEL):
        if (folder / made).is_dir() and any((folder / made).iterdir()):
            raise RunError(
                f"{folder} has {made} and no {ASKED}, so nobody can say what they were trained "
                f"with; put {ASKED} back, or choose another --out"
            )


def began_with(folder: Path, key: str) -> Any:
    """A training setting that the run in ``folder`` began with, None where there is no run."""
    try:
        return json.loads((folder / ASKED).read_text())["settings"]["training"][key]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _deciding(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Without what the weights do not depend on: it may be changed between a stop and the next
    start."""
    kept = {key: value for key, value in facts.items() if key != "evaluators"}
    if "training" in kept:
        training = kept["training"].items()
        kept["training"] = {key: value for key, value in training if key not in UNDECIDING}
    return kept


def _difference(before: Any, now: Any, where: str) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            found = _difference(before.get(key), now.get(key), f"{where}.{key}")
            if found:
                return found
        return ""
    return "" if before == now else f"{where.removeprefix('settings.')}: {before} there, {now} now"


def record(folder: Path, asked: Mapping[str, Any]) -> None:
    """From here on ``folder`` is this run's: everything asked for has been seen to be possible."""
    if not (folder / ASKED).is_file():
        write_atomically(folder / ASKED, json.dumps(asked, indent=2).encode())


def remove_cache(folder: Path) -> None:
    """Of a run that is finished: its cache holds words of reports, and nothing needs it any more.

    Raises ``RunError`` where something is left of it.
    """
    try:
        if (folder / CACHE).exists():
            shutil.rmtree(folder / CACHE)
    except OSError as problem:
        raise RunError(
            f"{folder / CACHE}: holds words of reports, and cannot be removed from this finished "
            f"run ({problem.strerror}); remove it, or give the same command again"
        ) from problem


def keep_metrics(path: Path, last_step: int) -> None:
    """Leaves out the lines after ``last_step``: their steps are about to be done again."""
    if not path.is_file():
        return
    kept = [line for line in _whole_lines(path) if json.loads(line)["step"] <= last_step]
    write_atomically(path, "".join(f"{line}\n" for line in kept).encode())


def add_metrics(path: Path, values: Mapping[str, Any]) -> None:
    """Appends one line."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(values) + "\n")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All lines of a run's metrics."""
    return [json.loads(line) for line in _whole_lines(path)]


def _whole_lines(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return [line for line in text.split("\n")[:-1] if line]


def plot_metrics(metrics: list[dict[str, Any]], path: Path) -> None:
    """Draws training and validation loss over steps as a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for split, style in (("train", {"alpha": 0.6}), ("validate", {"marker": "o", "ms": 3})):
        lines = [line for line in metrics if line["split"] == split]
        if lines:
            axes.plot(
                [line["step"] for line in lines],
                [line["loss"] for line in lines],
                label=split,
                **style,
            )
    axes.set(xlabel="step", ylabel="contrastive loss")
    axes.legend()
    draft = path.with_name("." + path.name)
    figure.savefig(draft, dpi=120)
    plt.close(figure)
    draft.replace(path)
