"""The comparison as one HTML file that needs no network and no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from radpair.comparison.bench import Bench
from radpair.comparison.by_run import WORDS as BY_RUN
from radpair.comparison.by_run import cannot_tell, run_names, runs_table
from radpair.comparison.compare_charts import (
    CLASS_COLOURS,
    difference_chart,
    map_plane,
    roc_plane,
    shades,
)
from radpair.comparison.compare_models import Compared
from radpair.comparison.compare_text import (
    DIFFERENCES,
    LISTS,
    METRIC,
    NEEDED,
    TITLE,
    apart,
    caution,
    lists_differences,
    lists_table,
    not_applicable,
    protocol_of,
    run_name,
)
from radpair.comparison.compare_words import (
    Found,
    capital,
    chance_of,
    mean_of,
    measured_labels,
    models_of,
    signed_cell,
    summary,
    titles,
)
from radpair.comparison.compared_figures import main_metric
from radpair.comparison.decided import WORDS, decided_table, without_threshold
from radpair.comparison.lists import chance_line
from radpair.comparison.needed import told
from radpair.comparison.p_values import p_text
from radpair.comparison.pictures import Answer, Map, Query, maps, queries
from radpair.evaluation.report.charts import efficiency_chart
from radpair.evaluation.report.document import document, section
from radpair.evaluation.report.marks import NONE, legend, number, percent
from radpair.evaluation.report.tables import facts_table, interval, plain_table


def render(compared: Compared, found: Found, without_images: Sequence[str] = ()) -> str:
    """The whole page as text; the sets named in ``without_images`` show no film and no report."""
    style = files("radpair.comparison").joinpath("compare.css").read_text(encoding="utf-8")
    colours = shades([model["name"] for model in found["models"]])
    parts = [_head(found), _table(found, colours)]
    for bench, one in zip(compared.benches, found["sets"], strict=True):
        parts.append(_set(compared, found, bench, one, colours, bench.name in without_images))
    if found["lists"]:
        parts.append(_lists(found))
    parts.append(_provenance(found))
    return document(TITLE, "".join(parts), style)


def _head(found: Found) -> str:
    names = [model["name"] for model in found["models"]]
    sets = [one["name"] for one in found["sets"]]
    lead = (
        f"{' · '.join(names)}, on {' · '.join(sets)}. Said in words below is only what holds after "
        "correction for several comparisons, but for the lines marked as estimates."
    )
    boxes = "".join(_box(name, tested, lines, found) for name, tested, lines in summary(found))
    return (
        f'<header><h1>{TITLE}</h1><p class="lead">{escape(lead)}</p>'
        f'<p class="caution">{escape(caution(found))}</p></header>{boxes}'
    )


def _box(name: str, tested: str, lines: Sequence[str], found: Found) -> str:
    one = next(one for one in found["sets"] if one["name"] == name)
    badge = '<span class="badge">synthetic studies</span>' if one["synthetic"] else ""
    items = "".join(f"<li>{_told(line)}</li>" for line in lines)
    return (
        f'<div class="words"><h3><a href="#{_anchor(name)}">{escape(name)}</a> {badge}'
        f"<small>{escape(tested)}</small></h3><ul>{items}</ul></div>"
    )


def _told(line: str) -> str:
    """A sentence, the pair that it is about set apart."""
    cut = line.find(": ", line.find(" against ")) if " against " in line else -1
    if cut < 0:
        return escape(line)
    return f"<b>{escape(line[:cut])}.</b> {escape(capital(line[cut + 2 :]))}"


def _table(found: Found, colours: Mapping[str, str]) -> str:
    heads = "".join(
        f'<th scope="col"><i style="background:{colour}"></i>{escape(name)}</th>'
        for name, colour in colours.items()
    )
    body = ""
    for one in found["sets"]:
        body += f'<tr class="set"><th colspan="{1 + len(colours)}">{escape(one["name"])}</th></tr>'
        mine = [row for row in found["results"] if row["set"] == one["name"]]
        for title in titles(found, one["name"]):
            body += _table_row([row for row in mine if row["title"] == title], len(one["labels"]))
    reasons = "".join(
        f"<li>{escape(one['name'])} · {escape(line)}</li>"
        for one in found["sets"]
        for line in not_applicable(found, one["name"])
    )
    why = (
        f'<details class="quiet"><summary>What is not applicable, and why</summary>'
        f"<ul>{reasons}</ul></details>"
        if reasons
        else ""
    )
    words = METRIC.format(level=100 * found["settings"]["level"])
    return section(
        "Every protocol",
        f"<p>{escape(words)} The highest of each line is marked, whether or not it is clear.</p>"
        f'<div class="scroll"><table class="all"><thead><tr><th scope="col">protocol</th>{heads}'
        f"</tr></thead><tbody>{body}</tbody></table></div>{why}",
    )


def _table_row(rows: Sequence[Mapping[str, Any]], labels: int) -> str:
    """One protocol; ``labels`` are the set's."""
    metric = main_metric(rows[0]["task"])
    there = [row for row in rows if not row["why_not"]]
    facts = there[0]["facts"]
    parts = []
    if chance_of(there[0]):
        parts.append(chance_of(there[0]))
    elif "studies" in facts:
        parts.append(f"{facts['studies']:,} studies")
        runs = len(there[0]["metrics"][metric]["draws"])
        parts += [f"{runs} draws"] if runs > 1 else []
    if "chance" not in facts and (measured := measured_labels(there[0])) < labels:
        parts.append(f"mean over {measured} of {labels} findings")
    small = ", ".join(parts)
    best = max((row["metrics"][metric]["macro"]["value"] or -1 for row in there), default=None)
    cells = ""
    for row in rows:
        if row["why_not"]:
            cells += f'<td title="{escape(row["why_not"])}">{NONE}</td>'
            continue
        macro = row["metrics"][metric]["macro"]
        lead = len(there) > 1 and macro["value"] == best
        cells += f"<td{' class=lead-cell' if lead else ''}>{interval(macro)}</td>"
    return f'<tr><th scope="row">{escape(rows[0]["title"])}<small>{small}</small></th>{cells}</tr>'


