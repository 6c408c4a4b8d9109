"""A hash of the code that makes figures, so that an edited tree never meets what it made before."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from radpair import __version__

ENCODING = (
    *(".", "encoders", "images", "models", "objectives", "reports", "graphs", "studyset"),
    *("evaluation/code.py", "evaluation/features.py"),
)
"""What turns a film into features; ``.`` are the files of no room."""
NO_FIGURES = ("cli", "description", "pretraining")
"""Rooms that no figure is made by: nothing of evaluation or comparison imports them."""


@lru_cache
def code_hash(rooms: Sequence[str] | None = None) -> str:
    """Sixteen hex digits of radpair's version and of every source file that can decide a figure.

    That is all of radpair but ``NO_FIGURES``, or only the files and folders ``rooms``.
    """
    digest = hashlib.sha256(__version__.encode())
    root = Path(str(files("radpair")))
    for path in hashed_files(rooms):
        digest.update(path.relative_to(root).as_posix().encode() + b"\0")
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def hashed_files(rooms: Sequence[str] | None = None) -> list[Path]:
    """The source files that ``code_hash`` reads, in its order."""
    root = Path(str(files("radpair")))
    found = []
    for path in sorted(root.rglob("*.py")):
        place = path.relative_to(root)
        if rooms is None:
            chosen = place.parts[0] not in NO_FIGURES
        else:
            chosen = any(place.is_relative_to(room) for room in rooms if room != ".")
            chosen = chosen or ("." in rooms and len(place.parts) == 1)
        if chosen:
            found.append(path)
    return found
