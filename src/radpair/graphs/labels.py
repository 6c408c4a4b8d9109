"""Findings labels from a graph, for CheXpert's 14, NIH's 14 and the phantom's findings."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from radpair.errors import GraphError, nearest
from radpair.graphs import schema
from radpair.graphs.terms import Lexicon, shipped_lexicon
from radpair.records import ABSENT, PRESENT, UNCERTAIN, Graph

NO_FINDING = "No Finding"

_STATUS = {
    schema.PRESENT: PRESENT,
    schema.MEASURED_OBSERVATION: PRESENT,
    schema.ABSENT: ABSENT,
    schema.UNCERTAIN: UNCERTAIN,
    schema.ABSENT_MEASURE: ABSENT,
    schema.UNCERTAIN_MEASURE: UNCERTAIN,
}
_WORDS = {"present": PRESENT, "absent": ABSENT, "uncertain": UNCERTAIN}


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which a graph states a finding; every condition must hold."""

    observation: frozenset[str]
    at: frozenset[str] = frozenset()
    not_at: frozenset[str] = frozenset()
    qualified: frozenset[str] = frozenset()
    not_qualified: frozenset[str] = frozenset()
    means: str = "present"
    """What a present observation says of the finding."""
    status: str = ""
    """The only status in which the observation counts; empty for any."""


def finding_names(scheme: str) -> tuple[str, ...]:
    """The findings of a scheme, in its published order. Raises ``GraphError``."""
    return tuple(_scheme(scheme))


def finding_labels(graph: Graph, scheme: str, lexicon: Lexicon | None = None) -> dict[str, float]:
    """The status of every finding of ``scheme`` that the graph speaks of.

    1 present, 0 absent, -1 uncertain; a finding that is not mentioned is missing. Present wins
    over uncertain, and uncertain over absent. CheXpert's ``No Finding`` is 1 where no observation
    but devices is present or uncertain, one of the other 13 or not, and never 0. Works on graphs
    from any source, since an entity's words are looked up in the lexicon (give the one that the
    graph was read with where it holds terms of your own). Raises ``GraphError`` for an unknown
    scheme.
    """
    names = _scheme(scheme)
    rules = _data()[0]
    facts = _facts(graph, lexicon or shipped_lexicon())
    found: dict[str, float] = {}
    for name, definition in names.items():
        stated = [s for rule in rules.get(definition, ()) for s in _apply(rule, facts)]
        for status in (PRESENT, UNCERTAIN, ABSENT):
            if status in stated:
                found[name] = status
                break
    if NO_FINDING in names:
        _add_no_finding(found, facts, lexicon or shipped_lexicon())
    return found


_SAYS_LITTLE = frozenset({"change", "finding", "improvement", "aeration", "pattern", "marking"})
"""No findings by themselves; absent, they do not make a study one without findings."""
_ABNORMAL = frozenset({"enlarged", "dilated", "widened", "hyperinflated", "elevated", "flattened"})
"""States that are findings."""


def _add_no_finding(found: dict[str, float], facts: list[_Fact], lexicon: Lexicon) -> None:
    """CheXpert's convention: 1, or not given where anything else is present or uncertain."""
    if any(s != ABSENT for name, s in found.items() if name != "Support Devices"):
        return
    findings = lexicon.findings - _SAYS_LITTLE | _ABNORMAL
    if any(fact.status != ABSENT and fact.concepts & findings for fact in facts):
        return
    if any(fact.concepts and not fact.concepts <= _SAYS_LITTLE for fact in facts):
        found[NO_FINDING] = PRESENT


@dataclass(frozen=True, slots=True)
class _Fact:
    """An observation, where it is, and what qualifies it, as concepts."""

    concepts: frozenset[str]
    status: float
    places: frozenset[str]
    qualifiers: frozenset[str]


def _facts(graph: Graph, lexicon: Lexicon) -> list[_Fact]:
    concepts = [_concepts(entity.text, lexicon) for entity in graph.entities]
    modifiers: dict[int, set[str]] = {}
    places: dict[int, set[int]] = {}
    for link in graph.relations:
        if link.type == schema.MODIFY:
            modifiers.setdefault(link.target, set()).update(concepts[link.source])
        elif link.type == schema.LOCATED_AT:
            places.setdefault(link.source, set()).add(link.target)
    facts = []
    for index, entity in enumerate(graph.entities):
        status = _STATUS.get(entity.label)
        if status is not None:
            near = {concept for at in places.get(index, ()) for concept in concepts[at]}
            near |= {c for at in places.get(index, ()) for c in modifiers.get(at, ())}
            qualifiers = frozenset(modifiers.get(index, ()))
            facts.append(_Fact(concepts[index], status, frozenset(near), qualifiers))
    return facts


def _apply(rule: Rule, facts: list[_Fact]) -> list[float]:
    return [
        status
        for fact in facts
        if fact.concepts & rule.observation and (status := _status(rule, fact)) is not None
    ]


def _status(rule: Rule, fact: _Fact) -> float | None:
    """What the fact says of the rule's finding, or None."""
    if rule.at and not fact.places & rule.at:
        return None
    if rule.qualified and not (fact.qualifiers | fact.places) & rule.qualified:
        return None
    if fact.places & rule.not_at or fact.qualifiers & rule.not_qualified:
        return None
    if rule.status and fact.status != _WORDS[rule.status]:
        return None
    if rule.means == "absent":
        return ABSENT if fact.status == PRESENT else None
    return fact.status


@lru_cache(maxsize=4096)
def _concepts(text: str, lexicon: Lexicon) -> frozenset[str]:
    return lexicon.concepts(text)


def _scheme(scheme: str) -> Mapping[str, str]:
    known = _data()[1]
    if scheme not in known:
        raise GraphError(f"Unknown labels scheme '{scheme}'{nearest(scheme, known)}")
    return known[scheme]


@cache
def _data() -> tuple[Mapping[str, tuple[Rule, ...]], Mapping[str, Mapping[str, str]]]:
    """The rules by definition, and the schemes, from ``lexicon/labels.toml``."""
    path = resources.files("radpair.graphs") / "lexicon" / "labels.toml"
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    definitions = data.pop("definitions")
    rules = {
        name: tuple(_rule(entry) for entry in entries) for name, entries in definitions.items()
    }
    return rules, data


def _rule(entry: Mapping[str, Any]) -> Rule:
    return Rule(
        observation=frozenset(entry["observation"]),
        at=frozenset(entry.get("at", ())),
        not_at=frozenset(entry.get("not_at", ())),
        qualified=frozenset(entry.get("with", ())),
        not_qualified=frozenset(entry.get("not_with", ())),
        means=entry.get("means", "present"),
        status=entry.get("status", ""),
    )
