"""Places behind a URL answer what the same files on this machine answer."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from radpair.errors import PlaceError
from radpair.places import ForbiddenError, Place, beginning, fetched, here, located
from radpair.sources.folders import walk

FILES = {
    "a.txt": b"one\r\ntwo\n",
    "b/c.txt": b"deep",
    "b/d/e.xml": b"<x/>",
    "b/.hidden": b"",
    "big.bin": bytes(range(256)) * 4096,
    "batch 1 [x]/f.csv": b"h\n1\n",
}


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """The same files in a folder and in fsspec's memory."""
    store = fsspec.filesystem("memory")
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
        store.pipe(f"memory://places/tree/{name}", content)
    yield tmp_path, located("memory://places/tree")
    store.rm("/places", recursive=True)


def test_a_local_path_is_a_plain_path(tmp_path: Path) -> None:
    assert type(located(tmp_path)) is type(tmp_path)
    assert located(f"file://{tmp_path}") == tmp_path
    assert located(Path(f"file://{tmp_path}")) == tmp_path
    assert located("C:/films") == Path("C:/films")
    with fetched(tmp_path / "x", 1) as same:
        assert same == tmp_path / "x"
    assert here(tmp_path / "x") == tmp_path / "x"


@pytest.mark.parametrize("name", ["memory:", "data:", "unheard-of:"])
def test_a_folder_with_a_colon_is_no_protocol(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    for path in (f"{name}/films", Path(name) / "films", Path(name) / "films" / "a.png"):
        assert located(path) == Path(path)
        assert not isinstance(located(path), Place)
    assert isinstance(located("memory://films/a.png"), Place)


def test_a_protocol_that_names_no_files_is_a_path() -> None:
    assert located("data:/x") == Path("data:/x")


def test_a_url_survives_paths_pickle_and_copy(trees: tuple[Path, Path]) -> None:
    remote = located(Path("memory://places/tree")) / "b" / "c.txt"
    assert str(remote) == "memory://places/tree/b/c.txt"
    assert f"{remote.parent}" == "memory://places/tree/b"
    assert (remote.name, remote.suffix, remote.stem) == ("c.txt", ".txt", "c")
    assert remote.relative_to(trees[1]).as_posix() == "b/c.txt"
    for same in (pickle.loads(pickle.dumps(remote)), copy.deepcopy(remote), located(remote)):  # noqa: S301
        assert isinstance(same, Place)
        assert same == remote
        assert same.read_bytes() == b"deep"


@pytest.mark.parametrize("name", ["", "a.txt", "b", "b/d", "b/c.txt", "none", "b/none", "a.txt/x"])
def test_kinds(trees: tuple[Path, Path], name: str) -> None:
    local, remote = (tree / name for tree in trees)
    assert remote.is_file() == local.is_file()
    assert remote.is_dir() == local.is_dir()
    assert remote.exists() == local.exists()


@pytest.mark.parametrize(
    "pattern",
    ["*", "*.txt", "*/*.txt", "b/*", "b/c.txt", "b/d/*.xml", "*/none.txt", "batch *", "none/*"],
)
def test_glob(trees: tuple[Path, Path], pattern: str) -> None:
    found = [sorted(p.relative_to(tree).as_posix() for p in tree.glob(pattern)) for tree in trees]
    assert found[0] == found[1]


@pytest.mark.parametrize("pattern", ["*.txt", "[!.]*.xml", "e*"])
def test_rglob(trees: tuple[Path, Path], pattern: str) -> None:
    found = [sorted(p.relative_to(tree).as_posix() for p in tree.rglob(pattern)) for tree in trees]
    assert found[0] == found[1]


def test_reading(trees: tuple[Path, Path]) -> None:
    for name in FILES:
        local, remote = (tree / name for tree in trees)
        assert remote.read_bytes() == local.read_bytes()
        with remote.open("rb") as mine, local.open("rb") as theirs:
            assert mine.read() == theirs.read()
        with fetched(remote, 1 << 30) as copy_of:
            assert copy_of.read_bytes() == local.read_bytes()
        assert not copy_of.exists()
    with trees[1].joinpath("a.txt").open(encoding="utf-8", newline="") as text:
        assert text.read() == "one\r\ntwo\n"
    with beginning(trees[1] / "big.bin") as handle:
        assert handle.read(300) == FILES["big.bin"][:300]
        handle.seek(700_001)
        assert handle.read(9) == FILES["big.bin"][700_001:700_010]


def test_what_is_missing_or_too_large(trees: tuple[Path, Path]) -> None:
    with fetched(trees[1] / "none", 100) as absent:
        assert not absent.exists()
    with fetched(trees[1] / "big.bin", 100) as empty:
        assert empty.stat().st_size == len(FILES["big.bin"])
        assert not empty.read_bytes().strip(b"\0")
    with pytest.raises(FileNotFoundError):
        here(trees[1] / "none")


def test_walk(trees: tuple[Path, Path]) -> None:
    assert list(walk(trees[1])) == list(walk(trees[0]))


def test_keys_that_lead_elsewhere_are_passed_over(trees: tuple[Path, Path]) -> None:
    store = fsspec.filesystem("memory")
    store.store["/places/tree/../out.txt"] = store.store["/places/tree/a.txt"]
    store.store["/places/tree/b/./c2.txt"] = store.store["/places/tree/a.txt"]
    assert list(walk(trees[1])) == list(walk(trees[0]))
    with pytest.raises(PlaceError, match=r"leads through '\.\.'"):
        located("memory://places/tree/../other")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s4://bucket/tree", "fsspec knows no protocol 's4'; give such as s3://"),
        ("simplecache::s3://bucket/tree", "is a chain of URLs"),
    ],
)
def test_urls_that_cannot_be(url: str, told: str) -> None:
    with pytest.raises(PlaceError, match=told):
        located(url)
    with pytest.raises(PlaceError, match=told):
        located(Path(url))


