"""The options of ``radpair graphs --from radgraph``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from radpair.graphs.radgraph_origin import FromRadGraph

MODEL, DEVICE = "radgraph-xl", "cpu"


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class RadGraphOptions:
    """Where RadGraph's own model is found; all of them serve ``--from radgraph`` alone."""

    weights: Annotated[
        Path | None, Parameter(help="With --from radgraph: your folder of weights.")
    ] = None
    python: Annotated[
        Path | None,
        Parameter(help="With --from radgraph: the python of the environment with the package."),
    ] = None
    model: Annotated[
        str | None,
        Parameter(
            help="With --from radgraph: radgraph, radgraph-xl (if not given) or modern-radgraph-xl."
        ),
    ] = None
    device: Annotated[
        str | None, Parameter(help="With --from radgraph: 'cpu' (if not given) or 'cuda'.")
    ] = None


@contextmanager
def running(
    origin: str | None, options: RadGraphOptions | None, threads: int, lexicon: Path | None
) -> Iterator[FromRadGraph | None]:
    """RadGraph's model as an origin where ``origin`` asks for it, else None."""
    from radpair.errors import GraphError

    options = options or RadGraphOptions()
    if origin != "radgraph":
        if options != RadGraphOptions():
            raise GraphError(
                "--weights, --python, --model and --device are for RadGraph's own model; "
                "add --from radgraph, or leave them out"
            )
        yield None
        return
    if options.weights is None or options.python is None:
        raise GraphError(
            "--from radgraph needs --weights, your folder of RadGraph's weights, and --python, the "
            "python of the environment that holds the radgraph package"
        )
    if lexicon:
        raise GraphError("a lexicon serves extraction by rules; leave out --lexicon or --from")
    from radpair.graphs.radgraph_model import RadGraphModel
    from radpair.graphs.radgraph_origin import FromRadGraph

    model = RadGraphModel(
        options.python,
        options.weights,
        options.model or MODEL,
        options.device or DEVICE,
        threads=threads,
    )
    with model:
        yield FromRadGraph(model)
