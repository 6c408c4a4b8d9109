"""A trained model as a folder: weights, configuration, tokenizer, schema, and a hash of each.

It loads with no network and nothing in it is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from tokenizers import Tokenizer

from radpair import __version__
from radpair.errors import ModelError, RecipeError
from radpair.graphs.schema import ENTITY_LABELS, RELATION_TYPES
from radpair.models.pair import PairConfig, PairModel
from radpair.reports.tokenizer import read_tokenizer
from radpair.settings import build, plain
from radpair.studyset.files import sync_folder

FORMAT = 1
WEIGHTS, CONFIG, TOKENIZER, HASHES = (
    "model.safetensors",
    "config.json",
    "tokenizer.json",
    "hashes.json",
)


def save_folder(
    folder: Path,
    model: PairModel,
    tokenizer: Tokenizer | None,
    *,
    labels: tuple[str, ...] = (),
    origin: Mapping[str, Any] | None = None,
) -> None:
    """Writes ``model`` into ``folder``; ``hashes.json`` comes last and makes it whole.

    ``origin`` says where the weights come from (recipe, data hash, step). Raises ``ModelError``
    where the folder cannot be written.
    """
    described = {
        "format": FORMAT,
        "radpair": __version__,
        "model": plain(model.config),
        "vocabulary": model.vocabulary,
        "language": model.language,
        "preprocessing": {
            "pixels": "grey, 0 black (air) to 255 white (dense)",
            "fit": "whole image, zero-padded to a square, resized",
            "size": model.config.image.size,
            "mean": list(model.config.image.mean),
            "std": list(model.config.image.std),
        },
        "graph_schema": {"entities": ENTITY_LABELS, "relations": RELATION_TYPES},
        "labels": list(labels),
        "origin": dict(origin or {}),
    }
    state = {key: value.contiguous() for key, value in model.state_dict().items()}
    parts = {
        WEIGHTS: safetensors.torch.save(state),
        CONFIG: json.dumps(described, indent=2).encode(),
    }
    if tokenizer is not None:
        parts[TOKENIZER] = tokenizer.to_str(pretty=True).encode()
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in parts.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / HASHES).unlink(missing_ok=True)
        for name, content in parts.items():
            write_atomically(folder / name, content)
        write_atomically(folder / HASHES, json.dumps(hashes, indent=2).encode())
    except OSError as problem:
        raise ModelError(
            f"{folder}: the model cannot be written ({problem.strerror}); "
            "make space or choose another folder and run the same command again"
        ) from problem


def load_folder(folder: Path) -> tuple[PairModel, Tokenizer | None, dict[str, Any], str]:
    """The model, its tokenizer, its configuration as written, and the hash of the whole.

    Raises ``ModelError`` where a part is missing, altered, or of another version.
    """
    parts = _verified_parts(folder)
    described = json.loads(parts[CONFIG])
    if described.get("format") != FORMAT:
        raise ModelError(
            f"{folder / CONFIG}: format {described.get('format')} is not {FORMAT}; "
            f"load it with the radpair that wrote it ({described.get('radpair')})"
        )
    _check_schema(folder, described)
    try:
        config = build(PairConfig, described["model"])
    except RecipeError as problem:
        raise ModelError(f"{folder / CONFIG}: {problem}") from problem
    model = PairModel(
        config, described["vocabulary"], load_weights=False, language=described.get("language")
    )
    model.load_state_dict(safetensors.torch.load(parts[WEIGHTS]))
    model.eval()
    tokenizer = read_tokenizer(folder / TOKENIZER) if TOKENIZER in parts else None
    whole = hashlib.sha256("".join(sorted(_digests(parts))).encode()).hexdigest()
    return model, tokenizer, described, whole


def _digests(parts: Mapping[str, bytes]) -> list[str]:
    return [f"{name}:{hashlib.sha256(content).hexdigest()}" for name, content in parts.items()]


def _verified_parts(folder: Path) -> dict[str, bytes]:
    if not (folder / HASHES).is_file():
        reason = "has no hashes.json" if folder.is_dir() else "does not exist"
        raise ModelError(
            f"{folder}: not a model folder (it {reason}); give the folder 'model' inside a run, "
            "or finish the run by giving the same pretrain command again"
        )
    parts = {}
    for name, expected in _hashes(folder).items():
        path = folder / Path(name).name
        if not path.is_file():
            raise ModelError(f"{path}: missing from the model folder; copy the folder again whole")
        parts[name] = path.read_bytes()
        if hashlib.sha256(parts[name]).hexdigest() != expected:
            raise ModelError(
                f"{path}: altered since the model was written (its hash differs); "
                "copy the folder again from where it was trained"
            )
    return parts


def _hashes(folder: Path) -> dict[str, str]:
    try:
        found = json.loads((folder / HASHES).read_text())
    except ValueError:
        found = None
    if not isinstance(found, dict) or not {WEIGHTS, CONFIG} <= found.keys():
        raise ModelError(f"{folder / HASHES}: damaged; copy the folder again from its run")
    return found


def _check_schema(folder: Path, described: Mapping[str, Any]) -> None:
    schema = described["graph_schema"]
    for key, known in (("entities", ENTITY_LABELS), ("relations", RELATION_TYPES)):
        if list(known) != schema[key]:
            raise ModelError(
                f"{folder / CONFIG}: its graph schema ({key}) is not this radpair's; "
                f"load it with radpair {described['radpair']}"
            )


def write_atomically(path: Path, content: bytes) -> None:
    """Writes a file that is either whole or not there, also after a power cut."""
    draft = path.with_name(path.name + ".tmp")
    try:
        with draft.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
        sync_folder(path.parent)
    except OSError as problem:
        problem.filename = str(path)
        raise
    finally:
        draft.unlink(missing_ok=True)
