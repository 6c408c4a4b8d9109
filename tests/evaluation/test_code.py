"""What is kept belongs to the code that made it."""

from __future__ import annotations

from pathlib import Path

import pytest

from radpair.comparison.kept import unit_key
from radpair.evaluation import code
from radpair.evaluation.code import ENCODING, code_hash


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of two rooms in place of radpair."""
    for room in ("encoders", "evaluation"):
        (tmp_path / room).mkdir()
        (tmp_path / room / "one.py").write_text("a = 1\n")
    monkeypatch.setattr(code, "files", lambda name: tmp_path)
    code_hash.cache_clear()
    yield tmp_path
    code_hash.cache_clear()


def test_an_edited_file_changes_the_keys_of_what_it_decides(package: Path) -> None:
    measured, encoded, key = code_hash(), code_hash(ENCODING), unit_key({"task": "linear"})
    (package / "evaluation" / "one.py").write_text("a = 2\n")
    code_hash.cache_clear()
    assert code_hash() != measured
    assert unit_key({"task": "linear"}) != key
    assert code_hash(ENCODING) == encoded
    (package / "evaluation" / "one.py").rename(package / "evaluation" / "two.py")
    (package / "evaluation" / "two.py").write_text("a = 1\n")
    code_hash.cache_clear()
    assert code_hash() != measured


def test_the_same_code_has_the_same_hash() -> None:
    first = code_hash()
    code_hash.cache_clear()
    assert (code_hash(), len(first)) == (first, 16)
