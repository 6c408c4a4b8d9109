"""What is read from files, and what is refused by the row and column where it stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparison.chexpert_form import LABELS, write
from radpair.comparison.tables import (
    Sheet,
    aligned,
    patients_of,
    read_labels,
    read_scores,
    read_thresholds,
)
from radpair.errors import SourceError

IDS = [f"set/patient{n}/study1" for n in range(4)]
VALUES = [[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 1, 0]]


def refused(function, *arguments) -> str:
    with pytest.raises(SourceError) as problem:
        function(*arguments)
    message = str(problem.value)
    assert "\n" not in message
    return message


def test_columns_are_found_by_name_and_open_values_kept(tmp_path: Path) -> None:
    text = "Atelectasis,Other, Study ,Edema,Pleural Effusion\n1,x,a,0,-1\n,y,b,1.0,nan\n"
    file = tmp_path / "t.csv"
    file.write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    sheet = read_labels(file, LABELS)
    assert sheet.ids == ("a", "b")
    assert sheet.rows == (2, 3)
    np.testing.assert_array_equal(sheet.values, [[0, -1, 1], [1, np.nan, np.nan]])


@given(order=st.permutations(range(4)))
def test_rows_in_any_order_are_the_same(order) -> None:
    truth = Sheet(Path("t"), LABELS, tuple(IDS), (2, 3, 4, 5), np.array(VALUES, dtype=float))
    moved = Sheet(
        Path("m"), LABELS, tuple(IDS[i] for i in order), truth.rows, truth.values[list(order)]
    )
    np.testing.assert_array_equal(aligned(moved, truth), truth.values)


def test_labels_outside_the_form_are_named_by_row(tmp_path: Path) -> None:
    file = write(tmp_path / "t.csv", IDS, [[0, 1, 0], [2, 0, 0], [0, "yes", 1], [1, 1, 0]])
    message = refused(read_labels, file, LABELS)
    assert "2 labels are each none of 1, 0, -1 and blank" in message
    assert "row 3 'Edema' has '2', row 4 'Pleural Effusion' has 'yes'" in message


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf", "", "high"])
def test_scores_that_are_no_finite_numbers_are_named_by_row(bad: str, tmp_path: Path) -> None:
    values = [[0.1, 0.2, 0.3], [0.4, bad, 0.6], [0.7, 0.8, 0.9], [0, 0, 0]]
    message = refused(read_scores, write(tmp_path / "p.csv", IDS, values), LABELS)
    assert f"one score is no finite number: row 3 'Pleural Effusion' has '{bad}'" in message


def test_constant_scores_are_refused_by_their_column(tmp_path: Path) -> None:
    values = [[0.1, 0.5, 0.3], [0.4, 0.5, 0.6], [0.7, 0.5, 0.9], [0, 0.5, 0]]
    message = refused(read_scores, write(tmp_path / "p.csv", IDS, values), LABELS)
    assert "column 'Pleural Effusion': all 4 scores are 0.5 (rows 2 to 5)" in message
    assert "--labels" in message
    assert read_scores(tmp_path / "p.csv", ("Edema",)).values.shape == (4, 1)


def test_scores_may_have_any_range(tmp_path: Path) -> None:
    values = [[-1e300, 5, 3], [1e-300, 6, 4], [7, -7, 5], [0, 0, 6]]
    np.testing.assert_array_equal(
        read_scores(write(tmp_path / "p.csv", IDS, values), LABELS).values, values
    )


def test_missing_extra_and_other_studies_are_named(tmp_path: Path) -> None:
    truth = read_labels(write(tmp_path / "truth.csv", IDS, VALUES), LABELS)

    def against(ids, values) -> str:
        sheet = read_labels(write(tmp_path / "r.csv", ids, values), LABELS)
        return refused(aligned, sheet, truth)

    message = against(IDS[:3], VALUES[:3])
    assert "r.csv: lacks 1 study, 'set/patient3/study1' (row 5), of" in message
    message = against([*IDS, "set/patient9/study1"], [*VALUES, VALUES[0]])
    assert "has 1 study, 'set/patient9/study1' (row 6), that" in message
    message = against(["a", "b", "c", "d"], VALUES)
    assert "none of its 4 studies (row 2 'a')" in message
    assert "truth.csv (row 2 'set/patient0/study1')" in message
    message = against([f"{study}/view1_frontal.jpg" for study in IDS], VALUES)
    assert "these ids are images" in message


def test_duplicate_and_blank_ids_are_named(tmp_path: Path) -> None:
    file = write(tmp_path / "r.csv", [IDS[0], IDS[1], IDS[0], IDS[3]], VALUES)
    message = refused(read_labels, file, LABELS)
    assert "1 study more than once: 'set/patient0/study1' in rows 2 and 4" in message
    file = write(tmp_path / "r.csv", [IDS[0], " ", IDS[2], IDS[3]], VALUES)
    assert "row 3, column 'Study': is blank" in refused(read_labels, file, LABELS)


def test_a_missing_column_is_answered_with_the_nearest(tmp_path: Path) -> None:
    columns = ("Edema", "Pleural_Effusion", "Atelectasis")
    message = refused(read_labels, write(tmp_path / "r.csv", IDS, VALUES, columns), LABELS)
    assert "no column 'Pleural Effusion'; did you mean 'Pleural_Effusion'?" in message


def test_defect_a_missing_label_column_did_not_say_the_remedy(tmp_path: Path) -> None:
    file = write(tmp_path / "scores.csv", ["patient1"], [[0.5]], labels=["Edema"])
    with pytest.raises(SourceError, match=r"has no column 'Atelectasis'.*with --labels"):
        read_scores(file, ("Atelectasis", "Edema"))


def test_the_id_column_can_be_named(tmp_path: Path) -> None:
    file = write(tmp_path / "r.csv", IDS, VALUES, column="study_id")
    message = refused(read_labels, file, LABELS)
    assert "no column 'Study'" in message
    assert "--id-column (the first columns are 'study_id', 'Edema'" in message
    assert read_labels(file, LABELS, ("Study", "study_id")).ids == tuple(IDS)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"Study,Edema,Pleural Effusion,Atelectasis\n", "has no rows below its header"),
        ("Study,Édema\n".encode("latin-1"), "is not UTF-8"),
        (b"Study,Edema,Pleural Effusion,Atelectasis\na,1,0\n", "row 2: has 3 cells"),
        (b"Study,Edema,Edema,Pleural Effusion,Atelectasis\na,1,0,0,0\n", "'Edema' twice"),
    ],
)
def test_damaged_files_are_refused(content: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    file.write_bytes(content)
    assert words in refused(read_labels, file, LABELS)


def test_absent_and_unknown_files_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(read_labels, tmp_path / "r.csv", LABELS)
    assert ".csv or .tsv" in refused(read_labels, tmp_path / "r.xlsx", LABELS)


def test_patients_come_from_the_path() -> None:
    paths = ["CheXpert-v1.0/test/patient64741/study1", "patient7_study2", "17", "outpatient5/a"]
    assert patients_of(paths) == ["patient64741", "patient7", "17", "outpatient5/a"]


def test_thresholds_from_json_csv_and_words_agree(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text('{"Pleural Effusion": 0.5, "Edema": -1, "Fracture": 2}')
    (tmp_path / "t.csv").write_text("threshold,label\n0.5,Pleural Effusion\n-1,Edema\n")
    for given_values in (
        [str(tmp_path / "t.json")],
        [str(tmp_path / "t.csv")],
        ["Pleural Effusion=0.5", "Edema=-1"],
    ):
        np.testing.assert_array_equal(read_thresholds(given_values, LABELS[:2]), [-1, 0.5])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("t.json", '{"Edema": 1, "Pleural_Effusion": 2}', "did you mean 'Pleural_Effusion'"),
        ("t.json", '{"Edema": 1, "Pleural Effusion": null}', "'None', which is no finite"),
        ("t.json", '{"Edema": 1, "Pleural Effusion": true}', "'True', which is no finite"),
        ("t.json", "[1, 2]", "must hold one JSON object"),
        ("t.json", '{"Edema": ', "is not JSON"),
        ("t.csv", "label,threshold\nEdema,1\n", "has no threshold for 'Pleural Effusion'"),
        ("t.csv", "label,threshold\nEdema,1\nEdema,2\n", "row 3: gives 'Edema' again"),
        ("t.csv", "label,cut\nEdema,1\n", "has no column 'threshold'"),
    ],
)
def test_thresholds_that_do_not_fit_are_refused(
    name: str, content: str, words: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_text(content)
    assert words in refused(read_thresholds, [str(file)], LABELS[:2])


def test_thresholds_in_words_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    assert "no such file" in refused(read_thresholds, [str(tmp_path / "t.json")], LABELS)
    message = refused(read_thresholds, ["Edema=1", "Pleural", "Effusion=2"], LABELS)
    assert "'Pleural' is neither a file nor label=value" in message
    assert "'Edema' twice" in refused(read_thresholds, ["Edema=1", "Edema=2"], LABELS)
    assert "'x', which is no" in refused(read_thresholds, ["Edema=x"], LABELS[:1])
