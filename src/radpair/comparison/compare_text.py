"""A comparison as text: aligned for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from radpair.comparison.by_run import WORDS as BY_RUN
from radpair.comparison.by_run import cannot_tell, run_names, runs_table
from radpair.comparison.compare_words import (
    Found,
    cell,
    chance_of,
    listed,
    mean_of,
    measured_labels,
    signed_cell,
    summary,
    titles,
)
from radpair.comparison.compared_figures import main_metric
from radpair.comparison.decided import WORDS, decided_table, without_threshold
from radpair.comparison.lists import chance_line
from radpair.comparison.needed import told
from radpair.comparison.p_values import p_text
from radpair.evaluation.report.marks import NONE

TITLE = "Models compared"
LISTS = "ConVIRT's 8x200 retrieval"
METRIC = (
    "Mean AUROC over findings; for retrieval the metric that is named. Brackets are {level:g} % "
    "intervals over the tested patients, who are in no training split of their set; draws of "
    "labels and training runs are averaged, and their spread counts in the differences only. A "
    "dash: not applicable."
)


CAUTION = (
    "The tests cover tested patients and draws of labels, and are corrected over the findings or "
    "over the pairs of models within a protocol, not over protocols or study sets."
)


def caution(found: Found) -> str:
    """What stands at the head: what the tests cover, of training runs too."""
    several = [one for one in found["models"] if len(one["runs"]) > 1]
    alone = [one["name"] for one in found["models"] if len(one["runs"]) == 1]
    counted = listed([f"{len(one['runs'])} of {one['name']}" for one in several]) if several else ""
    if not several:
        runs = "One training run stands for each model, so the luck of a training seed is not told."
    elif not alone:
        runs = f"Training runs averaged as metrics: {counted}. The tests cover their spread."
    else:
        runs = (
            f"Training runs averaged as metrics: {counted}. The tests cover their spread. "
            f"{listed(alone)}: a single run, which nothing says the luck of, and which is not "
            "tested against a model of several."
        )
    return f"{runs} {CAUTION}"


def screen(found: Found) -> str:
    """What ``radpair compare`` prints."""
    blocks = [caution(found)]
    for name, tested, sentences in summary(found):
        blocks.append("\n".join([f"{name}: {tested}", *(f"  {one}" for one in sentences)]))
        blocks.append("\n".join([_aligned(main_table(found, name)), *_left_out(found, name)]))
    if found["lists"]:
        blocks.append(f"{LISTS}: {chance_line(found['lists'])}")
        blocks.append(_aligned(lists_table(found)))
    return "\n\n".join(blocks)


def markdown(found: Found) -> str:
    """The whole report without pictures."""
    parts = [f"# {TITLE}", caution(found), "## In words"]
    for name, tested, sentences in summary(found):
        parts.append(f"**{name}**: {tested}\n\n" + "\n".join(f"- {one}" for one in sentences))
    parts += ["## All protocols", METRIC.format(level=100 * found["settings"]["level"])]
    for one in found["sets"]:
        reasons = "\n".join(f"- {line}" for line in not_applicable(found, one["name"]))
        parts += [f"### {one['name']}", _grid(main_table(found, one["name"])), reasons]
    parts += _by_run(found)
    parts += _decisions(found)
    parts += ["## Differences", DIFFERENCES]
    for one in found["sets"]:
        rows = difference_table(found, one["name"])
        if len(rows) > 1:
            gaps = [gap for gap in found["differences"] if gap["set"] == one["name"]]
            doubt = cannot_tell(found, gaps)
            parts += [f"### {one['name']}", _grid(rows), *([doubt] if doubt else [])]
    if found["lists"]:
        parts += [f"## {LISTS}", chance_line(found["lists"]), _grid(lists_table(found))]
        gaps = lists_differences(found)
        parts += [_grid(gaps)] if len(gaps) > 1 else []
    needed = needed_table(found)
    if len(needed) > 1:
        parts += ["## Labels needed", NEEDED, _grid(needed)]
    parts += ["## What it rests on", _grid(provenance_table(found))]
    parts += [
        f"`results.json` (schema `{found['schema']}`) and `results.csv` have every label's figure."
    ]
    return "\n\n".join(parts) + "\n"


def _by_run(found: Found) -> list[str]:
    """Each training run's figure, a table a set; nothing where every model has one run."""
    parts = []
    for one in found["sets"]:
        rows = runs_table(found, one["name"])
        parts += [f"### {one['name']}", _grid(rows)] if len(rows) > 1 else []
    return ["## Run by run", f"{BY_RUN} {run_names(found)}", *parts] if parts else []


