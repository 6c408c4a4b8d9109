"""``radpair compare``: models on study sets, by every protocol that both allow.

Each protocol of each model on each set is kept under a hash of all that decides it, so that a
stopped comparison continues, and a further model costs only its own figures.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from radpair.comparison.bench import Bench, Seen, open_bench
from radpair.comparison.by_prompt import TASK as BY_PROMPT
from radpair.comparison.by_prompt import find_by_prompt, title_of, why_not_by_prompt
from radpair.comparison.kept import Kept, Unit, unit_key
from radpair.comparison.likeness import TITLE, liken, why_no_likeness
from radpair.comparison.maps import draw_map, why_no_map
from radpair.comparison.measured import measure
from radpair.comparison.methods import Method, merged, open_methods
from radpair.comparison.partners import KINDS, directions, one_way, retrieve, why_no_retrieval
from radpair.comparison.protocols import Plan, Protocol, label_protocols, prompted, sides
from radpair.errors import EvaluationError, nearest
from radpair.evaluation.operating import read_point
from radpair.evaluation.policies import check_policy
from radpair.evaluation.prompts import Prompts, PromptSet
from radpair.evaluation.views import check_views
from radpair.progress import track

MAP = "map"
LABEL_TASKS = ("linear", "few-shot", "knn", "fine-tune", "zero-shot", BY_PROMPT, "likeness")


@dataclass(frozen=True)
class Cell:
    """One model by one protocol on one set."""

    set: str
    model: str
    task: str
    title: str
    setting: dict[str, Any]
    unit: Unit | None
    why_not: str | None
    key: str | None


@dataclass(frozen=True)
class Compared:
    """Everything that results and pages are made of."""

    methods: list[Method]
    benches: list[Bench]
    cells: list[Cell]
    """Maps (``task`` of ``MAP``) included."""
    plan: Plan
    prompts: PromptSet


@dataclass(frozen=True)
class _Question:
    """A protocol put to one model on one set."""

    task: str
    titles: tuple[str, ...]
    """Two for retrieval, which one unit answers both ways."""
    setting: dict[str, Any]
    why_not: str | None
    answer: Callable[[], Unit]


def compare_runs(
    runs: Sequence[str],
    data: Sequence[str],
    cache: Path,
    prompts: PromptSet,
    labels: Sequence[str] = (),
    plan: Plan | None = None,
    device: str = "cpu",
) -> Compared:
    """Every protocol of every model on every set; what ``cache`` holds is not computed again.

    Raises ``ModelError``, ``StudySetError`` or ``EvaluationError``.
    """
    plan = plan or Plan()
    check_plan(plan)
    benches = _open_benches(data, labels, prompts.labels, plan.uncertain)
    methods = open_methods(runs, device)
    kept = Kept(cache / "units")
    cells = [
        cell
        for bench in benches
        for method in methods
        for cell in _ask_method(method, bench, cache, kept, plan)
    ]
    if all(cell.unit is None for cell in cells if cell.task != MAP):
        raise EvaluationError(
            "nothing can be compared: the sets have neither labels with both classes in the split "
            "'test', nor reports or graphs that the models have a tower for"
        )
    return Compared(methods, benches, cells, plan, prompts)


def check_plan(plan: Plan) -> None:
    """Raises ``EvaluationError`` for what no protocol can do."""
    for fraction in plan.fractions:
        if not 0 < fraction <= 1:
            raise EvaluationError(
                f"a label fraction must lie above 0 and at most 1, not {fraction:g}"
            )
    for shots in plan.shots:
        if shots < 1:
            raise EvaluationError(f"few-shot needs at least 1 study a class, not {shots}")
    if plan.draws < 1:
        raise EvaluationError(f"the draws of labels must be 1 or more, not {plan.draws}")
    if plan.resamples < 100:
        raise EvaluationError(
            f"{plan.resamples} resamples say nothing about an interval; use 100 or more"
        )
    if plan.seed < 0:
        raise EvaluationError(f"the seed is {plan.seed}; it must be 0 or more")
    check_views(plan.views)
    read_point(plan.operating_point)
    check_policy(plan.uncertain)


def _open_benches(
    data: Sequence[str], labels: Sequence[str], prompts: Mapping[str, Prompts], uncertain: str
) -> list[Bench]:
    if not data:
        raise EvaluationError("no study set was named; give one or more with --data")
    named = name_sets(data)
    benches = [open_bench(name, path, labels, prompts, uncertain) for name, path in named.items()]
    known = {name for bench in benches for name in bench.studies.label_names}
    for label in labels:
        if label not in known:
            raise EvaluationError(f"no study set has the label '{label}'{nearest(label, known)}")
    return benches


def name_sets(data: Sequence[str]) -> dict[str, Path]:
    """Study sets by name: ``NAME=FOLDER``, or a folder, which is called by its own name.

    Raises ``EvaluationError`` where two have one name or one folder.
    """
    found: dict[str, Path] = {}
    for text in data:
        name, equals, folder = text.partition("=")
        path = Path(folder if equals and not Path(text).exists() else text)
        name = name if equals and not Path(text).exists() else path.resolve().name
        if path.resolve() in {other.resolve() for other in found.values()}:
            raise EvaluationError(f"{path} is named twice; name each study set once")
        if name in found:
            raise EvaluationError(
                f"{found[name]} and {path} are both called '{name}'; give one as NAME={path}"
            )
        found[name] = path
    return found


def _ask_method(method: Method, bench: Bench, cache: Path, kept: Kept, plan: Plan) -> list[Cell]:
    """The answers of all runs of one method, each protocol's joined."""
    by_run = [_ask_all(Seen(run, bench, cache), kept, plan) for run in method.runs]
    return [_joined(method, cells) for cells in zip(*by_run, strict=True)]


