"""Checkpoints: whole or not there, hashed, the newest sound one is found again."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import torch

from radpair.errors import RunError
from radpair.models.folder import write_atomically

KEPT = 2
"""Older checkpoints than these are removed."""


def save_checkpoint(folder: Path, step: int, state: dict[str, Any]) -> None:
    """Writes ``state`` (tensors and plain values) as the checkpoint of ``step``.

    Older ones and what a kill left half written are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    write_atomically(folder / f"{_name(step)}.pt", content)
    seal = {"step": step, "sha256": hashlib.sha256(content).hexdigest()}
    write_atomically(folder / f"{_name(step)}.json", json.dumps(seal).encode())
    kept = _sealed(folder)[-KEPT:]
    whole = {path for seal in kept for path in (seal, seal.with_suffix(".pt"))}
    for left in folder.glob("step-*"):
        if left not in whole:
            left.unlink(missing_ok=True)


def newest_checkpoint(folder: Path) -> dict[str, Any] | None:
    """The state of the newest checkpoint whose hash holds, or None where there is none.

    Loaded with ``weights_only``: tensors and plain values, never code. Raises ``RunError`` where
    there are checkpoints and all of them are damaged.
    """
    seals = _sealed(folder)
    for seal in reversed(seals):
        path = seal.with_suffix(".pt")
        content = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(content).hexdigest() in seal.read_text(errors="replace"):
            state: dict[str, Any] = torch.load(
                io.BytesIO(content), weights_only=True, map_location="cpu"
            )
            return state
    if seals:
        raise RunError(
            f"{folder}: every checkpoint is damaged; remove the folder to start again from step 0"
        )
    return None


def _name(step: int) -> str:
    return f"step-{step:08d}"


def _sealed(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*.json"))
