"""The evaluation verbs: models and a study set in, figures out, as text and as JSON."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from radpair import __version__
from radpair.encoders.image import ImageConfig
from radpair.errors import EvaluationError, nearest
from radpair.evaluation.code import code_hash
from radpair.evaluation.features import encode_study_set, study_means
from radpair.evaluation.linear import linear_probe
from radpair.evaluation.operating import VALIDATION, read_point
from radpair.evaluation.policies import check_policy
from radpair.evaluation.prompts import Prompts, read_prompt_set
from radpair.evaluation.protocol import Features
from radpair.evaluation.results import Results
from radpair.evaluation.retrieval import graph_key, report_key, retrieval
from radpair.evaluation.score_file import ScoreFile
from radpair.evaluation.shown_graphs import graphs_json, graphs_told
from radpair.evaluation.statistics import given_labels, why_undefined
from radpair.evaluation.tables import zero_shot_report
from radpair.evaluation.views import MEAN, Views, check_views
from radpair.evaluation.zero_shot import Rules, encode_prompts, score_studies, zero_shot
from radpair.models import Model, open_model
from radpair.models.folder import write_atomically
from radpair.models.place import model_place
from radpair.phantom.prompts import PROMPTS
from radpair.progress import track
from radpair.studyset import StudySet
from radpair.studyset.batch import usable_sentences

Floats = NDArray[np.float32]
EVALUATED = "test"
RESAMPLES, LEAST_RESAMPLES = 1000, 100


@dataclass(frozen=True)
class Outcome:
    """What an evaluation found: a table for people, JSON values for programs."""

    table: str
    results: Any

    def __str__(self) -> str:
        return self.table


class Encoded:
    """A study set as one model sees it."""

    def __init__(self, model: Model, studies: StudySet, cache: Path | None = None) -> None:
        self.model = model
        with track(f"encode with {model.name}", len(studies.image_study)) as show:
            codes = encode_study_set(model, studies, cache, lambda done, total: show(done))
        self.projections = codes.projections
        """``[images, dim]``."""
        self.image_features = codes.features
        """``[images, features]``."""
        self.studies = studies
        self.features = study_means(codes.features, studies.image_study, len(studies))
        """``[studies, features]``: the mean over a study's images."""
        self.study_projections = study_means(codes.projections, studies.image_study, len(studies))
        """``[studies, dim]``."""

    def probed(self, views: str = MEAN) -> Features:
        """What probes learn from: the mean over a study's images, or with ``max`` each image."""
        if views == MEAN:
            return self.features
        studies = self.studies
        return Views(self.image_features, studies.image_study, studies.study_ids, views)


def open_models(names: Sequence[str], *, control: bool = False, device: str = "cpu") -> list[Model]:
    """The models of run folders, model folders and ``random:LIKE``.

    ``control`` puts a random one of each architecture before them.
    """
    if not names:
        raise EvaluationError("no model was named; give --model RUN")
    places = [model_place(name) for name in names]
    models = [open_model(place, device) for place in places]
    if control and not any(name.startswith("random:") for name in names):
        like: dict[ImageConfig, str] = {}
        for model, name in zip(models, places, strict=True):
            like.setdefault(replace(model.pair.config.image, weights="none"), name)
        models = [open_model(f"random:{name}", device) for name in like.values()] + models
    known = [model.name for model in models]
    for name in known:
        if known.count(name) > 1:
            raise EvaluationError(f"two models are called '{name}'; rename one of their runs")
    return sorted(models, key=lambda model: not model.name.startswith("random:"))


def check_resamples(resamples: int) -> None:
    """Raises ``EvaluationError`` for too few resamples to read an interval off."""
    if resamples < LEAST_RESAMPLES:
        raise EvaluationError(
            f"--resamples {resamples}: give {LEAST_RESAMPLES} or more; an interval's ends lie "
            "between the outermost resamples"
        )


def check_measured(results: Results, data: Path) -> None:
    """Raises ``EvaluationError`` where no label could be measured at all."""
    if not all(math.isnan(row.metrics["auroc"].macro.value) for row in results.rows):
        return
    notes = [one.note for row in results.rows for one in row.metrics["auroc"].labels.values()]
    if any((note or "").startswith("not learned") for note in notes):
        raise EvaluationError(
            f"{data}: no label that can be measured has both classes in any training budget, so "
            "there is nothing to learn; choose larger budgets or other labels"
        )
    raise _nothing_measured(data)


def check_measurable(studies: StudySet, columns: Sequence[int], uncertain: str) -> None:
    """Raises ``EvaluationError`` where no label can be measured, before anything is encoded."""
    names = [studies.label_names[column] for column in columns]
    truth = given_labels(studies.labels[:, columns], studies.study_ids, names, uncertain)
    if all(why_undefined(truth[studies.split(EVALUATED)])):
        raise _nothing_measured(studies.path)


def _nothing_measured(data: Path) -> EvaluationError:
    return EvaluationError(
        f"{data}: no label has both classes in the split '{EVALUATED}', so there is nothing "
        "to measure; choose other labels or a larger test split"
    )


