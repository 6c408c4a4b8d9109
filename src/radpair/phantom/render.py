"""Frontal chest radiographs from the truth of an exam.

The film is computed as one would be taken: thicknesses of tissue, air, bone and metal along each
ray are summed, in cm of water, and pass through absorption, scatter, noise and the film's response.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radpair.errors import ImageError
from radpair.phantom.anatomy import BOTH, Anatomy, anatomy
from radpair.phantom.bones import bones
from radpair.phantom.devices import devices
from radpair.phantom.disease import Changes, bronchograms, changes, lines
from radpair.phantom.film import exposed
from radpair.phantom.frame import Floats, Frame, frame, texture
from radpair.phantom.lesions import thicken
from radpair.phantom.tissue import Chest, airways, bowel_gas, chest
from radpair.phantom.truth import Exam
from radpair.phantom.vessels import depth, vessels

SMALLEST = 32
LARGEST = 2048


def render(exam: Exam, acquisition: int, size: int = 224) -> NDArray[np.uint8]:
    """Draws one film of ``exam``.

    Returns ``[size, size]`` uint8, 0 black (air) to 255 white (dense), with the patient's left on
    the image's right. The film depends on the exam and the number of the acquisition alone; at
    another size it is the same film.

    Raises ``ImageError`` for a size outside 32 to 2048 or an acquisition that the exam lacks.
    """
    if not SMALLEST <= size <= LARGEST:
        raise ImageError(
            f"A film of {size} pixels cannot be drawn; choose {SMALLEST} to {LARGEST} pixels."
        )
    if not 0 <= acquisition < len(exam.acquisitions):
        raise ImageError(
            f"Study {exam.study_id} has {len(exam.acquisitions)} film(s), numbered from 0; "
            f"there is no film {acquisition}."
        )
    build = anatomy(exam, acquisition)
    return exposed(build, thickness(build, frame(size)))


def thickness(build: Anatomy, grid: Frame) -> Floats:
    """Everything along each ray, ``[size, size]`` cm of water."""
    size = grid.size
    parts = chest(build, grid)
    found = changes(build, grid)
    fill = found.fill()
    water = parts.body - _air(build, parts, found, fill)
    clear = parts.above * (1 - 0.5 * fill)
    water += bones(build, grid) * np.clip(parts.body / 6, 0, 1) * (0.35 + 0.65 * clear)
    water -= 2.4 * airways(build, size)
    gas = bowel_gas(build, size)
    if gas is not None:
        water -= 5 * gas
    metal = devices(build, grid)
    if metal is not None:
        water += metal
    return np.asarray(np.maximum(water, 0), dtype=np.float32)


def _air(build: Anatomy, parts: Chest, found: Changes, fill: Floats) -> Floats:
    """Air along each ray, less the vessels, lines and lesions that lie in it."""
    size = found.grid.size
    lung = parts.lung[BOTH[0]] + parts.lung[BOTH[1]]
    spared = bronchograms(found)
    if spared is not None:
        fill = fill * (1 - spared)
    share = build.air * (1 + 0.05 * texture(build.body.seed, 5.0, size)) * (1 - fill)
    share = share + found.gap * (0.98 - share)
    inside = np.clip(lung / 4, 0, 1)
    air = lung * share - depth(vessels(build), size) * inside * (1 - found.gap) * (1 - 0.8 * fill)
    for added in (lines(found), thicken(build, found.grid)):
        if added is not None:
            air -= added * inside * (1 - 0.7 * fill)
    return np.asarray(air, dtype=np.float32)
