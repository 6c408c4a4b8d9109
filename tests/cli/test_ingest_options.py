"""What is asked of the writing of a study set reaches it, whatever the source."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

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


def test_a_table_of_files_with_several_frames_needs_a_choice(tmp_path: Path, capsys) -> None:
    frames = np.random.default_rng(0).integers(0, 255, (3, 40, 50)).astype(np.uint8)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = meta.MediaStorageSOPInstanceUID = "1.2"
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.NumberOfFrames, data.Rows, data.Columns = frames.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.PixelData = frames.tobytes()
    data.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    (tmp_path / "films.csv").write_text("path,patient\na.dcm,p\n")
    words = ["ingest", "table", str(tmp_path / "films.csv"), "--image-column", "path"]
    words += ["--patient-column", "patient", "--processes", "1", "--out", str(tmp_path / "set")]
    for more, message in (
        ([], "a.dcm: holds 3 frames where a radiograph has one; choose one with --frame"),
        (["--frame", "0"], "frame is 0; frames are counted from 1"),
    ):
        with pytest.raises(SystemExit):
            main([*words, *more])
        assert message in capsys.readouterr().err
    main([*words[:-1], str(tmp_path / "second"), "--frame", "2"])
    assert np.array_equal(StudySet.open(tmp_path / "second").pixels(0), frames[1])


def test_the_help_says_what_they_do(capsys) -> None:
    main(["ingest", "nih-chestxray14", "--help"])
    told = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Labels of which the seeded splits get equal shares" in told
    assert "Cut the black, white or grey frame around a film" in told
