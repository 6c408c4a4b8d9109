"""Report text to a RadGraph-schema graph by rules: no model, no download, linear in length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

from radpair.errors import GraphError
from radpair.graphs.match import MEASURE, Item, match
from radpair.graphs.phrases import Link
from radpair.graphs.relations import relate
from radpair.graphs.scopes import assign
from radpair.graphs.terms import MODIFIER, SIDE, Lexicon, shipped_lexicon
from radpair.processes import in_order
from radpair.records import Entity, Graph, Relation
from radpair.reports import tokens
from radpair.reports.sections import joined_body
from radpair.reports.sentences import split
from radpair.reports.tokens import clean

_CHUNK = 256
_CHUNK_CHARACTERS = 1 << 20
_REMEMBERED = 16384
_LONG = 2000
"""Characters; a longer sentence is not remembered."""

_FOREIGN = frozenset(
    {"pas", "sans", "aucun", "aucune", "sin", "ningún", "ninguna", "kein", "keine", "keinen"}
    | {"ohne", "nicht", "senza", "nessun", "nessuna", "sem", "não", "nao", "geen", "zonder"}
    | {"ingen", "utan", "uten", "bez", "brak"}
)
_ENGLISH = frozenset({"the", "is", "are", "no", "of", "with", "and", "in", "there", "without"})
_EMPTY = frozenset({"finding", "elevated", "high", "low"})
"""Observations that mean nothing by themselves."""

SentenceGraph = tuple[tuple[str, ...], tuple[Entity, ...], tuple[Relation, ...]]


def extract(report: str, lexicon: Lexicon | None = None) -> Graph:
    """The graph of a report's findings and impression (the whole text where it has neither).

    ``Graph.text`` is the tokens joined by single spaces. A sentence's entities and relations
    depend on that sentence alone, so relations never cross sentences. Entities and labels follow
    RadGraph (Jain et al., 2021); a size such as ``4.5 cm`` has RadGraph-XL's measurement label.
    A report without a word gives a graph without entities; ``radpair.reports.is_empty`` says why.
    Raises ``GraphError`` for what is no text.
    """
    _check_text(report)
    lexicon = lexicon or shipped_lexicon()
    words: list[str] = []
    entities: list[Entity] = []
    relations: list[Relation] = []
    for sentence in split(joined_body(clean(report))):
        read = _remembered if len(sentence) < _LONG else _read
        spoken, found, related = read(sentence, lexicon)
        first, at = len(entities), len(words)
        words.extend(spoken)
        entities.extend(Entity(e.text, e.label, e.start + at, e.end + at) for e in found)
        relations.extend(Relation(r.source + first, r.type, r.target + first) for r in related)
    return Graph(" ".join(words), tuple(entities), tuple(relations))


def extract_many(
    reports: Iterable[str], processes: int = 1, lexicon: Lexicon | None = None
) -> Iterator[Graph]:
    """The graphs of many reports, in their order; the same for any number of processes.

    Reports are taken as they are needed. Raises ``GraphError`` for what is no text, and
    ``WorkerError`` where a process is lost.
    """
    reports = _texts(reports)
    if processes <= 1:
        for report in reports:
            yield extract(report, lexicon)
        return
    for graphs in in_order(_extract_chunk, _chunks(reports), processes, _start, (lexicon,)):
        yield from graphs


def _texts(reports: Iterable[str]) -> Iterator[str]:
    """The reports, each of which must be text."""
    if isinstance(reports, (str, bytes)):
        raise GraphError("One text where many are taken; give a list of reports, or call extract.")
    for number, report in enumerate(reports):
        _check_text(report, f"reports[{number}]")
        yield report


def _check_text(report: object, name: str = "A report") -> None:
    if not isinstance(report, str):
        kind = type(report).__name__
        raise GraphError(f"{name} must be text, not {kind}; give '' where there is none.")


def _chunks(reports: Iterable[str]) -> Iterator[list[str]]:
    """Reports for one worker at a time, few enough to hold."""
    chunk: list[str] = []
    size = 0
    for report in reports:
        chunk.append(report)
        size += len(report)
        if len(chunk) >= _CHUNK or size >= _CHUNK_CHARACTERS:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


_workers_lexicon: Lexicon | None = None
"""In a worker process, the lexicon that it was started with."""


def _start(lexicon: Lexicon | None) -> None:
    global _workers_lexicon
    _workers_lexicon = lexicon


def _extract_chunk(reports: list[str]) -> list[Graph]:
    return [extract(report, _workers_lexicon) for report in reports]


def _read(sentence: str, lexicon: Lexicon) -> SentenceGraph:
    spoken = tokens(sentence)
    words = [word.lower().replace("\u2019", "'") for word in spoken]
    items = [] if _is_foreign(words) else match(words, lexicon)
    assign(items)
    links = relate(items)
    _drop_lone_modifiers(items, links)
    entities: list[Entity] = []
    for item in items:
        if item.status:
            item.entity = len(entities)
            text = " ".join(spoken[item.start : item.end + 1])
            entities.append(Entity(text, item.status, item.start, item.end))
    related = sorted((source.entity, type_, target.entity) for source, type_, target in links)
    return tuple(spoken), tuple(entities), tuple(Relation(*link) for link in related)


def _is_foreign(words: list[str]) -> bool:
    """Whether a sentence negates in another language, where its terms would read as present."""
    return not _FOREIGN.isdisjoint(words) and _ENGLISH.isdisjoint(words)


def _drop_lone_modifiers(items: list[Item], links: list[Link]) -> None:
    """A word such as ``mild`` or ``left`` that qualifies nothing in its sentence is no entity."""
    linked = {id(item) for source, _, target in links for item in (source, target)}
    for item in items:
        lone = item.role in {MODIFIER, MEASURE, SIDE} or item.concept in _EMPTY
        if lone and id(item) not in linked:
            item.status = ""


_remembered = lru_cache(maxsize=_REMEMBERED)(_read)
