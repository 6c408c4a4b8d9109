"""What a set is made with, and the folder for it: fresh, unfinished or complete with that plan."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from radpair.errors import StudySetError, nearest
from radpair.places import Place
from radpair.studyset.duplicates import EXACT, KEEP, NEAR, RULES
from radpair.studyset.files import remove_drafts, write_json
from radpair.studyset.manifest import (
    FORMAT,
    PARTS,
    PIXELS,
    PLAN,
    check_beheaded,
    check_sizes,
    first_difference,
    read_json,
    read_manifest,
)
from radpair.studyset.parts import AnySource
from radpair.studyset.privacy import Pseudonyms
from radpair.studyset.splits import check_fractions
from radpair.studyset.store import Desk, desk_for

SIZES = (32, 10_000)
"""Pixels; no picture that is read has a shorter side above the larger (``images.limits``)."""
_FLAGS = {
    EXACT: "without --near-duplicates and --keep-duplicates",
    NEAR: "with --near-duplicates",
    KEEP: "with --keep-duplicates",
}
"""What was asked for by the rule for duplicates that a set was made with."""


def plan_of(
    source: AnySource, names: Pseudonyms | None, given: Mapping[str, Any]
) -> dict[str, Any]:
    """Source and options as the manifest has them; options that ask for nothing are left out.

    Raises ``StudySetError`` for an impossible one.
    """
    size, duplicates = given["size"], given["duplicates"]
    if duplicates not in RULES:
        raise StudySetError(f"duplicates '{duplicates}' is unknown{nearest(duplicates, RULES)}")
    if not SIZES[0] <= size <= SIZES[1]:
        raise StudySetError(f"--size {size}: give {SIZES[0]} to {SIZES[1]} pixels")
    options = {name: given[name] for name in ("size", "seed", "fractions", "part", "duplicates")}
    options["fractions"] = list(check_fractions(given["fractions"]))
    if names:
        options["pseudonyms"] = names.options()
    if given["stratify"]:
        options["stratify"] = list(dict.fromkeys(given["stratify"]))
    if given["trim_borders"]:
        options["trim_borders"] = True
    return {"source": {"name": source.name, "options": source.options()}, "options": options}


@contextmanager
def bench(place: Path) -> Iterator[tuple[Path, Desk | None]]:
    """The folder to work in: the set's own, or for a store one of which things are sent there."""
    if isinstance(place, Place):
        with desk_for(place) as desk:
            desk.begin()
            yield desk.folder, desk
    else:
        with _claimed(place):
            yield place, None


@contextmanager
def _claimed(out: Path) -> Iterator[None]:
    """Creates the folder and keeps other writers away from it."""
    if out.exists() and not out.is_dir():
        raise StudySetError(f"{out}: is a file; choose another --out")
    out.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StudySetError(
                f"{out}: another process is writing this study set; wait for it to end"
            ) from None
        yield
    finally:
        os.close(descriptor)


def complete(out: Path, plan: dict[str, Any], desk: Desk | None) -> dict[str, Any]:
    """The manifest of the finished set in ``out``. Raises ``StudySetError`` for another plan."""
    manifest = read_manifest(out)
    manifest["options"] = {"duplicates": KEEP} | manifest["options"]  # as before there was a rule
    _refuse_other(out, {key: manifest.get(key) for key in plan}, plan)
    if desk:
        desk.check_sizes(manifest["files"])
    else:
        check_sizes(out, manifest)
    return manifest


def start(out: Path, plan: dict[str, Any], desk: Desk | None) -> None:
    """Prepares a fresh folder, or checks that the unfinished one has the same plan.

    A plan of which no part was finished yet (its source had a mistake) gives way to the new one.
    """
    full = {"format": FORMAT, **plan}
    begun = next((out / PARTS).glob("[0-9]*.json"), None) is not None
    if (out / PARTS / PLAN).is_file() and begun:
        _refuse_other(out, read_json(out / PARTS / PLAN), full)
    else:
        check_beheaded(out)
        foreign = sorted(p.name for p in out.iterdir() if p.name not in (PARTS, PIXELS))
        unknown = (out / PIXELS).exists() and not (out / PARTS).exists()
        if foreign or unknown:
            raise StudySetError(
                f"{out}: is not empty (it holds {(foreign or [PIXELS])[0]}) and is no study set; "
                "choose another --out"
            )
        (out / PARTS).mkdir(exist_ok=True)
        for shard in (out / PIXELS).glob("*.bin"):
            shard.unlink()
        write_json(out / PARTS / PLAN, full)
    (out / PIXELS).mkdir(exist_ok=True)
    remove_all_drafts(out)
    if desk:
        desk.send_plan()


def remove_all_drafts(out: Path) -> None:
    """Removes what killed processes left half-written in a set."""
    for folder in (out, out / PARTS, out / PIXELS):
        remove_drafts(folder)


def _refuse_other(out: Path, old: dict[str, Any], new: dict[str, Any]) -> None:
    difference = first_difference(old, new)
    if difference:
        options = old.get("options")
        rule = options.get("duplicates", KEEP) if isinstance(options, dict) else ""
        asked = "options.duplicates" in difference and rule in RULES
        same = f" ({_FLAGS[str(rule)]})" if asked else ""
        raise StudySetError(
            f"{out}: holds a study set made otherwise: {difference}; give the same options{same}, "
            "choose another --out, or delete the folder"
        )


def clear(out: Path, desk: Desk | None) -> None:
    """Removes the records of the parts, which a finished set does not need."""
    if desk:
        desk.clear()
    else:
        shutil.rmtree(out / PARTS, ignore_errors=True)
