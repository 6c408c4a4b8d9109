"""Every figure of a comparison as one table, a line a label."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from radpair.comparison.bench import EVALUATED
from radpair.comparison.compare_words import Found

COLUMNS = ("set", "protocol", "label", "model", "metric", "value", "low", "high", "n", "positives")
MEAN = "mean"
"""The label of the mean over labels, and of retrieval, which has none."""


def table(found: Found) -> str:
    """CSV: ``COLUMNS`` and ``draws`` (of labels, that the value is the mean of); undefined: empty.

    ``n`` counts the tested studies for which the label is given, for retrieval the queries.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([*COLUMNS, "draws"])
    sets = {one["name"]: one for one in found["sets"]}
    for row in found["results"]:
        if not row["why_not"]:
            rows.writerows(_rows(row, sets[row["set"]]))
    if found["lists"]:
        for row in found["lists"]["results"]:
            rows.writerows(_listed(row))
    return text.getvalue()


def _listed(row: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Lines of a model by ConVIRT's lists, which stand where a set does."""
    for metric, values in ({} if row["why_not"] else row["metrics"]).items():
        part = values["macro"]
        place = (row["task"], row["title"], MEAN, row["model"], metric)
        yield [*place, part["value"], part["low"], part["high"], row["facts"]["queries"], None, 1]


def _rows(row: Mapping[str, Any], one: Mapping[str, Any]) -> Iterator[list[Any]]:
    for metric, values in row["metrics"].items():
        draws = max(1, len(values["draws"]))
        parts = [(MEAN, values["macro"], _tested(row, one), None)]
        parts += [
            (label, part, one["given"][label], one["labels"][label][EVALUATED])
            for label, part in values["labels"].items()
        ]
        for label, part, count, positives in parts:
            place = (row["set"], row["title"], label, row["model"], metric)
            yield [*place, part["value"], part["low"], part["high"], count, positives, draws]


def _tested(row: Mapping[str, Any], one: Mapping[str, Any]) -> int:
    """Queries of retrieval, else tested studies."""
    facts = row["facts"]
    if "queries" in facts:
        return int(facts["queries"])
    return int(facts["studies"] if row["task"] == "retrieval" else one[EVALUATED]["studies"])
