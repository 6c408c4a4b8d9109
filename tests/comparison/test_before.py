"""Another comparison in the same folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from comparison.chexpert_form import LABELS, Case
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


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    return capsys.readouterr().err


def test_defect_another_comparison_replaced_the_files_of_readers(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same again, and with a model or more labels, is welcome; what would lose some is not."""
    where = ("--out", str(case.folder / "out"))
    few = case.arguments(*where)
    few.remove(LABELS[0])
    main(few)
    main(case.arguments(*where))
    cuts = [f"{label}=1" for label in LABELS]
    both = case.with_model("--thresholds", *cuts, *where)
    main(both)
    main(both)
    kept = {path.name: path.read_bytes() for path in (case.folder / "out").iterdir()}
    others = {
        "of the label 'Edema'": [word for word in both if word not in ("Edema", "Edema=1")],
        f"of {case.folder / 'synthetic.csv'}": case.arguments(*where),
        f"of {case.folder / 'careful.csv'}": [
            one for one in both if not one.endswith("careful.csv")
        ],
        "with other thresholds": ["Edema=2" if word == "Edema=1" else word for word in both],
        "seed 0, not 1": [*both, "--seed", "1"],
        "resamples 200, not 300": ["300" if word == "200" else word for word in both],
    }
    for words, other in others.items():
        told = refused(other, capsys)
        assert f"holds another comparison ({words})" in told
        assert "choose another --out" in told
    assert {path.name: path.read_bytes() for path in (case.folder / "out").iterdir()} == kept


def test_readers_write_over_no_input_study_set_or_damaged_results(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    reader = (case.folder / "hasty.csv").rename(case.folder / "readers.csv")
    before = reader.read_bytes()
    words = case.arguments("--out", str(case.folder))
    told = refused([word.replace("hasty.csv", reader.name) for word in words], capsys)
    assert f"{reader}: is what the command reads" in told
    assert reader.read_bytes() == before
    reader.rename(case.folder / "hasty.csv")
    (case.folder / "readers.json").write_text("[]")
    assert "damaged" in refused(words, capsys)
    (case.folder / "manifest.json").write_text("{}")
    assert "is a study set" in refused(words, capsys)
