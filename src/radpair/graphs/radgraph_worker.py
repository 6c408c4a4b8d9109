"""Runs RadGraph's own model; started by ``radgraph_model`` in the environment that holds it.

Knows nothing of radpair, so that it needs none of it there (and any Python from 3.8 will do).
Reads one JSON string a line; writes one RadGraph JSON value a line, or ``{"error": reason}``.
What the package prints goes to standard error. Network access is refused.
"""

import contextlib
import importlib
import json
import os
import sys
from importlib import metadata
from pathlib import Path


def main() -> None:
    """Takes the model's name and the device from the command line; ends with 1 without a model."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    _be_the_first_to_go()
    sys.addaudithook(_refuse_network)
    try:
        model = _model(sys.argv[1], sys.argv[2])
    except Exception as error:
        _answer(answers, {"error": _reason(error)})
        sys.exit(1)
    _answer(answers, {"ready": True, "version": _version()})
    for line in sys.stdin:
        try:
            answer = _graph(model, json.loads(line))
        except Exception as error:
            if "CUDA error" in str(error):  # nothing more can run on the device from here
                raise
            answer = {"error": _reason(error)}
        _answer(answers, answer)


def _model(name: str, device: str):  # type: ignore[no-untyped-def]
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [folder for folder in sys.path if folder != here]
    package = importlib.import_module("radgraph")
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_grad_enabled(False)
    cuda = 0 if device == "cuda" else -1
    model = package.RadGraph(model_type=name, cuda=cuda, model_cache_dir=str(Path.cwd()))
    _graph(model, "No pleural effusion.")  # what cannot read this will read no report
    return model


def _graph(model, text: str):  # type: ignore[no-untyped-def]
    found = model([text])
    if "0" not in found:
        raise ValueError("RadGraph gave no graph")
    return found["0"]


def _version() -> str:
    try:
        return metadata.version("radgraph")
    except metadata.PackageNotFoundError:
        return "unknown"


def _be_the_first_to_go() -> None:
    """Where memory runs out, Linux ends this process and not the one that waits for it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _refuse_network(event: str, values) -> None:  # type: ignore[no-untyped-def]
    if event == "socket.getaddrinfo" or (
        event == "socket.connect" and isinstance(values[1], tuple)
    ):
        raise PermissionError("RadGraph asked for the network, which radpair keeps shut")


def _reason(error: Exception) -> str:
    return "{}: {}".format(type(error).__name__, " ".join(str(error).split())[:300])


def _answer(stream, value) -> None:  # type: ignore[no-untyped-def]
    stream.write(json.dumps(value) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