def _decisions(found: Found) -> list[str]:
    """Sensitivity, specificity and what else decisions have, a table a set."""
    parts = []
    for one in found["sets"]:
        rows = decided_table(found, one["name"])
        if len(rows) > 1:
            lines = "\n".join(f"- {line}" for line in without_threshold(found, one["name"]))
            parts += [f"### {one['name']}", _grid(rows), *([lines] if lines else [])]
    return ["## At the operating point", WORDS, *parts] if parts else []


DIFFERENCES = (
    "First model minus second on the same tested studies and the same draws of labels. Patients "
    "are resampled together for both models; where labels were drawn several times, or a model has "
    "several training runs, the spread between these counts too. p is Student's, of the difference "
    "over its standard error, for the mean over findings, with Holm's correction over the pairs of "
    "models in that protocol; findings apart counts those whose own p, corrected over findings, is "
    "at most 0.05."
)
NEEDED = (
    "Labelled studies at which a model's linear probe reaches the other's AUROC with all labels, "
    "read between budgets on a logarithmic scale; the interval resamples patients and draws. "
    "Estimates, not tests."
)


def main_table(found: Found, name: str) -> list[list[str]]:
    """Protocols that some model could be asked down, models across, of one set."""
    models = [model["name"] for model in found["models"]]
    rows = [["protocol", *models]]
    mine = [row for row in found["results"] if row["set"] == name]
    for title in titles(found, name):
        by_model = {row["model"]: row for row in mine if row["title"] == title}
        labels = next(len(one["labels"]) for one in found["sets"] if one["name"] == name)
        rows.append(
            [_protocol(list(by_model.values()), labels), *(_cell(by_model[m]) for m in models)]
        )
    return rows


def not_applicable(found: Found, name: str) -> list[str]:
    """Why protocols could not be asked, models and protocols of one reason together."""
    reasons: dict[str, dict[str, list[str]]] = {}
    for row in found["results"]:
        if row["set"] == name and row["why_not"]:
            reasons.setdefault(row["why_not"], {}).setdefault(row["model"], []).append(row["title"])
    lines = []
    for reason, by_model in reasons.items():
        asked = dict.fromkeys(title for mine in by_model.values() for title in mine)
        lines.append(f"{listed(list(by_model))}: {reason} ({'; '.join(asked)}).")
    return [*lines, *_left_out(found, name)]


def _left_out(found: Found, name: str) -> list[str]:
    """The labels of a set that cannot be measured, with the reasons, in a line."""
    one = next(one for one in found["sets"] if one["name"] == name)
    left = [f"{label} ({reason})" for label, reason in one["left_out"].items()]
    lines = [f"Labels left out: {', '.join(left)}."] if left else []
    titles_of: dict[str, dict[str, None]] = {}
    for row in found["results"]:
        if row["set"] != name or row["why_not"] or "auroc" not in row["metrics"]:
            continue
        for label, part in row["metrics"]["auroc"]["labels"].items():
            if part["value"] is None:
                why = f"{label} ({part['note'] or 'undefined'})"
                titles_of.setdefault(row["title"], {})[why] = None
    asked: dict[str, list[str]] = {}
    for title, labels in titles_of.items():
        asked.setdefault(", ".join(labels), []).append(title)
    return [*lines, *(f"In no mean of {'; '.join(t)}: {labels}." for labels, t in asked.items())]


def difference_table(found: Found, name: str) -> list[list[str]]:
    """Every pair by every protocol, of one set."""
    rows = [["first", "second", "protocol", "difference", "p", "p, Holm", "findings apart"]]
    for gap in found["differences"]:
        if gap["set"] != name:
            continue
        mean, ends = mean_of(gap), gap["ends"]
        rows.append(
            [
                ends[0]["model"],
                ends[1]["model"],
                protocol_of(gap),
                signed_cell(mean),
                p_text(mean["p"]),
                p_text(mean["holm"]),
                apart(gap, found["settings"]["level"]),
            ]
        )
    return rows


def protocol_of(gap: Mapping[str, Any]) -> str:
    """The protocol's title, or both where the models were asked differently."""
    return " / ".join(dict.fromkeys(end["title"] for end in gap["ends"]))


