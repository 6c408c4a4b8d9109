"""The comparison with readers as text: aligned for a terminal, and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from radpair.comparison.p_values import p_text
from radpair.comparison.readers import MEAN
from radpair.evaluation.report.marks import NONE, number, signed

Found = Mapping[str, Any]
ACROSS = "mean over labels"


@dataclass(frozen=True, slots=True)
class Table:
    """A heading and its rows; the first row names the columns."""

    title: str
    rows: list[list[str]]


def screen(found: Found) -> str:
    """What ``radpair readers`` prints."""
    blocks = []
    for block in _blocks(found):
        blocks.append(block if isinstance(block, str) else _aligned(block.rows))
    return "\n\n".join(blocks)


def markdown(found: Found) -> str:
    """The same as a Markdown page."""
    parts = [f"# Readers{' and ' + found['model']['name'] if found['model'] else ''}"]
    for block in _blocks(found):
        if isinstance(block, str):
            parts.append("\n".join(_listed(line) for line in block.splitlines()))
        else:
            head, *body = block.rows
            lines = [_row(head), _row(["---"] * len(head)), *map(_row, body)]
            parts.append(f"## {block.title}\n\n" + "\n".join(lines))
    parts.append("## Files\n\n" + "\n".join(f"- `{f}`: `{h}`" for f, h in found["files"].items()))
    return "\n\n".join(parts) + "\n"


def _defined(metric: Mapping[str, Any], labels: Sequence[str]) -> str:
    """``5 labels``; ``4 of 5 labels`` where one is undefined."""
    there = sum(part["value"] is not None for part in metric["labels"].values())
    return f"{len(labels)} labels" if there == len(labels) else f"{there} of {len(labels)} labels"


def headline(found: Found) -> str:
    """The readers' mean figures and, with a model, where their points lie, in a sentence or two."""
    mean = found["readers_mean"]["metrics"]
    who = "1 reader has" if len(found["readers"]) == 1 else f"{len(found['readers'])} readers have"
    told = (
        f"{who} a mean F1 of {cell(mean['f1']['macro'])} and a mean MCC of "
        f"{cell(mean['mcc']['macro'])} over {_defined(mean['mcc'], found['labels'])}."
    )
    if found["under_curve"]:
        model, under = found["model"], found["under_curve"]
        told += (
            f" {model['name']} has a mean AUROC of {cell(model['metrics']['auroc']['macro'])}; "
            f"{under['points']} of {under['of']} operating points of readers lie under its curves"
        )
        if under["points"]:
            held = under["hold"] or "none"
            told += f", {held} of them also after Holm's correction over labels"
        told += "."
    return told


def cell(part: Mapping[str, Any]) -> str:
    """``0.616 [0.585, 0.641]``, or a dash where the value is undefined."""
    if part["value"] is None:
        return NONE
    return f"{number(part['value'])} [{number(part['low'])}, {number(part['high'])}]"


def signed_cell(part: Mapping[str, Any]) -> str:
    """``+0.021 [−0.004, +0.046]``."""
    if part["value"] is None:
        return NONE
    return f"{signed(part['value'])} [{signed(part['low'])}, {signed(part['high'])}]"


def part_of(metric: Mapping[str, Any], label: str) -> Mapping[str, Any]:
    """The interval of one label, or of the mean over labels."""
    found: Mapping[str, Any] = metric["macro"] if label == ACROSS else metric["labels"][label]
    return found


def decision_makers(found: Found) -> list[tuple[str, Mapping[str, Any]]]:
    """Readers, their mean, and the model, each with its metrics."""
    named = [(one["name"], one["metrics"]) for one in found["readers"]]
    named.append((MEAN, found["readers_mean"]["metrics"]))
    if found["model"]:
        named.append((found["model"]["name"], found["model"]["metrics"]))
    return named


def counted(found: Found) -> str:
    """``groundtruth: 500 studies of 480 patients``, or that the patients are not known."""
    studies = f"{found['truth']}: {found['studies']:,} studies"
    if found["own_patients"] == found["studies"]:
        return f"{studies}, whose patients are not known"
    if found["own_patients"]:
        return f"{studies}, of whose patients not all are known"
    return f"{studies} of {found['patients']:,} patients"


