"""The comparison with readers as one HTML file that needs no network and no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from radpair.comparison.readers import LEVEL, MEAN
from radpair.comparison.readers_text import (
    ACROSS,
    CORRECTED,
    Found,
    counted,
    decision_makers,
    headline,
    part_of,
    ps,
    resampled,
    with_count,
)
from radpair.comparison.roc_chart import key, roc_chart, shades
from radpair.evaluation.report.document import document, section
from radpair.evaluation.report.marks import NONE, signed
from radpair.evaluation.report.tables import facts_table, interval

_STYLE = """
main { max-width: 1040px; }
.planes { display: grid; grid-template-columns: repeat(auto-fill, minmax(280px, 1fr));
  gap: 22px 26px; }
.planes svg.chart { max-width: 360px; }
section table + p, section .scroll + p { margin: 22px 0 6px; }
b.up { color: #1c7a50; }
b.down { color: #b3541a; }
ul.warnings { list-style: none; margin: 14px 0; padding: 10px 18px; border-radius: 10px;
  background: #fdf1e3; color: #7a4a12; }
.key svg { vertical-align: -2px; margin-right: 6px; }
"""
_RATES = ("tpr", "fpr")
_TITLES = {"f1": "F1", "mcc": "MCC", "auroc": "AUROC"}


def render(found: Found) -> str:
    """The whole page as text, from the values of ``radpair.comparison.run.compare_readers``."""
    title = f"{found['model']['name']} beside readers" if found["model"] else "Readers"
    sections = [
        _planes(found),
        *(_metric_section(found, key) for key in ("f1", "mcc")),
        _points(found),
        _operating(found),
        section("What the figures rest on", _basis(found)),
    ]
    head = (
        f'<header><h1>{escape(title)}</h1><p class="lead">{escape(headline(found))}</p>'
        f"{_warnings(found)}{_missing(found)}</header>"
    )
    return document(title, head + "".join(sections), _STYLE)


def _warnings(found: Found) -> str:
    items = "".join(f"<li>{escape(warning)}</li>" for warning in found["warnings"])
    return f'<ul class="warnings">{items}</ul>' if items else ""


def _missing(found: Found) -> str:
    """Why a model without thresholds has no F1 and MCC."""
    model = found["model"]
    if not model or model["thresholds"] is not None:
        return ""
    told = f"F1, MCC and operating point of {model['name']} are {model['thresholds_from']}."
    return f"<p>{escape(told)}</p>"


def _planes(found: Found) -> str:
    colours = shades(found)
    told = (
        "Each mark is a reader: how many of the studies with the finding were called (up), and how "
        "many without it (right). The thin cross is its 95 % interval in both directions."
    )
    if found["model"]:
        told += " A point below the curve could be bettered by the model at some threshold."
    charts = "".join(f"<div>{roc_chart(found, label, colours)}</div>" for label in found["labels"])
    planes = f'<div class="planes">{charts}</div>'
    return section("ROC plane", f"<p>{escape(told)}</p>{key(found, colours)}{planes}")


def _metric_section(found: Found, name: str) -> str:
    """One metric of readers and model, and the model's difference to each."""
    makers = [(who, m) for who, m in decision_makers(found) if name in m]
    body = _rows(found, lambda label: [interval(part_of(m[name], label)) for _, m in makers])
    content = _table([who for who, _ in makers], body)
    if found["differences"]:
        told = (
            f"{found['model']['name']} minus reader, on the same resamples. Coloured where it "
            f"holds after correction. {CORRECTED}"
        )
        content += f"<p>{escape(told)}</p>"
        heads = [one["reader"] for one in found["differences"]]
        body = _rows(
            found,
            lambda label: [
                _gap(part_of(one["metrics"][name], label)) for one in found["differences"]
            ],
        )
        content += _table(heads, body)
    return section(_TITLES[name], content)


def _points(found: Found) -> str:
    if not found["points"]:
        return ""
    model = found["model"]["name"]
    told = (
        f"How far the curve of {model} runs above a reader's point: its true positive rate at the "
        "reader's false positive rate, minus the reader's. Below: the shortest distance in the "
        "plane, positive for a point under the curve. Coloured where the gap holds after "
        f"correction. {CORRECTED}"
    )
    auroc = found["model"]["metrics"]["auroc"]

    def cells(label: str) -> list[str]:
        """A row: the AUROC, then the gap to every reader."""
        return [interval(part_of(auroc, label))] + [
            _gap(part_of(one["sensitivity_gap"], label), _where(one, label))
            for one in found["points"]
        ]

    heads = [f"AUROC of {model}", *(one["reader"] for one in found["points"])]
    table = _table(heads, _rows(found, cells))
    return section("Readers' points and the model's curve", f"<p>{escape(told)}</p>{table}")


def _where(point: Mapping[str, Any], label: str) -> str:
    at = {} if label == ACROSS else point["labels"][label]
    return f"{at['side']} the curve, {signed(at['distance'])}" if at.get("side") else ""


def _operating(found: Found) -> str:
    makers = [(who, m) for who, m in decision_makers(found) if "tpr" in m and who != MEAN]

    def cells(label: str) -> list[str]:
        """A row: both rates of everyone who decides."""
        return [
            "<br>".join(
                f"{rate.upper()} {interval(part_of(metrics[rate], label))}" for rate in _RATES
            )
            for _, metrics in makers
        ]

    told = (
        "TPR: the share called among the studies with the finding (sensitivity). FPR: among those "
        "without it (what specificity leaves)."
    )
    table = _table([who for who, _ in makers], _rows(found, cells))
    return section("Operating points", f"<p>{escape(told)}</p>{table}")


def _basis(found: Found) -> str:
    notes = "".join(f"<li>{escape(note)}</li>" for note in found["notes"])
    counts = {
        label: f"{count['positives']:,} with the finding among {count['studies']:,} studies"
        for label, count in found["counts"].items()
    }
    facts: dict[str, Any] = {
        "truth": counted(found),
        "labels": counts,
        "intervals": f"{100 * found['settings']['level']:g} %, "
        f"{resampled(found)}, seed {found['settings']['seed']}",
    }
    if found["model"]:
        facts["thresholds"] = found["model"]["thresholds_from"]
        if found["model"]["thresholds"]:
            cuts = found["model"]["thresholds"].items()
            facts["present from"] = {label: f"{value:.6g}" for label, value in cuts}
    facts |= {"radpair": found["radpair"], "sha256": found["files"]}
    listed = f"<ul>{notes}</ul>" if notes else ""
    return f"<p>{escape(found['averaging'])}</p>{listed}{facts_table(facts)}"


def _gap(part: Mapping[str, Any], more: str = "") -> str:
    """A signed value, coloured where it holds after correction, and its p-values."""
    if part["value"] is None:
        return NONE
    kind, (alone, corrected) = "same", ps(part)
    if part["holm"] is not None and part["holm"] <= 1 - LEVEL:
        kind = "up" if part["value"] > 0 else "down"
    told = f"p {alone} · Holm {corrected}" + (f" · {more}" if more else "")
    return (
        f'<b class="{kind}">{signed(part["value"])}</b> '
        f"<span>[{signed(part['low'])}, {signed(part['high'])}]</span>"
        f"<small>{escape(told)}</small>"
    )


def _rows(found: Found, cells: Any) -> str:
    """The mean over labels, then each label with its number of positives."""
    body = ""
    for label in (ACROSS, *found["labels"]):
        kind = ' class="mean"' if label == ACROSS else ""
        inside = "".join(f"<td>{one}</td>" for one in cells(label))
        name = escape(with_count(found, label))
        body += f'<tr{kind}><th scope="row">{name}</th>{inside}</tr>'
    return body


def _table(heads: Sequence[str], body: str) -> str:
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    return (
        '<div class="scroll"><table class="padded"><thead><tr><th scope="col">label</th>'
        f"{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )
