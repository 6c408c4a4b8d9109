"""The verb as a user types it: files in, figures out."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, matthews_corrcoef

from comparison.chexpert_form import LABELS, Case, simulated, write
from radpair.cli import main
from radpair.comparison import compare_readers
from radpair.comparison.readers_text import headline, signed_cell
from radpair.comparison.run import Cutoffs
from radpair.evaluation.report.marks import number, signed

READERS = Path(__file__).parents[2].parent / "shared" / "data" / "chexpert-readers"
REAL = [READERS / f"{name}.csv" for name in ("bc4", "bc6", "bc8")]
real = pytest.mark.skipif(not READERS.is_dir(), reason=f"{READERS} is not here")


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence of a refused command."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    message = capsys.readouterr().err.strip()
    assert message.startswith("radpair: ")
    assert "\n" not in message
    return message


@pytest.fixture
def validation(case: Case) -> list[str]:
    ids, truth, scores = simulated(9, 9000)
    truth_file = write(case.folder / "validation.csv", ids, truth)
    scores_file = write(case.folder / "validation-scores.csv", ids, scores)
    return [
        *("--validation-truth", str(truth_file)),
        *("--validation-predictions", str(scores_file)),
    ]


def test_files_and_table_hold_the_same_figures(case: Case, validation, capsys) -> None:
    out = case.folder / "out"
    main(case.with_model(*validation, "--out", str(out)))
    printed = capsys.readouterr().out
    found = json.loads((out / "readers.json").read_text())
    markdown = (out / "readers.md").read_text()
    page = (out / "readers.html").read_text()
    value = found["readers_mean"]["metrics"]["f1"]["macro"]["value"]
    auroc = found["model"]["metrics"]["auroc"]["labels"]["Edema"]["value"]
    for text in (printed, markdown, page):
        assert f"{value:.3f}" in text
        assert f"{auroc:.3f}" in text
    assert "the best MCC on 120 validation studies" in printed
    assert page.count('<svg class="chart"') == len(LABELS)
    assert not re.search(r"https?://|<script|<link|src=", page)
    assert {Path(file).name for file in found["files"]} == {
        *("truth.csv", "careful.csv", "hasty.csv", "synthetic.csv"),
        *("validation.csv", "validation-scores.csv"),
    }


def test_thresholds_are_the_best_on_validation_and_never_on_the_truth(
    case: Case, validation
) -> None:
    _, truth, scores = simulated(9, 9000)
    readers = [case.folder / "careful.csv"]
    for objective, function in (("mcc", matthews_corrcoef), ("f1", f1_score)):
        cutoffs = Cutoffs((), Path(validation[1]), Path(validation[3]), objective)
        found = compare_readers(
            case.folder / "truth.csv", readers, case.folder / "synthetic.csv", cutoffs, LABELS
        )
        for place, label in enumerate(LABELS):
            cut = found["model"]["thresholds"][label]
            reached = function(truth[:, place], scores[:, place] >= cut)
            every = [function(truth[:, place], scores[:, place] >= c) for c in set(scores.flat)]
            assert reached == pytest.approx(max(every))
            mine = found["model"]["metrics"]["f1"]["labels"][label]["value"]
            slow = f1_score(case.truth[:, place], case.scores[:, place] >= cut)
            assert mine == pytest.approx(slow)


def test_defect_a_threshold_from_the_evaluated_patients_is_refused(case: Case, capsys) -> None:
    leak = [
        *("--validation-truth", str(case.folder / "truth.csv")),
        *("--validation-predictions", str(case.folder / "synthetic.csv")),
    ]
    message = refused(case.with_model(*leak), capsys)
    assert "patient 'patient1000' is among both" in message


def test_without_thresholds_the_table_says_why_and_how(case: Case, capsys) -> None:
    main(case.with_model())
    printed = capsys.readouterr().out
    assert "F1, MCC and operating point of synthetic are not given" in printed
    assert "--validation-truth" in printed
    assert "AUROC" in printed


def test_rows_and_columns_in_another_order_change_nothing(case: Case, capsys) -> None:
    main(case.with_model("--thresholds", *(f"{label}=0.5" for label in LABELS)))
    straight = capsys.readouterr().out
    order = np.random.default_rng(0).permutation(len(case.ids))
    columns = [2, 0, 1]
    names = [LABELS[i] for i in columns]
    ids = [case.ids[i] for i in order]
    for name, values in {**case.readers, "synthetic": case.scores}.items():
        write(case.folder / f"{name}.csv", ids, values[order][:, columns], names)
    main(case.with_model("--thresholds", *(f"{label}=0.5" for label in LABELS)))
    assert capsys.readouterr().out == straight


def test_a_single_reader_and_ids_without_patients(case: Case, capsys) -> None:
    ids = [str(n) for n in range(120)]
    write(case.folder / "truth.csv", ids, case.truth, column="id")
    write(case.folder / "careful.csv", ids, case.readers["careful"], column="image")
    files = [
        "--truth",
        str(case.folder / "truth.csv"),
        "--reader",
        str(case.folder / "careful.csv"),
    ]
    main(["readers", *files, "--labels", "Edema", "--id-column", "id", "image"])
    printed = capsys.readouterr().out
    assert printed.startswith("! 120 of 120 ids name no patient")
    assert "--patient-column" in printed.splitlines()[0]
    assert "120 patients" not in printed
    assert "resamples of studies" in printed
    assert "1 reader has a mean F1" in printed


def test_patients_come_from_a_column(case: Case, validation, capsys) -> None:
    """By number and named, so that ids tell nothing: the figures of ids that name patients."""
    named = ["--thresholds", *(f"{label}=0.5" for label in LABELS)]
    main(case.with_model(*named))
    by_path = capsys.readouterr().out
    ids, labels = [f"s{n}" for n in range(120)], ["who", *LABELS]
    names = [patient.removeprefix("patient") for patient in case.patients]
    for name, values in {"truth": case.truth, **case.readers}.items():
        write(case.folder / f"{name}.csv", ids, values)
    table = np.column_stack([np.array(names, dtype=object), case.scores.astype(object)])
    write(case.folder / "synthetic.csv", ids, table, labels, "study_id")
    columns = ["--id-column", "study_id", "Study", "--patient-column"]
    main(case.with_model(*named, *columns, "who"))
    assert capsys.readouterr().out == by_path
    assert "no column 'whom'" in refused(case.with_model(*named, *columns, "whom"), capsys)
    assert "no column 'who'" in refused(case.arguments(*columns, "who"), capsys)
    message = refused(case.with_model(*validation, *columns, "who"), capsys)
    assert "validation.csv and" in message
    table[3, 0] = ""
    write(case.folder / "synthetic.csv", ids, table, labels, "study_id")
    assert "row 5, column 'who': is blank" in refused(case.with_model(*columns, "who"), capsys)
    table[3, 0], others = "q", np.column_stack([np.array(names, dtype=object), case.truth])
    write(case.folder / "synthetic.csv", ids, table, labels, "study_id")
    write(case.folder / "truth.csv", ids, others, labels)
    message = refused(case.with_model(*columns, "who"), capsys)
    assert f"row 5: 's3' is of patient 'q', but of '{names[3]}'" in message


def test_a_threshold_beyond_probabilities_is_refused(case: Case, capsys) -> None:
    write(case.folder / "synthetic.csv", case.ids, 1 / (1 + np.exp(-case.scores)))
    cuts = ["Edema=0.5", "Pleural Effusion=5", "Atelectasis=0.5"]
    message = refused(case.with_model("--thresholds", *cuts), capsys)
    assert "'Pleural Effusion' is 5, but all scores" in message
    assert "lie between 0 and 1" in message


def test_inverted_scores_are_said_first(case: Case, capsys) -> None:
    write(case.folder / "synthetic.csv", case.ids, -case.scores)
    main(case.with_model("--out", str(case.folder / "out")))
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("! Edema: the AUROC is below 0.5")
    page = (case.folder / "out" / "readers.html").read_text()
    assert page.index("are these scores of absence") < page.index("ROC plane")


def test_every_interval_is_printed_and_exported(case: Case, validation, capsys) -> None:
    out = case.folder / "out"
    main(case.with_model(*validation, "--out", str(out)))
    printed = capsys.readouterr().out
    found = json.loads((out / "readers.json").read_text())
    with (out / "readers.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    gap = found["points"][0]["sensitivity_gap"]["macro"]
    for text in (printed, (out / "readers.md").read_text()):
        for rate in ("tpr", "fpr"):
            part = found["readers"][0]["metrics"][rate]["labels"]["Edema"]
            assert f"{part['value']:.3f} [{part['low']:.3f}, {part['high']:.3f}]" in text
        assert f"Edema ({int(case.truth[:, 0].sum())} of 120)" in text
        assert signed_cell(gap) in text
        assert "also after Holm's correction" in text
    for one in found["differences"]:
        part = one["metrics"]["f1"]["labels"]["Edema"]
        (row,) = [
            row
            for row in rows
            if (row["metric"], row["label"], row["minus"]) == ("f1", "Edema", one["reader"])
        ]
        assert [float(row[key]) for key in ("value", "low", "high", "p", "holm")] == [
            part[key] for key in ("value", "low", "high", "p", "holm")
        ]
        assert (row["n"], row["positives"]) == ("120", str(int(case.truth[:, 0].sum())))
    metrics = [m for one in [*found["readers"], found["model"]] for m in one["metrics"].values()]
    metrics += [*found["readers_mean"]["metrics"].values()]
    metrics += [m for one in found["differences"] for m in one["metrics"].values()]
    assert len(rows) == (len(metrics) + len(found["points"])) * (1 + len(LABELS))


def test_only_what_holds_after_correction_is_coloured(case: Case, validation) -> None:
    out = case.folder / "out"
    main(case.with_model(*validation, "--out", str(out)))
    found = json.loads((out / "readers.json").read_text())
    parts = [m for one in found["differences"] for m in one["metrics"].values()]
    parts += [one["sensitivity_gap"] for one in found["points"]]
    cells = [cell for part in parts for cell in (part["macro"], *part["labels"].values())]
    holding = sum(cell["holm"] <= 0.05 for cell in cells)
    page = (out / "readers.html").read_text()
    assert len(re.findall(r'<b class="(?:up|down)">', page)) == holding
    assert 0 < holding < sum(cell["p"] <= 0.05 for cell in cells)


def test_mistakes_end_with_code_2_and_the_remedy(case: Case, validation, capsys) -> None:
    folder = str(case.folder)
    assert "give both --validation-truth" in refused(case.with_model(*validation[:2]), capsys)
    both = case.with_model(*validation, "--thresholds", "Edema=1")
    assert "drop --thresholds" in refused(both, capsys)
    assert "--predictions" in refused(case.arguments("--thresholds", "Edema=1"), capsys)
    twice = ["readers", "--truth", f"{folder}/truth.csv", "--reader", *[f"{folder}/hasty.csv"] * 2]
    assert "two readers are called 'hasty'" in refused([*twice, "--labels", "Edema"], capsys)
    assert "no column 'Cardiomegaly'" in refused(twice[:5], capsys)
    assert "is a file" in refused(case.arguments("--out", f"{folder}/hasty.csv"), capsys)
    one_class = simulated(9, 9000)
    write(case.folder / "validation.csv", one_class[0], 0 * one_class[1])
    assert "one class only of 'Edema'" in refused(case.with_model(*validation), capsys)
    (case.folder / "hasty.csv").write_bytes(b"Study,Ed\xe9ma\n")
    assert "hasty.csv: is not UTF-8" in refused(case.arguments(), capsys)


@real
def test_the_three_readers_of_chexpert() -> None:
    """Mean F1 0.616 and MCC 0.530 over readers and labels, as recomputed from the files."""
    found = compare_readers(READERS / "groundtruth.csv", REAL)
    assert (found["studies"], found["patients"]) == (500, 500)
    mean = found["readers_mean"]["metrics"]
    assert f"{mean['f1']['macro']['value']:.3f}" == "0.616"
    assert f"{mean['mcc']['macro']['value']:.3f}" == "0.530"
    truth, *answers = (rows(file) for file in (READERS / "groundtruth.csv", *REAL))
    for reader, theirs in zip(found["readers"], answers, strict=True):
        for label in found["labels"]:
            pairs = [(int(truth[study][label]), int(theirs[study][label])) for study in truth]
            expected = {
                "tpr": pairs.count((1, 1)) / (pairs.count((1, 1)) + pairs.count((1, 0))),
                "fpr": pairs.count((0, 1)) / (pairs.count((0, 1)) + pairs.count((0, 0))),
                "f1": f1_score(*zip(*pairs, strict=True)),
                "mcc": matthews_corrcoef(*zip(*pairs, strict=True)),
            }
            for metric, value in expected.items():
                mine = reader["metrics"][metric]["labels"][label]["value"]
                assert mine == pytest.approx(value), (reader["name"], label, metric)


def rows(file: Path) -> dict[str, dict[str, str]]:
    with file.open() as handle:
        return {row["Study"]: row for row in csv.DictReader(handle)}


def test_defect_a_reader_who_is_the_truth_was_not_warned_of(case: Case, tmp_path, capsys) -> None:
    copy = tmp_path / "copied.csv"
    copy.write_bytes((case.folder / "truth.csv").read_bytes())
    arguments = case.arguments()
    place = arguments.index("--labels")
    for file, stem in ((copy, "copied"), (case.folder / "truth.csv", "truth")):
        main([*arguments[:place], str(file), *arguments[place:]])
        assert f"! {stem}: {file} is byte by byte the truth" in capsys.readouterr().out


def test_defect_no_point_under_the_curve_had_an_empty_half() -> None:
    one = {"value": 0.5, "low": 0.4, "high": 0.6}
    metric = {"macro": one, "labels": {"Edema": one}}
    found = {
        "readers": [{}],
        "labels": ["Edema"],
        "readers_mean": {"metrics": {"f1": metric, "mcc": metric}},
        "model": {"name": "m", "metrics": {"auroc": metric}},
        "under_curve": {"points": 0, "of": 2, "hold": 0},
    }
    assert headline(found).endswith("0 of 2 operating points of readers lie under its curves.")
    found["under_curve"] = {"points": 1, "of": 2, "hold": 0}
    assert headline(found).endswith("none of them also after Holm's correction over labels.")


def test_defect_what_rounds_to_nothing_had_a_sign_or_no_digits() -> None:
    assert [signed(0.0), signed(-0.0), signed(-1e-9), signed(0.0002)] == [
        *["0.000"] * 3,
        "+0.0002",
    ]
    assert [number(-0.0), number(0.00004), number(0.0004), number(-0.2)] == [
        *["0.000", "0.00004", "0.0004"],
        "\N{MINUS SIGN}0.200",
    ]


def test_every_objective_of_evaluate_chooses_thresholds(case: Case, validation, capsys) -> None:
    main(case.with_model(*validation, "--threshold-objective", "sensitivity=0.9"))
    told = "the best specificity at a sensitivity of 0.9 or more on 120 validation studies"
    assert told in capsys.readouterr().out
    _, truth, scores = simulated(9, 9000)
    cutoffs = Cutoffs((), Path(validation[1]), Path(validation[3]), "sensitivity=0.9")
    given = (
        case.folder / "truth.csv",
        [case.folder / "careful.csv"],
        case.folder / "synthetic.csv",
    )
    found = compare_readers(*given, cutoffs, LABELS, resamples=100)
    for place, label in enumerate(LABELS):
        cut = found["model"]["thresholds"][label]
        raised = scores[truth[:, place] == 1, place] >= cut
        assert raised.mean() >= 0.9


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--threshold-objective", "youdn"], "did you mean 'youden'"),
        (["--threshold-objective", "f1"], "give --validation-truth"),
    ],
)
def test_an_objective_that_chooses_nothing_is_refused(case: Case, capsys, words, said) -> None:
    assert said in refused(case.with_model(*words), capsys)
