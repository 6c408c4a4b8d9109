"""Prompts of a zero-shot evaluation: how a finding is put when present, and when absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from radpair.errors import EvaluationError, nearest
from radpair.graphs import extract
from radpair.graphs.schema import (
    ABSENT,
    ENTITY_LABELS,
    PRESENT,
    RELATION_TYPES,
    SHORT_LABELS,
    UNCERTAIN,
)
from radpair.records import Entity, Graph, Relation

OBSERVATIONS = (PRESENT, UNCERTAIN, ABSENT)


@dataclass(frozen=True, slots=True)
class Prompts:
    """One finding's prompts; several of a kind are averaged as an ensemble."""

    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    present_graphs: tuple[Graph, ...] = ()
    absent_graphs: tuple[Graph, ...] = ()


_KEYS = ("present", "absent", "present_graphs", "absent_graphs", "graph")
SHIPPED = ("chexpert",)
"""Prompts files that come with radpair, by name."""


@dataclass(frozen=True, slots=True)
class PromptSet:
    """A prompts file that was read."""

    version: str
    """As the file states it; ``unversioned`` where it does not."""
    labels: dict[str, Prompts]


def graph_prompt(phrase: str) -> Graph:
    """The graph of a phrase such as ``consolidation in the right lower lobe``, read by the rules.

    Raises ``EvaluationError`` where the rules find no observation to ask for.
    """
    graph = extract(phrase)
    if not any(entity.label in OBSERVATIONS for entity in graph.entities):
        raise EvaluationError(
            f"the rules find no observation in the phrase '{phrase}'; put it as a report would, "
            "or write out the graph's entities and relations"
        )
    return graph


def denied(graph: Graph) -> Graph:
    """The same graph with every observation definitely absent; anatomy stays."""
    entities = tuple(
        replace(entity, label=ABSENT) if entity.label in OBSERVATIONS else entity
        for entity in graph.entities
    )
    return replace(graph, entities=entities)


def read_prompt_set(path: Path) -> PromptSet:
    """Reads a YAML or JSON file of prompts, or a shipped one by its name (``chexpert``)::

        version: mine/1
        labels:
          Edema:
            present: [pulmonary edema, interstitial edema is seen]
            absent: [no pulmonary edema]
            graph: pulmonary edema in the right lung
          Cardiomegaly:
            present_graphs:
              - the heart is enlarged
              - text: cardiac enlargement
                entities: [[enlargement, OBS-DP, 1, 1], [cardiac, ANAT-DP, 0, 0]]
                relations: [[0, located_at, 1]]
            absent_graphs: [the heart is normal]

    The labels may also stand alone, without ``version``. A graph is a phrase, read by the rules of
    ``radpair.graphs``, or written out: an entity is its words, its label (RadGraph's short or long
    form), first and last token of ``text``; a relation is source entity, type, target entity.
    ``graph`` is one or more phrases that state the finding: each is a present graph, and with its
    observations denied an absent one. Raises ``EvaluationError`` naming the file, label and key at
    fault.
    """
    if not path.is_file() and str(path) in SHIPPED:
        folder = resources.files("radpair.evaluation") / "prompts"
        return _parsed(Path(f"{path}.yaml"), (folder / f"{path}.yaml").read_text(encoding="utf-8"))
    if not path.is_file():
        raise EvaluationError(
            f"there is no prompts file {path}; the shipped ones are {', '.join(SHIPPED)}"
        )
    try:
        return _parsed(path, path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{path} is not text in UTF-8: {error}") from error


def _parsed(path: Path, written: str) -> PromptSet:
    try:
        content = yaml.safe_load(written)
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())
        raise EvaluationError(f"{path} is neither YAML nor JSON: {told}") from error
    version = "unversioned"
    if isinstance(content, Mapping) and set(content) == {"version", "labels"}:
        version, content = str(content["version"]), content["labels"]
    if not isinstance(content, Mapping) or not content:
        raise EvaluationError(f"{path} must map each label to its prompts")
    labels = {str(label): _prompts(path, str(label), entry) for label, entry in content.items()}
    return PromptSet(version, labels)


