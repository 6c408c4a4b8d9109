"""Phrases that carry their own graph: a small markup, and the scribe who writes it out.

A template is text with four marks::

    [small|o>e]      an entity: words, then class letter, name, links
    <seen/noted>     one of several wordings, which may hold further marks; may be empty
    {side}           a slot: another template, or a clause with names of its own
    {a}              the article, written ``a`` or ``an`` after the next word is known

Class letters: ``a`` anatomy; ``o`` observation with the status of its clause; ``k`` the same, and
it states the clause's label; ``p`` ``u`` ``n`` observation that is present, uncertain or absent
whatever the clause says; ``d`` a distance from an anatomy; ``z`` a present observation (``normal``)
that states the label as absent.
Links: ``>x`` modifies x, or is located at x where x is anatomy; ``^x`` the same if x was written;
``~x`` is suggestive of x; ``=x`` x is suggestive of this; ``@x`` x is located at this.

Text and graph are written together, so the graph is exact by construction (schema: RadGraph,
Jain et al. 2021).
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from radpair.graphs.schema import (
    ABSENT,
    ANATOMY,
    LOCATED_AT,
    MEASURED_ANATOMY,
    MODIFY,
    PRESENT,
    SUGGESTIVE_OF,
    UNCERTAIN,
)
from radpair.records import Entity, Graph, Relation

TOKEN = re.compile(r"\d+\.\d+|\w+|[^\w\s]")
"""One token of a graph's text: punctuation and hyphens stand alone, a decimal stays whole."""

LABEL_OF_STATUS = MappingProxyType({1: PRESENT, 0: ABSENT, -1: UNCERTAIN})
_ANATOMY = {"a": ANATOMY, "d": MEASURED_ANATOMY}
_FORCED = {"p": 1, "n": 0, "u": -1, "z": 1}
_PARTS = re.compile(r"[\[\]|<>/]|\{\w+\}|[^\[\]|<>/{}]+")
_SPEC = re.compile(r"([adokpunz])([a-z]?)((?:[>^~=@][a-z])*)")
_ARTICLE = "{a}"
_VOWEL = re.compile(r"[aeiouAEIOU]|8|1[18](\D|$)|[RL][UML]L")
"""What is spoken with a vowel first: an effusion, an 8 mm nodule, an RLL opacity."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A place that the clause fills."""

    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Wordings of which one is written."""

    ways: tuple[Template, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Words that are an entity."""

    inner: Template
    kind: str
    name: str
    links: tuple[tuple[str, str], ...]


Template = tuple[str | Slot | Choice | Mark, ...]


@cache
def template(text: str) -> Template:
    """The parsed form of a template. Raises ``ValueError`` for a mark that is not closed."""
    parts = _PARTS.findall(text)
    nodes, stop = _nodes(parts, 0, "")
    if stop != len(parts):
        raise ValueError(f"stray '{parts[stop]}' in template: {text}")
    return nodes


def _nodes(parts: list[str], at: int, closers: str) -> tuple[Template, int]:
    nodes: list[str | Slot | Choice | Mark] = []
    while at < len(parts) and not (parts[at] in closers and closers):
        part = parts[at]
        if part == "[":
            mark, at = _mark(parts, at + 1)
            nodes.append(mark)
        elif part == "<":
            choice, at = _choice(parts, at + 1)
            nodes.append(choice)
        elif part[0] == "{":
            nodes.append(Slot(part[1:-1]))
            at += 1
        elif part in "]|>/":
            break
        else:
            nodes.extend(TOKEN.findall(part))
            at += 1
    return tuple(nodes), at


def _choice(parts: list[str], at: int) -> tuple[Choice, int]:
    ways = []
    while True:
        nodes, at = _nodes(parts, at, "/>")
        ways.append(nodes)
        if parts[at] == ">":
            return Choice(tuple(ways)), at + 1
        at += 1


def _mark(parts: list[str], at: int) -> tuple[Mark, int]:
    inner, at = _nodes(parts, at, "|")
    end = parts.index("]", at)
    spec = "".join(parts[at + 1 : end])
    match = _SPEC.fullmatch(spec)
    if match is None:
        raise ValueError(f"unknown entity mark '{spec}'")
    kind, name, links = match.groups()
    pairs = tuple((links[i], links[i + 1]) for i in range(0, len(links), 2))
    return Mark(inner, kind, name, pairs), end + 1


@dataclass(frozen=True, slots=True)
class Clause:
    """A template with what fills its slots, and the status and label of what it says."""

    text: str
    slots: Mapping[str, str | Clause] = field(default_factory=dict)
    status: int = 1
    label: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """What one entity says of one truth label."""

    label: str
    status: int
    """1 present, 0 absent, -1 uncertain."""
    entity: int
    """Index into the graph's entities."""


