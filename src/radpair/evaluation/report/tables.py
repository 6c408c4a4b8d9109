"""The page's tables as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from radpair.evaluation.metrics import TITLES
from radpair.evaluation.report.marks import NONE, number, percent, signed


def headline_table(linear: Mapping[str, Any], colours: Mapping[str, str]) -> str:
    """Encoders down, label fractions across: AUROC, interval, difference to the reference."""
    fractions = sorted({row["fraction"] for row in linear["rows"]})
    heads = "".join(
        f'<th scope="col">{percent(fraction)}<small>{_studies(linear, fraction)}</small></th>'
        for fraction in fractions
    )
    body = "".join(
        f'<tr><th scope="row"><i style="background:{colour}"></i>{escape(name)}</th>'
        + "".join(_headline_cell(linear, name, fraction) for fraction in fractions)
        + "</tr>"
        for name, colour in colours.items()
        if any(row["model"] == name for row in linear["rows"])
    )
    return _table(f'<tr><th scope="col">encoder</th>{heads}</tr>', body, "headline")


def metrics_table(linear: Mapping[str, Any]) -> str:
    """Every metric's mean over labels, by encoder and fraction."""
    names = list(linear["rows"][0]["metrics"])
    head = "".join(f'<th scope="col">{TITLES.get(name, name)}</th>' for name in names)
    body = "".join(
        f'<tr><th scope="row">{escape(row["model"])}</th><td>{percent(row["fraction"])}</td>'
        + "".join(f"<td>{interval(row['metrics'][name]['macro'])}</td>" for name in names)
        + "</tr>"
        for row in linear["rows"]
    )
    return _table(f'<tr><th scope="col">encoder</th><th>labels</th>{head}</tr>', body)


def zero_shot_table(found: Sequence[Mapping[str, Any]]) -> str:
    """Labels down, one column per model and kind of prompt."""
    heads = "".join(
        f'<th scope="col">{escape(entry["model"])}'
        f"<small>{escape(entry['kind'])} prompts</small></th>"
        for entry in found
    )
    labels = list(dict.fromkeys(name for e in found for name in e["metrics"]["auroc"]["labels"]))
    macro = "".join(f"<td>{interval(e['metrics']['auroc']['macro'])}</td>" for e in found)
    body = f'<tr class="mean"><th scope="row">mean over labels</th>{macro}</tr>'
    for name in labels:
        cells = (entry["metrics"]["auroc"]["labels"].get(name) for entry in found)
        body += f'<tr><th scope="row">{escape(name)}</th>' + "".join(map(_shaded, cells)) + "</tr>"
    return _table(f'<tr><th scope="col">AUROC</th>{heads}</tr>', body, "padded")


def retrieval_table(found: Sequence[Mapping[str, Any]]) -> str:
    """Models and directions down; recall at k, chance, and median rank across."""
    ks = list(next(iter(found[0]["directions"].values()))["recall"])
    head = "".join(f'<th scope="col">R@{escape(k)}</th>' for k in ks)
    body = ""
    for entry in found:
        for name, direction in entry["directions"].items():
            cells = "".join(
                f"<td>{interval(direction['recall'][k], 100, 1)}"
                f"<small>chance {100 * direction['recall'][k]['chance']:.1f}</small></td>"
                for k in ks
            )
            body += (
                f'<tr><th scope="row">{escape(entry["model"])}'
                f"<small>{escape(name.replace('_to_', ' → '))}</small></th>{cells}"
                f"<td>{interval(direction['median_rank'], 1, 0)}"
                f"<small>of {entry['studies']:,}</small></td></tr>"
            )
    return _table(
        f'<tr><th scope="col">model</th>{head}<th scope="col">median rank</th></tr>', body
    )


def facts_table(facts: Mapping[str, Any]) -> str:
    """Names and plain values, nested mappings and lists spelled out."""
    rows = "".join(
        f'<tr><th scope="row">{escape(str(key))}</th><td>{_fact(value)}</td></tr>'
        for key, value in facts.items()
    )
    return f'<div class="scroll"><table class="facts">{rows}</table></div>'


def interval(found: Mapping[str, Any] | None, factor: float = 1, digits: int = 3) -> str:
    """The value, and its interval small behind it."""
    if found is None or found["value"] is None:
        return NONE
    value, low, high = (number(factor * found[key], digits) for key in ("value", "low", "high"))
    return f"<b>{value}</b> <span>[{low}, {high}]</span>"


def over_draws(metric: Mapping[str, Any]) -> Mapping[str, Any]:
    """The mean over labels with its interval over patients and draws of labels together; over
    patients alone where labels were drawn once."""
    found: Mapping[str, Any] = (metric.get("total") or metric)["macro"]
    return found


def _headline_cell(linear: Mapping[str, Any], name: str, fraction: float) -> str:
    row = next(
        (r for r in linear["rows"] if r["model"] == name and r["fraction"] == fraction), None
    )
    if row is None:
        return f"<td>{NONE}</td>"
    macro = row["metrics"]["auroc"]["macro"]
    if macro["value"] is None:
        return f"<td>{NONE}</td>"
    gap = over_draws(row["differences"]["auroc"]) if row["differences"] else None
    return (
        f'<td><b class="big">{number(macro["value"])}</b>'
        f"<span>[{number(macro['low'])}, {number(macro['high'])}]</span>{_gap(gap)}</td>"
    )


def _gap(gap: Mapping[str, Any] | None) -> str:
    if gap is None or gap["value"] is None:
        return ""
    kind = "up" if gap["low"] > 0 else "down" if gap["high"] < 0 else "same"
    bounds = f"[{signed(gap['low'])}, {signed(gap['high'])}]"
    return f'<small class="{kind}">{signed(gap["value"])} <span>{bounds}</span></small>'


def _studies(linear: Mapping[str, Any], fraction: float) -> str:
    row = next(row for row in linear["rows"] if row["fraction"] == fraction)
    draws = "1 draw" if row["draws"] == 1 else f"{row['draws']} draws"
    return f"{row['studies']:,} studies, {draws}"


def _shaded(found: Mapping[str, Any] | None) -> str:
    """A cell whose background deepens with the distance of AUROC from a coin's 0.5."""
    if found is None or found["value"] is None:
        return f"<td>{NONE}</td>"
    strength = min(1.0, abs(found["value"] - 0.5) * 2)
    tint = "46, 154, 107" if found["value"] >= 0.5 else "217, 113, 28"
    return f'<td style="background:rgba({tint}, {0.35 * strength:.2f})">{interval(found)}</td>'


def _fact(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = "".join(f"<li>{escape(str(k))}: {_fact(v)}</li>" for k, v in value.items())
        return f"<ul>{inner}</ul>"
    if isinstance(value, (list, tuple)) and all(isinstance(v, (int, float)) for v in value):
        return f"<code>{', '.join(f'{item:g}' for item in value)}</code>"
    if isinstance(value, (list, tuple)):
        return f"<ul>{''.join(f'<li>{_fact(item)}</li>' for item in value)}</ul>"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"<code>{escape(str(value))}</code>"


def plain_table(rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """A head and its rows of plain text, the first cell of each being its name."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in rows[0])
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows[1:]
    )
    return _table(f"<tr>{head}</tr>", body, kind)


def _table(head: str, body: str, kind: str = "") -> str:
    return (
        f'<div class="scroll"><table class="{kind}"><thead>{head}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
