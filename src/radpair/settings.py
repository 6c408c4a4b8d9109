"""Settings as small dataclasses, read from plain mappings, with errors that name the key."""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from radpair.errors import RecipeError, nearest

T = TypeVar("T")


def build(kind: type[T], values: Mapping[str, Any], where: str = "") -> T:
    """An instance of dataclass ``kind`` from ``values``; nested mappings fill nested dataclasses,
    lists of mappings tuples of them.

    Raises ``RecipeError`` naming the unknown key and the nearest known one, or the key whose value
    has the wrong type.
    """
    hints = typing.get_type_hints(kind)
    fields = {field.name: hints[field.name] for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise RecipeError(f"unknown key '{_join(where, key)}'{nearest(str(key), fields)}")
    given = {key: _value(fields[key], value, _join(where, key)) for key, value in values.items()}
    return kind(**given)


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


def _value(hint: Any, value: Any, where: str) -> Any:
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        if value is None:
            return None
        hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise RecipeError(f"'{where}' is {value!r}; it must be a group of keys")
        return build(typing.cast("type[Any]", hint), value, where)
    if typing.get_origin(hint) is tuple:
        return _tuple(typing.get_args(hint), value, where)
    return _scalar(hint, value, where)


def _tuple(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise RecipeError(f"'{where}' is {value!r}; it must be {_listing(args[0])}")
    if args[-1] is Ellipsis:
        args = (args[0],) * len(value)
    if len(args) != len(value):
        raise RecipeError(f"'{where}' has {len(value)} values; it takes {len(args)}")
    return tuple(
        _value(arg, item, f"{where}[{place}]" if dataclasses.is_dataclass(arg) else where)
        for place, (arg, item) in enumerate(zip(args, value, strict=True))
    )


def _listing(kind: Any) -> str:
    if not dataclasses.is_dataclass(kind):
        return "a list such as [0.6, 1.0]"
    keys = ", ".join(f"{field.name}: .." for field in dataclasses.fields(kind))
    return f"a list such as [{{{keys}}}]"


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
