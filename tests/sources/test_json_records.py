"""Records of long JSON files, one at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from radpair.errors import SourceError
from radpair.sources.json_records import json_records

RECORDS = [{"0": {"text": "No effusion .", "entities": {}}}, {"a": [1, 2]}]


@pytest.mark.parametrize("lines", [False, True])
def test_a_list_and_lines_give_the_same_records(tmp_path: Path, *, lines: bool) -> None:
    file = tmp_path / "records.json"
    file.write_text("\n".join(map(json.dumps, RECORDS)) if lines else json.dumps(RECORDS))
    assert list(json_records(file)) == list(enumerate(RECORDS))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"a": ' + "[" * 100_000 + "]" * 100_000 + "}]", "record 0 is damaged .*too deeply"),
        ('[{"a": 1}, {"a": ', "record 1 is damaged"),
        ("[1, 2]", "stands where an object should"),
    ],
)
def test_a_damaged_record_is_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "records.json"
    file.write_text(content)
    with pytest.raises(SourceError, match=message):
        list(json_records(file))
