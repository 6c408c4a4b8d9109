"""RadGraph's own model as a source of graphs: the ``radgraph`` package in another process.

The package needs an older transformers than radpair, so it lives in an environment of its own and
is spoken to through a pipe. Weights come from the user's folder; nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from threading import Thread
from typing import IO, Any

from radpair.errors import GraphError
from radpair.graphs.radgraph_json import from_json
from radpair.records import Graph

MODELS = ("radgraph", "radgraph-xl", "modern-radgraph-xl")
"""Names of the package's models for radiology reports; each is a folder among the weights."""

_WORKER = Path(__file__).with_name("radgraph_worker.py")
_REMEDY = "in it run: pip install radgraph 'transformers<5' requests"


class RadGraphModel:
    """A running RadGraph model; use it in a ``with`` statement.

    ``python`` is the interpreter of the environment that holds the package. ``weights`` is a folder
    with ``MODEL/config.json``, ``MODEL/weights.th`` and ``MODEL/vocabulary`` (the package's
    ``MODEL.tar.gz``, unpacked) and, where they are not in the user's Hugging Face cache, the files
    of the language model that ``config.json`` names, under that name. Raises ``GraphError`` where
    a part is missing or the model does not start.
    """

    def __init__(
        self, python: Path, weights: Path, model: str = "radgraph-xl", device: str = "cpu"
    ) -> None:
        _check_parts(python, weights, model)
        self.python = python
        self.process = subprocess.Popen(
            [str(python), "-W", "ignore", str(_WORKER), model, device],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=weights,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
            text=True,
            encoding="utf-8",
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.questions, self.answers = self.process.stdin, self.process.stdout
        self.said: deque[str] = deque(maxlen=20)
        Thread(target=_listen, args=(self.process.stderr, self.said), daemon=True).start()
        answer = self._answer()
        if "error" in answer:
            self.close()
            raise GraphError(f"RadGraph did not start with {python}: {answer['error']}; {_REMEDY}.")

    def __enter__(self) -> RadGraphModel:
        return self

    def __exit__(self, *problem: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the other process."""
        self.process.kill()
        self.process.wait()
        self.questions.close()
        self.answers.close()

    def graphs(self, texts: Iterable[str]) -> Iterator[Graph | str]:
        """For each text its graph, every entity checked against it, or why there is none."""
        for number, text in enumerate(texts):
            if not text.strip():
                yield "empty report"
                continue
            self.questions.write(json.dumps(text) + "\n")
            self.questions.flush()
            answer = self._answer()
            error = answer.get("error")
            yield str(error) if error else from_json(answer, f"RadGraph, report {number}")

    def _answer(self) -> dict[str, Any]:
        line = self.answers.readline()
        if not line:
            self.process.wait()
            last = self.said[-1].strip() if self.said else "no message"
            raise GraphError(
                f"RadGraph stopped (exit code {self.process.returncode}, {self.python}): {last}; "
                f"{_REMEDY}."
            )
        answer = json.loads(line)
        return answer if isinstance(answer, dict) else {"error": "RadGraph gave no graph"}


def _check_parts(python: Path, weights: Path, model: str) -> None:
    if model not in MODELS:
        raise GraphError(f"RadGraph has no model '{model}'; take one of {', '.join(MODELS)}.")
    if not python.exists():
        raise GraphError(
            f"There is no interpreter at '{python}'; give the python of the environment that "
            f"holds the radgraph package."
        )
    for part in ("config.json", "weights.th", "vocabulary"):
        if not (weights / model / part).exists():
            raise GraphError(
                f"'{weights / model / part}' is missing; unpack {model}.tar.gz, as the radgraph "
                f"package's documentation names it, into '{weights / model}'."
            )


def _listen(stream: IO[str], said: deque[str]) -> None:
    said.extend(line for line in stream if line.strip())
