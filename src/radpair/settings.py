"""Settings as small dataclasses, read from plain mappings, with errors that name the key."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from radpair.errors import RecipeError, nearest

T = TypeVar("T")


def build(
    kind: type[T], values: Mapping[str, Any], where: str = "", whole: type | None = None
) -> T:
    """An instance of dataclass ``kind`` from ``values``; nested mappings fill nested dataclasses,
    lists of mappings tuples of them. ``kind`` is the group ``where`` of ``whole``.

    Raises ``RecipeError`` naming the unknown key and the nearest known one, or the key whose value
    has the wrong type.
    """
    whole = whole or kind
    hints = typing.get_type_hints(kind)
    fields = {field.name: hints[field.name] for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            hint = _near_key(str(key), fields, whole)
            raise RecipeError(f"unknown key '{_join(where, key)}'{hint}")
    given = {
        key: _value(fields[key], value, _join(where, key), whole) for key, value in values.items()
    }
    return kind(**given)


def _near_key(key: str, group: Iterable[str], whole: type) -> str:
    """A hint: the same key in another group, a near one in this ``group``, or in another."""
    places: dict[str, list[str]] = {}
    for place in _places(whole):
        places.setdefault(place.rpartition(".")[2], []).append(place)
    here = nearest(key, group)
    if key not in places and "did you mean" in here:
        return here
    for close in difflib.get_close_matches(key, places, n=1, cutoff=0.6):
        return "; did you mean " + " or ".join(f"'{place}'" for place in places[close]) + "?"
    return here


def _places(kind: Any, where: str = "") -> Iterator[str]:
    """Every key of ``kind`` and of its groups, as ``group.key``."""
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        place = _join(where, field.name)
        if dataclasses.is_dataclass(hints[field.name]):
            yield from _places(hints[field.name], place)
        else:
            yield place


def with_value(values: Mapping[str, Any], dotted: str, value: Any) -> dict[str, Any]:
    """A copy of nested ``values`` in which the key ``a.b.c`` holds ``value``."""
    head, _, rest = dotted.partition(".")
    copy = dict(values)
    if not rest:
        copy[head] = value
        return copy
    inner = copy.get(head) or {}
    if not isinstance(inner, Mapping):
        raise RecipeError(f"key '{head}' holds one value, so '{dotted}' does not exist")
    copy[head] = with_value(inner, rest, value)
    return copy


def plain(settings: Any) -> dict[str, Any]:
    """The mapping that ``build`` turns back into the same ``settings`` (JSON and YAML values)."""
    found: dict[str, Any] = dataclasses.asdict(
        settings, dict_factory=lambda pairs: {key: _listed(value) for key, value in pairs}
    )
    return found


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _join(where: str, key: object) -> str:
    return f"{where}.{key}" if where else str(key)


def _value(hint: Any, value: Any, where: str, whole: type) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        if value is None:
            return None
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise RecipeError(
                f"'{where}' is {value!r}; it must be a group of keys such as {_keys(hint)}"
            )
        return build(typing.cast("type[Any]", hint), value, where, whole)
    if typing.get_origin(hint) is tuple:
        return _tuple(typing.get_args(hint), value, where, whole)
    return _scalar(hint, value, where)


def _tuple(args: tuple[Any, ...], value: Any, where: str, whole: type) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise RecipeError(f"'{where}' is {value!r}; it must be {_listing(args[0])}")
    if args[-1] is Ellipsis:
        args = (args[0],) * len(value)
    if len(args) != len(value):
        raise RecipeError(f"'{where}' has {len(value)} values; it takes {len(args)}")
    return tuple(
        _value(arg, item, f"{where}[{place}]" if dataclasses.is_dataclass(arg) else where, whole)
        for place, (arg, item) in enumerate(zip(args, value, strict=True))
    )


def _listing(kind: Any) -> str:
    if not dataclasses.is_dataclass(kind):
        return "a list such as [0.6, 1.0]"
    return f"a list such as [{_keys(kind)}]"


def _keys(kind: Any) -> str:
    names = [field.name for field in dataclasses.fields(kind)]
    more = ", ..." if len(names) > 3 else ""
    return f"{{{', '.join(f'{name}: ..' for name in names[:3])}{more}}}"


def _scalar(hint: Any, value: Any, where: str) -> Any:
    if hint is float and isinstance(value, int | str) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError as problem:
            raise RecipeError(f"'{where}' is {value!r}; it must be a number") from problem
    right = isinstance(value, hint) and not (hint is not bool and isinstance(value, bool))
    if not right:
        names = {float: "a number", int: "a whole number", str: "text", bool: "true or false"}
        raise RecipeError(f"'{where}' is {value!r}; it must be {names.get(hint, hint)}")
    return value
