"""Tasks with classes as targets."""

import math
from abc import ABC
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cellwright.data import Source, SplitName
from cellwright.data.manifest import ArrayForm
from cellwright.data.splitting import Part, Strata
from cellwright.errors import DataError
from cellwright.genotype import Genotype
from cellwright.results import Confusion, Interval, ModelInfo, Score, ScoreTable
from cellwright.spec import DataSection
from cellwright.tasks.base import RunningScore, Task
from cellwright.tasks.classified_data import ClassifiedData
from cellwright.tasks.facts import CLASS_NAMES
from cellwright.tasks.folder_names import equal_ignoring_case
from cellwright.tasks.scoring import paired_difference, wilson_interval

IMBALANCE = 20
"""Ratio of the most frequent to the rarest class above which a remark is made."""


class Classification(Task, ABC):
    """Targets are class indices, int64; outputs are logits (B, classes). The source defines the class names."""

    metrics: ClassVar[tuple[str, ...]] = (
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "auc",
        "log_loss",
        "calibration_error",
    )
    output_name: ClassVar[str] = "logits"
    output_meaning: ClassVar[str] = (
        "a logit for each class, in the order of class_names; softmax gives probabilities"
    )

    class_names: tuple[str, ...]
    class_weights: tuple[float, ...] | None = None
    """Weight of each class in the loss; the average over the training split is 1."""

    @classmethod
    def of_targets(cls, source: Source, train: Part) -> dict[str, Any]:
        """Return the names of the classes."""
        return {"class_names": tuple(source.facts[CLASS_NAMES])}

    @property
    def target_summary(self) -> str:
        """Say how many classes there are."""
        return f"{self.num_outputs} classes"

    def weighted(self, section: DataSection, train: Part) -> Self:
        """Return the task with weights that decrease with a class's frequency, if the section balances classes."""
        if not isinstance(section, ClassifiedData) or section.class_weights == "none":
            return self
        counts = np.bincount(train.targets, minlength=self.num_outputs)
        weights = len(train) / (self.num_outputs * counts)
        return self.model_copy(update={"class_weights": tuple(weights.tolist())})

    @classmethod
    def check(cls, source: Source, section: DataSection) -> None:
        """Check that there are two classes, enough examples of each, and the same classes in a separate test set."""
        if not isinstance(section, ClassifiedData):
            raise DataError(
                f"data.source {section.source}: its section must be a subclass of ClassifiedData, since its task "
                f"has classes, got {type(section).__qualname__}"
            )
        names, examples = source.facts[CLASS_NAMES], source.examples
        if len(names) < 2:
            raise DataError(
                f"{examples.origin}: there must be at least two classes, got only {', '.join(names)}"
            )
        if source.test:
            cls._check_test(source, names)
        for name, count in zip(names, np.bincount(examples.targets, minlength=len(names)), strict=True):
            if count < section.min_class_examples:
                raise DataError(
                    f"{examples.origin}: class {name!r} must have at least {section.min_class_examples} examples "
                    f"(data.min_class_examples), got {count}"
                )

    @classmethod
    def _check_test(cls, source: Source, names: tuple[str, ...]) -> None:
        assert source.test is not None
        test, num_classes = source.test, len(names)
        beyond = np.flatnonzero(test.targets >= num_classes)
        if beyond.size:
            raise DataError(
                f"{test.origin}: labels out of range: {test.targets[beyond[0]]} at index {beyond[0]}; "
                f"{source.examples.origin} has the classes 0 to {num_classes - 1}"
            )
        absent = np.setdiff1d(np.arange(num_classes), test.targets)
        if absent.size:
            raise DataError(
                f"{test.origin}: the test set must have every class, "
                f"but none of its examples is of class {names[absent[0]]!r}"
            )

    @classmethod
    def remarks(cls, source: Source) -> Iterator[str]:
        """Remark on classes of very different frequency, and on those whose names differ by case alone."""
        names = source.facts[CLASS_NAMES]
        for same in equal_ignoring_case(names):
            yield f"{source.examples.origin}: the classes {' and '.join(same)} differ by case alone"
        counts = np.bincount(source.examples.targets, minlength=len(names))
        most, least = counts.argmax(), counts.argmin()
        if counts[most] > IMBALANCE * counts[least]:
            yield (
                f"class {names[least]!r} has {counts[least]} examples and class {names[most]!r} {counts[most]}: "
                "accuracy says little about rare classes; look at balanced_accuracy and the scores of each class, "
                "or set data.class_weights: balanced"
            )

    @classmethod
    def strata(cls, source: Source) -> Strata:
        """Return the classes."""
        return source.examples.targets

    @classmethod
    def check_splits(cls, source: Source, parts: Mapping[SplitName, Part]) -> None:
        """Check that every split has every class."""
        names = source.facts[CLASS_NAMES]
        for split_name, part in parts.items():
            absent = np.setdiff1d(np.arange(len(names)), part.targets)
            if absent.size:
                raise DataError(
                    f"{part.examples.origin}: every split must have every class, but with duplicates dropped "
                    f"{split_name} has none of class {names[absent[0]]!r}"
                )

    @property
    def num_outputs(self) -> int:
        """Return the number of classes."""
        return len(self.class_names)

    def model_info(self, inputs: Mapping[str, ArrayForm], genotype: Genotype) -> ModelInfo:
        """Return the model information with class names."""
        return super().model_info(inputs, genotype).model_copy(update={"class_names": self.class_names})

    def answer(self, output: Tensor) -> dict[str, Any]:
        """Return the most probable class and the probability of each."""
        probabilities = dict(zip(self.class_names, output.softmax(dim=0).tolist(), strict=True))
        label = max(probabilities, key=probabilities.__getitem__)
        return {"label": label, "probability": probabilities[label], "probabilities": probabilities}

    def loss(self, outputs: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Return the mean cross entropy, weighted by class."""
        if outputs.ndim == 3:
            targets = targets.repeat_interleave(outputs.shape[1], dim=0)
            outputs = outputs.flatten(0, 1)
        if self.class_weights is None:
            return functional.cross_entropy(outputs, targets, label_smoothing=label_smoothing)
        weights_K = outputs.new_tensor(self.class_weights, dtype=torch.float32)
        is_soft = targets.is_floating_point()
        weights_B = targets @ weights_K.to(targets.dtype) if is_soft else weights_K[targets]
        losses_B = functional.cross_entropy(
            outputs, targets, label_smoothing=label_smoothing, reduction="none"
        )
        return (weights_B * losses_B).mean()

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the cross entropy of each example."""
        return functional.cross_entropy(outputs, targets, reduction="none")

    def combine(self, outputs: Tensor) -> Tensor:
        """Return the logits of the members' mean probabilities."""
        return outputs.log_softmax(dim=-1).logsumexp(dim=1) - math.log(outputs.shape[1])

    def predictions(self, outputs: Tensor) -> list[str | float]:
        """Return the names of the most likely classes."""
        return [self.class_names[number] for number in outputs.argmax(dim=1).tolist()]

    def soft_targets(self, targets: Tensor) -> Tensor:
        """Return one-hot rows (B, classes)."""
        return functional.one_hot(targets, self.num_outputs).float()

    def imitated(self, outputs: Tensor) -> Tensor:
        """Return the probabilities."""
        return outputs.softmax(dim=-1)

    def running_score(self, device: torch.device) -> RunningScore:
        """Return a running score of the accuracy."""
        return _RunningAccuracy(self, device)

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Return the accuracy."""
        return accuracy(outputs, targets)

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Score]:
        """Return the accuracy with Wilson's interval, and other metrics of labels and probabilities."""
        predicted, probabilities = outputs.argmax(dim=1), outputs.double().softmax(dim=1)
        successes = int((predicted == targets).sum())
        return {
            "accuracy": Score(
                value=successes / len(targets), interval=wilson_interval(successes, len(targets))
            ),
            "balanced_accuracy": Score(value=balanced_accuracy(predicted, targets)),
            "macro_f1": Score(value=macro_f1(predicted, targets)),
            "auc": Score(value=area_under_curve(probabilities, targets)),
            "log_loss": Score(
                value=functional.nll_loss(outputs.double().log_softmax(dim=1), targets).item(),
                direction="minimize",
            ),
            "calibration_error": Score(
                value=calibration_error(probabilities.float(), targets), direction="minimize"
            ),
        }

    def difference(self, outputs: Tensor, others: Tensor, targets: Tensor) -> tuple[float, Interval]:
        """Return the difference in accuracy."""
        return paired_difference(outputs.argmax(dim=1) == targets, others.argmax(dim=1) == targets)

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor | None:
        """Return where the likeliest class is the target."""
        return outputs.argmax(dim=1) == targets if self.objective == "accuracy" else None

    def tables(self, outputs: Tensor, targets: Tensor) -> tuple[ScoreTable, ...]:
        """Return the scores of each class."""
        return (class_scores(outputs.argmax(dim=1), targets, self.class_names),)

    def reliability(self, outputs: Tensor, targets: Tensor) -> list[tuple[float, float, int]]:
        """Return mean confidence, accuracy and number of examples of each bin of confidence."""
        return reliability_bins(outputs.float().softmax(dim=1), targets)

    def format_target(self, target: Tensor) -> str:
        """Return the class's name."""
        return self.class_names[int(target)]

    def wrong_outputs(self, outputs: Tensor, targets: Tensor) -> Iterator[tuple[int, str]]:
        """Yield misclassified examples, the most confident predictions first."""
        confidence, predicted = outputs.softmax(dim=1).max(dim=1)
        for row in confidence.argsort(descending=True).tolist():
            if predicted[row] != targets[row]:
                true, taken = self.class_names[targets[row]], self.class_names[predicted[row]]
                yield row, f"{true}, taken for {taken} ({confidence[row]:.0%})"

    def confusion(self, outputs: Tensor, targets: Tensor) -> Confusion:
        """Return the confusion matrix."""
        counts = confusion_matrix(outputs.argmax(dim=1), targets, self.num_outputs).tolist()
        return Confusion(names=self.class_names, counts=tuple(map(tuple, counts)))

    def classical_targets(self, targets: Tensor) -> NDArray[Any]:
        """Return the class indices."""
        return targets.numpy()

    def classical_outputs(self, estimator: Any, features: NDArray[Any]) -> NDArray[Any]:
        """Return log-probabilities or decision values (N, classes)."""
        if hasattr(estimator, "predict_proba"):
            return np.asarray(np.log(np.clip(estimator.predict_proba(features), 1e-12, None)))
        scores = np.asarray(estimator.decision_function(features))
        return scores if scores.ndim == 2 else np.stack((-scores, scores), axis=1)


class _RunningAccuracy(RunningScore):
    def __init__(self, task: Classification, device: torch.device) -> None:
        self.task = task
        self.correct = torch.zeros((), device=device)
        self.seen = 0

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        if outputs.ndim == 3:
            outputs = self.task.combine(outputs)
        self.correct += (outputs.argmax(dim=1) == targets).sum()
        self.seen += len(targets)

    def value(self) -> float:
        return self.correct.item() / self.seen


@torch.no_grad()
def accuracy(logits_BK: Tensor, labels_B: Tensor) -> float:
    """Return the fraction of rows whose largest logit is the label's."""
    return (logits_BK.argmax(dim=1) == labels_B).float().mean().item()


def balanced_accuracy(predicted_N: Tensor, labels_N: Tensor) -> float:
    """Return the mean recall of all classes in the labels."""
    counts = torch.bincount(labels_N)
    correct = torch.bincount(labels_N[predicted_N == labels_N], minlength=len(counts))
    present = counts > 0
    return (correct[present].double() / counts[present]).mean().item()


def macro_f1(predicted_N: Tensor, labels_N: Tensor) -> float:
    """Return the mean F1 score of all classes in labels or predictions."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels_N, predicted_N, average="macro", zero_division=0))


def area_under_curve(probabilities_NK: Tensor, labels_N: Tensor) -> float:
    """Return the mean one-vs-rest area under the ROC curve; NaN if there is only one class."""
    from scipy.stats import rankdata

    counts = torch.bincount(labels_N, minlength=probabilities_NK.shape[1]).double()
    others = len(labels_N) - counts
    ranks_NK = torch.from_numpy(rankdata(probabilities_NK.numpy(), axis=0))
    sums = torch.zeros(len(counts), dtype=torch.double)
    sums.index_add_(0, labels_N, ranks_NK.gather(1, labels_N[:, None])[:, 0])
    known = (counts > 0) & (others > 0)
    areas = (sums - counts * (counts + 1) / 2)[known] / (counts * others)[known]
    return areas.mean().item()


def reliability_bins(
    probabilities_NK: Tensor, labels_N: Tensor, num_bins: int = 15
) -> list[tuple[float, float, int]]:
    """Return mean confidence, accuracy and number of examples of each bin that has any, by rising confidence.

    Bins are of equal width: https://arxiv.org/abs/1706.04599.
    """
    confidence, predicted = probabilities_NK.max(dim=1)
    correct = (predicted == labels_N).float()
    bins = (confidence * num_bins).long().clamp(max=num_bins - 1)
    counts = torch.bincount(bins, minlength=num_bins)
    sums = [torch.zeros(num_bins).index_add(0, bins, x.float()) / counts for x in (confidence, correct)]
    return [
        (sure, right, count)
        for sure, right, count in zip(*(x.tolist() for x in (*sums, counts)), strict=True)
        if count
    ]


def calibration_error(probabilities_NK: Tensor, labels_N: Tensor, num_bins: int = 15) -> float:
    """Return the expected calibration error, the mean distance of confidence and accuracy over bins."""
    bins = reliability_bins(probabilities_NK, labels_N, num_bins)
    return sum(abs(sure - right) * count for sure, right, count in bins) / len(labels_N)


def confusion_matrix(predicted_N: Tensor, labels_N: Tensor, num_classes: int) -> Tensor:
    """Return counts (classes, classes): rows are true classes, columns predicted ones."""
    return torch.bincount(labels_N * num_classes + predicted_N, minlength=num_classes**2).view(
        num_classes, num_classes
    )


def class_scores(predicted_N: Tensor, labels_N: Tensor, names: tuple[str, ...]) -> ScoreTable:
    """Return precision, recall and F1 of each class; 0 where a class is never predicted."""
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(
        labels_N, predicted_N, labels=range(len(names)), zero_division=0
    )
    return ScoreTable(
        title="classes",
        columns=("class", "precision", "recall", "F1", "examples"),
        rows=tuple(zip(names, *(column.tolist() for column in columns), strict=True)),
    )
