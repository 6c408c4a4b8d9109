"""Which images are there twice: the same stored pixels, or so alike that only handling differs.

Two images are near duplicates when their likeness codes differ in at most ``DISTANCE`` of 256
bits. A code is the signs of the 16 x 16 lowest frequencies of the cosine transform of the picture
at 64 x 64 pixels, those without variation down or across left out (a perceptual hash). Saving as
JPEG again, another size and another brightness change few of them; a crop, a turn or a mirror
image changes many and is not found.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from radpair.records import SPLITS

EXACT, NEAR, KEEP = "exact", "near", "keep"
RULES = (EXACT, NEAR, KEEP)
DISTANCE = 15
"""Bits; fewer than the ``BANDS``, so that two near codes agree on one band at least."""
BANDS = 16
_SIDE, _LOW = 64, 16
_NOTHING = 0.5
"""A frequency of less than this, of at most 64 * 255, is absent: its sign would be rounding."""


@dataclass(frozen=True, slots=True)
class Known:
    """An image of a set under way, as far as its duplicates matter."""

    path: str
    study_id: str
    split: str
    content: str
    likeness: str


@dataclass(frozen=True, slots=True)
class Repeat:
    """An image that repeats the image number ``first`` of the source's order."""

    first: int
    bits: int
    """In which the likeness codes differ; 0 with ``exact`` too."""
    exact: bool


def content_of(pixels: NDArray[np.uint8]) -> str:
    """32 hex digits, the same only for the same pixels ``[height, width]``."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    return digest.hexdigest()[:32]


def likeness_of(pixels: NDArray[np.uint8]) -> str:
    """The likeness code of ``[height, width]`` uint8 as 64 hex digits, a band every four."""
    small = cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    signs = cv2.dct(small)[1 : _LOW + 1, 1 : _LOW + 1] > _NOTHING
    down, across = np.mgrid[:_LOW, :_LOW]
    spread = signs[down, (across - down) % _LOW]  # a band holds each frequency down and across once
    return np.packbits(spread.T).tobytes().hex()


def repeats(images: Sequence[Known], rule: str) -> dict[int, Repeat]:
    """The images to leave out by ``rule``, each with the earlier one that is kept.

    Images are judged in their order: one that is like a kept earlier one is left out, so of every
    group the first stays.
    """
    if rule == KEEP:
        return {}
    first: dict[str, int] = {}
    found: dict[int, Repeat] = {}
    for place, image in enumerate(images):
        earlier = first.setdefault(image.content, place)
        if earlier != place:
            found[place] = Repeat(earlier, 0, exact=True)
    if rule == NEAR:
        _add_near(images, found)
    return found


def _add_near(images: Sequence[Known], found: dict[int, Repeat]) -> None:
    kept = [place for place in range(len(images)) if place not in found]
    partners: dict[int, list[tuple[int, int]]] = {}
    for one, other, bits in _near(images, kept):
        partners.setdefault(other, []).append((one, bits))
    for place in sorted(partners):
        for earlier, bits in sorted(partners[place]):
            if earlier not in found:
                found[place] = Repeat(earlier, bits, exact=False)
                break
    for place, repeat in list(found.items()):  # the first of the same pixels may be out by now
        if repeat.exact and repeat.first in found:
            found[place] = found[repeat.first]


def _near(images: Sequence[Known], among: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """All near pairs (earlier, later, bits) of the images ``among``, ascending."""
    groups: dict[str, list[int]] = {}
    for place in among:
        groups.setdefault(images[place].likeness, []).append(place)
    members = list(groups.values())
    for group in members:
        yield from ((one, other, 0) for one in group[:1] for other in group[1:])
    for one, other, bits in near_codes(list(groups)):
        for left in members[one]:
            yield from ((min(left, r), max(left, r), bits) for r in members[other])


def near_codes(codes: Sequence[str]) -> list[tuple[int, int, int]]:
    """(one, other, bits) of every two different ``codes`` that are near, one before other.

    Codes that differ in fewer bits than there are bands agree on a band: only those are compared.
    """
    if not codes:
        return []
    packed = np.frombuffer(bytes.fromhex("".join(codes)), np.uint8).reshape(-1, 2 * BANDS)
    bands, words = packed.view(np.uint16), packed.view(np.uint64)
    found: dict[tuple[int, int], int] = {}
    for band in range(BANDS):
        order = np.argsort(bands[:, band], kind="stable")
        value = bands[order, band]
        start = np.arange(max(len(order) - 1, 0))
        step = 1
        while len(start):
            start = start[start + step < len(order)]
            start = start[value[start] == value[start + step]]
            left, right = order[start], order[start + step]
            bits = np.bitwise_count(words[left] ^ words[right]).sum(1, dtype=np.int64)
            near = bits <= DISTANCE
            for one, other, count in zip(left[near], right[near], bits[near], strict=True):
                found[int(one), int(other)] = int(count)
            step += 1
    return [(one, other, found[one, other]) for one, other in sorted(found)]


def across_splits(images: Sequence[Known]) -> list[tuple[int, int, int]]:
    """(image, the first like it in an earlier split, bits), for every image that has such a one.

    Earlier of train, validate, test: what is listed is in a later split what training, or the
    choice of a model, has seen. Ascending.
    """
    codes: dict[str, int] = {}
    code_of = [codes.setdefault(image.likeness, len(codes)) for image in images]
    first: list[dict[str, int]] = [{} for _ in codes]
    for place, image in enumerate(images):
        first[code_of[place]].setdefault(image.split, place)
    alike: list[dict[int, int]] = [{code: 0} for code in range(len(codes))]
    for one, other, bits in near_codes(list(codes)):
        alike[one][other] = alike[other][one] = bits
    found = []
    for place, image in enumerate(images):
        before = SPLITS[: SPLITS.index(image.split)]
        like = [
            (first[code][split], bits)
            for code, bits in alike[code_of[place]].items()
            for split in before
            if split in first[code]
        ]
        if like:
            found.append((place, *min(like)))
    return found
