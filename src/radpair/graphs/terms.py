"""The lexicon: phrases and what they are, read from the TOML files beside this module."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from radpair.errors import GraphError, nearest
from radpair.reports import tokens

FINDING, STATE, MODIFIER, DEVICE = "finding", "state", "modifier", "device"
STRUCTURE, SIDE, PART = "structure", "side", "part"
OBSERVATION_ROLES = frozenset({FINDING, STATE, MODIFIER, DEVICE})
ANATOMY_ROLES = frozenset({STRUCTURE, SIDE, PART})
TRIGGER_ROLES = frozenset(
    {"negation", "negation_emitting_first", "negation_after", "uncertainty", "uncertainty_after"}
    | {"resolution", "introduction"}
    | {"suggest_uncertain", "suggest_present", "versus", "unstated", "pseudo", "break"}
    | {"and", "or", "comma", "preposition", "with", "verb", "seen"}
)

_FILES: Mapping[str, str] = {
    "findings": FINDING,
    "states": STATE,
    "modifiers": MODIFIER,
    "devices": DEVICE,
}
_PLURAL_ROLES = frozenset({FINDING, DEVICE, STRUCTURE, PART})


class Term(NamedTuple):
    """What a phrase is."""

    role: str
    """Of observations, of anatomy, or of triggers."""
    concept: str
    """The key it is listed under; for triggers the same as ``role``."""


class _Branch(NamedTuple):
    """The phrases that begin with one word."""

    alone: Term | None
    """What the word is by itself."""
    longer: Mapping[str, tuple[tuple[tuple[str, ...], Term], ...]]
    """Phrases of two words and more by their second word, the longest first."""


@dataclass(frozen=True, eq=False)
class Lexicon:
    """Every phrase and what it is."""

    entries: Mapping[tuple[str, ...], Term]
    branches: Mapping[str, _Branch]
    """The same, by first word."""

    @cached_property
    def findings(self) -> frozenset[str]:
        """The concepts of the phrases that name a finding."""
        return frozenset(term.concept for term in self.entries.values() if term.role == FINDING)

    def find(self, words: list[str], at: int) -> tuple[Term, int] | None:
        """The longest phrase that begins at ``words[at]`` (lower case) and its length."""
        branch = self.branches.get(words[at])
        if branch is None:
            return None
        if branch.longer and at + 1 < len(words):
            for phrase, term in branch.longer.get(words[at + 1], ()):
                length = len(phrase)
                if length == 2 or tuple(words[at : at + length]) == phrase:
                    return term, length
        return (branch.alone, 1) if branch.alone else None

    def concepts(self, text: str) -> frozenset[str]:
        """The concepts that a span of tokens names, by longest match from the left."""
        words = text.lower().split(" ")
        found = set()
        at = 0
        while at < len(words):
            match = self.find(words, at)
            if match:
                found.add(match[0].concept)
            at += match[1] if match else 1
        return frozenset(found)


@cache
def shipped_lexicon() -> Lexicon:
    """The lexicon that comes with radpair."""
    entries: dict[tuple[str, ...], Term] = {}
    folder = resources.files("radpair.graphs") / "lexicon"
    for name in ("findings", "states", "modifiers", "devices", "anatomy", "triggers"):
        data = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
        _enter(entries, data if name in {"anatomy"} else {_FILES.get(name, "trigger"): data}, name)
    return _by_first_word(entries)


def load_lexicon(path: Path | str) -> Lexicon:
    """The shipped lexicon with a user's own terms put over it.

    The file is TOML with one table per role, such as::

        [finding]
        "Swyer-James" = ["swyer-james syndrome", "unilateral hyperlucent lung"]
        [trigger]
        negation = ["no convincing"]

    A list adds to a shipped concept of its name. Raises ``GraphError`` naming file and key where
    it cannot be read, and where a phrase stands under two concepts.
    """
    path = Path(path)
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise GraphError(f"Cannot read the lexicon '{path}': {error}; give a TOML file.") from error
    tables = {"finding", "state", "modifier", "device", "structure", "side", "part", "trigger"}
    for role, concepts in data.items():
        if role not in tables:
            raise GraphError(f"Lexicon '{path}': unknown table '{role}'{nearest(role, tables)}")
        _check_table(path, role, concepts)
    _check_phrases(path, data)
    entries = dict(shipped_lexicon().entries)
    _enter(entries, data, "")
    return _by_first_word(entries)


def _check_table(path: Path, role: str, concepts: Any) -> None:
    if not isinstance(concepts, dict):
        raise GraphError(f"Lexicon '{path}': '{role}' must be a table of concept = [phrases].")
    for concept, phrases in concepts.items():
        if role == "trigger" and concept not in TRIGGER_ROLES:
            hint = nearest(concept, TRIGGER_ROLES)
            raise GraphError(f"Lexicon '{path}': unknown trigger '{concept}'{hint}")
        listed = isinstance(phrases, list) and all(isinstance(p, str) and p for p in phrases)
        if not listed:
            raise GraphError(
                f"Lexicon '{path}': '{role}.{concept}' must be a list of phrases in quotes."
            )


def _check_phrases(path: Path, tables: Mapping[str, Mapping[str, list[str]]]) -> None:
    """Every phrase has a word and stands under one concept of one table."""
    listed: dict[tuple[str, ...], str] = {}
    for table, concepts in tables.items():
        for concept, phrases in concepts.items():
            place = f"{table}.{concept}"
            for phrase in phrases:
                words = tuple(tokens(phrase.lower()))
                if not words:
                    raise GraphError(
                        f"Lexicon '{path}': '{place}' lists '{phrase}', which holds no word; "
                        "remove it."
                    )
                if listed.setdefault(words, place) != place:
                    raise GraphError(
                        f"Lexicon '{path}': lists '{phrase}' under '{listed[words]}' and under "
                        f"'{place}'; keep it under one."
                    )


def _enter(
    entries: dict[tuple[str, ...], Term], tables: Mapping[str, Mapping[str, Any]], file: str
) -> None:
    """Adds phrases and their derived forms; one phrase listed as two terms in a file is refused."""
    written: dict[tuple[str, ...], Term] = {}
    derived: dict[tuple[str, ...], Term] = {}
    for table, concepts in tables.items():
        for concept, phrases in concepts.items():
            term = Term(concept if table == "trigger" else table, concept)
            for phrase in chain.from_iterable(map(alternatives, phrases)):
                words = tuple(tokens(phrase.lower()))
                if written.setdefault(words, term) != term and file:
                    raise GraphError(f"lexicon/{file}.toml lists '{phrase}' under two concepts.")
                derived.update((form, term) for form in _forms(words, term.role))
    entries.update({form: term for form, term in derived.items() if form not in written})
    entries.update(written)


def alternatives(phrase: str) -> list[str]:
    """Every phrase that one with alternatives in braces stands for: ``{is/are/} not seen``."""
    before, brace, rest = phrase.partition("{")
    if not brace:
        return [" ".join(phrase.split())]
    inside, _, after = rest.partition("}")
    ways = [before + way + after for way in inside.split("/")]
    return [found for way in ways for found in alternatives(way)]


def _forms(words: tuple[str, ...], role: str) -> Iterator[tuple[str, ...]]:
    """Spellings without hyphens, and plurals of nouns."""
    bare = tuple(word for word in words if word != "-")
    for form in (words, bare):
        yield form
        if role in _PLURAL_ROLES:
            yield (*form[:-1], _plural(form[-1]))


def _plural(noun: str) -> str:
    if noun.endswith("is"):
        return noun[:-2] + "es"
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2:-1] not in set("aeiou"):
        return noun[:-1] + "ies"
    return noun + "s"


def _by_first_word(entries: Mapping[tuple[str, ...], Term]) -> Lexicon:
    alone: dict[str, Term] = {}
    longer: dict[str, dict[str, list[tuple[tuple[str, ...], Term]]]] = {}
    for phrase, term in sorted(entries.items(), key=lambda entry: (-len(entry[0]), entry[0])):
        if len(phrase) == 1:
            alone[phrase[0]] = term
        elif phrase:
            longer.setdefault(phrase[0], {}).setdefault(phrase[1], []).append((phrase, term))
    branches = {
        first: _Branch(
            alone.get(first),
            {second: tuple(listed) for second, listed in longer.get(first, {}).items()},
        )
        for first in [*alone, *(word for word in longer if word not in alone)]
    }
    return Lexicon(dict(entries), branches)