def resampled(found: Found) -> str:
    """``1,000 resamples of patients``, or of studies where no patient is known."""
    whom = "studies" if found["own_patients"] == found["studies"] else "patients"
    return f"{found['settings']['resamples']:,} resamples of {whom}"


def with_count(found: Found, label: str) -> str:
    """``Edema (12 of 120)``: the positives among the studies measured."""
    if label == ACROSS:
        return label
    count = found["counts"][label]
    return f"{label} ({count['positives']:,} of {count['studies']:,})"


def _blocks(found: Found) -> Iterator[str | Table]:
    if found["warnings"]:
        yield "\n".join(f"! {warning}" for warning in found["warnings"])
    yield (
        f"{counted(found)}. Brackets are {100 * found['settings']['level']:g} % intervals, "
        f"{resampled(found)}; beside a label its positives."
    )
    yield headline(found)
    title = "Readers and model" if found["model"] else "Readers"
    yield Table(title, _figures(found, {"f1": "F1", "mcc": "MCC", "auroc": "AUROC"}))
    yield Table("Operating points", _figures(found, {"tpr": "TPR", "fpr": "FPR"}))
    if found["model"]:
        yield from _model_blocks(found)
    yield found["averaging"]
    if found["notes"]:
        yield "\n".join(f"- {note}" for note in found["notes"])


def _model_blocks(found: Found) -> Iterator[str | Table]:
    model = found["model"]
    if model["thresholds"] is None:
        yield f"F1, MCC and operating point of {model['name']} are {model['thresholds_from']}."
    else:
        cuts = ", ".join(f"{label} {value:.4g}" for label, value in model["thresholds"].items())
        yield f"Thresholds of {model['name']}, {model['thresholds_from']}: present from {cuts}."
        rows = [["label", f"{model['name']} minus", "F1", *_P, "MCC", *_P]]
        for label in (ACROSS, *found["labels"]):
            for place, one in enumerate(found["differences"]):
                f1, mcc = (part_of(one["metrics"][key], label) for key in ("f1", "mcc"))
                first = with_count(found, label) if place == 0 else ""
                figures = [signed_cell(f1), *ps(f1), signed_cell(mcc), *ps(mcc)]
                rows.append([first, one["reader"], *figures])
        yield Table("Model minus reader (paired)", rows)
    rows = [["label", "reader", "point", "sensitivity gap at its FPR", *_P, "distance to curve"]]
    for label in (ACROSS, *found["labels"]):
        for place, one in enumerate(found["points"]):
            gap = part_of(one["sensitivity_gap"], label)
            at = {} if label == ACROSS else one["labels"][label]
            first = with_count(found, label) if place == 0 else ""
            far = NONE if at.get("distance") is None else signed(at["distance"])
            side = at.get("side") or NONE
            rows.append([first, one["reader"], side, signed_cell(gap), *ps(gap), far])
    yield Table("Readers' points and the model's ROC curve", rows)
    yield CORRECTED


_P = ("p", "p, Holm")
CORRECTED = (
    "p is Student's, of the difference over its standard error, for one comparison; p, Holm is "
    "corrected over the labels of that reader and metric, that of the mean over labels over the "
    "readers."
)


def ps(part: Mapping[str, Any]) -> list[str]:
    """The p-value of one comparison and the corrected one."""
    return [p_text(part["p"]), p_text(part["holm"])]


def _figures(found: Found, columns: Mapping[str, str]) -> list[list[str]]:
    made = {key for _, metrics in decision_makers(found) for key in metrics}
    keys = {key: title for key, title in columns.items() if key in made}
    rows = [["label", "", *keys.values()]]
    for label in (ACROSS, *found["labels"]):
        for place, (name, metrics) in enumerate(decision_makers(found)):
            shown = [_figure(metrics, key, label) for key in keys]
            rows.append([with_count(found, label) if place == 0 else "", name, *shown])
    return rows


def _figure(metrics: Mapping[str, Any], key: str, label: str) -> str:
    if key not in metrics:
        return NONE
    return cell(part_of(metrics[key], label))


def _listed(line: str) -> str:
    """A warning of the screen as an item of a Markdown list."""
    return f"- **{line[2:]}**" if line.startswith("! ") else line


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "─" * max(map(len, lines)), *lines[1:]])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"
