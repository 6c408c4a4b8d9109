"""What is kept belongs to the code that made it."""

from __future__ import annotations

import ast
import shutil
from importlib.resources import files
from pathlib import Path

import pytest

from radpair.comparison.kept import unit_key
from radpair.evaluation import code
from radpair.evaluation.code import ENCODING, NO_FIGURES, code_hash, hashed_files


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


ROOT = Path(str(files("radpair")))


def imported(start: list[Path]) -> set[Path]:
    """Every file of radpair that these import, and that those import, and so on."""
    found, left = set(), list(start)
    while left:
        path = left.pop()
        if path in found:
            continue
        found.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module, *(f"{node.module}.{one.name}" for one in node.names)]
            for name in names:
                if name.split(".")[0] == "radpair":
                    place = ROOT.joinpath(*name.split(".")[1:])
                    files_of = (place / "__init__.py", place.with_suffix(".py"))
                    left += [path for path in files_of if path.is_file()]
    return found


def test_every_module_that_figures_are_made_by_is_hashed() -> None:
    rooms = [path for room in ("evaluation", "comparison") for path in (ROOT / room).rglob("*.py")]
    needed = imported(rooms)
    assert ROOT / "evaluation" / "thresholds.py" in needed
    assert needed - set(hashed_files()) == set()
    assert all((ROOT / room).is_dir() for room in NO_FIGURES)


def test_every_module_that_features_are_made_by_is_hashed() -> None:
    rooms = ("encoders", "images", "models")
    files_of = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
    needed = imported([*files_of, ROOT / "evaluation" / "features.py"])
    assert needed - set(hashed_files(ENCODING)) == set()


@pytest.mark.parametrize(
    "place", ["thresholds", "policies", "features", "statistics", "budgets", "fine_tune/loop"]
)
def test_a_fine_tuned_run_does_not_outlive_an_edit(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "radpair"
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(code, "files", lambda name: root)
    code_hash.cache_clear()
    before = code_hash()
    edited = root / "evaluation" / f"{place}.py"
    edited.write_text(edited.read_text() + "\n# edited\n")
    code_hash.cache_clear()
    assert code_hash() != before
    code_hash.cache_clear()
