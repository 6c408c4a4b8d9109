"""The manifest: what went into a study set, with which options, and the hash of every file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from radpair.errors import StudySetError
from radpair.records import SPLITS

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
_FILES = re.compile(rf"{PIXELS}/[0-9]{{5,}}\.bin|[a-z_]+\.parquet")
_COUNTS = (
    *("studies", "images", "patients", "quarantined_images", "unusable_reports"),
    *("studies_left_out", "source_graphs", "pixel_bytes"),
)
_PARTS_OF_IT: dict[str, tuple[type, str]] = {
    "radpair": (str, "text"),
    "source": (dict, "object"),
    "options": (dict, "object"),
    "pixels": (str, "text"),
    "labels": (list, "list"),
    "counts": (dict, "object"),
    "files": (dict, "object"),
}


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
                f"{path}: the study set was not finished; run the same ingest command again (the "
                "message of its last run says why it stopped)"
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
            f"{path}: has format {manifest.get('format')!r} where this radpair reads {FORMAT}; "
            "ingest it again, or use the radpair version that wrote it"
        )
    fault = _fault(manifest)
    if fault:
        raise StudySetError(f"{path / MANIFEST}: {fault}; restore the file or ingest again")
    return manifest


def _fault(manifest: Mapping[str, Any]) -> str:
    """What a manifest lacks that whoever reads it goes by; empty for a whole one."""
    for key, (kind, name) in _PARTS_OF_IT.items():
        if not isinstance(manifest.get(key), kind):
            return f"has no {name} '{key}'"
    source, labels = manifest["source"], manifest["labels"]
    if not isinstance(source.get("name"), str) or not isinstance(source.get("options"), dict):
        return "does not name the source and its options"
    if not isinstance(manifest["options"].get("duplicates", ""), str):
        return "has options of which 'duplicates' is no text"
    if not _are_texts(labels) or len(set(labels)) != len(labels):
        return "has labels that are no list of different names"
    if not _are_texts(manifest.get("remarks", [])):
        return "has remarks that are no list of sentences"
    counts, files = manifest["counts"], manifest["files"]
    return _count_fault(counts) or _file_fault(files) or _table_fault(counts, files)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _count_fault(counts: Mapping[str, Any]) -> str:
    splits = counts.get("splits")
    if not isinstance(splits, dict) or splits.keys() != set(SPLITS):
        return f"does not count the studies of {', '.join(SPLITS)}"
    for name in dict.fromkeys((*_COUNTS, *counts)):
        if name != "splits" and not _is_count(counts.get(name)):
            return f"has no count of {name!r}"
    if not all(map(_is_count, splits.values())) or sum(splits.values()) != counts["studies"]:
        return "has counts of the splits that are not those of all studies"
    return ""


def _file_fault(files: Mapping[str, Any]) -> str:
    """What is wrong with the list of files, of which none may lie outside the set."""
    for name, record in files.items():
        if not _FILES.fullmatch(name):
            return f"names the file {name!r}, which no study set has"
        if not isinstance(record, dict) or record.keys() != {"bytes", "sha256"}:
            return f"does not give size and hash of {name}"
        digest = record["sha256"]
        if not _is_count(record["bytes"]) or not isinstance(digest, str):
            return f"does not give size and hash of {name}"
        if not re.fullmatch("[0-9a-f]{64}", digest):
            return f"gives no SHA-256 of {name}"
    shards = [name for name in files if name.startswith(PIXELS)]
    for name in (STUDIES, IMAGES, QUARANTINE, *map(shard_name, range(max(len(shards), 1)))):
        if name not in files:
            return f"does not name the file {name}"
    return ""


def _table_fault(counts: Mapping[str, Any], files: Mapping[str, Any]) -> str:
    """The tables that a set has only where it has something for them."""
    for name, count in (
        (SOURCE_GRAPHS, counts["source_graphs"]),
        (NEAR_DUPLICATES, counts.get("near_across_splits", 0)),
    ):
        if (name in files) != bool(count):
            return f"counts {count:,} rows of {name} and {'does not name' if count else 'names'} it"
    return ""


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
        json.dumps(value, ensure_ascii=False).encode()  # as it will be hashed
    except (ValueError, RecursionError) as error:
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
