"""The first bytes of files: one table for the room that lists them and the one that reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radpair.errors import ImageError
from radpair.formats import DICOM_HEAD, is_bare, is_marked, raster_kind
from radpair.images import decode
from radpair.sources.pairs import Pairs

GREY = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) // 17


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("a.jpg", "JPEG", {}),
        ("a.png", "PNG", {}),
        ("a.tif", "TIFF", {}),
        ("big.tif", "TIFF", {"big_tiff": True}),
        ("a.gif", None, {}),
    ],
)
def test_what_is_known_by_its_beginning_is_listed_and_read(
    tmp_path: Path, name: str, kind: str | None, options: dict[str, bool]
) -> None:
    """Without its ending a file is an image for both or for neither."""
    folder = tmp_path / "films" / "p1"
    folder.mkdir(parents=True)
    Image.fromarray(GREY.astype(np.uint8)).save(folder / name, **options)
    file = (folder / name).rename(folder / "film")
    assert raster_kind(file.read_bytes()[:DICOM_HEAD]) == kind
    Image.fromarray(GREY.astype(np.uint8)).save(folder / "other.png")
    listed = {study.views[0].path for study in Pairs(root=tmp_path / "films").studies()}
    assert ("p1/film" in listed) == (kind is not None)
    if kind:
        assert decode(file).shape == (64, 64)
    else:
        with pytest.raises(ImageError, match="is not a JPEG, PNG, TIFF or DICOM"):
            decode(file)


def test_dicom_is_told_with_and_without_its_preamble() -> None:
    assert is_marked(bytes(128) + b"DICM")
    assert not is_marked(b"DICM")
    assert is_bare(b"\x08\x00\x05\x00CS\x0a\x00ISO")
    assert not is_bare(b"\x08\x00\x05\x00")
    assert not is_bare(b"\x89PNG\r\n\x1a\n\0")
