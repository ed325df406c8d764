"""What a search creates on a cluster, as Kubernetes takes it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cellwright.canonical import digest
from cellwright.container_images import CELLWRIGHT
from cellwright.errors import CellwrightError
from cellwright.estimators import COSTS
from cellwright.genotype import Genotype
from cellwright.katib.settings import SearchSettings
from cellwright.runners.kubernetes.section import ClusterSection, KatibSection
from cellwright.search.candidates import candidate_space
from cellwright.search.warm_start import start_genotypes
from cellwright.spec import SearchSpec

if TYPE_CHECKING:
    from cellwright.runners.kubernetes import Experiment, TrialPods

LONGEST_NAME = 40
"""What Katib lets pass as the name of an Experiment."""


def search_manifest(spec: SearchSpec) -> Mapping[str, Any]:
    """Return the Experiment of a spec's search, with room for all trials; or the Job of its first trial.

    Raises:
        CellwrightError: the spec's trials are processes on this machine.
    """
    runner = cluster_runner(spec)
    pods = trial_pods(spec)
    if not isinstance(runner, KatibSection):
        job = pods.job("0-0", keep_seconds=runner.keep_seconds)
        return {**job, "metadata": {"name": f"{pods.search}-0-0", **job["metadata"]}}
    start = start_genotypes(spec, candidate_space(spec)) if spec.is_sampled else ()
    trials = spec.budget.evaluations if spec.is_sampled else spec.budget.seeds
    experiment = katib_experiment(
        spec, search_settings(spec, start), pods, max_trials=trials, max_failures=runner.max_failures
    )
    return dict(experiment.to_dict())


def cluster_runner(spec: SearchSpec) -> ClusterSection:
    """Return the spec's runner; raises CellwrightError where it is none on a cluster."""
    if not isinstance(spec.runner, ClusterSection):
        raise CellwrightError(f"runner.kind must be katib or jobs, got {spec.runner.kind}")
    return spec.runner


def trial_pods(spec: SearchSpec, run: str = "") -> "TrialPods":
    """Return what the pods of the search's trials have in common.

    Args:
        spec: with a runner on a cluster.
        run: tells the search from others; without it, the spec does.
    """
    from cellwright.runners.kubernetes import TrialPods

    assert isinstance(spec.runner, ClusterSection) and spec.store is not None
    tail = digest([run or spec.digest])[:8]
    return TrialPods(
        search=f"{spec.name[: LONGEST_NAME - 9].rstrip('-')}-{tail}",
        runner=spec.runner,
        store=spec.store,
        image=CELLWRIGHT,
        resources=spec.resources,
    )


def katib_experiment(
    spec: SearchSpec,
    settings: SearchSettings,
    pods: "TrialPods",
    *,
    max_trials: int,
    max_failures: int | None,
) -> "Experiment":
    """Return the Experiment of the search."""
    from cellwright.runners.kubernetes import build_experiment

    assert isinstance(spec.runner, KatibSection)
    measured = [*COSTS, *(name for section in spec.estimators for name in section.metrics)]
    return build_experiment(
        settings,
        measured if spec.is_sampled else [],
        pods,
        db_manager=spec.runner.db_manager,
        max_trials=max_trials,
        max_failures=max_failures,
    )


def search_settings(spec: SearchSpec, start: Sequence[Genotype] = ()) -> SearchSettings:
    """Return the spec's search as Katib's suggestion service does it."""
    tuned = spec.tune if spec.tune and spec.tune.when == "with" else None
    return SearchSettings(
        strategy=spec.strategy,
        space=spec.space,
        objectives=spec.objectives,
        seed=spec.seed,
        start=tuple(genotype.to_line() for genotype in start),
        tune={name: len(values) for name, values in tuned.values.items()} if tuned else {},
        parallel=spec.runner.parallel,
        in_order=True,
    )