def _set(
    compared: Compared,
    found: Found,
    bench: Bench,
    one: Mapping[str, Any],
    colours: Mapping[str, str],
    hidden: bool,
) -> str:
    name = bench.name
    rows = [row for row in found["results"] if row["set"] == name and not row["why_not"]]
    content = [
        _differences(found, name),
        _by_run(found, name),
        _decisions(found, name),
        _efficiency(found, name, rows, colours),
        _planes(rows, one, colours),
        _hidden(rows) if hidden else _grids(queries(compared, bench)),
        _maps(maps(compared, bench)),
    ]
    tested = one["test"]
    badge = '<span class="badge">synthetic studies</span>' if one["synthetic"] else ""
    head = (
        f"<p>{tested['studies']:,} studies of {tested['patients']:,} patients tested, "
        f"{one['train']['studies']:,} studies to learn from, {len(one['labels'])} findings, "
        f"{one['reports']:,} tested studies with a report.</p>"
    )
    return (
        f'<section class="set" id="{_anchor(name)}"><h2>{escape(name)} {badge}</h2>{head}'
        f"{''.join(content)}</section>"
    )


def _differences(found: Found, name: str) -> str:
    gaps = [gap for gap in found["differences"] if gap["set"] == name]
    if not gaps:
        return ""
    level = found["settings"]["level"]
    content = ""
    for first, second in dict.fromkeys(map(models_of, gaps)):
        mine = [gap for gap in gaps if models_of(gap) == (first, second)]
        names = [_short(gap) for gap in mine]
        doubt = cannot_tell(found, mine)
        content += (
            f'<h4>{escape(first)} <span class="minus">minus</span> {escape(second)}</h4>'
            f"{difference_chart(mine, names, level)}"
            f"{f'<p>{escape(doubt)}</p>' if doubt else ''}"
            f'<details class="quiet"><summary>p-values, and finding by finding</summary>'
            f"{_gap_table(mine, level)}{_label_gaps(mine)}</details>"
        )
    words = (
        "To the right of 0 the first model is ahead. Coloured where the difference of the mean "
        "holds after Holm's correction, grey where it may be chance. "
    )
    return _part("Differences, paired by patient", f"<p>{escape(words)}</p>{content}")


def _by_run(found: Found, name: str) -> str:
    table = runs_table(found, name)
    if len(table) < 2:
        return ""
    words = f"{BY_RUN} {run_names(found)}"
    return (
        '<details class="quiet" open><summary>Run by run</summary>'
        f'<p class="note">{escape(words)}</p>{plain_table(table)}</details>'
    )


def _decisions(found: Found, name: str) -> str:
    table = decided_table(found, name)
    if len(table) < 2:
        return ""
    notes = "".join(f"<li>{escape(line)}</li>" for line in without_threshold(found, name))
    return (
        '<details class="quiet"><summary>Sensitivity and specificity at the operating point'
        f'</summary><p class="note">{escape(WORDS)}</p>{plain_table(table)}<ul>{notes}</ul>'
        "</details>"
    )


