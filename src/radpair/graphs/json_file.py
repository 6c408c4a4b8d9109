"""JSON that others wrote: a whole text or one value a line; repeated keys stay in sight."""

from __future__ import annotations

import json
import reprlib
import sys
from collections import Counter
from typing import Any

from radpair.errors import GraphError

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxlist, _SHORT.maxstring, _SHORT.maxother = 3, 8, 80, 80


class Repeating(dict[str, Any]):
    """An object in which a key stands more than once; it holds the last value of each."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        counts = Counter(key for key, _ in pairs)
        self.repeated = next(key for key, count in counts.items() if count > 1)
        """The first key that stands again."""


def parsed(text: str) -> Any:
    """The value of a JSON text; an object that repeats a key is a ``Repeating``.

    Raises ``ValueError`` that says why there is none (``json.JSONDecodeError`` where it is no
    JSON).
    """
    try:
        return json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError:
        raise
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        digits = sys.get_int_max_str_digits()
        raise ValueError(f"a whole number in it has more than {digits:,} digits") from error


def parsed_lines(text: str) -> tuple[list[Any], int, ValueError | None]:
    """The values of JSON lines up to the first fault; the number of its line, and the fault.

    Lines end at line feeds alone: other ends of lines may stand within a JSON string.
    """
    values: list[Any] = []
    number = 0
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                values.append(parsed(line))
            except ValueError as error:
                return values, number, error
    return values, number, None


def once(value: Any, place: str, what: str) -> None:
    """Raises ``GraphError`` for an object that repeats a key, which is called ``what`` there."""
    if isinstance(value, Repeating):
        key = shown(value.repeated)
        raise GraphError(f"{place}{what} {key} appears twice; keep one of them.")


def shown(value: Any) -> str:
    """A value as a message can show it: short, however long or deep it is."""
    return _SHORT.repr(value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    return value if len(value) == len(pairs) else Repeating(pairs)