def apart(gap: Mapping[str, Any], level: float) -> str:
    """``5 + 1 − of 16``: labels at which the first, and the second, is ahead after correction."""
    labels = gap["metrics"][main_metric(gap["task"])]["labels"]
    if not labels:
        return NONE
    clear = [one for one in labels.values() if one["holm"] is not None and one["holm"] <= 1 - level]
    ups = sum(one["value"] > 0 for one in clear)
    return f"{ups} up, {len(clear) - ups} down of {len(labels)}"


def lists_table(found: Found) -> list[list[str]]:
    """Precision at each depth by ConVIRT's lists, a line a model and kind of query."""
    answered = [row for row in found["lists"]["results"] if not row["why_not"]]
    metrics = list(dict.fromkeys(metric for row in answered for metric in row["metrics"]))
    depths = [f"precision at {metric.rpartition('_')[2]}" for metric in metrics]
    rows = [["protocol", "model", *depths, "chance"]]
    for row in answered:
        told = [cell(row["metrics"][metric]["macro"]) for metric in metrics]
        chance = next(iter(row["facts"]["chance"].values()))
        rows.append([row["title"], row["model"], *told, f"{chance:.3f}"])
    return rows


def lists_differences(found: Found) -> list[list[str]]:
    """Every pair of models by ConVIRT's lists, precision at 10."""
    rows = [["first", "second", "protocol", "difference of precision at 10", "p", "p, Holm"]]
    for gap in found["lists"]["differences"]:
        mean, ends = mean_of(gap), gap["ends"]
        told = [signed_cell(mean), p_text(mean["p"]), p_text(mean["holm"])]
        rows.append([ends[0]["model"], ends[1]["model"], protocol_of(gap), *told])
    return rows


def needed_table(found: Found) -> list[list[str]]:
    """Who needs how many labels to match whom."""
    rows = [["set", "model", "to match", "AUROC to reach", "labelled studies", "of"]]
    for one in found["labels_needed"]:
        rows.append(
            [
                one["set"],
                one["model"],
                f"{one['other']} at 100 %",
                f"{one['target']:.3f}",
                told(one),
                f"{one['budgets'][-1]:,}",
            ]
        )
    return rows


def provenance_table(found: Found) -> list[list[str]]:
    """Hashes of everything."""
    rows = [["what", "name", "hash"]]
    rows += [
        ["model", run_name(one, run), f"`{run['hash'][:16]}`"]
        for one in found["models"]
        for run in one["runs"]
    ]
    rows += [["study set", one["name"], f"`{one['hash']}`"] for one in found["sets"]]
    graphs = [one for one in found["sets"] if one["graphs_hash"]]
    rows += [["graphs", one["name"], f"`{one['graphs_hash']}`"] for one in graphs]
    rows += [
        ["8x200 lists", one["kind"], f"`{one['hash']}`"]
        for one in (found["lists"] or {}).get("lists", [])
    ]
    rows.append(["prompts", f"{len(found['prompts']['labels'])} labels", _hash(found)])
    settings = found["settings"]
    facts = f"{settings['draws']} draws, {settings['resamples']:,} resamples, seed "
    return [*rows, ["settings", f"{facts}{settings['seed']}", f"radpair {found['radpair']}"]]


def run_name(model: Found, run: Found) -> str:
    """``igc`` where it is the model's only run, else ``igc: runs/seed-1``."""
    return str(model["name"] if len(model["runs"]) == 1 else f"{model['name']}: {run['name']}")


def _hash(found: Found) -> str:
    return f"`{found['prompts']['hash']}`"


def _protocol(rows: Sequence[Mapping[str, Any]], labels: int) -> str:
    """The title; what is learned from, the chance of retrieval, the share of findings asked for."""
    there = [row for row in rows if not row["why_not"]]
    title = str(rows[0]["title"])
    if not there:
        return title
    facts = there[0]["facts"]
    if chance_of(there[0]):
        return f"{title} ({chance_of(there[0])})"
    parts = [f"{facts['studies']:,} studies"] if "studies" in facts else []
    if (measured := measured_labels(there[0])) < labels:
        parts.append(f"mean over {measured} of {labels} findings")
    return f"{title} ({', '.join(parts)})" if parts else title


def _cell(row: Mapping[str, Any]) -> str:
    if row["why_not"]:
        return NONE
    return cell(row["metrics"][main_metric(row["task"])]["macro"])


def _grid(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, body)]
    return "\n".join(lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(one.replace("|", "\\|") for one in cells) + " |"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(one.ljust(width) for one, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "─" * len(lines[0]), *lines[1:]])
