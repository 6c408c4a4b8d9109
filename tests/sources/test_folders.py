"""Walks of trees, lists of lines, and patients told by paths."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radpair.errors import SourceError
from radpair.sources.folders import held_out, lines, matched, path_pattern, walk
from sources.source_checks import refused


def test_a_walk_has_one_order_and_sees_each_folder_once(tmp_path: Path) -> None:
    for name in ("b/2", "b/10", "b/c/1", "a/x", "z", ".hidden/1", "__MACOSX/1", "a/.dot"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "self").symlink_to("self")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to-pipe").symlink_to(tmp_path / "pipe")
    (tmp_path / "to-c").symlink_to(tmp_path / "b" / "c")
    assert list(walk(tmp_path)) == [
        ("", ["self", "z"]),
        ("a", ["x"]),
        ("b", ["10", "2"]),
        ("b/c", ["1"]),
    ]
    assert list(walk(tmp_path / "nowhere")) == []
    assert list(walk(tmp_path / "z")) == []


def test_lines_have_their_numbers(tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"\xef\xbb\xbfone\r\n\n  two \n")
    assert list(lines(tmp_path / "t")) == [(1, "one"), (3, "two")]
    (tmp_path / "t").write_bytes(b"one\n\xff\n")
    refused(lambda: list(lines(tmp_path / "t")), "is not UTF-8 text (line 2, byte 4)")


def test_patients_are_told_by_paths() -> None:
    for pattern, path, patient in (
        ("^([^/]+)/", "p1/x/1.dcm", "p1"),
        ("([0-9]+)", "p1/x/2.dcm", "1"),
        ("/(?:x|y)/([0-9])", "p1/x/2.dcm", "2"),
    ):
        compiled = path_pattern(pattern)
        assert compiled is not None
        assert matched(compiled, path) == patient
    empty = path_pattern("p([0-9]*)")
    assert empty is not None
    with pytest.raises(SourceError, match="finds no patient"):
        matched(empty, "p/1")
    assert path_pattern(None) is None
    refused(lambda: path_pattern("("), "is no regular expression")
    for pattern in ("x", "[0-9]+", "(?:a)/b"):
        refused(partial(path_pattern, pattern), "has no group; put the part that is the patient")


@given(st.text(), st.floats(0, 0.99), st.floats(0, 0.99))
def test_who_is_held_out_stays_so_when_the_share_grows(
    patient: str, one: float, other: float
) -> None:
    small, large = sorted((one, other))
    if held_out(patient, small) == "validate":
        assert held_out(patient, large) == "validate"
    assert held_out(patient, 0) == "train"
