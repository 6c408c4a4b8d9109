"""Results as tables for people, in plain text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from radpair.evaluation.bootstrap import Interval
from radpair.evaluation.calibration import BINS
from radpair.evaluation.metrics import DECIDED, RANKED, TITLES
from radpair.evaluation.operating import chosen_line, point_words
from radpair.evaluation.report.marks import MINUS, number, signed
from radpair.evaluation.results import MetricResult, Results, Row


def linear_table(results: Results) -> str:
    """Mean AUROC with its interval, one row a model, one column a fraction of the labels."""
    fractions = list(dict.fromkeys(row.fraction for row in results.rows))
    models = list(dict.fromkeys(row.model for row in results.rows))
    sizes = {row.fraction: row.studies for row in results.rows}
    head = ["AUROC, linear"] + [f"{f:.0%} ({sizes[f]:,} studies)" for f in fractions]
    body = [
        [name, *(macro_cell(results.row(name, f).metrics["auroc"]) for f in fractions)]
        for name in models
    ]
    return aligned([head, *body])


def macro_cell(metric: MetricResult) -> str:
    """The mean over labels, and over how many where some are undefined."""
    return cell(metric.macro) + partly(metric)


def draws_table(results: Results, title: str = "AUROC, linear") -> str:
    """Mean AUROC a line for each model and budget, with every source of its error, and a legend."""
    level = f"{results.settings['level']:.0%}"
    head = [title, "labels", "mean", f"{level} over patients", "sd of draws", f"{level} total"]
    body = [_draws_line(row) for row in results.rows]
    legend = (
        "Over patients: other tested patients, the same draws of labels. Sd of draws: standard\n"
        "deviation over the draws of labels. Total: other patients and other draws together."
    )
    told = [*_without(results), *undefined_lines(results), *constant_lines(results)]
    return "\n".join([aligned([head, *body]), legend, *told])


def decisions_table(results: Results) -> str:
    """Means over labels at the operating point, and accuracies where labels exclude each other."""
    names = [n for n in results.rows[0].metrics if n in DECIDED or n.endswith("accuracy")]
    head = ["at the operating point", "labels", *(TITLES[name] for name in names)]
    body = [
        [*_draws_line(row)[:2], *(_metric_cell(row, name) for name in names)]
        for row in results.rows
    ]
    told = [aligned([head, *body]), chosen_line(results.settings["operating_point"])]
    return "\n".join([*told, *_undecided_lines(results)])


def _undecided_lines(results: Results) -> list[str]:
    """Labels without a threshold: a line for each budget and reason."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for row in results.rows:
        ranked = row.metrics["auroc"].labels
        for name, one in row.metrics["mcc"].labels.items():
            if math.isnan(one.value) and not math.isnan(ranked[name].value):
                found.setdefault((_budget(row), one.note or "undefined"), {})[name] = None
    return [
        f"at {budget} not decided: {', '.join(labels)} ({reason})"
        for (budget, reason), labels in found.items()
    ]


def _budget(row: Row) -> str:
    return f"{row.fraction:.0%}" if row.shots is None else f"K = {row.shots}"


def _metric_cell(row: Row, name: str) -> str:
    return cell(row.metrics[name].macro) if name in row.metrics else ""


def undefined_lines(results: Results) -> list[str]:
    """Labels whose AUROC is undefined, with the reason, a line for each reason and its budgets."""
    found: dict[tuple[str, str], dict[str, None]] = {}
    for row in results.rows:
        for name, one in row.metrics["auroc"].labels.items():
            if math.isnan(one.value):
                found.setdefault((name, one.note or "undefined"), {})[_budget(row)] = None
    every = len(dict.fromkeys(map(_budget, results.rows)))
    reasons = {
        name: why if len(budgets) == every else f"{why}, at {' and '.join(budgets)}"
        for (name, why), budgets in found.items()
    }
    return _undefined_lines(reasons)


