"""RadGraph-XL's own form: records of ``sentences``, ``ner`` and ``relations``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from radpair.errors import GraphError
from radpair.graphs.json_file import shown


def spans_to_json(record: Mapping[str, Any], place: str) -> dict[str, Any]:
    """RadGraph-XL's record of ``sentences``, ``ner`` and ``relations`` as RadGraph 1.0's JSON.

    Spans count tokens over all sentences, the last one included; an entity is
    ``[start, end, label]`` and a relation ``[start, end, start, end, type]``. Entities are numbered
    from ``"1"`` in their order. Raises ``GraphError`` naming ``place``, the entity and the field.
    """
    words = _words(record, place)
    entities: dict[str, Any] = {}
    keys: dict[tuple[int, int], str] = {}
    for start, end, label in _spans(record, "ner", 3, place):
        key = keys[start, end] = str(len(entities) + 1)
        _check(f"{place}, entity '{key}', field 'ner'", start, end, label, len(words))
        tokens = " ".join(words[start : end + 1])
        span = {"tokens": tokens, "label": label, "start_ix": start, "end_ix": end}
        entities[key] = {**span, "relations": []}
    for *ends, kind in _spans(record, "relations", 5, place):
        source, target = (_entity(keys, ends[at : at + 2], kind, place) for at in (0, 2))
        entities[source]["relations"].append([kind, target])
    return {"text": " ".join(words), "entities": entities}


def _words(record: Mapping[str, Any], place: str) -> list[str]:
    words = [word for words in _lists(record, "sentences", place) for word in words]
    for word in words:
        if not isinstance(word, str) or " " in word:
            raise GraphError(
                f"{place}, field 'sentences': {shown(word)} is no word; give text without a blank."
            )
    return words


def _check(place: str, start: int, end: int, label: Any, count: int) -> None:
    span = shown([start, end, label])
    if not isinstance(label, str):
        raise GraphError(f"{place}: {shown(label)} is no label; give its name.")
    if end < start:
        raise GraphError(f"{place}: {span} ends before it starts; swap the two.")
    if end >= count:
        raise GraphError(f"{place}: {span} lies outside the text's {count} tokens.")


def _entity(keys: Mapping[tuple[int, int], str], span: list[int], kind: Any, place: str) -> str:
    start, end = span
    if (start, end) not in keys:
        raise GraphError(
            f"{place}, field 'relations': no entity of 'ner' spans {start} to {end}, which a "
            f"relation {shown(kind)} joins; add it or remove the relation."
        )
    return keys[start, end]


def _lists(record: Mapping[str, Any], field: str, place: str) -> list[list[Any]]:
    value = record.get(field)
    if not isinstance(value, list) or not all(isinstance(part, list) for part in value):
        raise GraphError(f"{place}, field '{field}': must be a list of lists, one a sentence.")
    return value


def _spans(record: Mapping[str, Any], field: str, length: int, place: str) -> Iterator[list[Any]]:
    for span in (span for sentence in _lists(record, field, place) for span in sentence):
        if not isinstance(span, list) or len(span) < length:
            raise GraphError(f"{place}, field '{field}': {shown(span)} needs {length} parts.")
        if not all(type(at) is int and at >= 0 for at in span[: length - 1]):
            raise GraphError(
                f"{place}, field '{field}': {shown(span)} must begin with whole numbers."
            )
        yield span[:length]
