"""``radpair readers``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

Files = Annotated[tuple[Path, ...], Parameter(consume_multiple=True)]
Many = Annotated[tuple[str, ...], Parameter(consume_multiple=True)]


def readers(
    *,
    truth: Path,
    reader: Files,
    predictions: Path | None = None,
    thresholds: Many = (),
    validation_truth: Path | None = None,
    validation_predictions: Path | None = None,
    threshold_objective: str = "mcc",
    labels: Many = (),
    id_column: Many = (),
    patient_column: str | None = None,
    out: Path | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> None:
    """Compare radiologists, and a model beside them, on the same studies.

    Args:
        truth: CSV file of the truth: a column of study ids and columns of 1, 0, -1 or blank.
        reader: Such a file of each reader; rows and columns may be in any order.
        predictions: Such a file of a model's scores: any finite numbers, higher for more likely.
        thresholds: A JSON file of labels to numbers, a CSV file with the columns 'label' and
            'threshold', or label=value for each label. Present is a score of at least that.
        validation_truth: Choose the thresholds on this truth of other patients.
        validation_predictions: The model's scores for it.
        threshold_objective: What a threshold chosen on validation is best at: 'mcc', 'f1',
            'youden', sensitivity=0.9 or specificity=0.9.
        labels: Names of columns; CheXpert's five (Atelectasis, Cardiomegaly, Consolidation, Edema,
            Pleural Effusion) if not given.
        id_column: The column of study ids; 'Study' if not given. Of several names, each file has
            the first that it holds.
        patient_column: The column of patients, in the truth or the predictions; without it they
            are read from ids such as patient64741/study1.
        out: A folder for readers.json, readers.csv, readers.md and readers.html.
        resamples: Of patients, for the 95 % intervals.
        seed: Of the resampling.
    """
    from radpair.comparison.readers_text import screen
    from radpair.comparison.run import Cutoffs, compare_readers, write_results
    from radpair.comparison.tables import FIVE, ID_COLUMNS

    cutoffs = Cutoffs(thresholds, validation_truth, validation_predictions, threshold_objective)
    found = compare_readers(
        truth,
        reader,
        predictions,
        cutoffs,
        labels or FIVE,
        id_column or ID_COLUMNS,
        resamples,
        seed,
        patient_column,
    )
    written = [] if out is None else write_results(found, out)
    print(screen(found))
    if written:
        print("\n" + "\n".join(map(str, written)))