def constant_lines(results: Results) -> list[str]:
    """What some draws of a budget could not teach: a line for each budget and reason."""
    found: dict[tuple[str, str], dict[str, set[int]]] = {}
    draws = {_budget(row): row.draws for row in results.rows}
    for row in results.rows:
        for one in row.constant:
            labels = found.setdefault((_budget(row), one["reason"]), {})
            labels.setdefault(one["label"], set()).add(one["draw"])
    lines = []
    for (budget, reason), labels in found.items():
        some = [
            f"{label} in {len(which)} of {draws[budget]} draws"
            for label, which in labels.items()
            if len(which) < draws[budget]
        ]
        if some:
            lines.append(
                f"at {budget} {reason} of {', '.join(some)}: there all studies score the same, "
                "AUROC 0.5, and are decided absent"
            )
    return lines


def partly(metric: MetricResult) -> str:
    """``, mean over 2 of 4 labels`` where some are undefined, else nothing."""
    every = len(metric.labels)
    there = sum(not math.isnan(one.value) for one in metric.labels.values())
    return f", mean over {there} of {every} labels" if 0 < there < every else ""


def differences_table(results: Results) -> str:
    """AUROC minus the reference's, a line a model and budget; empty where nothing is beside it."""
    head = [f"AUROC minus {results.reference}", "labels", "difference", "p"]
    body = []
    for row in results.rows:
        if "auroc" in row.differences:
            found = row.differences["auroc"]
            whole = found.macro if found.total is None else found.total.macro
            p = "" if whole.p is None else f"{whole.p:.3f}" if whole.p >= 0.001 else "< 0.001"
            body.append([*_draws_line(row)[:2], cell(whole, "+"), p])
    if not body:
        return ""
    return f"{aligned([head, *body])}\nPaired by patient; p is not corrected over the lines."


def _undefined_lines(reasons: Mapping[str, str]) -> list[str]:
    """``undefined and in no mean: A, B (why)``."""
    return [
        "undefined and in no mean: "
        f"{', '.join(name for name, why in reasons.items() if why == reason)} ({reason})"
        for reason in dict.fromkeys(reasons.values())
    ]


def calibration_table(results: Results) -> str:
    """Brier score and calibration error of the probabilities, means over labels."""
    level = f"{results.settings['level']:.0%}"
    head = ["probabilities", "labels", f"Brier, {level} over patients", "calibration error"]
    body = [
        [
            *_draws_line(row)[:2],
            cell(row.metrics["brier"].macro),
            _value(row.metrics["calibration_error"].macro),
        ]
        for row in results.rows
    ]
    legend = (
        f"Smaller is better. Calibration error: {BINS} bins; resampling raises it, so it has no "
        "interval here."
    )
    return f"{aligned([head, *body])}\n{legend}"


def _value(interval: Interval) -> str:
    return "undefined" if math.isnan(interval.value) else f"{interval.value:.3f}"


def _without(results: Results) -> list[str]:
    """A line for each K that some label has too few patients for."""
    notes = [
        f"K = {row.shots} is without {name}: {reason}."
        for row in results.rows
        for name, reason in row.left_out.items()
    ]
    return list(dict.fromkeys(notes))


def _draws_line(row: Row) -> list[str]:
    found = row.metrics["auroc"]
    named = [row.model, f"{_budget(row)} ({row.studies:,} studies)"]
    if math.isnan(found.macro.value):
        return [*named, "undefined", "", "", ""]
    told = [f"{found.macro.value:.3f}{partly(found)}", _ends(found.macro)]
    if found.total is None or found.spread is None:
        return [*named, *told, "one draw", "as over patients"]
    return [*named, *told, f"{found.spread:.3f} of {row.draws}", _ends(found.total.macro)]


def _ends(interval: Interval) -> str:
    return f"[{interval.low:.3f}, {interval.high:.3f}]"


def zero_shot_table(found: Sequence[Mapping[str, Any]]) -> str:
    """Mean AUROC of prompts, one row a model and kind; says where labels are left out."""
    rows = [["AUROC, zero-shot", "prompts", "mean over labels"]]
    for row in found:
        labels = row["metrics"]["auroc"]["labels"].values()
        there, every = _defined(labels), len(labels) + len(row["unprompted"])
        part = "" if there == every else f", mean over {there} of {every} labels"
        told = cell(row["metrics"]["auroc"]["macro"]) + part
        rows.append([row["model"], row["kind"], told])
    return aligned(rows)


