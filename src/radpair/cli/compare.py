"""``radpair compare``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from radpair.evaluation.fine_tune.settings import FineTuneConfig

Many = Annotated[tuple[str, ...], Parameter(consume_multiple=True)]
Shares = Annotated[tuple[float, ...], Parameter(consume_multiple=True)]
Counts = Annotated[tuple[int, ...], Parameter(consume_multiple=True)]


def compare(
    *run: str,
    data: Many,
    out: Path,
    labels: Many = (),
    fractions: Shares = (0.01, 0.1, 1.0),
    shots: Counts = (1, 4, 16),
    draws: int = 5,
    fine_tune: bool = False,
    overrides: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=True)] = (),
    prompts: Path | None = None,
    uncertain: str = "ignore",
    views: str = "mean",
    operating_point: str = "mcc",
    lists: Path | None = None,
    images: Path | None = None,
    no_images: Many = (),
    resamples: int = 2000,
    seed: int = 0,
    device: str = "cpu",
) -> None:
    """Compare models by every protocol that they and the data allow, with paired tests.

    Writes results.json, results.csv, report.md and report.html. Finished protocols are kept, so
    the same command again continues, and another model or set costs only its own figures.

    Args:
        run: Two or more run folders, model folders, or random:LIKE, where LIKE is one of these or
            a timm name. NAME=RUN names it; NAME=RUN,RUN,... gives several training runs of one
            method, whose metrics are averaged and whose spread counts in every test.
        data: One or more study sets, each as FOLDER or NAME=FOLDER; their training splits give the
            labels, their test splits the figures.
        out: The folder of the results.
        labels: Names of labels; all of each set's if not given.
        fractions: Shares of the training labels for linear probes.
        shots: Patients a class for few-shot probes.
        draws: Seeded draws of patients a budget.
        fine_tune: Fine-tune the whole encoders too, within the same fractions; slow.
        overrides: Settings of --fine-tune as key=value, for instance passes=10.
        prompts: A YAML file of prompts by label; for labels not in it the phantom's own and the
            shipped ones for CheXpert's labels stand.
        uncertain: What an uncertain label counts as: 'ignore', 'ones', 'zeros', 'convirt', or label
            by label, as in Edema=ones,Mass=zeros.
        views: A study of several images, as in 'evaluate': 'mean', or 'max': probes learn from each
            image, and a study has the highest of its images' scores.
        operating_point: What thresholds are best at: 'mcc', 'f1', 'youden', sensitivity=0.9 or
            specificity=0.9.
        lists: The folder of ConVIRT's 8x200 lists, as 'evaluate retrieval-8x200' takes it.
        images: The folder that the lists' paths begin in.
        no_images: Names of sets whose films and reports stay off the page, or 'all'.
        resamples: Of patients, for intervals and tests.
        seed: Of draws, resampling and maps.
        device: 'cpu' or 'cuda'.
    """
    from radpair.comparison.compare_files import compare_to_files
    from radpair.comparison.protocols import Plan
    from radpair.errors import EvaluationError

    if (lists is None) != (images is None):
        raise EvaluationError("give --lists and --images together: the lists name images there")
    both = None if lists is None or images is None else (lists, images)
    plan = Plan(
        *(fractions, shots, draws, seed, resamples),
        uncertain=uncertain,
        views=views,
        operating_point=operating_point,
        fine_tune=_fine_tuning(overrides, views, operating_point, asked=fine_tune),
    )
    print(compare_to_files(run, data, out, labels, plan, prompts, no_images, device, both))


def _fine_tuning(
    overrides: tuple[str, ...], views: str, operating_point: str, *, asked: bool
) -> FineTuneConfig | None:
    from radpair.errors import EvaluationError
    from radpair.evaluation.fine_tune.settings import asked_settings

    if asked:
        return asked_settings(overrides, views, operating_point)
    if overrides:
        raise EvaluationError(
            f"--set {overrides[0]} is a setting of fine-tuning, which was not asked for; give "
            "--fine-tune too, or leave --set out"
        )
    return None
