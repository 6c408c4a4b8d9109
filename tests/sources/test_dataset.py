"""What datasets share: tables, rows brought together, images that must be there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radpair.errors import SourceError
from radpair.records import FileSource, Study, View
from radpair.sources.dataset import (
    Dataset,
    below,
    find_table,
    grouped,
    need_images,
    need_table,
    share_of,
)
from radpair.sources.views import position


@dataclass(frozen=True, kw_only=True)
class One(Dataset):
    name: ClassVar[str] = "one"
    kinds: tuple[str, ...] = ("a", "b")
    """Some kinds."""
    other: Path | None = None
    """Some folder."""

    def studies(self) -> Iterator[Study]:
        yield Study("s", "p", (View("x/1.png"),))

    def tables(self) -> list[Path]:
        return [self.root / "t.csv"]


def test_a_dataset_is_a_file_source_whose_options_do_not_name_its_place(tmp_path: Path) -> None:
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.csv").write_text("a\n1\n")
    here = One(root=tmp_path / "here", other=Path("one/reports"))
    assert isinstance(here, FileSource)
    options = here.options()
    assert options == One(root=tmp_path / "there", other=Path("b/reports")).options()
    assert options["kinds"] == ["a", "b"]
    assert options["other"] == "reports"
    (tmp_path / "there" / "t.csv").write_text("a\n2\n")
    assert options["tables"] != One(root=tmp_path / "there").options()["tables"]
    assert here.path_of(next(here.studies()), 0) == tmp_path / "here" / "x" / "1.png"
    with pytest.raises(SourceError, match="nowhere: is no folder; give the folder of one"):
        One(root=tmp_path / "nowhere")


def test_tables_are_found_plain_or_gzipped_in_the_order_of_their_names(tmp_path: Path) -> None:
    (tmp_path / "new.csv.gz").write_bytes(b"")
    (tmp_path / "old.csv").write_bytes(b"")
    assert find_table(tmp_path, "new.csv", "old.csv") == tmp_path / "new.csv.gz"
    assert find_table(tmp_path, "none.csv", "old.csv") == tmp_path / "old.csv"
    assert find_table(tmp_path, "none.csv") is None
    with pytest.raises(SourceError, match=r"has no none\.csv .*; get it there"):
        need_table(tmp_path, "none.csv", get="get it there")


@given(st.lists(st.sampled_from("abcde")))
def test_groups_are_whole_whatever_the_order(keys: list[str]) -> None:
    found = list(grouped(keys, ((key, number) for number, key in enumerate(keys))))
    assert len({key for key, _ in found}) == len(found)
    assert dict(found) == {
        key: [number for number, other in enumerate(keys) if other == key] for key in keys
    }
    ends = [numbers[-1] for _, numbers in found]
    assert ends == sorted(ends)


def test_images_must_be_there_but_not_all(tmp_path: Path) -> None:
    (tmp_path / "there.png").write_bytes(b"x")
    need_images(tmp_path, ["gone.png", "there.png"], "advice")
    with pytest.raises(SourceError, match=r"such as gone\.png; unpack them"):
        need_images(tmp_path, ["gone.png"], "unpack them")
    with pytest.raises(SourceError, match="has no rows; advice"):
        need_images(tmp_path, [], "advice")


@pytest.mark.parametrize("path", ["/etc/x.png", "../x.png", "a/../../x.png", "", "a\\b", "a\0b"])
def test_paths_that_lead_outside_are_refused(path: str) -> None:
    assert below("t.csv, row 2", "a/b.png") == "a/b.png"
    with pytest.raises(SourceError, match=r"t\.csv, row 2: the path"):
        below("t.csv, row 2", path)


def test_shares_are_even_and_depend_on_the_patient_alone() -> None:
    shares = [share_of(f"patient{number}") for number in range(4000)]
    assert shares == [share_of(f"patient{number}") for number in range(4000)]
    assert abs(sum(share < 0.1 for share in shares) / 4000 - 0.1) < 0.02


@pytest.mark.parametrize(
    ("text", "word"),
    [
        *[("PA", "PA"), ("AP", "AP"), ("AP Supine", "AP"), ("AP_horizontal", "AP"), ("pa", "PA")],
        *[("PA LLD", "PA"), ("LL", "LATERAL"), ("L", "LATERAL"), ("Lateral", "LATERAL")],
        *[("XTABLE LATERAL", "LATERAL"), ("LAO", ""), ("SWIMMERS", ""), ("COSTAL", ""), ("", "")],
    ],
)
def test_positions(text: str, word: str) -> None:
    assert position(text) == word
