"""Large files that are accepted are read in little memory; larger ones are refused unread."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from radpair.images.limits import MAX_COLOUR, MAX_PIXELS

MOST = 2 << 30
OUTCOMES = Path(__file__).with_name("damaged_outcomes.py")
SIDE, COLOUR_SIDE = int(MAX_PIXELS**0.5), int(MAX_COLOUR**0.5)


def dicom(path: Path, side: int, dtype: Any, samples: int = 1, **tags: Any) -> None:
    """A large file whose pixels are written row by row, 12 bits that repeat."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = meta.MediaStorageSOPInstanceUID = "1.2"
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.Rows = data.Columns = side
    data.SamplesPerPixel = samples
    data.PhotometricInterpretation = "MONOCHROME1" if samples == 1 else "RGB"
    if samples > 1:
        data.PlanarConfiguration = 0
    bits = np.dtype(dtype).itemsize * 8
    data.BitsAllocated, data.BitsStored, data.HighBit = bits, bits, bits - 1
    data.PixelRepresentation = 0
    for name, value in tags.items():
        setattr(data, name, value)
    name = "DoubleFloatPixelData" if np.dtype(dtype).kind == "f" else "PixelData"
    row = (np.arange(side * samples) % (4096 if bits > 8 else 256)).astype(dtype)
    setattr(data, name, row.tobytes() * side)
    data.save_as(path, enforce_file_format=True)


def table() -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [4096, 0, 16]
    item.add_new("LUTData", "US", np.arange(4096).tolist())
    return item


def window(function: str) -> dict[str, Any]:
    return {"WindowCenter": 2048, "WindowWidth": 4096, "VOILUTFunction": function}


def tinted(path: Path) -> None:
    """A PNG in colour, which Pillow holds in four bytes a pixel."""
    picture = Image.new("RGBA", (SIDE, SIDE), (9, 99, 199, 128))
    picture.putpixel((0, 0), (0, 0, 0, 0))
    picture.save(path, compress_level=1)


def deep(path: Path) -> None:
    row = np.repeat(np.arange(COLOUR_SIDE, dtype=np.uint16)[None, :, None], 3, axis=2)
    cv2.imwrite(str(path), np.broadcast_to(row, (COLOUR_SIDE, COLOUR_SIDE, 3)).copy())


LARGE: dict[str, Callable[[Path], None]] = {
    "sigmoid": lambda p: dicom(
        p, SIDE, "u2", RescaleSlope=2, RescaleIntercept=-100, **window("SIGMOID")
    ),
    "table": lambda p: dicom(p, SIDE, "u2", VOILUTSequence=[table()]),
    "32 bits": lambda p: dicom(
        p, SIDE, "u4", RescaleSlope=9, RescaleIntercept=1, **window("LINEAR")
    ),
    "doubles": lambda p: dicom(p, 8000, "f8"),
    "colour": lambda p: dicom(p, COLOUR_SIDE, "u2", 3),
    "YBR": lambda p: dicom(p, COLOUR_SIDE, "u1", 3, PhotometricInterpretation="YBR_FULL"),
    "RGBA.png": tinted,
    "48 bits.tif": deep,
}


@pytest.mark.parametrize("kind", LARGE)
def test_a_large_file_takes_less_than_two_gigabytes(tmp_path: Path, kind: str) -> None:
    LARGE[kind](tmp_path / kind)
    names = tmp_path / "names.json"
    names.write_text(json.dumps([kind]))
    command = [sys.executable, str(OUTCOMES), str(tmp_path), str(names)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)
    (tmp_path / kind).unlink()
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert "reason" not in told["files"][kind]
    assert told["peak"] < MOST, told
