"""Another comparison in the same folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comparison.compare_case import Runs
from radpair.cli import main
from radpair.comparison.before import check_before
from radpair.errors import EvaluationError

BEFORE = {
    "models": [{"name": "igc", "runs": [{"name": "a", "hash": "1"}, {"name": "b", "hash": "2"}]}],
    "sets": [{"name": "mine", "hash": "s", "labels": {"Edema": {}}, "left_out": {"Mass": "why"}}],
    "settings": {"fractions": [0.1, 1.0], "draws": 5, "fine_tune": None, "evaluated": "test"},
    "lists": None,
}
MODELS, SETS = {"a": "1", "b": "2", "c": "3"}, {"mine": "s", "more": "t"}
SETTINGS = {"fractions": (0.01, 0.1, 1.0), "draws": 5, "fine_tune": {"passes": 2}, "new": 1}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "results.json"
    found.write_text(json.dumps(BEFORE))
    return found


def test_more_of_everything_is_welcome(file: Path) -> None:
    check_before(file, MODELS, SETS, (), SETTINGS)
    check_before(file, MODELS, SETS, ("Edema", "Mass", "Nodule"), SETTINGS, lists=True)
    check_before(file.parent / "none.json", {}, {}, (), {})


@pytest.mark.parametrize(
    ("models", "sets", "labels", "settings", "words"),
    [
        ({"a": "1"}, SETS, (), SETTINGS, "of the model 'b'"),
        ({"a": "1", "b": "9"}, SETS, (), SETTINGS, "of other weights of 'b'"),
        (MODELS, {"mine": "t"}, (), SETTINGS, "on the study set 'mine'"),
        (MODELS, SETS, ("Edema",), SETTINGS, "of the label 'Mass'"),
        (MODELS, SETS, (), {"draws": 2}, "draws 5, not 2"),
        (MODELS, SETS, (), {"fractions": (1.0,)}, "fractions 0.1, 1.0, not 1.0"),
    ],
)
def test_what_would_be_lost_is_named(file, models, sets, labels, settings, words) -> None:
    with pytest.raises(EvaluationError) as stopped:
        check_before(file, models, sets, labels, settings)
    assert f"holds another comparison ({words})" in str(stopped.value)
    assert "choose another --out" in str(stopped.value)


def test_a_damaged_file_is_named(file: Path) -> None:
    file.write_text("{")
    with pytest.raises(EvaluationError, match="damaged"):
        check_before(file, MODELS, SETS, (), SETTINGS)


def test_defect_another_comparison_replaced_the_report(
    runs: Runs, compared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (compared / "results.json").read_bytes()
    words = runs.words(compared)
    with pytest.raises(SystemExit) as stopped:
        main([words[0], *words[2:]])
    assert stopped.value.code == 2
    assert "holds another comparison (of the model 'random:igc-small')" in capsys.readouterr().err
    assert (compared / "results.json").read_bytes() == before
