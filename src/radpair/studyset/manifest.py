"""The manifest: what went into a study set, with which options, and the hash of every file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radpair.errors import StudySetError

FORMAT = 1
"""Raised when the layout on disk changes."""

MANIFEST = "manifest.json"
STUDIES = "studies.parquet"
IMAGES = "images.parquet"
QUARANTINE = "quarantine.parquet"
SOURCE_GRAPHS = "source_graphs.parquet"
NEAR_DUPLICATES = "near_duplicates.parquet"
GRAPHS = "graphs.parquet"
GRAPHS_RECORD = "graphs.json"
PIXELS = "pixels"
PARTS = ".parts"
PLAN = "plan.json"
LABEL_PREFIX = "label:"
PIXEL_RANGE = (
    "uint8 grey, 0 black (air) to 255 white (dense), aspect ratio kept, shorter side reduced to "
    "size (never enlarged)"
)


def shard_name(index: int) -> str:
    """A shard of pixels, by its place from 0, below the set's folder."""
    return f"{PIXELS}/{index:05d}.bin"


def read_manifest(path: Path) -> dict[str, Any]:
    """The manifest of the study set at ``path``. Raises ``StudySetError``."""
    if not path.is_dir():
        raise StudySetError(f"{path}: there is no study set here; make one with 'radpair ingest'")
    if not (path / MANIFEST).is_file():
        if (path / PARTS).is_dir():
            raise StudySetError(
                f"{path}: the study set was not finished; run the same ingest command again"
            )
        check_beheaded(path)
        raise StudySetError(
            f"{path}: is not a study set, {MANIFEST} is missing; give the folder that "
            "'radpair ingest' wrote"
        )
    return _of_this_format(path, read_json(path / MANIFEST))


def parsed_manifest(path: Path, content: bytes) -> dict[str, Any]:
    """As ``read_manifest``, of the content of the file in the folder ``path``."""
    return _of_this_format(path, _parsed(path / MANIFEST, content))


def _of_this_format(path: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    if manifest.get("format") != FORMAT:
        raise StudySetError(
            f"{path}: has format {manifest.get('format')} where this radpair reads {FORMAT}; "
            "ingest it again, or use the radpair version that wrote it"
        )
    return manifest


def check_beheaded(path: Path) -> None:
    """Raises ``StudySetError`` for a finished set whose manifest was removed by hand."""
    if (
        (path / STUDIES).is_file()
        and not (path / MANIFEST).is_file()
        and not (path / PARTS).is_dir()
    ):
        raise StudySetError(
            f"{path}: holds the tables of a study set, but its {MANIFEST} is gone, and with it "
            "what it was made of; put the file back, or delete the folder and ingest again"
        )


def check_sizes(path: Path, manifest: Mapping[str, Any]) -> None:
    """Raises ``StudySetError`` naming a file that is missing or has another size."""
    for name, record in manifest["files"].items():
        if not (path / name).is_file():
            raise StudySetError(f"{path / name}: is missing; restore it or ingest again")
        size = (path / name).stat().st_size
        if size != record["bytes"]:
            raise StudySetError(
                f"{path / name}: has {size:,} bytes where {MANIFEST} says "
                f"{record['bytes']:,}; restore it or ingest again"
            )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ``StudySetError`` naming the file."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StudySetError(
            f"{path}: cannot be read ({type(error).__name__}); restore the file or ingest again"
        ) from error
    return _parsed(path, content)


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except ValueError as error:
        raise StudySetError(
            f"{path}: cannot be read ({type(error).__name__}); restore the file or ingest again"
        ) from error
    if not isinstance(value, dict):
        raise StudySetError(f"{path}: is not a JSON object; restore the file or ingest again")
    return value


def first_difference(old: Mapping[str, Any], new: Mapping[str, Any], at: str = "") -> str:
    """Names the first option that differs, as ``size was 320 and is now 224``, or is empty."""
    for key in sorted({*old, *new}):
        before, now = old.get(key), new.get(key)
        name = f"{at}{key}"
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            inner = first_difference(before, now, f"{name}.")
            if inner:
                return inner
        elif before != now:
            return f"{name} was {before!r} and is now {now!r}"
    return ""


def manifest_hash(manifest: Mapping[str, Any]) -> str:
    """Sixteen hex digits that stand for the content of a study set."""
    text = json.dumps(manifest, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
