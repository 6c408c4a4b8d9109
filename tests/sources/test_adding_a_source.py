"""The example of docs/adding-a-source.md does what the page says."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App

from radpair.cli.ingest import verb
from radpair.errors import SourceError
from radpair.studyset import StudySet
from sources.fakes.pictures import picture

PAGE = Path(__file__).parents[2] / "docs" / "adding-a-source.md"
LINES = 40
ROWS = [
    ("exam", "patient", "image", "view", "report", "pneumonia"),
    ("1", "a", "17.png", "PA", "Opacity in the left base.", "1"),
    ("1", "a", "18.png", "LL", "Opacity in the left base.", "1"),
    ("2", "b", "19.png", "AP supine", "Clear lungs.", ""),
]


def example() -> str:
    code: str = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    return code


@pytest.fixture
def export(tmp_path: Path) -> Iterator[Any]:
    """The class of the page, imported from a file as a source is."""
    file = tmp_path / "page_example.py"
    file.write_text(example(), encoding="utf-8")
    spec = spec_from_file_location("page_example", file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules["page_example"] = module
    spec.loader.exec_module(module)
    yield module.Export
    del sys.modules["page_example"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "export"
    root.mkdir()
    with (root / "exams.csv").open("w", newline="") as handle:
        csv.writer(handle).writerows(ROWS)
    for row in ROWS[1:]:
        picture(root / "films" / row[2])
    return root


def test_the_example_is_short() -> None:
    assert 20 < len(example().splitlines()) < LINES


def test_the_example_is_a_verb_that_writes_a_study_set(
    export: Any, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = export(root=folder).studies()
    assert [(view.path, view.position) for view in first.views] == [
        ("films/17.png", "PA"),
        ("films/18.png", "LATERAL"),
    ]
    assert (first.labels, second.labels["pneumonia"]) == (
        {"pneumonia": 1.0},
        pytest.approx(float("nan"), nan_ok=True),
    )
    app = App(name="export", result_action="return_value")
    app.default(verb(export))
    app(["--help"])
    assert "Leave lateral films out." in capsys.readouterr().out
    out = tmp_path / "set"
    app([str(folder), "--out", str(out), "--frontal", "--processes", "1"])
    studies = StudySet.open(out)
    assert studies.study_ids == ["1", "2"]
    assert "2 images" in capsys.readouterr().out


def test_the_example_refuses_what_the_page_says(export: Any, folder: Path) -> None:
    table = folder / "exams.csv"
    table.write_text(table.read_text().replace("17.png", "../17.png"))
    with pytest.raises(SourceError, match="row 2: the path"):
        list(export(root=folder).studies())
    table.unlink()
    with pytest.raises(SourceError, match="ask the archive for it"):
        export(root=folder).options()
