"""JSON that is too long to hold: the records of a list, or of a file with one a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from radpair.errors import SourceError

CHUNK = 1 << 20
LONGEST = 64 << 20
"""Characters of one record; beyond them the file is taken to be something else."""
_BETWEEN = re.compile(r"[\s,\[\]]*")


def json_records(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every object of a JSON list or of JSON lines with its number, from 0; one in memory.

    Raises ``SourceError`` naming the file and the record that is damaged or no object.
    """
    decoder = json.JSONDecoder()
    number, buffer, place = 0, "", 0
    try:
        with file.open(encoding="utf-8-sig") as handle:
            while True:
                place = _BETWEEN.match(buffer, place).end()  # type: ignore[union-attr]
                if place < len(buffer) and buffer[place] != "{":
                    text = buffer[place : place + 20]
                    raise _damaged(file, number, f"'{text}' stands where an object should")
                try:
                    record, place = decoder.raw_decode(buffer, place)
                except json.JSONDecodeError as error:
                    buffer, place = buffer[place:], 0
                    more = handle.read(max(CHUNK, len(buffer)))
                    if not more and not buffer:
                        return
                    if not more or len(buffer) > LONGEST:
                        raise _damaged(file, number, error.msg) from error
                    buffer += more
                    continue
                except RecursionError as error:
                    raise _damaged(file, number, "it is nested too deeply") from error
                yield number, record
                number += 1
    except UnicodeDecodeError as error:
        raise _damaged(file, number, "it is not UTF-8 text") from error
    except OSError as error:
        raise SourceError(f"{file}: cannot be read ({error}); check the file") from error


def _damaged(file: Path, number: int, why: str) -> SourceError:
    return SourceError(f"{file}: record {number} is damaged ({why}); download the file again")
