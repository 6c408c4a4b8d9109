"""Errors that a user can act on: one sentence that names the file, row or key and the remedy.

The command line prints the sentence without a traceback and exits with code 2. Any other
exception is a defect of radpair.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class RadpairError(Exception):
    """Base of every error that names its cause and its remedy."""


class SourceError(RadpairError):
    """A dataset on disk is not as expected: a missing file, column or row."""


class PlaceError(RadpairError):
    """A URL cannot be used: an unknown protocol, a missing driver, a store that refuses."""


class ImageError(RadpairError):
    """An image cannot be used: unreadable, damaged, blank, too small or too large."""


class GraphError(RadpairError):
    """A knowledge graph does not follow the schema or does not fit its text."""


class StudySetError(RadpairError):
    """A study set is incomplete, altered, or cannot be written."""


class RecipeError(RadpairError):
    """A recipe or an override names an unknown key or holds an impossible value."""


class RunError(RadpairError):
    """A pretraining run cannot start or continue."""


class ModelError(RadpairError):
    """A model folder is incomplete or altered, or lacks the tower that was asked for."""


class WorkerError(RadpairError):
    """A worker process could not start, or ended before its work was done."""


class EvaluationError(RadpairError):
    """An evaluation was asked for something that its data cannot answer."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint such as ``; did you mean 'epochs'?`` or, with nothing near, the known names."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"; did you mean '{close[0]}'?"
    return f"; known: {', '.join(names)}" if names else ""
