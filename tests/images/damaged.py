"""Writes a corpus of damaged image files, with what each must end in.

    python tests/images/damaged.py FOLDER

The mutations are drawn by a fixed seed. ``make`` gives, for every file, the name of the whole
film whose pixels it must give (``SAME``), that it must be refused (``REFUSED``), that it gives
the whole film or is refused (``CHECKED``: formats with a checksum), or that it gives some picture
or is refused (``EITHER``: a bit of a JPEG, TIFF or DICOM file that was turned over may still say
a picture, and nothing in the file can tell).
"""

from __future__ import annotations

import io
import os
import random
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    RLELossless,
    SecondaryCaptureImageStorage,
)

SAME, REFUSED, CHECKED, EITHER = "same", "refused", "checked", "either"
HEIGHT, WIDTH = 96, 80
KEPT = (0.0, 0.01, 0.1, 0.4, 0.75, 0.9)
FLIPS = (1, 1, 4, 4, 32, 256)
MEGABYTES = 300
HARMLESS = ("samples.tif", "loop.tif")
"""Lies of a TIFF that do not reach its pixels."""


@dataclass(frozen=True)
class Case:
    """A file's name, the whole film it was made from, and what it must end in."""

    name: str
    film: str
    end: str


def make(folder: Path) -> list[Case]:
    """Writes the corpus; the whole films are among it, as ``whole-*``."""
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(0)
    cases = []
    seeds = films()
    for seed, content in seeds.items():
        for name, changed, end in (*_whole(seed, content), *mutations(seed, content, chance)):
            (folder / name).write_bytes(changed)
            cases.append(Case(name, seed, end))
    made_up = {**pngs(), **jpegs(seeds), **tiffs(seeds), **dicoms(), **foreign()}
    for name, content in made_up.items():
        (folder / name).write_bytes(content)
        harmless = name in HARMLESS
        cases.append(Case(name, "grey.tif" if harmless else "", CHECKED if harmless else REFUSED))
    return [*cases, *(Case(name, "", REFUSED) for name in no_files(folder))]


def grey(bits: int = 8) -> np.ndarray:
    """A smooth film with grain, so that no two rows are alike."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    film = 70 + 80 * x / WIDTH + 40 * np.sin(y / 9)
    film += np.random.default_rng(1).normal(0, 6, film.shape)
    return (film.clip(1, 254) * (257 if bits == 16 else 1)).astype(f"u{bits // 8}")


def films() -> dict[str, bytes]:
    """The whole films, by file name."""
    image, deep = Image.fromarray(grey()), Image.fromarray(grey(16))
    return {
        "grey.jpg": _saved(image, "JPEG", quality=90),
        "progressive.jpg": _saved(image, "JPEG", progressive=True),
        "colour.jpg": _saved(image.convert("RGB"), "JPEG"),
        "grey.png": _saved(image, "PNG"),
        "deep.png": _saved(deep, "PNG"),
        "colour.png": _saved(image.convert("RGBA"), "PNG"),
        "grey.tif": _saved(image, "TIFF"),
        "packed.tif": _saved(image, "TIFF", compression="tiff_lzw"),
        "deep.tif": _saved(deep, "TIFF", compression="tiff_adobe_deflate"),
        "plain.dcm": dicom(),
        "rle.dcm": dicom(RLELossless),
        "deflated.dcm": dicom(DeflatedExplicitVRLittleEndian),
        "baseline.dcm": dicom(JPEGBaseline8Bit),
    }


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def dicom(syntax: str = ExplicitVRLittleEndian, **tags: object) -> bytes:
    """A DICOM film with some of its tags replaced, or removed where ``None`` is given."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian if syntax == RLELossless else syntax
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.7"
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.Modality, data.PhotometricInterpretation = "DX", "MONOCHROME2"
    data.Rows, data.Columns, data.SamplesPerPixel, data.PixelRepresentation = HEIGHT, WIDTH, 1, 0
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit = 7
    data.PixelData = grey().tobytes()
    if syntax == JPEGBaseline8Bit:
        data.PixelData = encapsulate([_saved(Image.fromarray(grey()), "JPEG", quality=90)])
        data["PixelData"].VR = "OB"
    if syntax == RLELossless:
        data.compress(RLELossless, generate_instance_uid=False)
    for name, value in tags.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _whole(seed: str, content: bytes) -> Iterator[tuple[str, bytes, str]]:
    """The film itself, under wrong names, and with rubbish behind its end."""
    yield f"whole-{seed}", content, SAME
    for suffix in (".dcm", ".jpg", ".png", ".tiff", ".txt", ""):
        if suffix != Path(seed).suffix:
            yield f"named-{seed.replace('.', '-')}{suffix}", content, SAME
    if not seed.endswith(".dcm"):
        yield f"tail-{seed}", content + b"rubbish" * 40, SAME


