"""Runs RadGraph's own model; started by ``radgraph_model`` in the environment that holds it.

Knows nothing of radpair, so that it needs none of it there: reads one JSON string a line, writes
one RadGraph JSON value a line, or ``{"error": reason}``. Network access stays off.
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        from radgraph import RadGraph  # type: ignore[import-not-found]

        model = RadGraph(
            model_type=sys.argv[1],
            cuda=0 if sys.argv[2] == "cuda" else -1,
            model_cache_dir=str(Path.cwd()),
        )
    except Exception as error:
        _answer(answers, {"error": f"{type(error).__name__}: {error}"})
        sys.exit(1)
    _answer(answers, {"ready": True})
    for line in sys.stdin:
        try:
            found = model([json.loads(line)])
            _answer(answers, found.get("0") or {"error": "RadGraph gave no graph"})
        except Exception as error:
            _answer(answers, {"error": f"{type(error).__name__}: {error}"})


def _answer(stream, value) -> None:  # type: ignore[no-untyped-def]
    stream.write(json.dumps(value) + "\n")
    stream.flush()


if __name__ == "__main__":
    main()
