"""Prompts of a zero-shot evaluation: how a finding is put when present, and when absent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from radpair.errors import EvaluationError, nearest
from radpair.graphs.schema import ENTITY_LABELS, RELATION_TYPES, SHORT_LABELS
from radpair.records import Entity, Graph, Relation


@dataclass(frozen=True, slots=True)
class Prompts:
    """One finding's prompts; several of a kind are averaged as an ensemble."""

    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    present_graphs: tuple[Graph, ...] = ()
    absent_graphs: tuple[Graph, ...] = ()


_KEYS = ("present", "absent", "present_graphs", "absent_graphs")


def read_prompts(path: Path) -> dict[str, Prompts]:
    """Reads a YAML or JSON file of prompts, by label::

        Edema:
          present: [pulmonary edema, interstitial edema is seen]
          absent: [no pulmonary edema]
          present_graphs:
            - text: pulmonary edema
              entities: [[edema, OBS-DP, 1, 1], [pulmonary, ANAT-DP, 0, 0]]
              relations: [[0, located_at, 1]]

    An entity is its words, its label (RadGraph's short or long form), first and last token of
    ``text``; a relation is source entity, type, target entity. Raises ``EvaluationError`` naming
    the file, label and key at fault.
    """
    if not path.is_file():
        raise EvaluationError(f"there is no prompts file {path}")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        told = " ".join(str(error).split())
        raise EvaluationError(f"{path} is neither YAML nor JSON: {told}") from error
    if not isinstance(content, Mapping) or not content:
        raise EvaluationError(f"{path} must map each label to its prompts")
    return {str(label): _prompts(path, str(label), entry) for label, entry in content.items()}


def _prompts(path: Path, label: str, entry: Any) -> Prompts:
    where = f"{path}, label '{label}'"
    if not isinstance(entry, Mapping):
        raise EvaluationError(f"{where}: expected the keys {', '.join(_KEYS)}")
    for key in entry:
        if key not in _KEYS:
            raise EvaluationError(f"{where}: unknown key '{key}'{nearest(str(key), _KEYS)}")
    lists = {key: _list(where, key, entry.get(key, [])) for key in _KEYS}
    for kind in ("", "_graphs"):
        if bool(lists["present" + kind]) != bool(lists["absent" + kind]):
            raise EvaluationError(
                f"{where}: give both 'present{kind}' and 'absent{kind}', a score is their contrast"
            )
    if not lists["present"] and not lists["present_graphs"]:
        raise EvaluationError(f"{where}: has neither texts nor graphs")
    return Prompts(
        _texts(where, "present", lists["present"]),
        _texts(where, "absent", lists["absent"]),
        tuple(_graph(where, "present_graphs", item) for item in lists["present_graphs"]),
        tuple(_graph(where, "absent_graphs", item) for item in lists["absent_graphs"]),
    )


def _list(where: str, key: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise EvaluationError(f"{where}: '{key}' must be a list")
    return value


def _texts(where: str, key: str, items: list[Any]) -> tuple[str, ...]:
    for item in items:
        if not isinstance(item, str) or not item.strip():
            raise EvaluationError(
                f"{where}: '{key}' holds {item!r}, which is not a text (quote it)"
            )
    return tuple(items)


def _graph(where: str, key: str, item: Any) -> Graph:
    place = f"{where}, '{key}'"
    if not isinstance(item, Mapping) or not isinstance(item.get("text"), str):
        raise EvaluationError(f"{place}: a graph needs 'text', 'entities' and 'relations'")
    words = item["text"].split(" ")
    entities = tuple(
        _entity(place, words, part) for part in _list(place, "entities", item.get("entities", []))
    )
    if not entities:
        raise EvaluationError(f"{place}: the graph of '{item['text']}' has no entity")
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
