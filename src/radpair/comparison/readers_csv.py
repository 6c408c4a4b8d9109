"""Every figure of a comparison with readers as one table, a line a label."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

from radpair.comparison.readers_text import Found, decision_makers

COLUMNS = (
    *("metric", "label", "name", "minus", "value", "low", "high", "p", "holm", "n", "positives"),
)
MEAN = "mean"
"""The label of the mean over labels."""


def table(found: Found) -> str:
    """CSV with ``COLUMNS``; undefined or not applicable: empty.

    A line with ``minus`` is the difference of ``name`` to that reader, or for the metric
    ``sensitivity_gap`` how far the curve of ``name`` runs above the reader's point.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for name, metrics in decision_makers(found):
        for metric, values in metrics.items():
            rows.writerows(_rows(found, metric, name, "", values))
    for one in found["differences"]:
        for metric, values in one["metrics"].items():
            rows.writerows(_rows(found, metric, found["model"]["name"], one["reader"], values))
    for one in found["points"]:
        place = ("sensitivity_gap", found["model"]["name"], one["reader"])
        rows.writerows(_rows(found, *place, one["sensitivity_gap"]))
    return text.getvalue()


def _rows(
    found: Found, metric: str, name: str, minus: str, values: Mapping[str, Any]
) -> Iterator[list[Any]]:
    for label, part in ((MEAN, values["macro"]), *values["labels"].items()):
        count = found["counts"].get(label, {}) if label in values["labels"] else {}
        studies = count.get("studies", found["studies"])
        figures = [part[key] for key in ("value", "low", "high", "p")]
        place = [metric, label, name, minus]
        yield [*place, *figures, part.get("holm"), studies, count.get("positives")]
