"""Imports point down the list of rooms in docs/architecture.md, and every room stands on it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
SOURCE = TOP / "src" / "radpair"
DOORS = {"__init__", "__main__"}
"""Of the package as a whole: they lead to rooms and are none."""
ROW = re.compile(r"\| (\d) \| ((?:`\w+`(?:, )?)+) \|")


def rows(text: str) -> list[tuple[int, list[str]]]:
    """Floor and rooms of each row, from the top."""
    return [(int(floor), re.findall(r"`(\w+)`", names)) for floor, names in ROW.findall(text)]


TABLE = rows((TOP / "docs" / "architecture.md").read_text(encoding="utf-8"))
FILES = sorted(SOURCE.rglob("*.py"))
ROOMS = {file.relative_to(SOURCE).parts[0].removesuffix(".py") for file in FILES} - DOORS


def imported(code: str) -> Iterator[tuple[int, str]]:
    """Line and room of every import of the package, also of those inside a function."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "radpair" and not node.level:
            modules = [f"radpair.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules = ["." * node.level + (node.module or "")]
        else:
            continue
        for module in modules:
            first, _, rest = module.partition(".")
            if first in ("radpair", "") and rest != "__version__":
                yield node.lineno, rest.split(".")[0]


def upward(file: str, code: str, table: list[tuple[int, list[str]]]) -> list[str]:
    """The imports of a file of the package that do not point to a lower row."""
    row = {room: number for number, (_, rooms) in enumerate(table) for room in rooms}
    own = Path(file).parts[0].removesuffix(".py")
    return [
        f"{file}:{line}: {own} imports {room}"
        for line, room in imported(code)
        if room != own and row.get(room, -1) <= row[own]
    ]


def test_every_room_stands_on_the_list_once() -> None:
    listed = [room for _, rooms in TABLE for room in rooms]
    assert sorted(listed) == sorted(ROOMS)
    floors = [floor for floor, _ in TABLE]
    assert floors == sorted(floors, reverse=True)


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_no_import_points_up(room: str) -> None:
    found = []
    for file in FILES:
        name = file.relative_to(SOURCE).as_posix()
        if name.split("/")[0].removesuffix(".py") == room:
            found += upward(name, file.read_text(encoding="utf-8"), TABLE)
    assert not found


def test_a_room_says_the_floor_of_the_list() -> None:
    floor = {room: number for number, rooms in TABLE for room in rooms}
    for room in ROOMS:
        file = SOURCE / room / "__init__.py"
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        if found := re.match(r'"""Floor (\d)\b', text):
            assert int(found[1]) == floor[room], room


def test_what_points_up_or_aside_is_found() -> None:
    table = rows("| 2 | `up` | x |\n| 1 | `one`, `two` | y |\n| 0 | `down` | z |")
    assert table == [(2, ["up"]), (1, ["one", "two"]), (0, ["down"])]
    for code in (
        "from radpair.up.stairs import x",
        "import radpair.up.stairs",
        "def f():\n    from radpair import up",
        "from radpair.two import x",
        "from radpair.unknown import x",
        "from ..up import x",
        "if True:\n    import radpair.down, radpair.up",
    ):
        assert upward("one/file.py", code, table), code
    for code in ("from radpair.down import x", "from radpair.one.b import x", "import numpy.up"):
        assert not upward("one/file.py", code, table), code
    assert not upward("one.py", "from radpair import __version__, down", table)
