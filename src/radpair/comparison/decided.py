"""The table of decisions: every protocol of labels at its operating point."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from radpair.comparison.compare_words import Found, cell
from radpair.evaluation.fine_tune.runs import FALLBACK
from radpair.evaluation.metrics import DECIDED, TITLES
from radpair.evaluation.operating import STANDARD, point_words
from radpair.evaluation.report.marks import NONE

WORDS = (
    "Means over findings of decisions at the operating point, at a threshold that no tested study "
    "chose: of probes on out-of-fold scores of the training labels of each draw, of fine-tuning on "
    "the held-out part of the budget, of zero-shot on the split 'validate'. What had no such "
    "threshold is named below. Accuracy where the labels are classes that exclude each other."
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
    """The operating point; and what has no threshold, a fallback, or one class: a sentence each."""
    point = found["settings"].get("operating_point", STANDARD)
    lines = [f"Operating point: {point_words(point)}."]
    for row in found["results"]:
        if row["set"] != name or row["why_not"]:
            continue
        for facts in row["facts"].get("by_run", {"": row["facts"]}).values():
            lines += [f"{row['title']}{line}." for line in _lacking(row["task"], facts)]
    return list(dict.fromkeys(lines))


def _lacking(task: str, facts: Mapping[str, Any]) -> Iterator[str]:
    """What one model's decisions by one protocol lack."""
    if task == "zero-shot":
        if facts["thresholds"] is None:
            yield ": no threshold, as no study is in the split 'validate'"
        else:
            yield from (
                f", {label}: {why}" for label, why in facts["thresholds"]["missing"].items()
            )
        return
    yield from (f", {label}: {why}" for label, why in facts.get("undecided", {}).items())
    constant = Counter((one["label"], one["reason"]) for one in facts.get("constant", []))
    for (label, reason), draws in constant.items():
        same = "present" if task == "fine-tune" and reason == "no negative" else "absent"
        yield f", {label}: every study is decided {same} in {_draws(draws)} ({reason})"
    runs = facts.get("runs", []) if task == "fine-tune" else []
    taught = [
        label
        for run in runs
        for label, chosen in run["threshold_from_held_out"].items()
        if not chosen and label not in run["constant"]
    ]
    for label, draws in Counter(taught).items():
        yield (
            f", {label}: a threshold of {FALLBACK:g} in {_draws(draws)}, where nothing was held "
            "out or the held-out part has one class"
        )


def _draws(count: int) -> str:
    return "1 draw" if count == 1 else f"{count} draws"


def _held(metrics: Found) -> list[str]:
    return [metric for metric in metrics if metric in DECIDED or metric.endswith("accuracy")]


def _cell(part: Found | None) -> str:
    return NONE if part is None else cell(part["macro"])
