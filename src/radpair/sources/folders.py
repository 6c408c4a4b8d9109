"""Trees of files: walked in one order everywhere, with the patient told by a path where asked."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from radpair.errors import SourceError
from radpair.places import Place
from radpair.records import SPLITS
from radpair.sources.dataset import share_of
from radpair.sources.tabular import bad_byte

OFFICIAL, SEEDED = "official", "seeded"
"""Splits as they were published, or all patients by the seeded split."""


def check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    """Raises ``SourceError`` where ``value`` is none of ``choices``."""
    if value not in choices:
        raise SourceError(f"{option} is '{value}'; give one of {', '.join(choices)}")


def check_files(root: Path, folders: Sequence[str], remedy: str) -> None:
    """Raises ``SourceError`` where none of ``folders`` below ``root`` holds a file."""
    if not any(names for name in folders for _, names in walk(root / name)):
        looked = " and ".join(folders)
        raise SourceError(f"{root}: there are no images in {looked}; {remedy}")


def walk(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Every folder below ``root`` with the names of its files, in the same order everywhere.

    Folders are given relative to ``root`` (``""`` for itself), with ``/``. What begins with a
    dot and ``__MACOSX`` is passed over. Links are followed, but no folder is visited twice, so
    that no walk is endless; a link that leads nowhere counts as a file. Pipes, sockets and devices
    are passed over, since opening one may wait for ever.
    """
    if isinstance(root, Place):
        yield from _remote(root)
        return
    pending, seen = [""], set()
    while pending:
        folder = pending.pop()
        try:
            status = (root / folder).stat()
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            files, folders = _listed(root / folder)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise SourceError(
                f"{root / folder}: cannot be listed ({error.strerror}); mend its permissions"
            ) from error
        yield folder, files
        pending += [f"{folder}/{name}".lstrip("/") for name in reversed(folders)]


def _listed(folder: Path) -> tuple[list[str], list[str]]:
    """The names of the files in a folder and those of its folders, each sorted."""
    names: dict[str, list[str]] = {"file": [], "folder": [], "": []}
    with os.scandir(folder) as entries:
        for entry in entries:
            if _is_shown(entry.name):
                names[_kind(entry)].append(entry.name)
    return sorted(names["file"]), sorted(names["folder"])


def _remote(root: Place) -> Iterator[tuple[str, list[str]]]:
    """As ``walk``; behind a URL there are no links."""
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            files, folders = (root / folder).names()
        except FileNotFoundError:
            continue
        yield folder, [name for name in files if _is_shown(name)]
        inner = [f"{folder}/{name}".lstrip("/") for name in folders if _is_shown(name)]
        pending += reversed(inner)


def _is_shown(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX"


def _kind(entry: os.DirEntry[str]) -> str:
    """Folder, file (also a link that leads nowhere), or empty for a pipe, socket or device."""
    try:
        if entry.is_dir():
            return "folder"
        return "file" if entry.is_file() or not Path(entry.path).exists() else ""
    except OSError:  # a link to itself leads nowhere
        return "file"


def lines(file: Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file that are not blank, each with its number, from 1."""
    try:
        with file.open(encoding="utf-8-sig") as handle:
            for number, line in enumerate(handle, 1):
                if line.strip():
                    yield number, line.strip()
    except UnicodeDecodeError as error:
        raise SourceError(
            f"{file}: is not UTF-8 text ({bad_byte(file)}); save it with UTF-8 encoding"
        ) from error


def held_out(patient_id: str, share: float) -> str:
    """Train or validate for a patient of an official training set that has no validation part.

    A hash of the id alone decides, so that nobody moves when data is added.
    """
    return SPLITS[1] if share_of(patient_id) < share else SPLITS[0]


def check_share(share: float) -> None:
    """Raises ``SourceError`` where ``share`` is no share of the training patients."""
    if not 0 <= share < 1:
        raise SourceError(
            f"validate is {share}; give the share of training patients to hold out, such as 0.1"
        )


def path_pattern(pattern: str | None) -> re.Pattern[str] | None:
    """The pattern compiled. Raises ``SourceError`` for no regular expression, and without group."""
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise SourceError(
            f"the pattern '{pattern}' is no regular expression ({error}); mend it"
        ) from error
    if not compiled.groups:
        raise SourceError(
            f"the pattern '{pattern}' has no group; put the part that is the patient in brackets, "
            "such as '^([^/]+)/'"
        )
    return compiled


def matched(pattern: re.Pattern[str], path: str) -> str:
    """What the first group of the pattern finds in a path. Raises ``SourceError``."""
    found = pattern.search(path)
    text = found and found.group(1)
    if not text:
        raise SourceError(
            f"{path}: the pattern '{pattern.pattern}' finds no patient in this path; widen it"
        )
    return str(text)