def mutations(seed: str, content: bytes, chance: random.Random) -> Iterator[tuple[str, bytes, str]]:
    """Truncated, turned over, zeroed and swapped."""
    for share in KEPT:
        yield f"cut-{share}-{seed}", content[: int(len(content) * share)], REFUSED
    checked = CHECKED if seed.endswith(".png") else EITHER
    for number, bits in enumerate(FLIPS):
        changed = bytearray(content)
        for _ in range(bits):
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        yield f"flip-{number}-{seed}", bytes(changed), checked
    for number in range(3):
        changed = bytearray(content)
        changed[chance.randrange(min(400, len(changed)))] ^= 1 << chance.randrange(8)
        yield f"head-{number}-{seed}", bytes(changed), checked
    place = len(content) // 2
    zeros = bytes(min(600, place))
    yield f"zeroed-{seed}", content[:place] + zeros + content[place + len(zeros) :], checked
    lost = content[:place] + content[place + 37 :]
    yield f"lost-{seed}", lost, REFUSED if seed.endswith((".png", "plain.dcm")) else EITHER
    yield f"headless-{seed}", content[200:], REFUSED


def chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes, depth: int = 8) -> bytes:
    """A PNG file of grey pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def pngs() -> dict[str, bytes]:
    """Zip bombs in chunks, and sizes that lie."""
    few = chunk(b"IDAT", zlib.compress(b"\0" * 65 * 64))
    bomb = _zeros(MEGABYTES)
    made = {
        "bomb-ztxt": png(64, 64, chunk(b"zTXt", b"Comment\0\0" + bomb), few),
        "bomb-itxt": png(64, 64, chunk(b"iTXt", b"Comment\0\1\0\0\0" + bomb), few),
        "bomb-iccp": png(64, 64, chunk(b"iCCP", b"profile\0\0" + bomb), few),
        "bomb-idat": png(64, 64, chunk(b"IDAT", bomb)),
        "bomb-texts": png(64, 64, *[chunk(b"zTXt", b"C\0\0" + _zeros(1))] * 200, few),
        "many-chunks": png(64, 64, *[chunk(b"tEXt", b"k\0v")] * 50_000, few),
        "no-idat": png(64, 64),
        "wide": png(2**31 - 1, 64, few),
        "tall": png(64, 2**31 - 1, few),
        "square": png(30_000, 30_000, chunk(b"IDAT", bomb)),
        "flat": png(32, 100_000, few),
        "none": png(0, 64, few),
        "tiny": png(4, 4, few),
        "depth": png(64, 64, few, depth=7),
        "short": png(640, 640, few),
        "blank": png(64, 64, few),
        "length": png(64, 64, b"\xff\xff\xff\xffIDAT" + few),
    }
    return {f"{name}.png": content for name, content in made.items()}


def _zeros(megabytes: int) -> bytes:
    packer = zlib.compressobj(9)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(megabytes)) + packer.flush()


def jpegs(seeds: dict[str, bytes]) -> dict[str, bytes]:
    """A frame header that lies."""
    content = seeds["grey.jpg"]
    frame = content.index(b"\xff\xc0") + 5
    sizes = {"huge": (65535, 65535), "long": (65000, 1500), "empty": (0, 0), "small": (8, 8)}
    made = {
        name: content[:frame] + struct.pack(">HH", *size) + content[frame + 4 :]
        for name, size in sizes.items()
    }
    made["components"] = content[: frame + 4] + b"\x09" + content[frame + 5 :]
    made["precision"] = content[: frame - 1] + b"\x0c" + content[frame:]
    made["starts"] = b"\xff\xd8\xff" * 9000
    return {f"{name}.jpg": changed for name, changed in made.items()}


def tiffs(seeds: dict[str, bytes]) -> dict[str, bytes]:
    """Directories that loop, and sizes and places that lie."""
    content = seeds["grey.tif"]
    (at,) = struct.unpack_from("<I", content, 4)
    (entries,) = struct.unpack_from("<H", content, at)
    made = {}
    for name, tag, value in (
        ("wide", 256, 2**31 - 1),
        ("tall", 257, 2**31 - 1),
        ("bits", 258, 7),
        ("compression", 259, 4242),
        ("place", 273, 2**32 - 16),
        ("samples", 277, 9),
    ):
        changed = bytearray(content)
        for entry in range(at + 2, at + 2 + 12 * entries, 12):
            if struct.unpack_from("<H", content, entry)[0] == tag:
                struct.pack_into("<HHII", changed, entry, tag, 4, 1, value)
        made[f"{name}.tif"] = bytes(changed)
    loop = bytearray(content)
    struct.pack_into("<I", loop, at + 2 + 12 * entries, at)
    made["loop.tif"] = bytes(loop)
    made["nowhere.tif"] = b"II*\0" + struct.pack("<I", 2**32 - 2)
    return made


def dicoms() -> dict[str, bytes]:
    """Headers that lie."""
    nested = Dataset()
    nested.LUTDescriptor, nested.LUTData = [0, 0, 16], b"\0\1"
    made = {
        "rows": dicom(Rows=65535, Columns=65535),
        "more-rows": dicom(Rows=HEIGHT * 4),
        "no-rows": dicom(Rows=None),
        "no-pixels": dicom(PixelData=None),
        "frames": dicom(NumberOfFrames="2000000000"),
        "bits": dicom(BitsAllocated=24),
        "samples": dicom(SamplesPerPixel=3),
        "photometric": dicom(PhotometricInterpretation="MONOCHROME7"),
        "lut": dicom(VOILUTSequence=[nested]),
        "fragment": dicom(RLELossless, PixelData=b"\xfe\xff\x00\xe0\xff\xff\xff\x7f" + bytes(40)),
        "wrong-codec": dicom(JPEGBaseline8Bit, PixelData=encapsulate([b"\xff\xd8" + bytes(500)])),
        "no-image": dicom(PixelData=None, Rows=None, Columns=None, Modality="SR"),
    }
    plain = dicom()
    made["syntax"] = plain.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0")
    deflated = dicom(DeflatedExplicitVRLittleEndian)
    start = 144 + int.from_bytes(deflated[140:144], "little")
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = (packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)) * 1200
    made["inflates"] = deflated[:start] + bomb
    made["nested"] = (
        plain[:-9000] + b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0" * 5000
    )
    return {f"{name}.dcm": content for name, content in made.items()}


def foreign() -> dict[str, bytes]:
    """What is no picture at all."""
    chance = random.Random(3)
    return {
        "page.jpg": b"<!doctype html><title>404</title>" * 40,
        "noise.png": chance.randbytes(20_000),
        "noise.dcm": bytes(128) + b"DICM" + chance.randbytes(20_000),
        "archive.png": b"PK\x03\x04" + chance.randbytes(4000),
        "packed.jpg": zlib.compress(bytes(1 << 20)),
        "pointer.jpg": b"version https://git-lfs.github.com/spec/v1\nsize 81920\n",
        "spaces.tif": b" " * 4000,
    }


def no_files(folder: Path) -> list[str]:
    """Links in circles and to nowhere, a folder, a pipe and a device."""
    (folder / "circle.png").symlink_to(folder / "round.png")
    (folder / "round.png").symlink_to(folder / "circle.png")
    (folder / "nowhere.png").symlink_to(folder / "gone.png")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    (folder / "zeros.png").symlink_to("/dev/zero")
    return ["circle.png", "round.png", "nowhere.png", "folder.png", "pipe.png", "zeros.png"]


if __name__ == "__main__":
    print(f"{len(make(Path(sys.argv[1])))} files")
