"""Agreement and corpus summaries as plain text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from radpair.graphs.agreement import Agreement, Often, Score
from radpair.graphs.summary import CorpusSummary, Frequent

_NAMED = 5
"""Ids that are named of those that only one source has."""
NONE = "\u2013"
_MOST = 12
"""Components of a graph that have a line of their own."""
_LONGEST = 44
"""Characters of a cell."""


def agreement_text(agreement: Agreement, reference: str, found: str, top: int = 20) -> str:
    """Scores and the ``top`` disagreements; ``reference`` and ``found`` name the two sources."""
    parts = [
        f"{_reports(agreement.reports)} in both; {found} measured against {reference}",
        _scores(agreement),
    ]
    told = [
        ("entities that differ", agreement.entity_disagreements),
        ("relations that differ", agreement.relation_disagreements),
    ]
    parts += [_disagreements(title, often, top) for title, often in told if often and top]
    notes = [
        (f"only in {reference}", agreement.only_reference),
        (f"only in {found}", agreement.only_found),
        ("left out for another text", agreement.other_text),
    ]
    parts += [f"{_reports(len(ids))} {what}: {_some(ids)}" for what, ids in notes if ids]
    return "\n\n".join(parts)


def _scores(agreement: Agreement) -> str:
    rows: list[Sequence[str]] = [
        ("agreement", "reference", "found", "agree", "precision", "recall", "F1")
    ]
    rows.append(_score("entities (span, label)", agreement.entities))
    rows += [_score(f"  {short(label)}", score) for label, score in agreement.by_label.items()]
    rows.append(_score("spans alone", agreement.spans))
    rows.append(_score("relations (spans, type)", agreement.relations))
    rows += [_score(f"  {kind}", score) for kind, score in agreement.by_type.items()]
    rows.append(_score("relations, labels too", agreement.strict_relations))
    return aligned(rows, "<>>>>>>")


def _score(name: str, score: Score) -> Sequence[str]:
    counts = (f"{count:,}" for count in (score.reference, score.found, score.matched))
    return (name, *counts, *map(_ratio, (score.precision, score.recall, score.f1)))


def _ratio(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def _disagreements(title: str, often: Sequence[Often], top: int) -> str:
    rows: list[Sequence[str]] = [("count", title, "reference", "found", "in report")]
    for item in often[:top]:
        kind, words, label, other, other_label = item.disagreement
        cells = (_worded(words, label), _worded(other, other_label))
        rows.append((f"{item.count:,}", kind, *cells, item.example))
    text = aligned(rows, "><<<<")
    left = len(often) - top
    return f"{text}\n… and {left:,} more" if left > 0 else text


def _worded(words: str, label: str) -> str:
    return f"{words} ({short(label)})" if label else NONE


def summary_text(summary: CorpusSummary, name: str, top: int = 20) -> str:
    """Counts, medians and the ``top`` words of each kind; ``name`` is the corpus."""
    without = summary.reports - summary.with_entities
    counts: list[Sequence[str]] = [("entities", "count")]
    counts += [(short(label), f"{n:,}") for label, n in summary.entities.items() if n]
    counts.append(("all", f"{sum(summary.entities.values()):,}"))
    links: list[Sequence[str]] = [("relations", "count")]
    links += [(kind, f"{n:,}") for kind, n in summary.relations.items() if n]
    links.append(("all", f"{sum(summary.relations.values()):,}"))
    medians: list[Sequence[str]] = [("a report with entities", "median")]
    medians += [(what, f"{value:g}") for what, value in summary.medians.items()]
    sizes: list[Sequence[str]] = [("components of a graph", "reports")]
    sizes += [(f"{size}", f"{n:,}") for size, n in summary.components.items() if size <= _MOST]
    more = sum(n for size, n in summary.components.items() if size > _MOST)
    sizes += [("more", f"{more:,}")] if more else []
    parts = [
        f"{name}: {_reports(summary.reports)}, {summary.with_entities:,} with entities, "
        f"{without:,} without",
        *(aligned(rows, "<>") for rows in (counts, links)),
    ]
    if summary.with_entities:
        parts += [aligned(medians, "<>"), aligned(sizes, "<>")]
        parts.append(_beside(summary.observations, top))
        parts.append(_beside({"anatomy": summary.anatomy, "located": summary.pairs}, top))
    return "\n\n".join(parts)


def _beside(lists: Mapping[str, Frequent], top: int) -> str:
    """Lists of words with their counts, side by side."""
    heads = [cell for name in lists for cell in (name, "count")]
    columns = [words[:top] for words in lists.values()]
    rows: list[Sequence[str]] = [heads]
    for entries in zip_longest(*columns):
        rows.append([c for e in entries for c in ((e[0], f"{e[1]:,}") if e else ("", ""))])
    return aligned(rows, "<>" * len(lists))


def short(label: str) -> str:
    """A label in a few letters: ``observation present`` for ``Observation::definitely present``."""
    return label.replace("definitely ", "").replace("::", " ").lower()


def counted(count: int, one: str, many: str = "") -> str:
    """A number with its noun: ``1 entity``, ``2,000 graphs``; ``many`` is ``one`` with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def entities_and_relations(entities: int, relations: int) -> str:
    """Both numbers with their nouns: ``1 entity and 2 relations``."""
    return f"{counted(entities, 'entity', 'entities')} and {counted(relations, 'relation')}"


def _reports(count: int) -> str:
    return counted(count, "report")


def _some(ids: Sequence[str]) -> str:
    more = f", … {len(ids) - _NAMED:,} more" if len(ids) > _NAMED else ""
    return ", ".join(ids[:_NAMED]) + more


def aligned(rows: Sequence[Sequence[str]], sides: str) -> str:
    """Rows under a ruled header; ``sides`` has ``<`` or ``>`` for every column."""
    cut = [[_cut(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cut) for column in range(len(sides))]
    lines = [
        "  ".join(f"{c:{s}{w}}" for c, s, w in zip(row, sides, widths, strict=True)).rstrip()
        for row in cut
    ]
    return "\n".join([lines[0], "─" * max(len(line) for line in lines), *lines[1:]])


def _cut(cell: str) -> str:
    clean = "".join(letter if letter.isprintable() else " " for letter in cell)
    return clean if len(clean) <= _LONGEST else clean[: _LONGEST - 1] + "…"
