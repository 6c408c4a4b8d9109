"""What ``radpair compare`` does: models and sets in, figures and pages out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from radpair import __version__
from radpair.comparison.before import check_before, check_folder
from radpair.comparison.compare_csv import table
from radpair.comparison.compare_models import check_plan, compare_runs, name_sets
from radpair.comparison.compare_page import render
from radpair.comparison.compare_text import markdown, screen
from radpair.comparison.compared_figures import result, settings_of
from radpair.comparison.lists import compare_lists, open_lists
from radpair.comparison.methods import open_methods
from radpair.comparison.protocols import Plan
from radpair.errors import EvaluationError, nearest
from radpair.evaluation.prompts import PromptSet, read_prompt_set
from radpair.evaluation.run import as_prompts
from radpair.models.folder import write_atomically
from radpair.phantom.prompts import PROMPTS
from radpair.studyset import StudySet

RESULTS, TABLE, CACHE = "results.json", "results.csv", "cache"
REPORT, PAGE = "report.md", "report.html"
ALL = "all"


def compare_to_files(
    runs: Sequence[str],
    data: Sequence[str],
    out: Path,
    labels: Sequence[str] = (),
    plan: Plan | None = None,
    prompts: Path | None = None,
    without_images: Sequence[str] = (),
    device: str = "cpu",
    lists: tuple[Path, Path] | None = None,
) -> str:
    """Compares, writes into the folder ``out``, returns the tables as text.

    ``lists`` are the folder of ConVIRT's 8x200 lists and that of the images which they name.

    The same call again continues a stopped comparison, and one with more models, sets or budgets
    adds to a finished one; one that would lose some is refused. ``without_images`` names sets
    whose films and reports stay off the page (``all``: every set's). Raises ``RadpairError``.
    """
    check_folder(out)
    hidden = _hidden(list(name_sets(data)), without_images)
    asked = prompts_with(prompts)
    listed = open_lists(*lists) if lists else []
    plan = plan or Plan()
    if (out / RESULTS).exists():
        check_plan(plan)
        _check_before(out / RESULTS, runs, data, labels, plan, bool(listed), device)
    compared = compare_runs(runs, data, out / CACHE, asked, labels, plan, device)
    found = result(compared)
    if listed:
        found["lists"] = compare_lists(compared.methods, listed, out / CACHE, compared.plan)
    contents = {
        RESULTS: json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
        TABLE: table(found),
        REPORT: markdown(found),
        PAGE: render(compared, found, hidden),
    }
    for name, content in contents.items():
        write_atomically(out / name, content.encode())
    return f"{screen(found)}\n\n" + "\n".join(str(out / name) for name in contents)


def prompts_with(path: Path | None) -> PromptSet:
    """The shipped prompts (CheXpert's labels), the phantom's, and those of the file at ``path``.

    The later stand for labels that several have. Raises ``EvaluationError``.
    """
    shipped = read_prompt_set(Path("chexpert"))
    phantom = {label: as_prompts(entry) for label, entry in PROMPTS.items()}
    given = PromptSet("", {}) if path is None else read_prompt_set(path)
    versions = [shipped.version, f"phantom/{__version__}", *([given.version] if path else [])]
    return PromptSet(" + ".join(versions), {**shipped.labels, **phantom, **given.labels})


def _check_before(
    file: Path,
    runs: Sequence[str],
    data: Sequence[str],
    labels: Sequence[str],
    plan: Plan,
    lists: bool,
    device: str,
) -> None:
    """Raises ``EvaluationError`` where the results at ``file`` are those of another comparison."""
    opened = [run for method in open_methods(runs, device) for run in method.runs]
    models = {run.name: run.model.hash for run in opened}
    sets = {name: StudySet.open(path).content_hash for name, path in name_sets(data).items()}
    check_before(file, models, sets, labels, settings_of(plan), lists)


def _hidden(known: Sequence[str], names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in (*known, ALL):
            raise EvaluationError(
                f"--no-images: no study set is called '{name}'{nearest(name, [*known, ALL])}"
            )
    return list(known) if ALL in names else list(names)
