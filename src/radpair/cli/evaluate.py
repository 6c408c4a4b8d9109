"""``radpair evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from radpair.cli.probed import Given, Many, Models

Fractions = Annotated[tuple[float, ...], Parameter(consume_multiple=True)]
Shots = Annotated[tuple[int, ...], Parameter(consume_multiple=True)]


def linear(
    *, given: Given, fractions: Fractions = (0.01, 0.1, 1.0), calibration: bool = False
) -> None:
    """Probe frozen encoders with few labels; AUROC with 95 % intervals, over patients and in total.

    Args:
        fractions: Shares of the training labels.
        calibration: Add the Brier score and the calibration error of the probabilities.
    """
    from radpair.evaluation.probe_verbs import Asked, evaluate_linear

    print(evaluate_linear(Asked(**vars(given)), fractions, calibration))


def knn(*, given: Given, fractions: Fractions = (0.01, 0.1, 1.0)) -> None:
    """Let the nearest labelled studies vote, within label budgets; no classifier is trained.

    Args:
        fractions: Shares of the training labels.
    """
    from radpair.evaluation.probe_verbs import Asked, evaluate_knn

    print(evaluate_knn(Asked(**vars(given)), fractions))


def few_shot(*, given: Given, shots: Shots = (1, 2, 4, 5, 8, 16, 32)) -> None:
    """Probe frozen encoders with K patients with each finding and K without.

    Args:
        shots: Values of K. A label with fewer patients of a class is left out, and named.
    """
    from radpair.evaluation.probe_verbs import Asked, evaluate_few_shot

    print(evaluate_few_shot(Asked(**vars(given)), shots))


def fine_tune(
    *,
    model: Models,
    data: Path,
    out: Path,
    labels: Many = (),
    task: str = "auto",
    fractions: Fractions = (0.01, 0.1, 1.0),
    draws: int = 5,
    seed: int = 0,
    uncertain: str = "ignore",
    overrides: Annotated[tuple[str, ...], Parameter(name="--set", consume_multiple=True)] = (),
    save: Path | None = None,
    views: str = "mean",
    operating_point: str = "mcc",
    resamples: int = 1000,
    device: str = "cpu",
) -> None:
    """Train whole encoders with few labels; the same command again continues where it stopped.

    Args:
        model: Run folders or model folders, or random:LIKE, where LIKE is such a folder or a timm
            name. A random control of each architecture is added.
        data: The study set; its training split gives the labels, its test split the figures.
        out: The folder of the results and of every finished run.
        labels: Names of labels; all of the set's if not given.
        task: 'binary', 'multi-label', 'multi-class' (the labels are classes, one a study), 'mura'
            (every image learned with its study's label), or 'auto': binary for one label,
            multi-label for several.
        fractions: Shares of the training labels.
        draws: Seeded draws of patients a fraction.
        seed: Of draws, training and resampling.
        uncertain: What an uncertain label counts as: 'ignore', 'ones', 'zeros', 'convirt', or label
            by label, as in Edema=ones,Mass=zeros.
        overrides: Settings as key=value, for instance passes=10; learning_rate=[3e-5,1e-4] sweeps.
        save: A folder in which every fine-tuned classifier is kept, for 'radpair predict'.
        views: A study's probability: the 'mean' of its images', or the 'max'.
        operating_point: What thresholds are best at on the held-out part of each budget: 'mcc',
            'f1', 'youden', sensitivity=0.9 or specificity=0.9.
        resamples: Resamples of the patients that the intervals come from, 100 or more.
        device: 'cpu' or 'cuda'.
    """
    from radpair.evaluation.fine_tune.run import evaluate_fine_tune

    chosen = (labels, task, fractions, draws, seed, overrides, uncertain, save, device)
    print(
        evaluate_fine_tune(
            *(model, data, out, *chosen),
            views=views,
            operating_point=operating_point,
            resamples=resamples,
        )
    )


def zero_shot(
    *,
    model: Models,
    data: Path,
    prompts: Path | None = None,
    labels: Many = (),
    seed: int = 0,
    out: Path | None = None,
    cache: Path | None = None,
    scores: Path | None = None,
    uncertain: str = "ignore",
    views: str = "mean",
    operating_point: str = "mcc",
    resamples: int = 1000,
    device: str = "cpu",
) -> None:
    """Score findings by prompts alone, with the text tower, the graph tower, or both.

    Args:
        model: Run folders or model folders.
        data: The study set; its test split gives the figures.
        prompts: A YAML file of prompts by label, or 'chexpert' for those that come with radpair;
            the phantom's own if not given.
        labels: Names of labels; all that have prompts if not given.
        seed: Of the resampling.
        out: A file for the results as JSON.
        cache: A folder in which features are kept between calls.
        scores: A CSV file for every test study's score: study_id, patient_id, model, label,
            protocol, draw, score, truth.
        uncertain: What an uncertain label counts as: 'ignore', 'ones', 'zeros', 'convirt', or label
            by label, as in Edema=ones,Mass=zeros.
        views: A study's score: the 'mean' of its images', or the 'max'.
        operating_point: What thresholds are best at on the split 'validate', where the set has
            one: 'mcc', 'f1', 'youden', sensitivity=0.9 or specificity=0.9.
        resamples: Resamples of the patients that the intervals come from, 100 or more.
        device: 'cpu' or 'cuda'.
    """
    from radpair.evaluation.run import evaluate_zero_shot
    from radpair.evaluation.zero_shot import Rules

    rules = Rules(
        seed=seed,
        resamples=resamples,
        uncertain=uncertain,
        views=views,
        operating_point=operating_point,
    )
    print(evaluate_zero_shot(model, data, prompts, labels, rules, out, cache, device, scores))


def retrieval(
    *,
    model: Models,
    data: Path,
    prompts: Path | None = None,
    seed: int = 0,
    out: Path | None = None,
    cache: Path | None = None,
    resamples: int = 1000,
    device: str = "cpu",
) -> None:
    """Find reports, graphs, other views, and images of a label among the test studies.

    Args:
        model: Run folders or model folders.
        data: The study set; its test split gives the figures.
        prompts: What asks for images of a label: a YAML file, or 'chexpert' for the prompts that
            come with radpair; the phantom's own if not given.
        seed: Of the resampling.
        out: A file for the results as JSON.
        cache: A folder in which features are kept between calls.
        resamples: Resamples of the patients that the intervals come from, 100 or more.
        device: 'cpu' or 'cuda'.
    """
    from radpair.evaluation.retrieval_verbs import evaluate_retrieval

    print(evaluate_retrieval(model, data, prompts, seed, out, cache, device, resamples))


def retrieval_lists(
    *,
    model: Models,
    lists: Path,
    images: Path,
    text: bool = False,
    seed: int = 0,
    out: Path | None = None,
    device: str = "cpu",
) -> None:
    """ConVIRT's 8x200 retrieval: Precision@5, @10 and @50 on published lists of CheXpert images.

    Args:
        model: Run folders or model folders.
        lists: The folder of the lists: query.csv and candidate.csv, or image-retrieval and
            text-retrieval that hold them.
        images: The folder that the lists' paths begin in.
        text: Ask with the lists' sentences in place of their images.
        seed: Of the resampling.
        out: A file for the results as JSON.
        device: 'cpu' or 'cuda'.
    """
    from radpair.evaluation.retrieval_lists import evaluate_lists

    print(evaluate_lists(model, lists, images, text, seed, out, device))
