"""Every source is a verb whose options and help come from the source itself."""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from cyclopts import App

from radpair.cli import main
from radpair.cli.ingest import verb
from radpair.records import Study, View
from radpair.sources import SOURCES
from radpair.sources.dataset import Dataset
from radpair.studyset import StudySet

ASKED: list[Dataset] = []


@dataclass(frozen=True, kw_only=True)
class Drawer(Dataset):
    name: ClassVar[str] = "drawer"
    kind: Literal["film", "paper"]
    """What lies
    in it."""
    shelves: tuple[str, ...] = ("top",)
    """Which shelves."""
    strictly: bool = False
    """Whether so."""

    def studies(self) -> Iterator[Study]:
        ASKED.append(self)
        yield Study("1", "1", (View("gone.png"),))


def printed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    main(arguments)
    return capsys.readouterr().out


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    return " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_fields_become_options_and_docstrings_their_help(tmp_path: Path, capsys) -> None:
    app = App(name="drawer", result_action="return_value")
    app.default(verb(Drawer))
    app(["--help"])
    help_text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for words in (
        "The dataset's own folder, as downloaded. [required]",
        "What lies in it. [choices: film, paper] [required]",
        "Which shelves.",
        "Shorter side of the stored images",
    ):
        assert words in help_text
    arguments = [str(tmp_path), "--out", str(tmp_path / "set"), "--kind", "paper"]
    arguments += ["--shelves", "top", "low", "--strictly", "--processes", "1"]
    with pytest.raises(Exception, match="no study has a usable image"):
        app(arguments)
    asked = Drawer(root=tmp_path, kind="paper", shelves=("top", "low"), strictly=True)
    assert ASKED[-1] == asked


def test_every_source_is_a_verb_that_shows_where_its_data_is_and_what_it_looks_like(
    monkeypatch, capsys
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    listed = printed(["ingest", "--help"], capsys)
    for word, source in SOURCES.items():
        assert word in listed
        if word == "table":
            continue
        text = printed(["ingest", word, "--help"], capsys)
        module = inspect.getmodule(source)
        assert module is not None
        tree = inspect.cleandoc(module.__doc__ or "")
        assert tree in "\n".join(line.rstrip() for line in text.splitlines()), word
        for field in fields(source):  # type: ignore[arg-type]
            assert field.name == "root" or f"--{field.name.replace('_', '-')}" in text, word


def test_a_wrong_folder_or_word_is_one_sentence(tmp_path: Path, capsys) -> None:
    words = [word for word in SOURCES if word != "table"]
    for word in words:
        arguments = ["ingest", word, str(tmp_path / "gone"), "--out", str(tmp_path / "set")]
        assert "gone: is no folder" in refused(arguments, capsys)
    assert 'Did you mean "table"' in refused(["ingest", "tabel", "x"], capsys)


@pytest.mark.parametrize("word", [word for word in SOURCES if word != "table"])
def test_the_command_on_the_fake_copy_twice(word: str, tmp_path: Path, capsys) -> None:
    fake = importlib.import_module(f"sources.fakes.{word.replace('-', '_')}")
    root, out = fake.make(tmp_path / "data"), tmp_path / "set"
    arguments = ["ingest", word, str(root), "--out", str(out), "--size", "32"]
    assert "is complete" in printed([*arguments, "--processes", "1"], capsys)
    studies = StudySet.open(out)
    by_patient = set(zip(studies.patient_ids, studies.splits, strict=True))
    assert len(by_patient) == len(set(studies.patient_ids))
    assert len(by_patient) > 1
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["source"]["name"] == word
    assert str(tmp_path) not in json.dumps(manifest)
    assert "was complete already" in printed(arguments, capsys)
    main(["verify", str(out)])


def test_worker_processes_get_the_source(tmp_path: Path, capsys) -> None:
    """A source travels to worker processes, and their number changes nothing."""
    from sources.fakes.chexpert import make

    root = make(tmp_path / "CheXpert-v1.0-small")
    for count in ("1", "2"):
        out = str(tmp_path / f"set{count}")
        main(["ingest", "chexpert", str(root), "--out", out, "--processes", count, "--size", "32"])
    capsys.readouterr()
    first, second = (
        {file.relative_to(out): file.read_bytes() for file in out.rglob("*") if file.is_file()}
        for out in (tmp_path / "set1", tmp_path / "set2")
    )
    assert first == second