_DEVICES = frozenset({"tube", "catheter", "line", "device", "pacemaker"})
"""Nouns that the words before them qualify."""
_ABBREVIATED = frozenset({"ET"})
"""``ET tube`` is one span, as in RadGraph-XL."""


class Scribe:
    """Writes clauses one after another and keeps tokens, entities and relations in step."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.tokens: list[str] = []
        self.statements: list[Statement] = []
        self._spans: list[tuple[int, int, str]] = []
        self._relations: list[Relation] = []

    def sentence(self, clause: Clause) -> None:
        """Writes the clause with a capital letter and a full stop."""
        first = len(self.tokens)
        self._clause(clause)
        word = self.tokens[first]
        self.tokens[first] = word[0].upper() + word[1:]
        self.tokens.append(".")

    def graph(self, capitals: bool = False) -> Graph:
        """The graph of everything written; ``capitals`` for a report typed in upper case."""
        tokens = [token.upper() for token in self.tokens] if capitals else self.tokens
        entities = tuple(
            Entity(" ".join(tokens[start : end + 1]), label, start, end)
            for start, end, label in self._spans
        )
        return Graph(" ".join(tokens), entities, tuple(self._relations))

    def _clause(self, clause: Clause) -> None:
        names: dict[str, int] = {}
        links: list[tuple[int, str, str]] = []
        self._write(template(clause.text), clause, names, links)
        for source, how, name in links:
            if how == "^" and name not in names:
                continue
            self._relations.append(self._relation(source, how, names[name]))

    def _write(
        self,
        nodes: Template,
        clause: Clause,
        names: dict[str, int],
        links: list[tuple[int, str, str]],
    ) -> None:
        for node in nodes:
            if isinstance(node, str):
                self._word(node)
            elif isinstance(node, Slot):
                filling = clause.slots[node.name]
                if isinstance(filling, Clause):
                    self._clause(filling)
                elif filling == _ARTICLE:
                    self.tokens.append(_ARTICLE)
                else:
                    self._write(template(filling), clause, names, links)
            elif isinstance(node, Choice):
                way = node.ways[int(self.rng.random() * len(node.ways))]
                self._write(way, clause, names, links)
            else:
                self._entity(node, clause, names, links)

    def _entity(
        self,
        mark: Mark,
        clause: Clause,
        names: dict[str, int],
        links: list[tuple[int, str, str]],
    ) -> None:
        start = len(self.tokens)
        self._write(mark.inner, clause, names, links)
        if len(self.tokens) == start:
            return
        status = _FORCED.get(mark.kind, clause.status)
        label = _ANATOMY.get(mark.kind) or LABEL_OF_STATUS[status]
        if mark.kind == "k":
            start = self._qualify_device(start, label)
        entity = len(self._spans)
        self._spans.append((start, len(self.tokens) - 1, label))
        if mark.name:
            names[mark.name] = entity
        links.extend((entity, how, name) for how, name in mark.links)
        if mark.kind in "kz":
            said = 0 if mark.kind == "z" else status
            self.statements.append(Statement(clause.label, said, entity))

    def _qualify_device(self, start: int, label: str) -> int:
        """Minimal spans: ``endotracheal`` modifies ``tube``. Returns where the device begins."""
        head = len(self.tokens) - 1
        if self.tokens[head] not in _DEVICES or self.tokens[start] in _ABBREVIATED:
            return start
        device = len(self._spans) + head - start
        for token in range(start, head):
            self._relations.append(Relation(len(self._spans), MODIFY, device))
            self._spans.append((token, token, label))
        return head

    def _relation(self, source: int, how: str, target: int) -> Relation:
        if how == "~":
            return Relation(source, SUGGESTIVE_OF, target)
        if how == "=":
            return Relation(target, SUGGESTIVE_OF, source)
        if how == "@":
            return Relation(target, LOCATED_AT, source)
        labels = _ANATOMY.values()
        to_anatomy = self._spans[target][2] in labels and self._spans[source][2] not in labels
        return Relation(source, LOCATED_AT if to_anatomy else MODIFY, target)

    def _word(self, word: str) -> None:
        if self.tokens and self.tokens[-1] == _ARTICLE:
            self.tokens[-1] = "an" if _VOWEL.match(word) else "a"
        self.tokens.append(word)


def joined(tokens: list[str]) -> str:
    """Tokens as running text, punctuation closed up."""
    text = " ".join(tokens)
    text = re.sub(r" ([.,])", r"\1", text)
    return text.replace(" - ", "-")
