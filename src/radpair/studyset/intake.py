"""The studies as a source gives them, checked and with their splits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from radpair.errors import StudySetError
from radpair.records import FileSource, Study
from radpair.studyset.offsets import first_dates, without_dates
from radpair.studyset.parts import AnySource
from radpair.studyset.privacy import Pseudonyms
from radpair.studyset.splits import PatientSplits, split_of
from radpair.studyset.strata import strata_of, stratified


def checked(source: AnySource, plan: dict[str, Any], names: Pseudonyms | None) -> Iterator[Study]:
    """The studies with their splits; stops at a second study id or a patient in two splits."""
    splits, known = PatientSplits(f"source '{source.name}'"), set()
    options = plan["options"]
    seed, fractions = options["seed"], options["fractions"]
    drawn: dict[str, str] = {}
    if labels := options.get("stratify"):
        strata = strata_of(source.studies(), labels)
        drawn = stratified(strata, seed, fractions, names.patient if names else str)
    studies = source.studies()
    if names:
        studies = without_dates(studies, first_dates(source.studies()), names.remarks)
    for study in studies:
        if study.study_id in known:
            raise StudySetError(
                f"source '{source.name}' gives the study id '{study.study_id}' twice; make the "
                "ids unique"
            )
        known.add(study.study_id)
        _check_inside(source, study)
        patient = names.patient(study.patient_id) if names else study.patient_id
        split = study.split or drawn.get(study.patient_id) or split_of(patient, seed, fractions)
        splits.add(study.patient_id, split, study.study_id)
        yield replace(study, split=split)


def _check_inside(source: AnySource, study: Study) -> None:
    """Raises ``StudySetError`` for an image outside the folder of a source of files."""
    if not isinstance(source, FileSource):
        return
    for view in study.views:
        path = PurePosixPath(view.path)
        if path.is_absolute() or ".." in path.parts:
            raise StudySetError(
                f"source '{source.name}' gives study '{study.study_id}' the image '{view.path}', "
                "which leads out of its folder; mend the file that names it, or the source"
            )
