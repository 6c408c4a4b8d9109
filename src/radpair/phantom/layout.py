"""How a report stands on the page: section headers, order, line wrapping, upper case."""

from __future__ import annotations

import random
from dataclasses import dataclass

from radpair.phantom.truth import Exam

_REASONS = (
    "shortness of breath",
    "cough and fever",
    "chest pain",
    "dyspnea on exertion",
    "hypoxia",
    "altered mental status",
    "leukocytosis",
    "trauma",
    "fall",
    "weakness",
    "productive cough",
    "history of malignancy",
    "tachycardia",
    "abdominal pain",
    "syncope",
)
_QUESTIONS = (
    "pneumonia",
    "effusion",
    "pneumothorax",
    "acute process",
    "interval change",
    "pulmonary edema",
    "infiltrate",
    "acute cardiopulmonary process",
    "rib fracture",
)


@dataclass(frozen=True, slots=True)
class Style:
    """One reader's habits, drawn once per report."""

    terse: bool
    """Telegraphic: no articles, few verbs."""
    capitals: bool
    """Typed in upper case throughout."""
    title: str
    """How a header is spelled: ``upper``, ``title``."""
    width: int
    """Line length, or 0 for unbroken lines."""
    inline: bool
    """Text follows its header on the same line."""
    sections: str
    """``both``, ``findings``, or ``impression``."""
    numbered: bool
    """The impression is a numbered list."""


def draw_style(rng: random.Random) -> Style:
    """The habits of one reader."""
    return Style(
        terse=rng.random() < 0.22,
        capitals=rng.random() < 0.05,
        title="upper" if rng.random() < 0.85 else "title",
        width=rng.choice((0, 70, 75, 78, 80)),
        inline=rng.random() < 0.6,
        sections=rng.choices(("both", "findings", "impression"), (0.84, 0.08, 0.08))[0],
        numbered=rng.random() < 0.4,
    )


def preamble(exam: Exam, rng: random.Random) -> list[tuple[str, str]]:
    """The optional sections before the findings: header and text."""
    sections = []
    for header, rate, body in (
        ("EXAMINATION", 0.6, _examination),
        ("INDICATION", 0.75, _indication),
        ("TECHNIQUE", 0.4, _technique),
        ("COMPARISON", 0.7, _comparison),
    ):
        if rng.random() < rate:
            sections.append((header, body(exam, rng)))
    if [header for header, _ in sections[-2:]] == ["TECHNIQUE", "COMPARISON"]:
        sections[-2:] = rng.sample(sections[-2:], 2)
    return sections


def page(sections: list[tuple[str, str]], style: Style) -> str:
    """The sections as one text. Each body is a paragraph, or a list of lines."""
    blocks = []
    for header, body in sections:
        name = header if style.title == "upper" else header.capitalize()
        if style.inline:
            blocks.append(_wrapped(f"{name}: {body}", style.width))
        else:
            blocks.append(f"{name}:\n{_wrapped(body, style.width)}")
    text = "\n\n".join(blocks)
    return text.upper() if style.capitals else text


def _wrapped(text: str, width: int) -> str:
    if not width:
        return text
    return "\n".join(_line_broken(line, width) for line in text.split("\n"))


def _line_broken(line: str, width: int) -> str:
    lines: list[list[str]] = []
    length = 0
    for word in line.split(" "):
        if lines and length + 1 + len(word) <= width:
            lines[-1].append(word)
            length += 1 + len(word)
        else:
            lines.append([word])
            length = len(word)
    return "\n".join(" ".join(words) for words in lines)


def _examination(exam: Exam, rng: random.Random) -> str:
    position = exam.acquisitions[0].position
    ways = [f"CHEST ({position})", f"Chest radiograph, {position} view", "Chest radiograph"]
    if position == "AP":
        ways += ["CHEST (PORTABLE AP)", "Portable chest radiograph", "PORTABLE CHEST"]
    return rng.choice(ways)


def _technique(exam: Exam, rng: random.Random) -> str:
    position = exam.acquisitions[0].position
    if len(exam.acquisitions) > 1:
        return f"Two frontal views of the chest ({position})."
    ways = [
        f"Single {position} view of the chest.",
        f"Frontal {position} radiograph of the chest was obtained.",
        "Single frontal view of the chest.",
        f"Chest, {position} single view.",
    ]
    if position == "AP":
        ways += ["Portable upright AP view of the chest.", "Portable AP chest radiograph."]
    return rng.choice(ways)


def _indication(exam: Exam, rng: random.Random) -> str:
    sex, age = exam.body.sex, exam.body.age
    person = {"F": "woman", "M": "man"}[sex]
    reason, question = rng.choice(_REASONS), rng.choice(_QUESTIONS)
    return rng.choice(
        (
            f"{age}-year-old {person} with {reason}.",
            f"___ year old {person} with {reason} // eval for {question}",
            f"History: {age}{sex} with {reason}",
            f"{age} year old {person} with {reason}, evaluate for {question}.",
            f"{reason.capitalize()}. Rule out {question}.",
            f"{reason.capitalize()}.",
            f"{reason.capitalize()}, question {question}.",
        )
    )


def _comparison(exam: Exam, rng: random.Random) -> str:
    if exam.previous is None:
        return rng.choice(("None.", "None available.", "No prior studies available."))
    return rng.choice(
        (
            "Chest radiograph from ___.",
            "Chest radiograph dated ___.",
            "___.",
            "Prior chest radiograph.",
            "Multiple prior chest radiographs, most recent from ___.",
        )
    )
