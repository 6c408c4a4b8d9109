"""RadGraph's own model as a source of graphs: the ``radgraph`` package in another process.

The package needs an older transformers than radpair, so it lives in an environment of its own and
is spoken to through a pipe. Weights come from the user's folder; nothing is downloaded, and this
process never opens them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from radpair.errors import GraphError
from radpair.graphs.radgraph_json import from_json
from radpair.graphs.radgraph_process import StoppedError, Worker
from radpair.records import Graph
from radpair.reports import is_empty

MODELS = ("radgraph", "radgraph-xl", "modern-radgraph-xl")
"""Names of the package's models for radiology reports; each is a folder among the weights."""
DEVICES = ("cpu", "cuda")
PATIENCE = 600.0
"""Seconds that a start or one report may take."""

_WORKER = Path(__file__).with_name("radgraph_worker.py")
_PACKAGE = "in its environment run: pip install radgraph 'transformers<5' requests"
_STOPS = 3
"""Reports in a row on which RadGraph may stop before the job ends."""


class RadGraphModel:
    """A running RadGraph model; use it in a ``with`` statement.

    ``python`` is the interpreter of the environment that holds the package. ``weights`` is a folder
    with ``MODEL/config.json``, ``MODEL/weights.th`` and ``MODEL/vocabulary`` (the package's
    ``MODEL.tar.gz``, unpacked) and, where they are not in the user's Hugging Face cache, the files
    of the language model that ``config.json`` names, under that name. ``threads`` bounds its
    processor cores. Raises ``GraphError`` where a part is missing or the model does not start.
    """

    def __init__(
        self,
        python: Path,
        weights: Path,
        model: str = "radgraph-xl",
        device: str = "cpu",
        *,
        threads: int | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self.language_model = _check_parts(weights, model, device)
        self.python, self.weights = _interpreter(python), weights
        self.model, self.device, self.threads = model, device, threads
        self.patience, self.stops = patience, 0
        self.worker = self._started()
        self.version = self.worker.version

    def __enter__(self) -> RadGraphModel:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the other process."""
        self.worker.close()

    def provenance(self) -> dict[str, str]:
        """What decides the graphs: model, version of the package, SHA-256 of the weights."""
        with (self.weights / self.model / "weights.th").open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"model": self.model, "radgraph": self.version, "weights_sha256": digest}

    def graphs(self, texts: Iterable[str]) -> Iterator[Graph | str]:
        """``graph`` of every text, in order."""
        return map(self.graph, texts)

    def graph(self, text: str) -> Graph | str:
        """The graph of a text, every entity checked against it, or why there is none.

        Where RadGraph stops on a text it is started again and the text tried once more; where it
        stops again, or takes longer than ``patience``, that is the text's reason. Raises
        ``GraphError`` where it does so on three texts in a row, or does not start again.
        """
        reason = is_empty(text) or _broken(text)
        if reason:
            return reason
        try:
            answer = self._asked(text)
        except StoppedError as problem:
            self.stops += 1
            if self.stops == _STOPS:
                raise GraphError(
                    f"RadGraph stopped on {self.stops} reports in a row with '{self.python}': "
                    f"{problem}; {_PACKAGE}, or give it more memory."
                ) from problem
            return f"RadGraph stopped on it: {problem}"
        self.stops = 0
        return _checked(answer)

    def _asked(self, text: str) -> dict[str, Any]:
        """The answer to one text, at the second try where RadGraph stopped at the first."""
        for last in (False, True):
            if self.worker.stopped:
                self.worker = self._started()
            try:
                return self.worker.ask(text)
            except StoppedError as problem:
                self.worker.close()
                if last or problem.late:
                    raise
        raise AssertionError("the second try returns or raises")

    def _started(self) -> Worker:
        command = [str(self.python), "-W", "ignore", str(_WORKER), self.model, self.device]
        worker = Worker(command, self.weights, self.threads, self.patience)
        try:
            answer = worker.answer()
        except StoppedError as problem:
            answer = {"error": str(problem)}
        if "error" in answer:
            worker.close()
            raise GraphError(
                f"RadGraph did not start with '{self.python}': {answer['error']}; "
                f"{self._remedy(str(answer['error']))}."
            )
        worker.version = str(answer.get("version"))
        return worker

    def _remedy(self, error: str) -> str:
        lacking = not (self.weights / self.language_model).is_dir()
        if lacking and error.startswith(("OSError", "LocalEntryNotFoundError")):
            return (
                f"put config.json and the tokenizer's files of '{self.language_model}', which "
                f"'{self.weights / self.model / 'config.json'}' names, into "
                f"'{self.weights / self.language_model}'"
            )
        if self.device == "cuda" and ("CUDA" in error or "NVIDIA" in error):
            return "its torch sees no GPU: give the device 'cpu'"
        return _PACKAGE


def _broken(text: str) -> str | None:
    """Why a text cannot be read as Unicode, or None where it can."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"half a character (U+{ord(text[error.start]):04X})"
    return None


def _checked(answer: dict[str, Any]) -> Graph | str:
    if "error" in answer:
        return str(answer["error"])
    try:
        return from_json(answer, "RadGraph's answer")
    except GraphError as fault:
        return str(fault)


def _interpreter(python: Path) -> Path:
    """The absolute path, links kept: a virtual environment's python is one."""
    found = shutil.which(python)
    if found is None:
        hint = f"{python}/bin/python" if python.is_dir() else "ENV/bin/python"
        raise GraphError(
            f"There is no interpreter at '{python}'; give the python of the environment that "
            f"holds the radgraph package, such as {hint}."
        )
    return Path(found).absolute()


def _check_parts(weights: Path, model: str, device: str) -> str:
    """The name of the language model below ``model``; ``GraphError`` where a part is missing."""
    if model not in MODELS:
        raise GraphError(f"RadGraph has no model '{model}'; take one of {', '.join(MODELS)}.")
    if device not in DEVICES:
        raise GraphError(f"RadGraph runs on no '{device}'; take one of {', '.join(DEVICES)}.")
    if (weights / "weights.th").exists():
        raise GraphError(
            f"'{weights}' holds one model; give the folder in which the folder '{model}' lies."
        )
    for part in ("config.json", "weights.th", "vocabulary"):
        if not (weights / model / part).exists():
            raise GraphError(
                f"'{weights / model / part}' is missing; unpack {model}.tar.gz, as the radgraph "
                f"package's documentation names it, into '{weights / model}'."
            )
    file = weights / model / "config.json"
    try:
        shape = json.loads(file.read_text(encoding="utf-8"))
        return str(shape["model"]["embedder"]["token_embedders"]["bert"]["model_name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GraphError(
            f"'{file}' names no language model ({error!r}); unpack {model}.tar.gz again."
        ) from error
