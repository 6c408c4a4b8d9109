"""Writes results as one HTML file that needs no network and no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from radpair.errors import EvaluationError
from radpair.evaluation.report.charts import efficiency_chart, label_chart, loss_chart
from radpair.evaluation.report.document import document, section
from radpair.evaluation.report.marks import colours, legend, number, percent, signed
from radpair.evaluation.report.samples import Sample, sample_figures
from radpair.evaluation.report.tables import (
    facts_table,
    headline_table,
    metrics_table,
    over_draws,
    retrieval_table,
    zero_shot_table,
)
from radpair.models.folder import write_atomically


def write_page(results: Mapping[str, Any], out: Path, samples: Sequence[Sample] = ()) -> None:
    """Writes ``results`` (JSON values) to ``out``; any section may be missing.

    Keys: ``title``; ``summary`` (a sentence or two); ``data`` (``name``, ``synthetic`` true or
    false, ``hash``, counts); ``linear`` (``Results.to_json()``); ``zero_shot`` and ``retrieval``
    (lists of their results); ``training`` (list of ``{"name", "metrics": [{"step", "split",
    "loss"}]}``); ``provenance`` (names to values: models and hashes, versions, commands). Raises
    ``EvaluationError`` when nothing but samples could be shown or the folder is missing.
    """
    if not any(results.get(key) for key in ("linear", "zero_shot", "retrieval", "training")):
        raise EvaluationError("there are no results to write a page about")
    if not out.parent.is_dir():
        raise EvaluationError(f"cannot write {out}: the folder {out.parent} does not exist")
    write_atomically(out, render(results, samples).encode())


def render(results: Mapping[str, Any], samples: Sequence[Sample] = ()) -> str:
    """The whole page as text."""
    title = str(results.get("title", "radpair evaluation"))
    shades = _shades(results)
    sections = [
        _linear(results, shades),
        _zero_shot(results),
        _retrieval(results),
        _training(results, shades),
        section("Sample studies", sample_figures(samples)) if samples else "",
        _provenance(results),
    ]
    return document(title, _head(title, results) + "".join(sections))


def _shades(results: Mapping[str, Any]) -> dict[str, str]:
    """A colour for every model of the probe, and for runs that are not among them."""
    names = [row["model"] for row in (results.get("linear") or {}).get("rows", [])]
    names = list(dict.fromkeys(names)) or ["random"]
    names += [run["name"] for run in results.get("training") or [] if run["name"] not in names]
    return colours(names)


def _head(title: str, results: Mapping[str, Any]) -> str:
    data = results.get("data") or {}
    badge = ""
    if "synthetic" in data:
        kind = "synthetic studies" if data["synthetic"] else "real studies"
        badge = f'<span class="badge">{kind}</span>'
    summary = results.get("summary")
    words = f'<p class="lead">{escape(str(summary))}</p>' if summary else ""
    return f"<header><h1>{escape(title)} {badge}</h1>{words}{_finding(results)}</header>"


def _finding(results: Mapping[str, Any]) -> str:
    """The one figure to remember: the best encoder at the smallest budget, beside the reference."""
    linear = results.get("linear")
    if not linear:
        return ""
    smallest = min(row["fraction"] for row in linear["rows"])
    rows = [
        row
        for row in linear["rows"]
        if row["fraction"] == smallest and row["metrics"]["auroc"]["macro"]["value"] is not None
    ]
    base = next((row for row in rows if row["model"] == linear["reference"]), None)
    others = [row for row in rows if row["model"] != linear["reference"]]
    if base is None or not others:
        return ""
    best = max(others, key=lambda row: row["metrics"]["auroc"]["macro"]["value"])
    value, beside = (number(row["metrics"]["auroc"]["macro"]["value"]) for row in (best, base))
    return (
        f'<p class="finding"><b>{value}</b><span>AUROC of a linear probe on '
        f"<em>{escape(best['model'])}</em> with {percent(smallest)} of the training labels "
        f"({best['studies']:,} studies). {escape(base['model'])}: {beside}, "
        f"{_told_apart(over_draws(best['differences']['auroc']))}.</span></p>"
    )


def _told_apart(gap: Mapping[str, Any]) -> str:
    """The difference in words, which claim nothing that its interval does not."""
    words = f"difference {signed(gap['value'])} [{signed(gap['low'])}, {signed(gap['high'])}]"
    return words if gap["low"] > 0 or gap["high"] < 0 else f"{words}, which may be chance"


def _linear(results: Mapping[str, Any], shades: Mapping[str, str]) -> str:
    linear = results.get("linear")
    if not linear:
        return ""
    shown = {row["model"]: shades[row["model"]] for row in linear["rows"]}
    evaluated = linear["settings"]["evaluated"]
    counts = linear["counts"][evaluated]
    level = percent(linear["settings"]["level"])
    told = (
        f"Mean AUROC over {len(linear['labels'])} labels, {counts['studies']:,} studies of "
        f"{counts['patients']:,} patients in '{evaluated}', none of them seen before. Brackets are "
        f"{level} intervals over those patients; the last line of a cell is the paired difference "
        f"to {linear['reference']}. Where there are several draws of labels the metric is averaged "
        "over them: the brackets of a model take these draws as given, and the spread between them "
        "shows as faint dots; those of a difference are over patients and draws together."
    )
    charts = "".join(_label_details(linear, shown, fraction) for fraction in _fractions(linear))
    return (
        section(
            "Linear probe",
            f"<p>{escape(told)}</p>" + headline_table(linear, shown) + _constant(linear),
        )
        + section("Label efficiency", legend(shown) + efficiency_chart(linear["rows"], shown))
        + section("Label by label", legend(shown) + charts)
        + section(
            "Other metrics",
            "<p>Means over labels. MCC, F1, sensitivity and specificity are at thresholds from "
            "cross-fitted scores of the training labels inside the budget (the best MCC, if not "
            "asked otherwise).</p>" + metrics_table(linear),
        )
    )


def _fractions(linear: Mapping[str, Any]) -> list[float]:
    return sorted({row["fraction"] for row in linear["rows"]})


def _label_details(linear: Mapping[str, Any], shown: Mapping[str, str], fraction: float) -> str:
    rows = [row for row in linear["rows"] if row["fraction"] == fraction]
    fractions = _fractions(linear)
    opened = " open" if fraction == fractions[len(fractions) // 2] else ""
    positives = linear["counts"][linear["settings"]["evaluated"]]["positives"]
    chart = label_chart(rows, linear["labels"], positives, shown)
    return (
        f"<details{opened}><summary>AUROC with {percent(fraction)} of the labels "
        f"<small>(numbers: positive studies evaluated)</small></summary>{chart}</details>"
    )


def _constant(linear: Mapping[str, Any]) -> str:
    """Which labels had one class only in some draw, and so scored a constant there."""
    seen: dict[tuple[float, str], set[int]] = {}
    for row in linear["rows"]:
        for entry in row["constant"]:
            seen.setdefault((row["fraction"], entry["label"]), set()).add(entry["draw"])
    if not seen:
        return ""
    items = [
        f"{name} ({percent(fraction)}, {len(draws)} draw{'s' if len(draws) > 1 else ''})"
        for (fraction, name), draws in sorted(seen.items())
    ]
    return (
        '<details class="quiet"><summary>Labels with one class only in a draw score a constant '
        f"there (AUROC 0.5): {len(items)}</summary><p>{escape('; '.join(items))}</p></details>"
    )


def _zero_shot(results: Mapping[str, Any]) -> str:
    found = results.get("zero_shot") or []
    if not found:
        return ""
    missing = sorted({name for entry in found for name in entry["unprompted"]})
    told = (
        "No label is used: an image is asked whether it is nearer to the finding present or to the "
        "finding absent, put in words or as a knowledge graph. A score depends on one image only."
    )
    if missing:
        told += f" Without prompts of some kind: {', '.join(missing)}."
    return section("Zero-shot classification", f"<p>{escape(told)}</p>" + zero_shot_table(found))


def _retrieval(results: Mapping[str, Any]) -> str:
    found = results.get("retrieval") or []
    if not found:
        return ""
    entry = found[0]
    told = (
        f"Which of {entry['studies']:,} candidates belongs to the query? Recall in percent. "
        f"Rule: {entry['rule']}."
    )
    return section("Retrieval", f"<p>{escape(told)}</p>" + retrieval_table(found))


def _training(results: Mapping[str, Any], shades: Mapping[str, str]) -> str:
    runs = results.get("training") or []
    chart = loss_chart(runs, shades) if runs else ""
    if not chart:
        return ""
    shown = {run["name"]: shades[run["name"]] for run in runs}
    told = "<p>Contrastive loss: training thin, validation with points.</p>"
    return section("Pretraining", told + legend(shown) + chart)


def _provenance(results: Mapping[str, Any]) -> str:
    facts: dict[str, Any] = {}
    if results.get("data"):
        facts["data"] = results["data"]
    if results.get("linear"):
        facts["linear probe"] = results["linear"]["settings"]
    facts.update(results.get("provenance") or {})
    return section("Provenance", facts_table(facts)) if facts else ""
