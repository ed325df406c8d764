"""One trial: a process that trains one architecture shortly, and can be killed and begun again."""

from dataclasses import replace
from pathlib import Path

import torch

from cellwright.data import PreparedData
from cellwright.estimators import Setting, train_shortly
from cellwright.evaluation import Evaluation, EvaluationLine
from cellwright.files import write_text
from cellwright.progress import Progress
from cellwright.results import Result
from cellwright.seeds import derive_seed
from cellwright.spec import SearchSpec, ShortTrainingEstimator, parse_spec
from cellwright.steps._candidates import split_candidate
from cellwright.steps._networks import task_of
from cellwright.training.precision import best_device

REQUEST, EVALUATION = "trial.json", "evaluation.json"


class TrialRequest(Result):
    """`trial.json`: what a trial is to do."""

    spec: str
    """As JSON."""
    data: str
    """The folder of prepared data."""
    evaluation: Evaluation
    """As the search knows it so far."""
    earlier: tuple[Evaluation, ...]
    """What it may be compared with."""
    threads: int


def run_trial(folder: Path, progress: Progress) -> None:
    """Do what the folder's request says, and leave the evaluation beside it."""
    if (folder / EVALUATION).exists():
        return
    request = TrialRequest.load(folder / REQUEST)
    spec = parse_spec(request.spec)
    torch.set_num_threads(request.threads)
    architecture, values = split_candidate(spec, request.evaluation.genotype)
    (settings,) = (section for section in spec.estimators if isinstance(section, ShortTrainingEstimator))
    training = train_shortly(
        architecture,
        request.evaluation.fidelity,
        request.earlier,
        settings,
        setting_of(spec.tuned(values), PreparedData.open(Path(request.data)), best_device()),
        seed=trial_seed(spec, request.evaluation),
        folder=folder,
        progress=progress,
    )
    evaluation = replace(
        request.evaluation,
        state="done" if training.pruned is None else "pruned",
        metrics={**request.evaluation.metrics, "accuracy": training.accuracy},
        curve=training.curve,
        seconds=training.seconds,
        reason=training.pruned,
    )
    write_text(folder / EVALUATION, EvaluationLine.dump_json(evaluation).decode())


def trial_seed(spec: SearchSpec, evaluation: Evaluation) -> int:
    """Return the seed that an architecture is scored with: one for all, so that they are compared alike."""
    return derive_seed(spec.seed, "trial", evaluation.repeat)


def setting_of(spec: SearchSpec, data: PreparedData, device: torch.device) -> Setting:
    """Return what the spec's architectures are estimated for."""
    return Setting(
        task=task_of(data.manifest).build(),
        space=spec.space,
        final_space=spec.final_space,
        train=data.train.to(device),
        validation=data.validation.to(device),
        augment=spec.augment,
        retrain=spec.retrain,
        device=device,
    )