def _joined(method: Method, cells: Sequence[Cell]) -> Cell:
    """The cell of a method from those of its runs by one protocol."""
    units = tuple(cell.unit for cell in cells if cell.unit is not None)
    if len(units) < len(cells):
        reason = next(cell.why_not for cell in cells if cell.unit is None)
        return replace(cells[0], model=method.name, unit=None, why_not=reason, key=None)
    keys = [str(cell.key) for cell in cells]
    unit = units[0]
    if cells[0].task != MAP:
        unit = merged(units, [run.name for run in method.runs])
    return replace(cells[0], model=method.name, unit=unit, key=" ".join(keys))


def _ask_all(seen: Seen, kept: Kept, plan: Plan) -> list[Cell]:
    """All answers of one model on one set."""
    questions = _questions(seen, plan)
    keys = [_key(question, seen, plan) for question in questions]
    missing = [
        key
        for question, key in zip(questions, keys, strict=True)
        if question.why_not is None and kept.read(key) is None
    ]
    if missing:
        _ = seen.encoded  # shows a progress of its own
    cells: list[Cell] = []
    with track(f"{seen.runner.name} on {seen.bench.name}", len(questions)) as show:
        for number, (question, key) in enumerate(zip(questions, keys, strict=True), 1):
            seen.told = partial(show, number - 1)
            seen.told(question.titles[0])
            cells += _cells(question, key, seen, kept)
        show(len(questions))
    return cells


def _questions(seen: Seen, plan: Plan) -> list[_Question]:
    runner, bench = seen.runner, seen.bench
    found = [
        _Question(
            protocol.task,
            (protocol.title,),
            protocol.setting,
            protocol.why_not(runner, bench),
            partial(_measured, protocol, seen, plan),
        )
        for protocol in label_protocols(plan)
    ]
    for kind in KINDS:
        reason = why_no_retrieval(kind, runner, bench)
        answer = partial(retrieve, kind, seen, plan.resamples, plan.seed)
        found.append(_Question("retrieval", directions(kind), {"kind": kind}, reason, answer))
    for kind in ("text", "graph"):
        reason = why_not_by_prompt(kind, runner, bench)
        answer = partial(find_by_prompt, kind, seen, plan.resamples, plan.seed)
        found.append(_Question(BY_PROMPT, (title_of(kind),), {"kind": kind}, reason, answer))
    answer = partial(liken, seen, plan.resamples, plan.seed)
    found.append(_Question("likeness", (TITLE,), {}, why_no_likeness(bench), answer))
    reason = why_no_map(len(bench.test))
    found.append(_Question(MAP, ("t-SNE",), {}, reason, partial(draw_map, seen, plan.seed)))
    return found


def _measured(protocol: Protocol, seen: Seen, plan: Plan) -> Unit:
    scored = protocol.score(seen)
    bench = seen.bench
    truth = bench.tested_truth[:, bench.columns(scored.labels)]
    return measure(scored, truth, bench.tested_patients, plan.resamples, plan.seed)


def _key(question: _Question, seen: Seen, plan: Plan) -> str:
    """Of all that decides the answer."""
    bench = seen.bench
    parts: dict[str, Any] = {
        "task": question.task,
        "setting": question.setting,
        "model": seen.runner.model.hash,
        "set": bench.studies.content_hash,
        "seed": plan.seed,
    }
    if question.task != MAP:
        parts["resamples"] = plan.resamples
    if question.task in LABEL_TASKS:
        parts["labels"] = list(bench.labels)
        parts["asked"] = [plan.uncertain, plan.views, plan.operating_point]
    if question.task == "fine-tune":
        parts["device"] = seen.runner.model.device.type
    if question.task in ("zero-shot", BY_PROMPT):
        kind = question.setting["kind"]
        asked = {name: sides(bench.prompts[name], kind) for name in prompted(bench, kind)}
        parts["prompts"] = prompts_hash(asked)
    if question.setting.get("kind") == "graph" and question.task == "retrieval":
        parts["graphs"] = bench.studies.graphs_hash if bench.studies.has_graphs else None
    return unit_key(parts)


def prompts_hash(prompts: Mapping[str, object]) -> str:
    """Sixteen hex digits of prompts by label."""
    return hashlib.sha256(repr(sorted(prompts.items())).encode()).hexdigest()[:16]


def _cells(question: _Question, key: str, seen: Seen, kept: Kept) -> list[Cell]:
    place = (seen.bench.name, seen.runner.name, question.task)
    if question.why_not is not None:
        return [
            Cell(*place, title, question.setting, None, question.why_not, None)
            for title in question.titles
        ]
    unit = kept.read(key)
    if unit is None:
        unit = question.answer()
        kept.write(key, unit)
    if len(question.titles) == 1:
        return [Cell(*place, question.titles[0], question.setting, unit, None, key)]
    return [
        Cell(*place, title, {**question.setting, "way": way}, one_way(unit, way), None, key)
        for way, title in enumerate(question.titles)
    ]
