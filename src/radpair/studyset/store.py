"""A study set in an object store: written part by part, read through a copy on this machine.

A store has no folders to lock and no file to map into memory. So a part is made in a folder of
the process that makes it and sent as two whole objects, the shard and then its record; tables
follow when all parts are there, and the manifest last. What a killed run has sent is found
again by its record and the size of its shard, and is not sent a second time.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

from radpair.errors import StudySetError
from radpair.places import HERE_ONLY, Place, beginning, copied, remove, send
from radpair.scratch import FULL, scratch
from radpair.studyset.files import CHUNK, FileRecord, sync_folder, write_bytes
from radpair.studyset.manifest import (
    GRAPHS,
    GRAPHS_RECORD,
    MANIFEST,
    PARTS,
    PIXELS,
    PLAN,
    manifest_hash,
    parsed_manifest,
    shard_name,
)
from radpair.studyset.parts import (
    AnySource,
    Done,
    Part,
    done_of,
    holds,
    read_record,
    record_path,
    write_part,
)
from radpair.studyset.privacy import Pseudonyms

CACHE = "RADPAIR_CACHE"
"""Names the folder of copies in place of ``~/.cache/radpair``."""


class Desk:
    """Where a set for the store ``url`` is made: a folder of this machine that will be removed."""

    def __init__(self, url: Place, folder: Path) -> None:
        self.url, self.folder = url, folder

    def begin(self) -> None:
        """Fetches what an earlier run left. Raises ``StudySetError`` for a foreign folder."""
        (self.folder / PARTS).mkdir()
        if (self.url / MANIFEST).is_file():
            self._fetch(MANIFEST)
            return
        names = self._names(PARTS)
        if PLAN in names:
            for name in names:
                self._fetch(f"{PARTS}/{name}")
        elif self.url.exists() and (found := [n for kind in self.url.names() for n in kind]):
            raise StudySetError(
                f"{self.url}: is not empty (it holds {found[0]}) and is no study set; choose "
                "another --out"
            )

    def send_plan(self) -> None:
        """Shards of another plan, which had not finished a part, are removed."""
        plan = (self.folder / PARTS / PLAN).read_bytes()
        if _plan_at(self.url) != plan:
            for name in self._names(PIXELS):
                remove(self.url / PIXELS / name)
            send(self.folder / PARTS / PLAN, self.url / PARTS / PLAN)

    def take(self, index: int) -> None:
        """Fetches the record of a part that was made on another machine."""
        self._fetch(f"{PARTS}/{record_path(self.folder, index).name}")

    def send_tables(self, manifest: Mapping[str, Any]) -> None:
        """Everything but the shards, which are there; the manifest comes last."""
        self.check_sizes({n: r for n, r in manifest["files"].items() if n.startswith(PIXELS)})
        for name in manifest["files"]:
            if not name.startswith(PIXELS):
                send(self.folder / name, self.url / name)
        _check_plan(self.url, self.folder)
        send(self.folder / MANIFEST, self.url / MANIFEST)

    def clear(self) -> None:
        """Removes the records of the parts, which the tables replace."""
        for name in sorted(self._names(PARTS), key=lambda name: name == PLAN):
            remove(self.url / PARTS / name)

    def check_sizes(self, files: Mapping[str, Any]) -> None:
        """Raises ``StudySetError`` naming an object that is missing or has another size."""
        for name, record in files.items():
            size = _size(self.url / name)
            if size != record["bytes"]:
                has = "is missing" if size is None else f"has {size:,} bytes"
                raise StudySetError(
                    f"{self.url / name}: {has} where {record['bytes']:,} bytes were sent; restore "
                    "it or ingest again"
                )

    def _names(self, folder: str) -> list[str]:
        return (self.url / folder).names()[0] if (self.url / folder).exists() else []

    def _fetch(self, name: str) -> None:
        write_bytes(self.folder / name, (self.url / name).read_bytes())


def check_reach(place: Path, processes: int | None) -> None:
    """Raises ``StudySetError`` where other processes would not see what is written."""
    if isinstance(place, Place) and place.protocol == HERE_ONLY and processes != 1:
        raise StudySetError(f"{place}: is seen by this process alone; give --processes 1")


@contextmanager
def desk_for(url: Place) -> Iterator[Desk]:
    """A desk for the set at ``url``; sentences about it name the URL."""
    with scratch() as folder:
        try:
            yield Desk(url, folder)
        except StudySetError as error:
            if "no space left" in str(error):  # on this machine, and so it says
                raise StudySetError(f"{error}, or name another folder in TMPDIR first") from error
            raise StudySetError(str(error).replace(str(folder), str(url))) from error
        except OSError as error:
            if error.errno not in FULL:
                raise
            raise StudySetError(
                f"{tempfile.gettempdir()}: no space left ({os.strerror(error.errno)}) for the "
                f"parts of {url}; what is finished is kept: make space and run the same command "
                "again, or name another folder in TMPDIR first"
            ) from error


def put_part(
    store: Path, source: AnySource, part: Part, out: Path, size: int, names: Pseudonyms | None
) -> Done:
    """As ``write_part`` in the folder ``out``, with shard and record sent to ``store``."""
    record, shard = record_path(out, part.index), out / shard_name(part.index)
    body = read_record(out, part.index)
    if body is not None and holds(source, part, body, size, names):
        sent = _size(store / shard_name(part.index))
        if sent == body["shard"]["bytes"]:
            return done_of(part, body)
    done = write_part(source, part, out, size, names)
    try:
        _check_plan(store, out)
        send(shard, store / shard_name(part.index))
        send(record, store / PARTS / record.name)
    finally:
        shard.unlink()
    return done


def put_part_from_afar(
    store: Path, source: AnySource, part: Part, size: int, names: Pseudonyms | None
) -> Done:
    """As ``put_part`` on a machine that has no folder of the set."""
    with scratch() as out:
        for name in (PARTS, PIXELS):
            (out / name).mkdir()
        record = record_path(out, part.index)
        with suppress(FileNotFoundError):
            write_bytes(record, (store / PARTS / record.name).read_bytes())
        return put_part(store, source, part, out, size, names)


def local_copy(url: Place) -> Path:
    """The folder of this machine that holds the set at ``url``, fetched where it is not yet.

    It is named by the hash of the manifest, and every file is compared with its hash as it comes.
    Raises ``StudySetError``.
    """
    manifest = manifest_at(url)
    folder = _cache() / "sets" / manifest_hash(manifest)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(folder):
        (folder / PIXELS).mkdir(exist_ok=True)
        for name, record in manifest["files"].items():
            file = folder / name
            if not file.is_file() or file.stat().st_size != record["bytes"]:
                _take_file(url / name, file, FileRecord(**record))
        _take_graphs(url, folder)
        if not (folder / MANIFEST).is_file():
            write_bytes(folder / MANIFEST, (url / MANIFEST).read_bytes())
    return folder


def manifest_at(url: Place) -> dict[str, Any]:
    """The manifest of the set at ``url``. Raises ``StudySetError``."""
    try:
        content = (url / MANIFEST).read_bytes()
    except FileNotFoundError:
        if (url / PARTS / PLAN).is_file():
            raise StudySetError(
                f"{url}: the study set was not finished; run the same ingest command again (the "
                "message of its last run says why it stopped)"
            ) from None
        raise StudySetError(
            f"{url}: there is no study set here; make one with 'radpair ingest'"
        ) from None
    return parsed_manifest(cast(Path, url), content)


def check_objects(url: Place) -> int:
    """Reads every object of a set and compares its hash; returns how many were compared.

    Raises ``StudySetError`` naming the first altered one.
    """
    files = manifest_at(url)["files"]
    for name, record in files.items():
        try:
            found = _streamed(url / name)
        except FileNotFoundError:
            raise StudySetError(f"{url / name}: is missing; restore it or ingest again") from None
        except PermissionError as error:
            raise StudySetError(
                f"{url / name}: cannot be read ({error.strerror}); check the credentials"
            ) from error
        if found.as_json() != record:
            raise StudySetError(
                f"{url / name}: was altered since it was written; restore it or ingest again"
            )
    return len(files)


def send_graphs(folder: Path, url: Place) -> None:
    """Sends the graphs that the copy of a set was given."""
    for name in (GRAPHS, GRAPHS_RECORD):
        send(folder / name, url / name)


def _check_plan(store: Path | Place, out: Path) -> None:
    """Raises ``StudySetError`` where the plan in ``out``, if one is there, is not the store's."""
    plan = out / PARTS / PLAN
    if plan.is_file() and _plan_at(store) != plan.read_bytes():
        raise StudySetError(
            f"{store}: another process began another study set here; choose another --out"
        )