def probe(
    seen: Sequence[Encoded],
    studies: StudySet,
    columns: Sequence[int],
    fractions: Sequence[float],
    draws: int = 5,
    seed: int = 0,
    *,
    resamples: int = RESAMPLES,
) -> Results:
    """Linear probes of encoded sets; the first is the reference of the differences."""
    named = [studies.label_names[column] for column in columns]
    with track("linear probes", len(seen) * len(fractions)) as show:
        return linear_probe(
            {one.model.name: one.features for one in seen},
            studies.labels[:, columns],
            studies.patient_ids,
            studies.splits,
            named,
            fractions,
            draws,
            seed,
            evaluated=EVALUATED,
            resamples=resamples,
            on_probe=lambda done, total: show(done),
        )


def evaluate_zero_shot(
    names: Sequence[str],
    data: Path,
    prompts: Path | None = None,
    labels: Sequence[str] = (),
    rules: Rules | None = None,
    out: Path | None = None,
    cache: Path | None = None,
    device: str = "cpu",
    scores: Path | None = None,
) -> Outcome:
    """Findings by text and by graph prompts, with every tower that the models have.

    Thresholds come from the split ``validate``, where there is one.
    """
    rules = rules or Rules()
    studies = opened(data, rules.seed, out, scores, cache and cache / "features")
    check_views(rules.views)
    read_point(rules.operating_point)
    check_resamples(rules.resamples)
    check_policy(rules.uncertain)
    version, asked = prompts_for(prompts)
    columns = label_columns(studies, labels)
    if not any(studies.label_names[column] in asked for column in columns):
        raise EvaluationError(
            f"{data}: none of the labels {', '.join(studies.label_names[c] for c in columns)} has "
            f"prompts; the prompts are for {', '.join(asked)}, so give a file with --prompts"
        )
    file = None
    if scores is not None:
        file = ScoreFile(scores, studies, columns, EVALUATED, rules.uncertain)
    seen = [Encoded(model, studies, cache) for model in open_models(names, device=device)]
    given = (studies, asked, columns, rules, file)
    found = [row for one in seen for row in zero_shot_rows(one, *given)]
    if not found:
        raise EvaluationError(
            "none of the models has a text or graph tower that these prompts can be put to"
        )
    if all(row["metrics"]["auroc"]["macro"]["value"] is None for row in found):
        raise _nothing_measured(data)
    if file is not None:
        file.write()
    made = provenance(seen, studies, **asdict(rules))
    rests = {"prompts_version": version, "provenance": made}
    told = [zero_shot_report(found)]
    silent = [one.model.name for one in seen if one.model.name not in {r["model"] for r in found}]
    if silent:
        told.append(f"not asked, as no prompts are for their towers: {', '.join(silent)}")
    graphs = next((row["graphs"] for row in found if row["kind"] == "graph"), None)
    if graphs and prompts is not None and prompts.is_file():
        told.append(graphs_told(graphs))
    return kept(Outcome("\n\n".join(told), [{**row, **rests} for row in found]), out)


def prompts_for(path: Path | None) -> tuple[str, Mapping[str, Any]]:
    """The version and the prompts of a file, or the phantom's own."""
    if path is None:
        return f"phantom, radpair {__version__}", PROMPTS
    found = read_prompt_set(path)
    return found.version, found.labels


def zero_shot_rows(
    one: Encoded,
    studies: StudySet,
    prompts: Mapping[str, Any],
    columns: Sequence[int],
    rules: Rules | None = None,
    scores: ScoreFile | None = None,
) -> list[dict[str, Any]]:
    """One result for each tower of the model that has prompts for some of the labels."""
    names = [studies.label_names[column] for column in columns]
    entries = {name: as_prompts(prompts[name]) for name in names if name in prompts}
    kinds = [
        kind
        for kind, has in (("text", one.model.has_text), ("graph", one.model.has_graph))
        if has and any(_sides(entry, kind) for entry in entries.values())
    ]
    given = (one, studies, entries, names, columns)
    return [_zero_shot_row(*given, kind, rules or Rules(), scores) for kind in kinds]


def _sides(entry: Prompts, kind: str) -> bool:
    return bool(entry.present if kind == "text" else entry.present_graphs)


def _zero_shot_row(
    one: Encoded,
    studies: StudySet,
    entries: Mapping[str, Prompts],
    names: Sequence[str],
    columns: Sequence[int],
    kind: str,
    rules: Rules,
    scores: ScoreFile | None,
) -> dict[str, Any]:
    codes = encode_prompts(one.model, entries, kind)
    if scores is not None:
        given = (one.projections, studies.image_study, codes, codes.labels, studies.study_ids)
        every = score_studies(*given, rules.views)
        chosen = every[studies.split(EVALUATED)].astype(np.float64)
        scores.add(one.model.name, f"zero-shot {kind}", codes.labels, chosen[None])
    found = zero_shot(
        one.model.name,
        one.projections,
        studies.image_study,
        codes,
        studies.labels[:, columns],
        studies.patient_ids,
        names,
        studies.split(EVALUATED),
        validation=studies.split(VALIDATION),
        **asdict(rules),
    )
    return {**found, "graphs": graphs_json(entries, codes.labels)} if kind == "graph" else found


