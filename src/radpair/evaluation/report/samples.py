"""Sample studies on the page: the film, its report with entities marked, its graph drawn."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from radpair.errors import EvaluationError
from radpair.graphs.schema import state
from radpair.records import Graph

_LARGEST = 512


@dataclass(frozen=True, slots=True)
class Sample:
    """One study to show."""

    study_id: str
    pixels: NDArray[np.uint8]
    """``[height, width]``, 0 black (air) to 255 white (dense)."""
    report: str
    graph: Graph | None = None
    """Its entities are marked in the report's tokens, unless a drawing shows them."""
    svg: str = ""
    """A finished drawing of the graph and its text, as ``radpair.graphs.svg`` makes them; the
    report then stands as written."""
    note: str = ""
    """A line under the study's name, such as its true findings."""


def sample_figures(samples: Sequence[Sample]) -> str:
    """The samples as HTML, and what the marks mean."""
    used = any(_marks(sample) for sample in samples)
    names = ("anatomy", "present", "uncertain", "absent")
    key = " ".join(f'<mark class="{name}">{name}</mark>' for name in names)
    figures = "".join(_figure(sample) for sample in samples)
    return (f'<p class="key">{key}</p>' if used else "") + figures


def marked_text(graph: Graph) -> str:
    """The graph's text, escaped, each entity in a ``<mark>`` of its label's class."""
    words = [escape(word) for word in graph.text.split(" ")]
    for entity in graph.entities:
        kind = state(entity.label)
        words[entity.start] = f'<mark class="{kind}">{words[entity.start]}'
        words[entity.end] = f"{words[entity.end]}</mark>"
    return " ".join(words)


def png_uri(pixels: NDArray[np.uint8]) -> str:
    """A film as a ``data:`` address, at most 512 pixels a side. Raises ``EvaluationError``."""
    if pixels.ndim != 2 or pixels.dtype != np.uint8:
        raise EvaluationError(f"a sample film must be uint8 [height, width], not {pixels.shape}")
    longest = max(pixels.shape)
    if longest > _LARGEST:
        height, width = (max(1, round(side * _LARGEST / longest)) for side in pixels.shape)
        pixels = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(pixels))
    return "data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode()


def unwrapped(report: str) -> str:
    """The report with one line a paragraph or titled section, its hard line breaks undone."""
    broken = re.sub(r"\n\s*\n|\n(?=\s*[A-Z][A-Za-z ]{2,24}:)", "\0", report.strip())
    return "\n".join(" ".join(part.split()) for part in broken.split("\0") if part.strip())


def _marks(sample: Sample) -> Graph | None:
    return None if sample.svg else sample.graph


def _figure(sample: Sample) -> str:
    graph = _marks(sample)
    words = marked_text(graph) if graph else escape(unwrapped(sample.report))
    note = f"<p class='note'>{escape(sample.note)}</p>" if sample.note else ""
    return (
        f'<figure class="study"><img class="film" src="{png_uri(sample.pixels)}" '
        f'alt="film of study {escape(sample.study_id)}"><figcaption>'
        f"<h3>{escape(sample.study_id)}</h3>{note}"
        f'<p class="report">{words}</p>{_drawn(sample)}</figcaption></figure>'
    )


def _drawn(sample: Sample) -> str:
    """The drawing as an image: whatever it holds, it can neither run nor fetch anything."""
    if not sample.svg:
        return ""
    source = base64.b64encode(sample.svg.encode()).decode()
    return (
        f'<div class="graph scroll"><img src="data:image/svg+xml;base64,{source}" '
        f'alt="graph of study {escape(sample.study_id)}"></div>'
    )
