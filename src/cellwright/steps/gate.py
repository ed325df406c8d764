"""The gate of `register`: the champion, scored on the test examples of the new version, and what follows."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from cellwright.data.prepared import PreparedData
from cellwright.data.trained_on import example_hashes
from cellwright.errors import CellwrightError
from cellwright.gating import (
    LATENCY,
    check_bounds,
    check_champion,
    check_first,
    check_leak,
    check_look,
    compare_correct,
    compare_resampled,
    level_of_look,
    measured,
)
from cellwright.nn.cost import count_params, measure_latency
from cellwright.progress import Progress
from cellwright.results import (
    GENOTYPE,
    NETWORK,
    OUTPUTS,
    WEIGHTS,
    Confusion,
    EvaluationResult,
    GateCheck,
    GateDecision,
    ModelInfo,
    PairedComparison,
)
from cellwright.spec import SearchSpec
from cellwright.spec.gate import Gate
from cellwright.steps import Inputs
from cellwright.tasks.base import Task, read_task
from cellwright.tracking import (
    CHAMPION,
    TRAINED_ON,
    Champion,
    ChampionMoved,
    Lifecycle,
    MlflowUnavailable,
    NotAllowed,
    NotPromoted,
    RegisteredModel,
)
from cellwright.training.checkpoint import load_tensors, save_tensors
from cellwright.training.networks import load_network, use_device
from cellwright.training.precision import channels_last
from cellwright.training.retraining import predict

CHAMPION_OUTPUTS = "champion.safetensors"
"""What the champion gives on the test split."""
MODEL_FILES = (NETWORK, WEIGHTS, GENOTYPE, ModelInfo.FILE)


@dataclass(frozen=True, kw_only=True)
class Gatekeeper:
    """Decides on the version of one pipeline run, and promotes it."""

    spec: SearchSpec
    gate: Gate
    inputs: Inputs
    folder: Path
    """Of the step, where the champion's outputs go, and where it is written what the version was trained on."""
    lifecycle: Lifecycle
    key: str
    """Of the pipeline run."""

    def judge(self) -> GateDecision:
        """Return the decision on the version; that which it has, if it is registered already."""
        return self.lifecycle.decided(self.key) or self._decide()

    def promote(
        self, model: RegisteredModel, decision: GateDecision, progress: Progress
    ) -> tuple[RegisteredModel, GateDecision]:
        """Make the registered version the champion if it passed; return it with its alias, and the last decision.

        If another champion was chosen since the decision, the version is compared with that one.
        """
        if model.alias == CHAMPION:
            return model, decision
        while decision.passed and self.gate.promote == "automatic":
            try:
                self.lifecycle.promote(
                    model.version,
                    expected=decision.champion,
                    who=f"register, run {self.key}",
                    why="passed the gate",
                    evidence=decision,
                    owner=self.key,
                )
                progress.log(f"register: the gate {decision.sentence}")
                return replace(model, alias=CHAMPION), decision
            except ChampionMoved as moved:
                progress.log(f"register: {moved}; compared again")
                decision = self._decide()
                self.lifecycle.record(model.version, decision)
            except (NotAllowed, NotPromoted) as refused:
                progress.log(f"register: {refused}")
                break
        progress.log(f"register: the gate {decision.sentence}")
        if decision.passed:
            name = shlex.quote(model.name)
            progress.log(f"register: to promote it: cellwright promote {name} {model.version}")
        return model, decision

    def _decide(self) -> GateDecision:
        gate, champion = self.gate, self.lifecycle.champion()
        data = PreparedData.open(self.inputs["prepare"])
        evaluation = EvaluationResult.load(self.inputs["evaluate"] / EvaluationResult.FILE)
        test = data.test
        test_set = test.digest()
        look = self.lifecycle.look(test_set, self.key)
        level = level_of_look(gate.level, look)
        values = measured(evaluation.found, _worst_class(evaluation.confusion))
        checks = [check_look(gate, look), *check_bounds(gate, values)]
        comparison, remarks = None, []
        if (trained_on := self.folder / TRAINED_ON).exists():
            hashes = example_hashes(test)
            seen = torch.isin(hashes, load_tensors(trained_on)[0]["examples"]).sum()
            checks.append(check_leak(gate, int(seen), len(hashes)))
        else:
            remarks.append("it is not known whether the weights that it started from have seen test examples")
        if champion is None:
            hand_designed = self.spec.evaluate.baseline.hand_designed
            found = next((c for c in evaluation.comparisons if c.baseline == hand_designed), None)
            checks.append(check_first(gate, evaluation.objective, found))
        else:
            if champion.data != data.manifest.content_hash:
                remarks.append(
                    f"version {champion.version} is from other data, so it may have been trained on some of these test "
                    "examples, which is in its favour"
                )
            try:
                comparison, costs = self._compare(data, champion, level)
            except MlflowUnavailable:
                raise
            except CellwrightError as error:
                checks.append(GateCheck(passed=False, sentence=f"the champion cannot be compared: {error}"))
            else:
                checks.append(
                    check_champion(gate, evaluation.objective, comparison, level, champion.version, costs)
                )
        return GateDecision(
            passed=all(check.passed for check in checks),
            champion=None if champion is None else champion.version,
            test_set=test_set,
            num_examples=len(test),
            look=look,
            level=level,
            comparison=comparison,
            checks=tuple(checks),
            remarks=tuple(remarks),
        )

    def _compare(
        self, data: PreparedData, champion: Champion, level: float
    ) -> tuple[PairedComparison, dict[str, tuple[float, float]]]:
        """Return how the new version does beside the champion, and what each costs.

        Raises:
            CellwrightError: the champion's files are missing or damaged, or it is for other inputs or classes.
        """
        task = read_task(data.manifest.task)
        device = use_device(self.spec)
        info = ModelInfo.load(self.inputs["retrain"] / ModelInfo.FILE)
        with TemporaryDirectory(prefix="cellwright-") as name:
            old = channels_last(load_champion(self.lifecycle, champion.version, info, Path(name)).to(device))
        new = channels_last(load_network(self.inputs["retrain"]).to(device))
        test = data.test.to(device)
        with torch.inference_mode():
            others = predict(old, test).cpu()
        save_tensors(self.folder / CHAMPION_OUTPUTS, {"champion": others})
        outputs = load_tensors(self.inputs["evaluate"] / OUTPUTS)[0]["found"]
        settings = self.spec.evaluate
        example, repeats = task.example(min(settings.latency_batch_sizes)), settings.latency_repeats

        def median_ms(network: torch.nn.Module) -> float:
            return measure_latency(network, example, repeats=repeats)[repeats // 2]

        costs = {
            "params": (float(count_params(new)), float(count_params(old))),
            LATENCY: (median_ms(new), median_ms(old)),
        }
        return _paired(task, outputs, others, test.targets.cpu(), level), costs


def load_champion(lifecycle: Lifecycle, version: int, info: ModelInfo, folder: Path) -> torch.nn.Module:
    """Return the network of a version, whose files are copied to the folder.

    Raises:
        CellwrightError: files are missing or damaged, or it is for other inputs or classes than those of `info`.
    """
    lifecycle.download(version, MODEL_FILES, folder)
    _check_form(version, ModelInfo.load(folder / ModelInfo.FILE), info)
    return load_network(folder)


def _worst_class(confusion: Confusion | None) -> float | None:
    """Return the least recall of a class that has test examples."""
    if confusion is None:
        return None
    return min(row[i] / sum(row) for i, row in enumerate(confusion.counts) if sum(row))


def _check_form(version: int, champion: ModelInfo, new: ModelInfo) -> None:
    """Require that the champion takes the same inputs and has the same classes."""
    for name, expected, got in (
        ("inputs", _forms(new), _forms(champion)),
        ("output", new.output.name, champion.output.name),
        ("classes", new.class_names, champion.class_names),
        ("labels", new.label_names, champion.label_names),
    ):
        if got != expected:
            raise CellwrightError(
                f"the {name} of version {version} must be {expected}, as in this data, got {got}"
            )


def _forms(info: ModelInfo) -> list[tuple[str, tuple[int, ...], str]]:
    return [(x.name, x.shape, x.dtype) for x in info.inputs]


def _paired(task: Task, outputs: Tensor, others: Tensor, targets: Tensor, level: float) -> PairedComparison:
    correct, others_correct = task.correct(outputs, targets), task.correct(others, targets)
    if correct is not None and others_correct is not None:
        return compare_correct(correct.numpy(), others_correct.numpy(), level)
    ours, theirs = task.scorer(outputs, targets), task.scorer(others, targets)
    return compare_resampled(lambda rows: ours(rows) - theirs(rows), len(targets), level)
