"""``radpair pretrain``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def pretrain(
    recipe: str,
    /,
    *,
    data: Path,
    out: Path,
    overrides: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=True)] = (),
    device: str = "auto",
) -> None:
    """Train a recipe on a study set; the same command again continues where it stopped.

    Args:
        recipe: A name (convirt, igc, convirt-small, igc-small) or a YAML file.
        data: The study set.
        out: The folder of the run; the model comes to stand in its folder 'model'.
        overrides: Values in place of the recipe's, as key=value, for instance image.size=160.
        device: 'auto', 'cpu' or 'cuda'.
    """
    from radpair.pretraining import pretrain as train

    print(train(recipe, data, out, overrides, device))
