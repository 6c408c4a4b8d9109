"""Every verb, one line each; the work is done in the rooms below."""

from __future__ import annotations

from cyclopts import App, Parameter

from radpair import __version__
from radpair.cli.graphs import app as graphs

app = App(
    name="radpair",
    version=__version__,
    help="Image encoders from radiographs and their reports, with very few labels.",
    help_on_error=False,
    suppress_keyboard_interrupt=False,
    default_parameter=Parameter(negative=()),
)

app.command(
    "radpair.cli.ingest:app",
    name="ingest",
    help="Write a study set: from your data, a public dataset, the phantom.",
)
app.command("radpair.cli.describe:describe", help="What a study set holds, with charts.")
app.command("radpair.cli.verify:verify", help="Check every byte of a study set or a model folder.")
app.command("radpair.cli.scan:scan", help="Warn of names, dates and numbers left in reports.")
app.command(graphs)
app.command("radpair.cli.labels:labels", help="Write the findings that reports state to a table.")
app.command("radpair.cli.pretrain:pretrain", help="Train a recipe on a study set, or continue.")

evaluate = App(name="evaluate", help="Measure a pretrained encoder.")
evaluate.command(
    "radpair.cli.evaluate:linear", help="Linear probes within label budgets, beside a control."
)
evaluate.command(
    "radpair.cli.evaluate:fine_tune", name="fine-tune", help="Whole encoders within label budgets."
)
evaluate.command("radpair.cli.evaluate:knn", help="The votes of the nearest labelled studies.")
evaluate.command(
    "radpair.cli.evaluate:few_shot", name="few-shot", help="Probes with K patients of each class."
)
evaluate.command(
    "radpair.cli.evaluate:zero_shot", name="zero-shot", help="Findings by text and graph prompts."
)
evaluate.command(
    "radpair.cli.evaluate:retrieval", help="Find reports, graphs, views, and images of a label."
)
evaluate.command(
    "radpair.cli.evaluate:retrieval_lists",
    name="retrieval-8x200",
    help="ConVIRT's retrieval on published lists of CheXpert images.",
)
app.command(evaluate)
app.command("radpair.cli.compare:compare", help="Models beside each other by every protocol.")
app.command("radpair.cli.readers:readers", help="A model beside radiologists, on the same films.")
app.command("radpair.cli.predict:predict", help="Write a fine-tuned classifier's probabilities.")
app.command("radpair.cli.embed:embed", help="Write the features of every study to a table.")
app.command("radpair.cli.demo:demo", help="The main job on synthetic studies, with its evidence.")
