"""What the training runs of a method differ by: each run's figure, and when runs are too few."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from radpair.comparison.compare_words import Found, chance_of, listed, mean_of, models_of
from radpair.comparison.compared_figures import main_metric
from radpair.evaluation.report.marks import NONE, number

WORDS = (
    "Each training run by itself, in the metric of the table above: the mean over findings and "
    "draws of labels. Runs of one method differ by their seeds alone."
)
_WHOLE = 1.0
"""No two values of a metric between 0 and 1 are further apart."""


def runs_table(found: Found, name: str) -> list[list[str]]:
    """A line for each protocol of each method of several runs, on one set; the head comes first."""
    several = {one["name"]: one["runs"] for one in found["models"] if len(one["runs"]) > 1}
    most = max(map(len, several.values()), default=0)
    rows = [["method", "protocol", *(f"run {place + 1}" for place in range(most)), "mean"]]
    for row in found["results"]:
        if row["set"] != name or row["model"] not in several or row["why_not"]:
            continue
        metric = row["metrics"][main_metric(row["task"])]
        each = [number(value) for value in metric.get("by_run", [])]
        more = f" ({chance_of(row)})" if chance_of(row) else ""
        shown = [*each, *[NONE] * (most - len(each)), number(metric["macro"]["value"])]
        rows.append([row["model"], row["title"] + more, *shown])
    return rows


def run_names(found: Found) -> str:
    """``igc: run 1 is seed-0, run 2 is seed-1.``"""
    told = []
    for one in found["models"]:
        if len(one["runs"]) > 1:
            each = [f"run {place} is {run['name']}" for place, run in enumerate(one["runs"], 1)]
            told.append(f"{one['name']}: {', '.join(each)}.")
    return " ".join(told)


def beyond(part: Mapping[str, Any]) -> bool:
    """Whether the interval of a difference leaves every possible value open on one side."""
    if part["value"] is None:
        return False
    return bool(part["low"] <= -_WHOLE or part["high"] >= _WHOLE)


def cannot_tell(found: Found, gaps: Sequence[Mapping[str, Any]]) -> str:
    """A sentence where intervals run beyond what differences can be; empty where none does."""
    wide = [gap for gap in gaps if beyond(mean_of(gap))]
    if not wide:
        return ""
    counts = {one["name"]: len(one["runs"]) for one in found["models"]}
    names = dict.fromkeys(name for gap in wide for name in models_of(gap) if counts[name] > 1)
    who = listed(
        [f"{_count(counts[name])} runs of {name}" for name in names] or ["so few patients"]
    )
    titles = "; ".join(dict.fromkeys(str(gap["ends"][0]["title"]) for gap in wide))
    return (
        f"{who[:1].upper()}{who[1:]} cannot tell by these: {titles}. There the interval "
        "runs beyond what a difference can be, -1 to +1."
    )


def _count(number_: int) -> str:
    words = {2: "two", 3: "three", 4: "four", 5: "five"}
    return words.get(number_, str(number_))
