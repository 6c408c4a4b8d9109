"""What is asked of the writing of a study set reaches it, whatever the source."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radpair.cli import main
from radpair.studyset import StudySet


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Forty films of forty patients in a black frame; every fourth has Edema, every fifth Mass."""
    with (tmp_path / "films.csv").open("w", newline="") as handle:
        table = csv.writer(handle)
        table.writerow(["path", "patient", "Edema", "Pleural Mass"])
        for number in range(40):
            grain = np.random.default_rng(number).integers(40, 250, (60, 50)).astype(np.uint8)
            Image.fromarray(np.pad(grain, 6)).save(tmp_path / f"{number}.png")
            table.writerow(
                [f"{number}.png", f"p{number}", int(number % 4 == 0), int(number % 5 == 0)]
            )
    columns = ["--image-column", "path", "--patient-column", "patient"]
    columns += ["--label-columns", "Edema", "Pleural Mass", "--processes", "1"]
    return [
        "ingest",
        "table",
        str(tmp_path / "films.csv"),
        *columns,
        "--out",
        str(tmp_path / "set"),
    ]


def test_stratify_and_trim_borders(words: list[str], tmp_path: Path, capsys) -> None:
    asked = [*words, "--fractions", "0.5", "0.25", "0.25", "--trim-borders"]
    main([*asked, "--stratify", "Edema", "Pleural Mass"])
    assert "Borders were trimmed of 40 images" in capsys.readouterr().out
    found = StudySet.open(tmp_path / "set")
    assert found.manifest["options"]["stratify"] == ["Edema", "Pleural Mass"]
    assert found.pixels(0).shape == (60, 50)
    for label, total in enumerate((10, 8)):
        for split, share in (("train", 0.5), ("validate", 0.25), ("test", 0.25)):
            present = (found.labels[found.split(split), label] == 1).sum()
            assert abs(present - share * total) < 2  # within one in each of two strata


def test_refusals_are_one_sentence(words: list[str], tmp_path: Path, capsys) -> None:
    for more, message in (
        (["--stratify", "Edma"], "no study has the label 'Edma'; did you mean 'Edema'?"),
        (["--size", "31"], "--size 31: give 32 to 10000 pixels"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main([*words, *more])
        assert stopped.value.code == 2
        error = capsys.readouterr().err
        assert message in error
        assert "Traceback" not in error
    main(words)  # a refusal before the first part leaves the folder free
    assert len(StudySet.open(tmp_path / "set")) == 40


def test_the_help_says_what_they_do(capsys) -> None:
    main(["ingest", "nih-chestxray14", "--help"])
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Labels of which the seeded splits get equal shares" in told
    assert "Cut the black, white or grey frame around a film" in told
