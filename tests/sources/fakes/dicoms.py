"""Small DICOM files with the tags that a test asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydicom import dcmread

from radpair.sources.headers import quiet
from sources.fakes.pictures import picture


def dicom_file(file: Path, bits: int = 8, **tags: Any) -> Path:
    """Writes a film of class DX whose pixels its name decides; a tag that is None is left out."""
    made = file.with_name(f"{file.name}.dcm")
    picture(made, bits)
    data = dcmread(made)
    with quiet():  # ages without a unit are invalid, as those of some releases are
        for keyword, value in tags.items():
            if value is None:
                if keyword in data:
                    delattr(data, keyword)
            else:
                setattr(data, keyword, value)
        data.save_as(made, enforce_file_format=True)
    return made.rename(file)
