"""From attenuation to film: scatter, processing, noise, response, framing and burnt-in marks."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from radpair.phantom.anatomy import Anatomy
from radpair.phantom.frame import FILM_MM, Floats, grain

_PER_CM = np.float32(0.19)


def exposed(build: Anatomy, water: Floats) -> NDArray[np.uint8]:
    """The film ``[size, size]`` of a thickness map in cm of water."""
    rng = np.random.default_rng([build.film.seed, 9])
    water = _framed(build, water, rng)
    density = _scattered(water)
    density = _processed(density, rng)
    density += _quantum(build, density)
    film = np.asarray(np.clip(_response(build, density, rng), 0, 255), dtype=np.uint8)
    _mark(build, film, rng)
    return film


def _framed(build: Anatomy, water: Floats, rng: np.random.Generator) -> Floats:
    """Zoom, shift and slight turn of the patient on the film."""
    size = water.shape[0]
    zoom = 1.19 + 0.10 * rng.normal() - 0.04 * build.body.build
    turn = rng.normal(0, 1.6 if build.supine else 0.8)
    sideways, down = rng.normal(0, 9 if build.supine else 5), 12 + rng.normal(0, 15)
    middle = size / 2 - 0.5
    matrix = cv2.getRotationMatrix2D((middle, middle), turn, float(np.clip(zoom, 0.98, 1.42)))
    matrix[:, 2] += np.array([sideways, down]) * size / FILM_MM
    return np.asarray(
        cv2.warpAffine(water, matrix, (size, size), borderMode=cv2.BORDER_REPLICATE), np.float32
    )


def _scattered(water: Floats) -> Floats:
    """Log exposure after scattered light from the body, in cm of water."""
    light = cv2.exp(-_PER_CM * water)
    size = water.shape[0]
    small = cv2.resize(light * (water > 0.7), (28, 28), interpolation=cv2.INTER_AREA)
    haze = cv2.resize(cv2.GaussianBlur(small, (0, 0), 2.5), (size, size))
    seen = light + np.float32(0.10) * haze
    return np.asarray(cv2.log(seen) / -_PER_CM, dtype=np.float32)


def _processed(density: Floats, rng: np.random.Generator) -> Floats:
    """Part of the slow variation taken out, as digital films do."""
    share = np.float32(rng.uniform(0.0, 0.34))
    size = density.shape[0]
    small = cv2.resize(density, (28, 28), interpolation=cv2.INTER_AREA)
    slow = cv2.resize(cv2.GaussianBlur(small, (0, 0), 3.0), (size, size))
    return np.asarray(density - share * (slow - 15) * (density > 2.5), dtype=np.float32)


def _quantum(build: Anatomy, density: Floats) -> Floats:
    """Quantum noise: more where less light comes through."""
    amount = np.float32(0.08 + 0.55 * build.film.noise)
    loss = cv2.exp(density * (_PER_CM * np.float32(0.5)) - np.float32(1.6))
    return np.asarray(grain(build.film.seed, density.shape[0]) * loss * amount, dtype=np.float32)


def _response(build: Anatomy, density: Floats, rng: np.random.Generator) -> Floats:
    """The characteristic curve: grey 0 to 255 against thickness."""
    heavy = 0.08 * (build.fat - 24) + build.depth - 13.5
    middle = np.float32(12.9 + 0.55 * heavy + 3.0 * build.film.exposure + 0.5 * rng.normal())
    width = np.float32(4.2 * (1 + 0.2 * rng.normal()))
    width = np.clip(width, 2.8, 6.5)
    ceiling = np.float32(rng.uniform(228, 255))
    return np.asarray(ceiling / (1 + cv2.exp((middle - density) / width)), dtype=np.float32)


def _mark(build: Anatomy, film: NDArray[np.uint8], rng: np.random.Generator) -> None:
    """At times a side marker or PORTABLE, and collimated black borders."""
    marker, wording, x, y, border, edge = rng.random(6)
    size = film.shape[0]
    if border < 0.16:
        strip = int(size * (0.012 + 0.03 * edge))
        film[:, :strip] = 4
        film[:, size - strip :] = 4
    if marker < 0.42:
        left = wording < 0.7
        place = ((0.86 if left else 0.06) + 0.06 * x, 0.13 + 0.10 * y)
        _write(film, "L" if left else "R", place, 0.05)
    if build.supine and wording > 0.55:
        _write(film, "PORTABLE", (0.04, 0.05 + 0.03 * x), 0.022)


def _write(film: NDArray[np.uint8], text: str, place: tuple[float, float], height: float) -> None:
    size = film.shape[0]
    scale = height * size / 21.0
    cv2.putText(
        film,
        text,
        (int(place[0] * size), int(place[1] * size)),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale,
        238.0,
        max(1, round(size / 150)),
        cv2.LINE_AA,
    )
