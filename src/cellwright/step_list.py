"""The steps of the pipeline, each declared once. Needs nothing, so that help and specs can read it at once."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One step, from which follow its command, its task of the pipeline, its page and its key.

    Keys of the spec are dotted paths such as `evaluate.baseline`.
    """

    name: str
    help: str
    """What the command of this name does: a line, and more after an empty one."""
    run: str
    """Import path of the function that fills the step's folder; called again on a half-filled one, it resumes."""
    artifact: str
    """What it makes, as components and KFP's page name it."""
    inputs: tuple[str, ...] = ()
    """The steps whose folders it reads."""
    reads: tuple[str, ...] = ()
    """The keys of the spec that its result depends on; `*` for all that are not in `uses`."""
    reads_with_trials: tuple[str, ...] = ()
    """The same, where architectures or hyperparameters are evaluated one by one."""
    ignores: tuple[str, ...] = ()
    """Keys within those that it does not read."""
    uses: tuple[str, ...] = ()
    """The keys that it reads and that its result does not depend on: where it runs, and what it tells."""
    identity: str | None = None
    """Import path of a function of the spec that gives what the result depends on outside it, as JSON by name; under
    the name of a section, in place of what that says."""
    page: str | None = None
    """Import path of a function of its folder and the seed that gives what KFP's page shows."""
    metrics: str | None = None
    """Import path of a function of its folder that gives the numbers that KFP's page shows."""
    is_shared: bool = False
    """Whether all processes run it together, or the first alone."""
    is_logged_live: bool = False
    """Whether MLflow shows its curves and trials while it works."""
    files: tuple[str, ...] | None = None
    """The files that the steps which read it need beside those of JSON; None for all."""


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
            identity="cellwright.steps.prepare:identity",
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
            identity="cellwright.steps.search:identity",
            page="cellwright.report.page:search_page",
            metrics="cellwright.report.page:search_metrics",
            is_shared=True,
            is_logged_live=True,
            files=("winner.safetensors",),
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
            identity="cellwright.steps.retrain:identity",
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

            Gives accuracy with its 95 % interval, scores of each class, calibration, parameters,
            multiply-accumulates and latency, and how far the networks are apart.""",
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
            becomes the champion, where the login may make it that, and others challengers.""",
            run="cellwright.steps.register:register",
            artifact="registered",
            inputs=("prepare", "search", "retrain", "evaluate"),
            reads=("*",),
            uses=("resources", "pipeline", "tracking", "store", "runner.labels"),
            identity="cellwright.steps.register:identity",
            page="cellwright.report.page:register_page",
        ),
    )
}
"""Every step, each after its inputs."""