def zero_shot_report(found: Sequence[Mapping[str, Any]]) -> str:
    """``zero_shot_table`` with chance, the labels left out by name, and every label's AUROC."""
    lines = [zero_shot_table(found), "chance is 0.500 for every label and their mean"]
    for kind in dict.fromkeys(row["kind"] for row in found):
        missing = next(row["unprompted"] for row in found if row["kind"] == kind)
        if missing:
            lines.append(f"without {kind} prompts: {', '.join(missing)}")
    lines += _undefined_lines(
        {
            name: one["note"] or "undefined"
            for row in found
            for name, one in row["metrics"]["auroc"]["labels"].items()
            if one["value"] is None
        }
    )
    names = list(dict.fromkeys(n for row in found for n in row["metrics"]["auroc"]["labels"]))
    head = ["AUROC", *(f"{row['model']}, {row['kind']}" for row in found)]
    body = [
        [name, *(_label_cell(row["metrics"]["auroc"]["labels"].get(name)) for row in found)]
        for name in names
    ]
    return "\n\n".join(["\n".join(lines), aligned([head, *body]), _zero_shot_decisions(found)])


def _zero_shot_decisions(found: Sequence[Mapping[str, Any]]) -> str:
    """Means at the operating point, or why there is none; accuracies where labels exclude."""
    names = list(dict.fromkeys(n for row in found for n in row["metrics"] if n not in RANKED))
    lines = []
    if names:
        head = ["at the operating point", "prompts", *(TITLES[name] for name in names)]
        body = [
            [row["model"], row["kind"], *(cell(row["metrics"][name]["macro"]) for name in names)]
            for row in found
        ]
        lines.append(aligned([head, *body]))
    chosen = found[0]["thresholds"]
    if chosen is None:
        return "\n".join([*lines, "no operating point: the set has no studies to validate with"])
    lines.append(
        f"Operating point: {point_words(chosen['operating_point'])} on the {chosen['studies']:,} "
        f"studies of the split '{chosen['split']}'."
    )
    missing = chosen["missing"]
    return "\n".join([*lines, *(f"{name} has {why}" for name, why in missing.items())])


def _label_cell(found: Mapping[str, Any] | None) -> str:
    return "no prompts" if found is None else cell(found)


def _defined(labels: Iterable[Mapping[str, Any]]) -> int:
    return sum(one["value"] is not None for one in labels)


def retrieval_table(found: Sequence[Mapping[str, Any]]) -> str:
    """Recall at 10 and median rank in both directions."""
    rows = [["retrieval", "direction", "recall at 10", "chance", "median rank"]]
    for row in found:
        for name, direction in row["directions"].items():
            recall = direction["recall"].get(10) or direction["recall"]["10"]
            rank = direction["median_rank"]["value"]
            rows.append(
                [
                    row["model"],
                    name.replace("_to_", " → "),
                    cell(recall),
                    f"{recall['chance']:.3f}",
                    f"{rank:.0f} of {row['studies']}",
                ]
            )
    return aligned(rows)


def class_table(found: Sequence[Mapping[str, Any]]) -> str:
    """Precision at each K, one row a model and kind of query."""
    depths = list(dict.fromkeys(k for row in found for k in row["precision"]))
    rows = [["precision", "query", *(f"at {k}" for k in depths), "chance"]]
    for row in found:
        shown = row["precision"]
        chance = next(iter(shown.values()))["chance"]
        cells = [cell(shown[k]) if k in shown else "" for k in depths]
        rows.append([row["model"], row["query"], *cells, f"{chance:.3f}"])
    return aligned(rows)


def cell(interval: Any, sign: str = "") -> str:
    """A value with its interval; ``sign`` of ``+`` shows that of what is above 0 too."""
    part = interval if isinstance(interval, Mapping) else _fields(interval)
    if part["value"] is None or math.isnan(part["value"]):
        return "undefined"
    value, low, high = (_shown(part[key], sign) for key in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _shown(value: float, sign: str) -> str:
    write = signed if sign else number
    return write(value).replace(MINUS, "-")


def _fields(interval: Any) -> dict[str, float]:
    """An interval's fields by name."""
    return {key: getattr(interval, key) for key in ("value", "low", "high")}


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines of text, the first as a head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "─" * len(lines[0]), *lines[1:]])
