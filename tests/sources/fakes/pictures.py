"""Small films for fake datasets: noise that no two share, in the formats that datasets come in."""

from __future__ import annotations

import zlib
from pathlib import Path

import cv2
import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

HEIGHT, WIDTH = 40, 36


def film(name: str, bits: int = 8) -> np.ndarray:
    """``[HEIGHT, WIDTH]``, uint8 or uint16; its name decides the pixels."""
    noise = np.random.default_rng(zlib.crc32(name.encode()))
    return noise.integers(1, 2**bits - 1, (HEIGHT, WIDTH)).astype(np.uint8 if bits == 8 else "u2")


def picture(file: Path, bits: int = 8) -> None:
    """Writes a film as the file's suffix says, JPEG, PNG or DICOM; its path's end decides it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = film("/".join(file.parts[-3:]), bits)
    if file.suffix == ".dcm":
        _dicom(file, pixels)
        return
    done, content = cv2.imencode(file.suffix, pixels)
    assert done
    file.write_bytes(content.tobytes())


def _dicom(file: Path, pixels: np.ndarray) -> None:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    image = FileDataset(file, {}, file_meta=meta, preamble=b"\0" * 128)
    image.SOPClassUID = meta.MediaStorageSOPClassUID
    image.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    image.Modality = "DX"
    image.Rows, image.Columns = pixels.shape
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.PixelRepresentation = 0
    image.BitsAllocated = image.BitsStored = pixels.dtype.itemsize * 8
    image.HighBit = image.BitsStored - 1
    image.PixelData = pixels.tobytes()
    image.save_as(file, enforce_file_format=True)