def _prompts(path: Path, label: str, entry: Any) -> Prompts:
    where = f"{path}, label '{label}'"
    if not isinstance(entry, Mapping):
        raise EvaluationError(f"{where}: expected the keys {', '.join(_KEYS)}")
    for key in entry:
        if key not in _KEYS:
            raise EvaluationError(f"{where}: unknown key '{key}'{nearest(str(key), _KEYS)}")
    lists = {key: _list(where, key, entry.get(key, [])) for key in _KEYS[:-1]}
    stated = entry.get("graph", [])
    stated = [
        _graph(where, "graph", phrase)
        for phrase in _texts(where, "graph", [stated] if isinstance(stated, str) else stated)
    ]
    for kind in ("", "_graphs"):
        if bool(lists["present" + kind]) != bool(lists["absent" + kind]):
            raise EvaluationError(
                f"{where}: give both 'present{kind}' and 'absent{kind}', a score is their contrast"
            )
    if not lists["present"] and not lists["present_graphs"] and not stated:
        raise EvaluationError(f"{where}: has neither texts nor graphs")
    graphs = {
        key: [_graph(where, key, item) for item in lists[key]]
        for key in ("present_graphs", "absent_graphs")
    }
    found = Prompts(
        _texts(where, "present", lists["present"]),
        _texts(where, "absent", lists["absent"]),
        (*graphs["present_graphs"], *stated),
        (*graphs["absent_graphs"], *(denied(graph) for graph in stated)),
    )
    _refuse_shared(where, found)
    return found


def _refuse_shared(where: str, entry: Prompts) -> None:
    """A prompt that stands on both sides asks nothing."""
    denying = {" ".join(text.lower().split()) for text in entry.absent}
    for text in entry.present:
        if " ".join(text.lower().split()) in denying:
            raise EvaluationError(
                f"{where}: '{text}' is both present and absent; a score is the contrast of the "
                "two, so put them differently"
            )
    for graph in entry.present_graphs:
        if (graph.entities, graph.relations) in [
            (other.entities, other.relations) for other in entry.absent_graphs
        ]:
            raise EvaluationError(
                f"{where}: the graph of '{graph.text}' is both present and absent; state the "
                "finding in one and deny it in the other"
            )


def _list(where: str, key: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise EvaluationError(f"{where}: '{key}' must be a list")
    return value


def _texts(where: str, key: str, items: Any) -> tuple[str, ...]:
    for item in _list(where, key, items):
        if not isinstance(item, str) or not item.strip():
            raise EvaluationError(
                f"{where}: '{key}' holds {item!r}, which is not a text (quote it)"
            )
    return tuple(items)


def _graph(where: str, key: str, item: Any) -> Graph:
    place = f"{where}, '{key}'"
    if isinstance(item, str):
        try:
            return graph_prompt(item)
        except EvaluationError as error:
            raise EvaluationError(f"{place}: {error}") from error
    if not isinstance(item, Mapping) or not isinstance(item.get("text"), str):
        raise EvaluationError(
            f"{place}: a graph is a phrase, or 'text', 'entities' and 'relations'"
        )
    words = item["text"].split(" ")
    entities = tuple(
        _entity(place, words, part) for part in _list(place, "entities", item.get("entities", []))
    )
    if not entities:
        raise EvaluationError(f"{place}: the graph of '{item['text']}' has no entity")
    if not any(entity.label in OBSERVATIONS for entity in entities):
        raise EvaluationError(
            f"{place}: the graph of '{item['text']}' has no observation, so it asks for nothing; "
            "give an entity the label OBS-DP, OBS-U or OBS-DA"
        )
    relations = tuple(
        _relation(place, len(entities), part)
        for part in _list(place, "relations", item.get("relations", []))
    )
    return Graph(item["text"], entities, relations)


def _entity(place: str, words: list[str], part: Any) -> Entity:
    match part:
        case [str(text), str(label), int(start), int(end)] if 0 <= start <= end < len(words):
            known = SHORT_LABELS.get(label, label)
            if known not in ENTITY_LABELS:
                raise EvaluationError(
                    f"{place}: unknown entity label '{label}'{nearest(label, SHORT_LABELS)}"
                )
            if " ".join(words[start : end + 1]) != text:
                raise EvaluationError(
                    f"{place}: tokens {start} to {end} are "
                    f"'{' '.join(words[start : end + 1])}', not '{text}'"
                )
            return Entity(text, known, start, end)
    raise EvaluationError(
        f"{place}: an entity is [words, label, first token, last token] within the text, not {part}"
    )


def _relation(place: str, entities: int, part: Any) -> Relation:
    match part:
        case [int(source), str(type_), int(target)]:
            if type_ not in RELATION_TYPES:
                raise EvaluationError(
                    f"{place}: unknown relation '{type_}'{nearest(type_, RELATION_TYPES)}"
                )
            if 0 <= source < entities and 0 <= target < entities and source != target:
                return Relation(source, type_, target)
    raise EvaluationError(
        f"{place}: a relation is [source entity, type, target entity], not {part} "
        f"(there are {entities} entities, counted from 0)"
    )
