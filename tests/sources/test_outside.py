"""No table, list or XML file of a dataset brings in a film from outside its folder."""

from __future__ import annotations

import gzip
import importlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from radpair.errors import SourceError, StudySetError
from radpair.records import Study, View
from radpair.sources import SOURCES
from radpair.sources.folders import walk
from radpair.studyset import write
from sources.fakes.dicoms import dicom_file
from sources.fakes.pictures import picture

NAMED_BY_WALKING = {"dicom", "pairs"}
"""Sources whose films are found in the tree, so that nothing names them."""
WORDS = sorted(SOURCES.keys() - NAMED_BY_WALKING - {"table"})
TEXTS = (".csv", ".json", ".txt", ".xml", ".gz")
SECRET = "secret"


def made(word: str, folder: Path) -> Path:
    fake = importlib.import_module(f"sources.fakes.{word.replace('-', '_')}")
    return Path(fake.make(folder))


def texts(root: Path) -> list[Path]:
    return [file for file in sorted(root.rglob("*")) if file.suffix in TEXTS and file.is_file()]


def replaced(file: Path, old: str, new: str) -> bool:
    """Exchanges a name wherever a text file has it; whether it did."""
    raw = file.read_bytes()
    zipped = file.suffix == ".gz"
    text = gzip.decompress(raw) if zipped else raw
    if old.encode() not in text:
        return False
    text = text.replace(old.encode(), new.encode())
    file.write_bytes(gzip.compress(text, mtime=0) if zipped else text)
    return True


def films(root: Path) -> list[PurePosixPath]:
    found = [PurePosixPath(folder) / name for folder, names in walk(root) for name in names]
    return [path for path in found if path.suffix not in TEXTS]


def named(root: Path, film: PurePosixPath) -> str:
    """The part of a film's name that stands in some table: all of it, or without its suffix."""
    contents = b"".join(
        gzip.decompress(file.read_bytes()) if file.suffix == ".gz" else file.read_bytes()
        for file in texts(root)
    )
    return next(name for name in (film.name, film.stem) if name.encode() in contents)


def hide(root: Path, top: Path, suffix: str) -> None:
    """A film in every folder between ``top`` and the dataset."""
    for folder in root.parents:
        file = folder / f"{SECRET}{suffix}"
        if suffix in (".dcm", ".dicom"):
            dicom_file(file)
        else:
            picture(file)
        if folder == top:
            return


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("word", WORDS)
def test_a_name_that_leads_out_is_refused(word: str, depth: int, tmp_path: Path) -> None:
    """The name of a film becomes ``../secret``; such a film is there, wherever that leads."""
    root = made(word, tmp_path / "a" / "b" / "c" / "d" / "data")
    film = films(root)[0]
    hide(root, tmp_path, film.suffix)
    name = named(root, film)
    bad = "../" * depth + (f"{SECRET}{film.suffix}" if name == film.name else SECRET)
    assert sum(replaced(file, name, bad) for file in texts(root))
    with pytest.raises(SourceError) as caught:
        write(SOURCES[word](root=root), tmp_path / "set", size=32, processes=1)  # type: ignore[call-arg]
    assert ".." in str(caught.value)
    assert "\n" not in str(caught.value)


class Careless:
    """A source of files that gives its paths as somebody else wrote them."""

    name = "careless"

    def __init__(self, root: Path, path: str) -> None:
        self.root, self.path = root, path

    def options(self) -> dict[str, Any]:
        return {}

    def studies(self) -> Iterator[Study]:
        yield Study("1", "1", (View("inside.png"),))
        yield Study("2", "2", (View("inside.png"), View(self.path)))

    def path_of(self, study: Study, view: int) -> Path:
        return self.root / study.views[view].path


@pytest.mark.parametrize("path", ["../secret.png", "a/../../secret.png", "{}/secret.png", ".."])
@pytest.mark.parametrize("keyed", [False, True])
def test_no_source_at_all_may_lead_out(path: str, keyed: bool, tmp_path: Path) -> None:
    picture(tmp_path / "secret.png")
    picture(tmp_path / "films" / "inside.png")
    key = tmp_path / "key"
    key.write_text("0123456789abcdef")
    source = Careless(tmp_path / "films", path.format(tmp_path))
    with pytest.raises(StudySetError, match=r"source 'careless' .* leads out of its folder"):
        write(source, tmp_path / "set", size=32, processes=1, key=key if keyed else None)