def as_prompts(entry: Any) -> Prompts:
    """A label's prompts, from a file or from the phantom."""
    return Prompts(entry.present, entry.absent, entry.present_graphs, entry.absent_graphs)


def retrieval_rows(
    one: Encoded, studies: StudySet, seed: int = 0, resamples: int = RESAMPLES
) -> list[dict[str, Any]]:
    """One result for each tower; a report's code is the mean of its sentences'."""
    chosen = studies.split(EVALUATED)
    found = []
    if one.model.has_text:
        texts = [usable_sentences(studies.reports[study]) for study in chosen]
        has = [number for number, sentences in enumerate(texts) if sentences]
        if has:
            codes = _report_codes(one.model, [texts[number] for number in has])
            keys = [report_key(studies.reports[chosen[number]]) for number in has]
            given = (chosen[has], codes, keys, "report", seed, resamples)
            found.append(_retrieved(one, studies, *given))
    if one.model.has_graph and studies.has_graphs:
        graphs = studies.graphs()
        has = [n for n, study in enumerate(chosen) if (g := graphs[study]) and g.entities]
        drawn = [graph for n in has if (graph := graphs[chosen[n]]) is not None]
        if drawn:
            codes = one.model.encode_graphs(drawn)
            keys = [graph_key(graph) for graph in drawn]
            given = (chosen[has], codes, keys, "graph", seed, resamples)
            found.append(_retrieved(one, studies, *given))
    return found


def _report_codes(model: Model, texts: Sequence[Sequence[str]]) -> Floats:
    codes = model.encode_texts([sentence for report in texts for sentence in report])
    owner = np.repeat(np.arange(len(texts)), [len(report) for report in texts])
    return study_means(codes, owner, len(texts))


def _retrieved(
    one: Encoded,
    studies: StudySet,
    chosen: NDArray[np.int64],
    codes: Floats,
    keys: Sequence[str],
    kind: str,
    seed: int,
    resamples: int,
) -> dict[str, Any]:
    patients = [studies.patient_ids[study] for study in chosen]
    images = one.study_projections[chosen]
    return retrieval(
        *(one.model.name, images, codes, keys, patients),
        kind=kind,
        seed=seed,
        resamples=resamples,
    )


def write_embeddings(name: str, data: Path, out: Path, device: str = "cpu") -> str:
    """Writes ``study_id, patient_id, split, features, projection`` as Parquet, one row a study."""
    if out.suffix != ".parquet":
        raise EvaluationError(f"{out}: name the table with the ending .parquet")
    studies = StudySet.open(data)
    one = Encoded(open_model(model_place(name), device), studies)
    table = pa.table(
        {
            "study_id": studies.study_ids,
            "patient_id": studies.patient_ids,
            "split": studies.splits.tolist(),
            "features": list(one.features),
            "projection": list(one.study_projections),
        },
        metadata={"model": one.model.hash, "study_set": studies.content_hash},
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    write_atomically(out, buffer.getvalue())
    return f"{out}: {len(studies):,} studies, {one.features.shape[1]} features each"


def opened(data: Path, seed: int, *files: Path | None) -> StudySet:
    """The study set, once it is seen that there is something to evaluate and to write to."""
    studies = StudySet.open(data)
    if not len(studies.split(EVALUATED)):
        raise EvaluationError(f"{data}: no study is in the split '{EVALUATED}'; ingest with one")
    if seed < 0:
        raise EvaluationError(f"the seed is {seed}; it must be 0 or more")
    for file in files:
        if file is not None and file.is_dir():
            raise EvaluationError(f"{file}: is a folder; name a file")
        if file is not None and file.parent.exists() and not file.parent.is_dir():
            raise EvaluationError(f"{file.parent}: is a file; name a folder to write into")
    return studies


def label_columns(studies: StudySet, labels: Sequence[str]) -> list[int]:
    """The places of these labels, or of all."""
    for label in labels:
        if label not in studies.label_names:
            raise EvaluationError(
                f"{studies.path} has no label '{label}'{nearest(label, studies.label_names)}"
            )
    if not studies.label_names:
        raise EvaluationError(f"{studies.path} has no labels; ingest it with --label-columns")
    return [studies.label_names.index(label) for label in labels or studies.label_names]


def provenance(seen: Sequence[Encoded], studies: StudySet, **settings: Any) -> dict[str, Any]:
    """What a result rests on: hashes of set, graphs and models, and what it was asked with."""
    graphs = {"graphs": studies.graphs_hash} if studies.has_graphs else {}
    return {
        "radpair": __version__,
        "code": code_hash(),
        "study_set": {"name": studies.place.name, "hash": studies.content_hash, **graphs},
        "models": {one.model.name: one.model.hash for one in seen},
        **({"settings": settings} if settings else {}),
    }


def kept(outcome: Outcome, out: Path | None) -> Outcome:
    """The same outcome, its results written to ``out`` where a file is named."""
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(out, json.dumps(outcome.results, indent=2).encode())
    return outcome
