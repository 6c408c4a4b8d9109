"""ConVIRT's 8x200 lists in a comparison, against ``radpair evaluate retrieval-8x200``."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from comparison.compare_case import Runs
from evaluation.fake_chexpert import write_fake_chexpert
from radpair.cli import main


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lists and films in the published form."""
    out = tmp_path_factory.mktemp("fake")
    write_fake_chexpert(out)
    return out


def test_lists_of_every_model_and_their_differences(
    runs: Runs, fake: Path, compared: Path, tmp_path: Path, capsys
) -> None:
    given = ["--lists", str(fake / "lists"), "--images", str(fake)]
    out = tmp_path / "out"
    shutil.copytree(compared, out)
    found = runs.compare(out, *given)["lists"]
    assert [(one["kind"], one["queries"], one["candidates"]) for one in found["lists"]] == [
        ("image", 9, 60),
        ("text", 3, 60),
    ]
    by_title = {(row["model"], row["title"]): row for row in found["results"]}
    for kind, extra, models in (
        ("image", [], [runs.igc, runs.convirt]),
        ("text", ["--text"], [runs.convirt]),
    ):
        file = tmp_path / f"{kind}.json"
        names = ["--model", *map(str, models)]
        main(["evaluate", "retrieval-8x200", *names, *given, *extra, "--out", str(file)])
        for theirs in json.loads(file.read_text()):
            mine = by_title[theirs["model"], f"8x200, by {kind}"]
            for k, value in theirs["precision"].items():
                got = mine["metrics"][f"precision_{k}"]["macro"]["value"]
                assert got == pytest.approx(value["value"])
                assert mine["facts"]["chance"][f"precision_{k}"] == pytest.approx(value["chance"])
    assert by_title["igc-small", "8x200, by text"]["why_not"] == "the model has no text tower"
    assert len(found["differences"]) == 3
    for gap in found["differences"]:
        assert gap["metrics"]["precision_10"]["macro"]["holm"] is not None
    assert "ConVIRT's 8x200 retrieval" in (out / "report.md").read_text()
    assert "8x200 retrieval" in (out / "report.html").read_text()
    with (out / "results.csv").open(newline="") as handle:
        assert sum(row["set"] == "8x200" for row in csv.DictReader(handle)) == 4 * 3


def test_mistakes_are_one_sentence(runs: Runs, fake: Path, tmp_path: Path, capsys) -> None:
    for given, message in (
        (["--lists", str(fake / "lists")], "give --lists and --images together"),
        (["--lists", str(fake), "--images", str(fake)], "--lists takes a folder with query.csv"),
        (["--lists", str(fake / "lists"), "--images", str(tmp_path)], "are not under"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(runs.words(tmp_path / "out", *given))
        assert stopped.value.code == 2
        assert message in capsys.readouterr().err
