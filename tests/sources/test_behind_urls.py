"""Every source reads its tree behind a URL as it reads it from a folder: the same study set."""

from __future__ import annotations

import gzip
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from radpair.errors import PlaceError, SourceError
from radpair.places import located
from radpair.sources import SOURCES, Dicom, MimicCxr, Table
from radpair.studyset import write
from sources.fakes.pictures import picture

ROOT = "memory://behind/tree"
PLAIN = sorted(SOURCES.keys() - {"table", "chexpert-plus"})


@pytest.fixture
def store() -> Iterator[Any]:
    made = fsspec.filesystem("memory")
    yield made
    made.rm("/behind", recursive=True)


def fake(word: str, folder: Path, **options: Any) -> Path:
    made: Path = importlib.import_module(f"sources.fakes.{word.replace('-', '_')}").make(
        folder, **options
    )
    return made


@pytest.fixture(autouse=True)
def no_copies(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tables of an earlier test at the same URL are not read again."""
    folder = tmp_path_factory.mktemp("copies")
    monkeypatch.setattr("radpair.places._copies", lambda: folder)


def put(store: Any, root: Path, url: str = ROOT) -> None:
    for file in root.rglob("*"):
        if file.is_file():
            store.pipe(f"{url}/{file.relative_to(root).as_posix()}", file.read_bytes())


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}


def same(local: Any, remote: Any, out: Path) -> None:
    assert list(local.studies()) == list(remote.studies())
    write(local, out / "local", size=32, processes=1)
    write(remote, out / "remote", size=32, processes=1)
    assert content(out / "local") == content(out / "remote")


@pytest.mark.parametrize("word", PLAIN)
def test_sources(word: str, tmp_path: Path, store: Any) -> None:
    root = fake(word, tmp_path / word)
    put(store, root)
    same(SOURCES[word](root=root), SOURCES[word](root=Path(ROOT)), tmp_path)


def test_archive_of_reports(tmp_path: Path, store: Any) -> None:
    root = fake("mimic-cxr", tmp_path / "mimic", reports="zip")
    put(store, root)
    same(MimicCxr(root=root), MimicCxr(root=located(ROOT)), tmp_path)


def test_tables_in_another_place(tmp_path: Path, store: Any) -> None:
    """The options of a source may be URLs too, and need not lie where the images do."""
    root = fake("mimic-cxr", tmp_path / "mimic", suffix=".dcm")
    put(store, tmp_path / "tables", f"{ROOT}-tables")
    local = MimicCxr(root=root, metadata=tmp_path / "tables")
    remote = MimicCxr(root=root, metadata=Path(f"{ROOT}-tables"))
    assert list(local.studies()) == list(remote.studies())
    assert len(list(remote.tables())) == 3


def test_graphs_of_the_source(tmp_path: Path, store: Any) -> None:
    root = fake("chexpert-plus", tmp_path / "plus")
    put(store, root)
    options = {"graphs": ("findings", "impression"), "labels": "findings"}
    plus = SOURCES["chexpert-plus"]
    same(plus(root=root, **options), plus(root=Path(ROOT), **options), tmp_path)


def test_reports_of_dicom_files(tmp_path: Path, store: Any) -> None:
    root = fake("dicom", tmp_path / "dicom")
    table = tmp_path / "reports.csv"
    number = next(s for s in Dicom(root=root)._groups().values() if s.accession).accession
    table.write_text(f"accession,text\n{number},Clear lungs.\n")
    put(store, root)
    store.pipe(f"{ROOT}.csv", table.read_bytes())
    local, remote = Dicom(root=root, reports=table), Dicom(root=ROOT, reports=Path(f"{ROOT}.csv"))
    write(local, tmp_path / "local", size=32, processes=1)
    write(remote, tmp_path / "remote", size=32, processes=1)
    tables = [content(tmp_path / name) for name in ("local", "remote")]
    for made in tables:  # the manifest holds the name of the table's file
        del made["manifest.json"]
    assert tables[0] == tables[1]


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet", ".jsonl"])
def test_table(tmp_path: Path, store: Any, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missing, damaged or too large gets the same words as from a folder."""
    root = tmp_path / "films"
    picture(root / "a.png")
    picture(root / "b.jpg")
    (root / "cut.png").write_bytes((root / "a.png").read_bytes()[:300])
    (root / "empty.png").write_bytes(b"")
    (root / "large.png").write_bytes(b"\0" * 5000)
    for room in ("images.decode", "studyset.parts"):
        monkeypatch.setattr(importlib.import_module(f"radpair.{room}"), "MAX_BYTES", 4999)
    names = ["a.png", "b.jpg", "cut.png", "empty.png", "large.png", "none.png"]
    rows = [{"file": name, "patient": f"p{n}", "text": "Clear."} for n, name in enumerate(names)]
    file = root / f"films{ending}"
    write_rows(file, rows)
    put(store, root, f"{ROOT}{ending}")
    columns = {"image_column": "file", "patient_column": "patient", "text_column": "text"}
    local = Table(file=file, root=root, **columns)
    url = located(f"{ROOT}{ending}")
    remote = Table(file=url / file.name, root=url, **columns)
    assert list(local.studies()) == list(remote.studies())
    for name, source in (("local", local), ("remote", remote)):
        write(source, tmp_path / name, size=32, processes=1)
    for name in ("quarantine", "studies", "images"):
        tables = [tmp_path / where / f"{name}.parquet" for where in ("local", "remote")]
        assert tables[0].read_bytes() == tables[1].read_bytes()
    manifest = json.loads((tmp_path / "remote" / "manifest.json").read_text())
    assert manifest["counts"]["quarantined_images"] == 4
    assert manifest["source"]["options"]["root"] == f"{ROOT}{ending}"


def write_rows(file: Path, rows: list[dict[str, str]]) -> None:
    if file.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif file.suffix == ".jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        text = "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n"
        file.write_bytes(gzip.compress(text.encode()) if file.suffix == ".gz" else text.encode())


def test_nothing_there(store: Any) -> None:
    with pytest.raises(SourceError, match=r"^memory://behind/none: is no folder; give the folder"):
        MimicCxr(root=Path("memory://behind/none"))
    store.pipe("memory://behind/some/x.txt", b"")
    with pytest.raises(SourceError, match=r"memory://behind/some: has no mimic-cxr-2.0.0-metadata"):
        list(MimicCxr(root=Path("memory://behind/some")).studies())


def test_a_store_that_fails_quarantines_nothing(
    tmp_path: Path, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = fake("pairs", tmp_path / "pairs")
    put(store, root)
    source = SOURCES["pairs"](root=Path(ROOT))

    def fail(*_: object, **__: object) -> None:
        raise OSError("the line is down")

    monkeypatch.setattr(type(store), "get_file", fail)
    with pytest.raises(PlaceError, match=r"p1/a.png: cannot be reached \(the line is down\)"):
        write(source, tmp_path / "set", size=32, processes=1)
    monkeypatch.undo()
    write(source, tmp_path / "set", size=32, processes=1)
    write(SOURCES["pairs"](root=root), tmp_path / "whole", size=32, processes=1)
    assert content(tmp_path / "set") == content(tmp_path / "whole")
