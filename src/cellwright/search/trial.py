"""A trial: a process that evaluates one architecture, or runs one whole one-shot search, and can be restarted."""

import random
from pathlib import Path
from typing import Self

import torch

from cellwright.candidate import Candidate
from cellwright.data.prepared import PreparedData
from cellwright.errors import DivergedError
from cellwright.estimators.base import Setting, build_estimator
from cellwright.evaluation import Evaluation, save_evaluation
from cellwright.katib.settings import SearchSettings
from cellwright.progress import Progress
from cellwright.results import Result
from cellwright.runners import FOUND, REQUEST, RESULT, Trials
from cellwright.search.slices import Slice, train_slice
from cellwright.search.supernet_training import train_supernet
from cellwright.seeds import derive_seed
from cellwright.spaces import build_space
from cellwright.spec import SearchSpec
from cellwright.spec.view import parse_view
from cellwright.tasks.base import read_task
from cellwright.training.precision import best_device


class TrialRequest(Result):
    """`trial.json`: the request of a trial."""

    spec: str
    """The parts of the spec that a search reads, as JSON."""
    data: str
    """The folder of prepared data."""
    evaluation: Evaluation | None = None
    """The evaluation so far; None for a whole one-shot search."""
    earlier: tuple[Evaluation, ...] = ()
    """Earlier evaluations to compare it with."""
    threads: int
    slice: Slice | None = None
    """The slice of training, for a race."""

    @classmethod
    def of(
        cls,
        spec: SearchSpec,
        data: Path,
        evaluation: Evaluation | None = None,
        earlier: tuple[Evaluation, ...] = (),
    ) -> Self:
        """Return the request of a trial, with the threads that the spec allows for each."""
        return cls(
            spec=spec.model_dump_json(by_alias=True),
            data=str(data),
            evaluation=evaluation,
            earlier=earlier,
            threads=spec.trial_resources.threads,
        )


def trial_folder(folder: Path, number: int, repeat: int) -> Path:
    """Return the folder of a trial within its search's."""
    return folder / f"trial-{number}-{repeat}"


def trials_of(
    spec: SearchSpec, data: Path, folder: Path, progress: Progress, settings: SearchSettings | None = None
) -> Trials:
    """Return the common properties of the search's trials."""
    request = TrialRequest.of(spec, data).model_dump_json(indent=2) + "\n"
    return Trials(data=data, folder=folder, request=request, settings=settings, progress=progress)


def run_trial(folder: Path, progress: Progress, *, data: Path | None = None) -> None:
    """Run the request in the folder, and write `result.json` beside it.

    Args:
        folder: the trial's folder.
        progress: receives progress reports.
        data: the folder of prepared data, if not that of the request.
    """
    if (folder / RESULT).exists():
        return
    request = TrialRequest.load(folder / REQUEST)
    if data is not None:
        request = request.model_copy(update={"data": str(data)})
    spec = parse_view(request.spec)
    torch.set_num_threads(request.threads)
    if request.evaluation is None:
        evaluation = _search(spec, Path(request.data), folder, progress)
    else:
        evaluation = _evaluate(spec, request, request.evaluation, folder, progress)
    save_evaluation(evaluation, folder / RESULT)


def _search(spec: SearchSpec, data: Path, folder: Path, progress: Progress) -> Evaluation:
    """Run the spec's one-shot search, and write its result to `found.json`.

    A search that diverges writes none: its evaluation is `pruned`, and its candidate only a placeholder.
    """
    try:
        found = train_supernet(spec, data, folder, progress)
    except DivergedError as error:
        placeholder = Candidate(genotype=build_space(spec.space).sample(random.Random(spec.seed)))
        return Evaluation(number=0, candidate=placeholder, state="pruned", reason=str(error))
    found.save(folder / FOUND)
    assert found.score is not None
    return Evaluation(
        number=0,
        candidate=Candidate(genotype=found.genotype),
        metrics={spec.augment.objective: found.score},
        seconds=found.seconds,
    )


def _evaluate(
    spec: SearchSpec, request: TrialRequest, evaluation: Evaluation, folder: Path, progress: Progress
) -> Evaluation:
    if request.slice:
        return train_slice(
            spec, request.slice, evaluation, PreparedData.open(Path(request.data)), folder, progress
        )
    seed = trial_seed(spec, evaluation)
    setting = setting_of(
        spec.tuned(evaluation.candidate.values), PreparedData.open(Path(request.data)), best_device()
    )
    assert spec.trial_estimator is not None
    estimator = build_estimator(spec.trial_estimator, setting, seed=seed)
    return estimator.evaluate(evaluation, request.earlier, seed=seed, folder=folder, progress=progress)


def trial_seed(spec: SearchSpec, evaluation: Evaluation) -> int:
    """Return the seed for evaluating an architecture. All architectures have the same, for a fair comparison."""
    return derive_seed(spec.seed, "trial", evaluation.repeat)


def setting_of(spec: SearchSpec, data: PreparedData, device: torch.device) -> Setting:
    """Return the task, data and settings for estimating the spec's architectures."""
    return Setting(
        task=read_task(data.manifest.task),
        space=spec.space,
        final_space=spec.final_space,
        train=data.train.to(device),
        validation=data.validation.to(device),
        augment=spec.augment,
        retrain=spec.retrain,
        device=device,
    )