def _plan_at(store: Path | Place) -> bytes | None:
    try:
        return (store / PARTS / PLAN).read_bytes()
    except FileNotFoundError:
        return None


def _take_graphs(url: Place, folder: Path) -> None:
    """The graphs as they are there now; a set may be given others."""
    try:
        record = (url / GRAPHS_RECORD).read_bytes()
    except FileNotFoundError:
        for name in (GRAPHS_RECORD, GRAPHS):
            (folder / name).unlink(missing_ok=True)
        return
    if (folder / GRAPHS_RECORD).is_file() and (folder / GRAPHS_RECORD).read_bytes() == record:
        return
    (folder / GRAPHS_RECORD).unlink(missing_ok=True)
    _take_file(url / GRAPHS, folder / GRAPHS, FileRecord(**json.loads(record)["file"]))
    write_bytes(folder / GRAPHS_RECORD, record)


def _take_file(place: Place, file: Path, record: FileRecord) -> None:
    """Fetches one file of a set to its place in the copy, or nothing."""
    draft = file.with_name(f".{file.name}.tmp")
    try:
        copied(place, draft)
        with draft.open("rb") as handle:
            found = hashlib.file_digest(handle, "sha256").hexdigest()
        if found != record.sha256:
            raise StudySetError(
                f"{place}: was altered since it was written; restore it or ingest again"
            )
        draft.replace(file)
        sync_folder(file.parent)
    except FileNotFoundError:
        raise StudySetError(f"{place}: is missing; restore it or ingest again") from None
    except OSError as error:
        raise StudySetError(
            f"{file}: the copy of {place} cannot be written ({error.strerror}); make space, or "
            f"name another folder in {CACHE}"
        ) from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Other processes wait until this one has fetched what they want too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _cache() -> Path:
    given = os.environ.get(CACHE)
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "radpair"


def _streamed(place: Place) -> FileRecord:
    digest, count = hashlib.sha256(), 0
    with beginning(cast(Path, place), 8 * CHUNK) as handle:
        while piece := handle.read(CHUNK):
            digest.update(piece)
            count += len(piece)
    return FileRecord(count, digest.hexdigest())


def _size(place: Path | Place) -> int | None:
    try:
        return cast(Place, place).size()
    except FileNotFoundError:
        return None
