"""Arrays that are computed once, kept in a folder, and read by memory map in every process.

A folder is named by what decides its arrays, so what differs in that has another folder. It holds
``arrays.bin``, one array after the other, and ``record.json``, which comes last and says where
each lies and what the file's hash is.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tokenizers
from numpy.typing import NDArray
from tokenizers import Tokenizer

from radpair import __version__
from radpair.errors import StudySetError
from radpair.studyset.files import atomic, measure, remove_drafts, write_json, writing_to
from radpair.studyset.manifest import read_json

Array = NDArray[Any]
Arrays = Mapping[str, Array]
Table = dict[str, dict[str, Any]]
"""By name of an array: ``dtype``, ``shape``, and ``offset`` in bytes."""
Group = TypeVar("Group")
ARRAYS, RECORD, LOCK = "arrays.bin", "record.json", "lock"
FORMAT = 1
"""Raised where the same reports or graphs are turned into other arrays than before."""
ALIGNED = 64
"""Bytes; every array begins at a multiple of it."""


class KeptArrays(Mapping[str, Array]):
    """Finished arrays, read-only; can be pickled (opened again by path) and used after a fork."""

    def __init__(self, path: Path) -> None:
        """Opens the folder at ``path``. Raises ``StudySetError`` where it is not whole."""
        self.path = path
        if not (path / RECORD).is_file():
            raise StudySetError(f"{path}: was not finished; run the same command again")
        self.record = read_json(path / RECORD)
        file = path / ARRAYS
        try:
            size, table = self.record["file"]["bytes"], self.record["arrays"]
            whole = file.is_file() and file.stat().st_size == size
            if not whole or self.record != _sealed(self.record):
                raise ValueError(size)
            data = np.asarray(np.memmap(file, np.uint8, "r")) if size else np.zeros(0, np.uint8)
            self._arrays = {name: _array(data, place) for name, place in table.items()}
        except (KeyError, OSError, TypeError, ValueError) as problem:
            raise StudySetError(
                f"{file}: is not what {RECORD} recorded; remove {path} and run the same command "
                "again"
            ) from problem

    def __reduce__(self) -> tuple[Any, ...]:
        return KeptArrays, (self.path,)

    def __getitem__(self, name: str) -> Array:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def verify(self) -> None:
        """Reads all and compares the hash. Raises ``StudySetError`` where it differs."""
        if measure(self.path / ARRAYS).as_json() != self.record["file"]:
            raise StudySetError(
                f"{self.path / ARRAYS}: was altered since it was written; remove {self.path} and "
                "run the same command again"
            )


def kept_arrays(
    parent: Path, kind: str, identity: Mapping[str, Any], compute: Callable[[], Arrays]
) -> KeptArrays:
    """What ``compute`` gives, from below ``parent`` or computed and kept there.

    ``identity`` is as in ``kept``, and so is what is raised.
    """
    return kept(parent, kind, identity, lambda path: _write(path / ARRAYS, compute()))


def kept(
    parent: Path, kind: str, identity: Mapping[str, Any], fill: Callable[[Path], Table]
) -> KeptArrays:
    """The arrays that ``identity`` decides, in a folder of their own below ``parent``.

    ``identity`` (JSON values) names all that decides the arrays but this version of radpair.
    Where they are missing, ``fill`` writes ``arrays.bin`` into the folder and says what it holds.
    Only one process does so at a time, and another waits for it; one that comes later compares
    hashes. Raises ``StudySetError`` where the disk fails or the arrays were altered.
    """
    made_by = {"format": FORMAT, "radpair": __version__, **identity}
    path = folder_of(parent, kind, made_by)
    with writing_to(parent):
        path.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            found = (path / RECORD).is_file()
            if not found:
                remove_drafts(path)
                table = fill(path)
                file = measure(path / ARRAYS).as_json()
                record = {"identity": made_by, "arrays": table, "file": file}
                write_json(path / RECORD, _sealed(record))
    arrays = KeptArrays(path)
    if found:
        arrays.verify()
    return arrays


def folder_of(parent: Path, kind: str, identity: Mapping[str, Any]) -> Path:
    """Where the arrays of ``identity`` lie."""
    text = json.dumps(identity, sort_keys=True)
    return parent / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def text_hash(texts: Iterable[str]) -> str:
    """Hex digits that stand for texts and where each ends."""
    digest = hashlib.sha256()
    for text in texts:
        content = text.encode()
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def tokenizer_hash(tokenizer: Tokenizer) -> str:
    """Hex digits that stand for all that decides the tokens of a text."""
    return text_hash([tokenizers.__version__, tokenizer.to_str()])


def flat(name: str, group: Any) -> dict[str, Array]:
    """The arrays of a dataclass of arrays, each under ``name`` and its own."""
    return {f"{name}.{field.name}": getattr(group, field.name) for field in fields(group)}


def grouped(kind: type[Group], name: str, arrays: Arrays) -> Group:
    """The dataclass whose arrays ``flat`` named."""
    named: Any = kind
    made: Group = named(**{one.name: arrays[f"{name}.{one.name}"] for one in fields(named)})
    return made


def _sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """With the hash of all else that ``record`` says."""
    said = {key: value for key, value in record.items() if key != "record"}
    return {**said, "record": text_hash([json.dumps(said, sort_keys=True)])}


def _write(file: Path, arrays: Arrays) -> Table:
    table = {}
    with atomic(file) as draft:
        for name, array in arrays.items():
            draft.write(bytes(-draft.file.count % ALIGNED))
            table[name] = {
                "dtype": array.dtype.str,
                "shape": list(array.shape),
                "offset": draft.file.count,
            }
            if array.size:
                draft.write(np.ascontiguousarray(array).data)
    return table


def _array(data: NDArray[np.uint8], place: Mapping[str, Any]) -> Array:
    kind, shape, begin = np.dtype(place["dtype"]), place["shape"], place["offset"]
    end = begin + int(np.prod(shape, dtype=np.int64)) * kind.itemsize
    array: Array = data[begin:end].view(kind).reshape(shape)
    return array


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with (path / LOCK).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