def test_missing_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gcsfs", None)
    with pytest.raises(PlaceError, match=r"gs://b/t: the driver of gs:// is missing \(.*gcsfs"):
        located("gs://b/t")


def test_a_store_that_fails_is_not_an_empty_one(
    trees: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("the line is down")

    for name in ("info", "ls", "cat_file", "get_file", "open"):
        monkeypatch.setattr(type(fsspec.filesystem("memory")), name, fail)
    file = trees[1] / "never-read.txt"
    for ask in (
        file.is_file,
        file.is_dir,
        file.read_bytes,
        file.open,
        lambda: list(walk(trees[1])),
        lambda: fetched(file, 100).__enter__(),
        lambda: beginning(file).__enter__(),
    ):
        with pytest.raises(
            PlaceError, match=r"^memory://.*: cannot be reached \(the line is down\)"
        ):
            ask()


def test_a_full_disk_is_not_blamed_on_the_store(
    trees: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("radpair.places._copies", lambda: tmp_path)
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "get_file", full)
    told = rf"^{tmp_path}: no space left \(.*\) for memory://.*(a|large).txt; .* folder in TMPDIR"
    with pytest.raises(PlaceError, match=told), fetched(trees[1] / "a.txt", 100):
        pass
    with pytest.raises(PlaceError, match=told):
        here(trees[1] / "large.txt")
    assert not list(tmp_path.glob("tmp*"))


class StatusError(Exception):
    """As a driver that knows HTTP has it."""

    status = 403


@pytest.mark.parametrize("error", [PermissionError("Access Denied"), StatusError("Forbidden")])
def test_what_a_store_refuses(
    trees: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "get_file", refuse)
    with pytest.raises(ForbiddenError, match=rf"cannot be reached \({error}\)"):
        here(trees[1] / "refused.txt")
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "open", refuse)
    with pytest.raises(PermissionError, match="refuses to give it"), beginning(trees[1] / "a.txt"):
        pass
