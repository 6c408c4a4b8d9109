"""``radpair graphs`` and the verbs below it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from radpair.cli.radgraph import RadGraphOptions, running

if TYPE_CHECKING:
    from radpair.records import Graph

TextColumns = Annotated[
    tuple[str, ...], Parameter(name=["--text-column", "--text-columns"], consume_multiple=True)
]
VERBS = ("show", "stats", "diff")
JSON = (".json",)

app = App(name="graphs", help="Turn reports into knowledge graphs; look at, count, compare them.")


@app.default
def graphs(
    data: Path,
    /,
    *more: Annotated[str, Parameter(show=False)],
    out: Path | None = None,
    id_column: str | None = None,
    text_columns: TextColumns = (),
    origin: Annotated[str | None, Parameter(name="--from")] = None,
    lexicon: Path | None = None,
    processes: int | None = None,
    radgraph: RadGraphOptions | None = None,
) -> None:
    """Turn reports into knowledge graphs: those of a study set, or of a table or folder.

    Killed at any moment, the same command continues. Reports without an entity are listed with
    their reason: of a table in OUT.without-entity.csv, of a study set in its graphs.json.

    Args:
        data: A study set, which takes the graphs in; or reports: a table (CSV, TSV, JSON lines,
            Parquet) or a folder of .txt or Open-i .xml files.
        more: Nothing; words that stand here by mistake.
        out: For reports: the file (.json) for RadGraph's JSON, keyed by id.
        id_column: The table's column of ids; 'id' if not given.
        text_columns: Columns of a table with the report, whole or a section each; 'text' if not
            given.
        origin: 'rules' (default) extracts the graphs, 'radgraph' asks RadGraph's own model. Of a
            study set also 'source', which takes those that came with the data, and a file of
            RadGraph's JSON keyed by study id.
        lexicon: A TOML file of your own terms, put over those of radpair.
        processes: Worker processes, or threads of RadGraph's model; every core if not given.
        radgraph: Where RadGraph's own model is found.
    """
    from radpair.processes import check_count, cpus
    from radpair.progress import counting

    _check_words(data, more)
    check_count("--processes", processes)
    workers = processes or cpus()
    if out is None:
        _check_set(data, bool(id_column or text_columns))
    else:
        _check_reports(data, out, origin, lexicon, radgraph)
    with running(origin, radgraph, workers, lexicon) as model, counting("graphs") as progress:
        if out is None:
            from radpair.studyset import give_graphs

            summary: object = give_graphs(
                data, model or origin or "rules", workers, progress, lexicon, _say
            )
        else:
            from radpair.graphs.corpus import write_corpus
            from radpair.graphs.origin import Rules
            from radpair.sources.reports import read_reports

            summary = write_corpus(
                lambda: read_reports(data, id_column, text_columns),
                out,
                model or Rules(lexicon, workers),
                progress,
                _say,
            )
    print(summary)


def _check_set(data: Path, columns: bool) -> None:
    """Without an ``--out`` the data must be a study set, which has no columns to name."""
    from radpair.errors import GraphError

    if data.is_file() or (data.is_dir() and _holds_reports(data)) or columns:
        raise GraphError(f"{data}: is no study set; for the graphs of reports add --out FILE.json")


def _check_words(data: Path, more: tuple[str, ...]) -> None:
    """What stands first is data, and no misspelt verb; nothing stands after it."""
    from radpair.errors import GraphError, nearest

    hint = nearest(str(data), VERBS)
    if not data.exists() and "did you mean" in hint:
        raise GraphError(f"{data}: there is no such verb, file or folder{hint}")
    if more:
        raise GraphError(
            f"'{more[0]}' stands after '{data}'; give one study set, table or folder at a time, or "
            f"a verb first ({', '.join(VERBS)})"
        )


def _check_reports(
    data: Path, out: Path, origin: str | None, lexicon: Path | None, options: RadGraphOptions | None
) -> None:
    """With an ``--out`` the data must be reports, and no input is written over."""
    from radpair.errors import GraphError, nearest
    from radpair.graphs.corpus import beside
    from radpair.graphs.files import check_output

    if (data / "manifest.json").is_file():
        raise GraphError(f"{data}: is a study set, which takes its graphs in; leave out --out")
    if data.suffix.lower() in JSON:
        raise GraphError(
            f"{data}: holds graphs already, or is no table; reports are read from CSV, TSV, JSON "
            "lines, Parquet or a folder"
        )
    if origin not in (None, "rules", "radgraph"):
        if origin != "source" and not Path(origin).exists() and not Path(origin).suffix:
            raise GraphError(f"--from {origin}: is unknown{nearest(origin, ('rules', 'radgraph'))}")
        raise GraphError(
            f"--from {origin}: graphs that are there already are taken into a study set only; "
            "leave out --from, or give a study set"
        )
    weights = options.weights if options else None
    within = weights and out.exists() and out.resolve().is_relative_to(weights.resolve())
    check_output(out, JSON, [data, lexicon, out if within else None], beside(out))


def _say(message: str) -> None:
    import sys

    print(f"radpair: {message}", file=sys.stderr, flush=True)


@app.command
def show(
    data: Path | None = None,
    report_id: str | None = None,
    /,
    *,
    text: str | None = None,
    lexicon: Path | None = None,
    out: Path | None = None,
) -> None:
    """Draw one report with its entities highlighted and its graph beside it.

    Args:
        data: RadGraph's JSON or a study set with graphs; or a report: a .txt or Open-i .xml file.
        report_id: Which report of the JSON or the set.
        text: A report, in place of a file.
        lexicon: A TOML file of your own terms, for a report given as text.
        out: The page (.html), or the drawing alone (.svg); ID.html in this folder if not given.
    """
    from radpair.graphs.drawing import svg
    from radpair.graphs.files import check_output, whole
    from radpair.graphs.page import page
    from radpair.graphs.tables import entities_and_relations

    title, graph, report = _chosen(data, report_id, text, lexicon)
    out = out or Path("".join(c if c.isalnum() or c in "-_." else "-" for c in title) + ".html")
    check_output(out, (".html", ".htm", ".svg"), [*_inputs(data), lexicon])
    drawn = svg(graph) if out.suffix.lower() == ".svg" else page(graph, title, report)
    with whole(out) as file:
        file.write(drawn.encode())
    counts = entities_and_relations(len(graph.entities), len(graph.relations))
    print(f"{out}: {title}, {counts}.")


def _chosen(
    data: Path | None, report_id: str | None, text: str | None, lexicon: Path | None
) -> tuple[str, Graph, str]:
    """The title, the graph and, where it is known, the text of the report that was asked for."""
    from radpair.errors import GraphError

    if (data is None) == (text is None) or (data is None and report_id is not None):
        raise GraphError("give either --text, or a file of graphs or a study set and a report's id")
    title = "report"
    if data is not None and report_id is None and data.suffix.lower() in {".txt", ".xml"}:
        title, text = _report(data)
    if text is not None:
        from radpair.graphs import extract, load_lexicon

        return title, extract(text, load_lexicon(lexicon) if lexicon else None), text
    assert data is not None
    if lexicon:
        raise GraphError("a lexicon serves a report given as text; leave out --lexicon")
    return _found(data, report_id)


def _found(data: Path, report_id: str | None) -> tuple[str, Graph, str]:
    from radpair.errors import GraphError, nearest

    graphs = read(data)
    if report_id is None or report_id not in graphs:
        such = f" such as '{next(iter(graphs))}'" if graphs else ""
        if report_id is None:
            raise GraphError(f"{data}: say which report to show: give its id,{such}")
        close = nearest(report_id, graphs) if len(graphs) <= 10_000 else ""
        hint = close if "did you mean" in close else f"; ids are{such}"
        raise GraphError(f"{data}: has no graph of a report '{report_id}'{hint}")
    report = ""
    if data.is_dir():
        from radpair.studyset import StudySet

        studies = StudySet.open(data)
        report = studies.reports[studies.study_ids.index(report_id)]
    return report_id, graphs[report_id], report


def _report(file: Path) -> tuple[str, str]:
    """The id and the text of a file with one report."""
    from radpair.sources.reports import read_reports

    report = next(iter(read_reports(file)))
    return report.id, report.text


@app.command
def stats(data: Path, /, *, top: int = 20, out: Path | None = None) -> None:
    """Count what a corpus of graphs holds.

    Args:
        data: RadGraph's JSON, or a study set with graphs.
        top: Words and pairs shown of each kind.
        out: A file (.json) for the figures.
    """
    from radpair.graphs.summary import summarise
    from radpair.graphs.tables import summary_text

    _check_figures(out, top, data)
    summary = summarise(read(data).values(), top)
    print(summary_text(summary, str(data), top))
    _write_json(out, summary.as_json())


@app.command
def diff(
    reference: Path,
    found: Path,
    /,
    *,
    top: int = 20,
    skip_other_text: bool = False,
    out: Path | None = None,
) -> None:
    """Compare two sources of graphs on the same reports: precision, recall, F1, disagreements.

    Args:
        reference: RadGraph's JSON, or a study set with graphs: what is taken as right.
        found: RadGraph's JSON, or a study set with graphs: what is measured.
        top: Disagreements shown of entities and of relations.
        skip_other_text: Leave out reports whose texts differ, instead of stopping at the first.
        out: A file (.json) for all figures and disagreements.
    """
    from radpair.graphs.agreement import compare
    from radpair.graphs.tables import agreement_text

    _check_figures(out, top, reference, found)
    agreement = compare(read(reference), read(found), skip_other_text)
    print(agreement_text(agreement, str(reference), str(found), top))
    _write_json(out, agreement.as_json())


def read(path: Path) -> dict[str, Graph]:
    """The graphs of RadGraph's JSON or of a study set, by id."""
    from radpair.errors import GraphError

    if path.is_dir():
        from radpair.studyset import StudySet

        if _holds_reports(path):
            raise GraphError(
                f"{path}: holds reports, not graphs; make their graphs first: "
                f"radpair graphs {path} --out {path.name}.json"
            )
        studies = StudySet.open(path)
        pairs = zip(studies.study_ids, studies.graphs(), strict=True)
        return {study_id: graph for study_id, graph in pairs if graph is not None}
    from radpair.graphs.radgraph_json import read as read_json

    return read_json(path)


def _holds_reports(folder: Path) -> bool:
    return any(file.suffix.lower() in {".txt", ".xml"} for file in folder.iterdir())


def _inputs(path: Path | None) -> list[Path]:
    """The files that are read where ``path`` is given: of a study set those of its folder."""
    if path is None or not path.is_dir():
        return [path] if path else []
    return [file for file in path.iterdir() if file.name in {"manifest.json", "graphs.json"}]


def _check_figures(out: Path | None, top: int, *data: Path) -> None:
    """Figures go to a JSON file that is none of the inputs; a number of rows is none below 0."""
    from radpair.cli.checks import at_least
    from radpair.graphs.files import check_output

    at_least("--top", top, 0)
    if out is not None:
        check_output(out, JSON, [file for path in data for file in _inputs(path)])


def _write_json(out: Path | None, value: object) -> None:
    if out is not None:
        from radpair.graphs.files import write_json

        write_json(out, value)
        print(f"\nAll figures are in {out}.")
