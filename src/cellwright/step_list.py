"""The pipeline's steps, each declared once. Imports nothing heavy, so that help and specs load quickly."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A step's declaration, which defines its command, pipeline task, page and key.

    Keys of the spec are dotted paths such as `evaluate.baseline`.
    """

    name: str
    help: str
    """Help of the command with this name: a summary line, then optional text after an empty line."""
    run: str
    """Import path of the function that fills the step's folder. Called on a partially filled folder, it resumes."""
    artifact: str
    """Name of the step's output in components and KFP's UI."""
    inputs: tuple[str, ...] = ()
    """The steps whose folders it reads."""
    reads: tuple[str, ...] = ()
    """Keys of the spec that the result depends on; `*` for all that are not in `uses`."""
    reads_with_trials: tuple[str, ...] = ()
    """Additional keys, if architectures or hyperparameters are evaluated one by one."""
    ignores: tuple[str, ...] = ()
    """Keys within those that the step does not read."""
    uses: tuple[str, ...] = ()
    """Keys that the step reads, but that do not affect its result: where it runs, and what it reports."""
    identity: str | None = None
    """Import path of a function of the spec that returns dependencies outside the spec, as JSON by name. An entry named
    after a section replaces that section's values."""
    page: str | None = None
    """Import path of a function of the folder and the seed that returns the page for KFP's UI."""
    metrics: str | None = None
    """Import path of a function of the folder that returns the metrics for KFP's UI."""
    is_shared: bool = False
    """Whether all processes run the step together, not only rank 0."""
    is_logged_live: bool = False
    """Whether MLflow shows curves and trials while the step runs."""
    files: tuple[str, ...] | None = None
    """Files other than JSON that later steps need; None for all."""


STEPS: Mapping[str, Step] = {
    step.name: step
    for step in (
        Step(
            name="prepare",
            help="""Read the data, check it, split it and normalise it.

            Leaves a folder with a manifest and three disjoint splits: train, validation and test.""",
            run="cellwright.steps.prepare:prepare",
            artifact="data",
            reads=("data",),
            uses=("resources",),
            identity="cellwright.steps.identities:of_data",
            page="cellwright.report.page:prepare_page",
        ),
        Step(
            name="search",
            help="""Search for an architecture.

            Uses the training and the validation split, saves a checkpoint each epoch, and leaves the genotype that it
            found with the curves of the search.""",
            run="cellwright.steps.search:search",
            artifact="found",
            inputs=("prepare",),
            reads=(
                "seed",
                "augment",
                "space",
                "strategy",
                "budget",
                "estimators",
                "objectives",
                "pick",
                "constraints",
                "tune",
                "start",
            ),
            reads_with_trials=("retrain",),
            ignores=("retrain.start",),
            uses=("name", "runner", "store", "resources", "tracking"),
            identity="cellwright.steps.identities:of_search",
            page="cellwright.report.page:search_page",
            metrics="cellwright.report.page:search_metrics",
            is_shared=True,
            is_logged_live=True,
            files=("winner.safetensors", "parts.safetensors"),
        ),
        Step(
            name="retrain",
            help="""Train the found architecture from scratch, or continue what a race began.

            Uses the training and validation splits together. Leaves the weights as safetensors, and the model as ONNX
            and pt2, which are checked to give the same logits.""",
            run="cellwright.steps.retrain:retrain",
            artifact="model",
            inputs=("prepare", "search"),
            reads=("seed", "augment", "space", "retrain"),
            uses=("resources", "tracking"),
            identity="cellwright.steps.identities:of_weights",
            metrics="cellwright.report.page:training_metrics",
            is_shared=True,
            is_logged_live=True,
        ),
        Step(
            name="baselines",
            help="""Train what the found architecture is compared with.

            Random architectures of the same space and a hand-designed network, trained in the same way and as
            long, and models of another family, fitted on the same data.""",
            run="cellwright.steps.baselines:baselines",
            artifact="models",
            inputs=("prepare", "search"),
            reads=("seed", "augment", "space", "retrain", "evaluate.baseline"),
            ignores=("retrain.start",),
            uses=("resources",),
            metrics="cellwright.report.page:training_metrics",
            is_shared=True,
        ),
        Step(
            name="evaluate",
            help="""Measure the found network and its baselines on the test split.

            Gives the task's metrics with their 95 % intervals, its tables, such as the scores of each
            class, parameters, multiply-accumulates and latency, and how far the networks are apart.""",
            run="cellwright.steps.evaluate:evaluate",
            artifact="scores",
            inputs=("prepare", "retrain", "baselines"),
            reads=("evaluate",),
            uses=("resources",),
            page="cellwright.report.page:evaluate_page",
            metrics="cellwright.report.page:evaluate_metrics",
        ),
        Step(
            name="register",
            help="""Register the model in MLflow.

            Logs the run with its parameters, curves and files, and registers a version of the model: the first
            becomes the champion, where the login may make it that, and others challengers, unless the spec's gate
            decides.""",
            run="cellwright.steps.register:register",
            artifact="registered",
            inputs=("prepare", "search", "retrain", "evaluate"),
            reads=("*",),
            uses=("resources", "pipeline", "policy", "tracking", "store", "runner.labels"),
            identity="cellwright.steps.identities:of_registration",
            page="cellwright.report.page:register_page",
        ),
    )
}
"""All steps, each after its inputs."""
