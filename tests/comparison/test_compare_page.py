"""The page and the Markdown of a comparison."""

from __future__ import annotations

import csv
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from comparison.compare_case import Runs
from radpair.comparison.compare_charts import shades
from radpair.comparison.pictures import _classes
from radpair.studyset import StudySet

VOID = {"meta", "img", "br"}


class Balanced(HTMLParser):
    """Every element that was opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open
        assert self.open.pop() == tag


@pytest.fixture
def page(compared: Path) -> str:
    return (compared / "report.html").read_text()


def test_the_page_is_whole_and_asks_for_nothing(page: str) -> None:
    reader = Balanced()
    reader.feed(page)
    assert not reader.open
    assert "default-src 'none'" in page
    assert not re.search(r"<script|https?://|src=\"(?!data:)", page)
    for title in ("Every protocol", "ROC curves", "Label efficiency", "Retrieval"):
        assert title in page
    assert page.index("against") < page.index("Every protocol")


def test_no_patient_or_study_is_named(page: str, runs: Runs) -> None:
    studies = StudySet.open(runs.data)
    for name in {*studies.patient_ids, *studies.study_ids}:
        assert not re.search(rf"\b{name}\b", page)


def test_hits_are_the_films_whose_report_is_the_query(page: str, compared: Path) -> None:
    found = json.loads((compared / "results.json").read_text())
    rows = re.findall(
        r"right one at rank ([\d,]+)</small></div><div class=\"films\">(.*?)</div>", page
    )
    assert len(rows) == 2 * 4
    for rank, films in rows:
        marks = re.findall(r'<span class="(hit|miss)">', films)
        assert len(marks) == 5
        first = marks.index("hit") + 1 if "hit" in marks else None
        assert first == (int(rank) if int(rank) <= 5 else None)
    assert page.count("data:image/jpeg") == 4 + 5 * len(rows)
    assert found["models"][0]["hash"] in page


def test_a_set_can_be_shown_without_films_and_reports(runs: Runs, compared: Path) -> None:
    with_films = (compared / "report.html").read_bytes()
    runs.compare(compared, "--no-images", "discs")
    page = (compared / "report.html").read_text()
    assert "data:image" not in page
    assert "The heart measures" not in page
    assert "are not shown on this page" in page
    (compared / "report.html").write_bytes(with_films)


def test_markdown_says_the_same_in_words(compared: Path) -> None:
    text = (compared / "report.md").read_text()
    found = json.loads((compared / "results.json").read_text())
    assert text.index("## In words") < text.index("## All protocols") < text.index("## Differences")
    assert "random:igc-small and igc-small: the model has no text tower" in text
    for one in found["models"]:
        assert one["hash"][:16] in text
    table = [line for line in text.splitlines() if line.startswith("| linear probe, 100 %")]
    value = next(
        row["metrics"]["auroc"]["macro"]["value"]
        for row in found["results"]
        if row["model"] == "igc-small" and row["title"] == "linear probe, 100 % of labels"
    )
    assert f"{value:.3f} [" in table[0]


def test_seeds_and_estimates_are_marked_near_the_top(page: str, compared: Path) -> None:
    text = (compared / "report.md").read_text()
    assert text.index("One training run stands for each model") < text.index("## In words")
    assert page.index("One training run stands for each model") < page.index("Every protocol")
    for shown in (page, text):
        assert "not over protocols or study sets" in shown
        for line in re.findall(r"The best retrieval is [^<\n]*|atches its 100 %[^.]*\.", shown):
            assert "an estimate, not a test" in line


def test_the_table_holds_every_figure(compared: Path, runs: Runs) -> None:
    found = json.loads((compared / "results.json").read_text())
    with (compared / "results.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    metrics = [
        (row, metric)
        for row in found["results"]
        if not row["why_not"]
        for metric in row["metrics"].values()
    ]
    assert len(rows) == sum(1 + len(metric["labels"]) for _, metric in metrics)
    studies = StudySet.open(runs.data)
    truth = studies.labels[studies.split("test"), studies.label_names.index("Disc")]
    for row in rows:
        if row["label"] == "Disc":
            assert int(row["n"]) == (~np.isnan(truth)).sum()
            assert int(row["positives"]) == (truth == 1).sum()
    (one,) = [
        row
        for row in rows
        if (row["protocol"], row["label"], row["model"], row["metric"])
        == ("k-NN, 100 % of labels", "Disc", "igc-small", "auroc")
    ]
    whole = [r for r in found["results"] if r["task"] == "knn" and r["model"] == "igc-small"]
    part = whole[0]["metrics"]["auroc"]["labels"]["Disc"]
    assert [float(one[key]) for key in ("value", "low", "high")] == [
        part[key] for key in ("value", "low", "high")
    ]
    assert one["draws"] == "1"


def test_random_models_are_grey_and_no_two_models_look_alike() -> None:
    colours = shades(["random:a", "b", "c", "random:b"])
    assert len(set(colours.values())) == 4
    assert shades(["b", "c"])["b"] == colours["b"]


def test_a_study_has_the_colour_of_its_rarest_finding() -> None:
    truth = np.array([[1, 0, 1], [1, 1, 0], [1, np.nan, 0], [0, 0, 0], [0, 0, 1]], dtype=float)
    classes, names = _classes(truth, ("often", "rare", "some"))
    assert names == ("often", "some", "rare")
    assert classes.tolist() == [1, 2, 0, -1, 1]
