"""The table of decisions: every protocol of labels at its operating point."""

from __future__ import annotations

from radpair.comparison.compare_words import Found, cell
from radpair.evaluation.metrics import DECIDED, TITLES
from radpair.evaluation.report.marks import NONE

WORDS = (
    "Means over findings of decisions at the threshold of the best MCC, which no tested study "
    "chose: of probes on out-of-fold scores of the training labels of each draw, of fine-tuning on "
    "the held-out part of the budget, of zero-shot on the split 'validate'. Accuracy where the "
    "labels are classes that exclude each other."
)


def decided_table(found: Found, name: str) -> list[list[str]]:
    """A line for each protocol and model of one set; the head alone where none decides."""
    rows = [
        row
        for row in found["results"]
        if row["set"] == name and not row["why_not"] and _held(row["metrics"])
    ]
    titles = list(dict.fromkeys(row["title"] for row in found["results"]))
    rows.sort(key=lambda row: titles.index(row["title"]))
    held = list(dict.fromkeys(metric for row in rows for metric in _held(row["metrics"])))
    order = ["sensitivity", "specificity", "mcc", "f1", *(m for m in held if m not in DECIDED)]
    columns = [metric for metric in order if metric in held]
    table = [["protocol", "model", *(TITLES[metric] for metric in columns)]]
    for row in rows:
        told = [_cell(row["metrics"].get(metric)) for metric in columns]
        table.append([row["title"], row["model"], *told])
    return table


def without_threshold(found: Found, name: str) -> list[str]:
    """Why a protocol decides nothing, or nothing of some findings: a sentence each."""
    lines = []
    for row in found["results"]:
        if row["set"] != name or row["why_not"] or row["task"] != "zero-shot":
            continue
        chosen = row["facts"]["thresholds"]
        if chosen is None:
            lines.append(f"{row['title']}: no threshold, as no study is in the split 'validate'.")
            continue
        lines += [f"{row['title']}, {label}: {why}." for label, why in chosen["missing"].items()]
    return list(dict.fromkeys(lines))


def _held(metrics: Found) -> list[str]:
    return [metric for metric in metrics if metric in DECIDED or metric.endswith("accuracy")]


def _cell(part: Found | None) -> str:
    return NONE if part is None else cell(part["macro"])
