"""A manifest that was damaged in any way gives one sentence, and never leads out of the set."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from gradients import Gradients, write_module
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from radpair.errors import StudySetError
from radpair.studyset import StudySet, write

OPTIONAL = {
    ("counts", name) for name in ("exact_duplicates", "near_duplicates", "near_across_splits")
}
"""What sets of earlier versions do not have."""
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
FEW = settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def made(folder: Path) -> Path:
    write(Gradients(9), folder, size=40, processes=1)
    return folder


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("manifest") / "set")


@pytest.fixture(scope="module")
def whole(original: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((original / "manifest.json").read_text())
    return found


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a JSON value, as keys and indices."""
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, below in inner:
        yield (*at, key)
        yield from places(below, (*at, key))


def holder(value: Any, at: tuple[Any, ...]) -> Any:
    for key in at[:-1]:
        value = value[key]
    return value


def copy(value: Any) -> Any:
    return json.loads(json.dumps(value))


def use(folder: Path, content: bytes) -> str:
    """All that reads a manifest; the sentence with which it was refused, or nothing."""
    file = folder / "manifest.json"
    before = file.read_bytes()
    file.write_bytes(content)
    try:
        studies = StudySet.open(folder)
        assert studies.content_hash
        assert studies.labels.shape == (len(studies), len(studies.label_names))
        assert [studies.pixels(i).shape for i in range(len(studies.image_paths))]
        studies.verify()
        summary = write(Gradients(9), folder, size=40, processes=1)
        assert summary.was_complete
        assert str(summary)
    except StudySetError as error:
        return str(error)
    finally:
        file.write_bytes(before)
    return ""


def test_the_whole_one_is_read(original: Path) -> None:
    assert use(original, (original / "manifest.json").read_bytes()) == ""


@FEW
@given(value=JSON)
def test_any_json_value_is_refused(original: Path, value: Any) -> None:
    assert "manifest.json: " in use(original, json.dumps(value).encode()) or isinstance(value, dict)


@FEW
@given(content=st.binary(max_size=40))
def test_any_bytes_are_refused(original: Path, content: bytes) -> None:
    assert use(original, content)


@FEW
@given(data=st.data(), value=JSON)
def test_any_value_in_any_place_opens_or_is_refused(
    original: Path, whole: dict[str, Any], data: st.DataObject, value: Any
) -> None:
    damaged = copy(whole)
    at = data.draw(st.sampled_from(list(places(whole))))
    holder(damaged, at)[at[-1]] = value
    use(original, json.dumps(damaged).encode())


def test_every_missing_key_is_refused(original: Path, whole: dict[str, Any]) -> None:
    for at in places(whole):
        damaged = copy(whole)
        del holder(damaged, at)[at[-1]]
        assert bool(use(original, json.dumps(damaged).encode())) == (at not in OPTIONAL), at


@pytest.mark.parametrize("depth", [500, 100_000])
def test_a_deep_one_is_refused(original: Path, depth: int) -> None:
    assert use(original, b'{"format": 1, "remarks": ' + b"[" * depth + b"]" * depth + b"}")


@pytest.mark.parametrize(
    "name",
    ["../films/a.png", "/etc/hosts", "pixels/../../a.bin", "pixels/00000.bin\n", "", "notes.txt"],
)
def test_a_file_that_no_set_has_is_refused(
    original: Path, whole: dict[str, Any], name: str
) -> None:
    damaged = copy(whole)
    damaged["files"][name] = {"bytes": 0, "sha256": "0" * 64}
    words = use(original, json.dumps(damaged).encode())
    assert f"manifest.json: names the file {name!r}, which no study set has" in words


@pytest.mark.parametrize("table", ["studies", "images", "quarantine"])
def test_a_table_that_is_none_is_named(original: Path, tmp_path: Path, table: str) -> None:
    """Of the right size, as after a fault of the disk."""
    shutil.copytree(original, tmp_path / "set")
    file = tmp_path / "set" / f"{table}.parquet"
    file.write_bytes(bytes(file.stat().st_size))
    with pytest.raises(StudySetError, match=rf"{table}\.parquet: cannot be read"):
        StudySet.open(tmp_path / "set").quarantine()


@pytest.mark.parametrize("table", ["studies", "images", "quarantine"])
def test_a_table_without_a_column_is_named(original: Path, tmp_path: Path, table: str) -> None:
    """Another table in its place, also in the manifest."""
    shutil.copytree(original, tmp_path / "set")
    file = tmp_path / "set" / f"{table}.parquet"
    name = pq.read_table(file).column_names[0]
    pq.write_table(pq.read_table(file).drop_columns(name), file)
    manifest = json.loads((tmp_path / "set" / "manifest.json").read_text())
    manifest["files"][file.name]["bytes"] = file.stat().st_size
    (tmp_path / "set" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StudySetError, match=rf"{table}\.parquet: has no column '{name}'"):
        StudySet.open(tmp_path / "set").quarantine()


@FEW
@given(labels=st.lists(st.sampled_from(["Effusion", "Mass", "Hernia", ""]), max_size=3))
def test_labels_are_those_of_the_table(
    original: Path, whole: dict[str, Any], labels: list[str]
) -> None:
    assume(labels != whole["labels"])
    assert use(original, json.dumps({**whole, "labels": labels}).encode())


@FEW
@given(plan=JSON)
def test_any_other_plan_of_an_unfinished_set_is_refused(begun: Path, plan: Any) -> None:
    for text in (json.dumps(plan), json.dumps({"format": 1, "options": plan})):
        (begun / ".parts" / "plan.json").write_text(text)
        with pytest.raises(StudySetError):
            write(Gradients(9), begun, size=40, processes=1)


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set whose tables were not written."""
    folder = tmp_path_factory.mktemp("begun") / "set"
    with pytest.MonkeyPatch.context() as patch:

        def stop(*_: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(write_module(), "finish", stop)
        with pytest.raises(KeyboardInterrupt):
            write(Gradients(9), folder, size=40, processes=1)
    return folder
