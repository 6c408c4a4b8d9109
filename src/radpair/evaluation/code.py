"""A hash of the code that makes figures, so that an edited tree never meets what it made before."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from radpair import __version__

ENCODING = ("encoders", "images", "models")
"""The rooms that turn a film into features."""
MEASURING = (*ENCODING, "comparison", "evaluation", "graphs", "reports", "studyset")
"""And those that turn features into figures."""
TRAINING = (*ENCODING, "evaluation/fine_tune")
"""Those that decide what a fine-tuned classifier learns."""


@lru_cache
def code_hash(rooms: Sequence[str] = MEASURING) -> str:
    """Sixteen hex digits of radpair's version and of every source file of these rooms."""
    digest = hashlib.sha256(__version__.encode())
    root = Path(str(files("radpair")))
    for room in sorted(rooms):
        for path in sorted((root / room).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