def _lists(found: Found) -> str:
    """ConVIRT's lists: precisions of every model, and the differences."""
    content = f"<p>{escape(chance_line(found['lists']))}</p>{plain_table(lists_table(found))}"
    gaps = lists_differences(found)
    return section(LISTS, content + (plain_table(gaps) if len(gaps) > 1 else ""))


def _short(gap: Mapping[str, Any]) -> str:
    first, second = (str(end["title"]) for end in gap["ends"])
    if first == second:
        return first
    kinds = [t.removeprefix("zero-shot, ").split(" prompts")[0] for t in (first, second)]
    return first.replace(f"{kinds[0]} prompts", f"{kinds[0]} / {kinds[1]} prompts")


def _gap_table(gaps: Sequence[Mapping[str, Any]], level: float) -> str:
    body = "".join(
        f'<tr><th scope="row">{escape(protocol_of(gap))}</th>'
        f"<td>{signed_cell(mean_of(gap))}</td><td>{p_text(mean_of(gap)['p'])}</td>"
        f"<td>{p_text(mean_of(gap)['holm'])}</td><td>{escape(apart(gap, level))}</td></tr>"
        for gap in gaps
    )
    return (
        f'<p class="note">{escape(DIFFERENCES)}</p><div class="scroll"><table><thead><tr>'
        "<th>protocol</th><th>difference</th><th>p</th><th>p, Holm</th><th>findings apart</th>"
        f"</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _label_gaps(gaps: Sequence[Mapping[str, Any]]) -> str:
    """Label by label at the largest budget of the linear probe, DeLong's p where it holds."""
    linear = [gap for gap in gaps if gap["task"] == "linear"]
    if not linear:
        return ""
    gap = linear[-1]
    delong = gap.get("delong", {})
    rows = ""
    for label, one in gap["metrics"]["auroc"]["labels"].items():
        exact = p_text(delong[label]["p"]) if label in delong else NONE
        rows += (
            f'<tr><th scope="row">{escape(label)}</th><td>{signed_cell(one)}</td>'
            f"<td>{p_text(one['p'])}</td><td>{p_text(one['holm'])}</td><td>{exact}</td></tr>"
        )
    why = "" if delong else f'<p class="note">No DeLong test: {escape(gap["no_delong"])}.</p>'
    return (
        f'<p class="note">{escape(gap["ends"][0]["title"])}, finding by finding:</p>'
        '<div class="scroll"><table><thead><tr><th>finding</th><th>difference of AUROC</th>'
        f"<th>p</th><th>p, Holm</th><th>p, DeLong</th></tr></thead><tbody>{rows}</tbody></table>"
        f"</div>{why}"
    )


def _efficiency(
    found: Found, name: str, rows: Sequence[Mapping[str, Any]], colours: Mapping[str, str]
) -> str:
    points = [
        {
            "model": row["model"],
            "fraction": row["setting"]["fraction"],
            "studies": row["facts"]["studies"],
            "metrics": row["metrics"],
        }
        for row in rows
        if row["task"] == "linear"
    ]
    if not points:
        return ""
    needed = "".join(
        f'<tr><th scope="row">{escape(one["model"])}</th><td>{escape(one["other"])} at 100 % '
        f"<small>AUROC {number(one['target'])}</small></td><td>{escape(told(one))}</td></tr>"
        for one in found["labels_needed"]
        if one["set"] == name
    )
    table = (
        f'<p class="note">{escape(NEEDED)}</p><div class="scroll"><table class="needed"><thead>'
        "<tr><th>model</th><th>to match</th><th>needs labelled studies</th></tr></thead>"
        f"<tbody>{needed}</tbody></table></div>"
        if needed
        else ""
    )
    shown = {model: c for model, c in colours.items() if any(p["model"] == model for p in points)}
    chart = efficiency_chart(points, shown)
    return _part("Label efficiency", legend(shown) + chart + table)


def _planes(
    rows: Sequence[Mapping[str, Any]], one: Mapping[str, Any], colours: Mapping[str, str]
) -> str:
    linear = [row for row in rows if row["task"] == "linear" and "roc" in row]
    zero = [row for row in rows if row["task"] == "zero-shot"]
    content = ""
    for title, group in (("linear", linear), ("zero-shot", zero)):
        if not group:
            continue
        labels = [x for x in one["labels"] if any(x in row["roc"] for row in group)]
        charts = "".join(f"<div>{roc_plane(group, x, colours)}</div>" for x in labels)
        shown = {row["model"]: colours[row["model"]] for row in group}
        words = _plane_words(title, group)
        opened = " open" if title == "linear" else ""
        content += (
            f"<details{opened}><summary>{escape(words)}</summary>{legend(shown)}"
            f'<div class="planes">{charts}</div></details>'
        )
    return _part("ROC curves", content) if content else ""


def _plane_words(title: str, group: Sequence[Mapping[str, Any]]) -> str:
    if title == "zero-shot":
        kinds = ", ".join(f"{row['model']} by {row['setting']['kind']}" for row in group)
        return f"Zero-shot: {kinds}"
    first = group[0]
    draws = len(first["metrics"]["auroc"]["draws"])
    more = ", curve of the first draw" if draws > 1 else ""
    return f"Linear probe with {percent(first['setting']['fraction'])} of the labels{more}"


def _grids(found: Sequence[Query]) -> str:
    if not found:
        return ""
    words = (
        "A report (or its graph) is the query, and the model looks for its film among all tested "
        "ones. On the left the film that belongs to it; in each line a model's five nearest. A "
        "green frame with a tick is a hit: the query's own film, or one whose report is the same. "
        "Below a miss: how many of the query's findings its study has."
    )
    return _part("Retrieval", f"<p>{escape(words)}</p>" + "".join(map(_query, found)))


def _hidden(rows: Sequence[Mapping[str, Any]]) -> str:
    if not any(row["task"] == "retrieval" for row in rows):
        return ""
    return _part("Retrieval", "<p>Films and reports of this set are not shown on this page.</p>")


def _query(query: Query) -> str:
    rows = "".join(_answer(answer) for answer in query.answers)
    findings = f"<small>{escape(', '.join(query.findings))}</small>" if query.findings else ""
    return (
        f'<figure class="query"><div class="own"><img src="{query.film}" alt="the right film">'
        f'{findings}</div><figcaption><p class="asked">{escape(query.report)}</p>{rows}'
        "</figcaption></figure>"
    )


def _answer(answer: Answer) -> str:
    films = "".join(
        f'<span class="{"hit" if right else "miss"}"><img src="{film}" '
        f'alt="{"hit" if right else "miss"}"><b>{"✓" if right else "✗"}</b>'
        f"<small>{escape(note)}</small></span>"
        for film, right, note in zip(answer.films, answer.right, answer.notes, strict=True)
    )
    return (
        f'<div class="answer"><div class="who">{escape(answer.model)}<small>'
        f"{escape(answer.title)}<br>right one at rank {answer.rank:,}</small></div>"
        f'<div class="films">{films}</div></div>'
    )


def _maps(found: Sequence[Map]) -> str:
    if not found:
        return ""
    names = found[0].names
    key = dict(zip(names, CLASS_COLOURS, strict=False)) | {"none of these": "#cdd3da"}
    words = (
        "Tested studies by t-SNE of the frozen features: near points look alike to the model. A "
        "study with several findings has the colour of its rarest. Distances between groups and "
        "their sizes mean little."
    )
    charts = "".join(
        f"<figure>{map_plane(one)}<figcaption>{escape(one.model)}</figcaption></figure>"
        for one in found
    )
    shown = legend(key) if names else ""
    return _part(
        "Where studies lie", f'<p>{escape(words)}</p>{shown}<div class="maps">{charts}</div>'
    )


def _provenance(found: Found) -> str:
    settings = found["settings"]
    facts: dict[str, Any] = {
        "models": {
            run_name(model, run): {
                "hash": run["hash"],
                **({"trained on": run["origin"].get("data", {})} if run["origin"] else {}),
                **{k: v for k, v in run["origin"].items() if k in ("recipe", "steps", "seed")},
            }
            for model in found["models"]
            for run in model["runs"]
        },
        "study sets": {
            one["name"]: {
                "hash": one["hash"],
                **({"graphs": one["graphs_hash"]} if one["graphs_hash"] else {}),
            }
            for one in found["sets"]
        },
        "prompts": {
            "version": found["prompts"]["version"],
            "hash": found["prompts"]["hash"],
            "labels": ", ".join(found["prompts"]["labels"]),
        },
        "settings": {key: value for key, value in settings.items() if value is not None},
        "radpair": found["radpair"],
    }
    return section("What it rests on", facts_table(facts))


def _anchor(name: str) -> str:
    return "set-" + "".join(c if c.isalnum() else "-" for c in name)


def _part(title: str, content: str) -> str:
    return f'<div class="part"><h3>{escape(title)}</h3>{content}</div>'
