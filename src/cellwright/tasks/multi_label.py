"""Tasks with any number of labels for each example as targets."""

from abc import ABC
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cellwright.data import Source, SplitName
from cellwright.data.manifest import ArrayForm
from cellwright.data.splitting import Part, Strata
from cellwright.errors import DataError
from cellwright.genotype import Genotype
from cellwright.results import Interval, ModelInfo, Score, ScoreTable
from cellwright.spec import DataSection
from cellwright.tasks.base import RunningScore, Task
from cellwright.tasks.facts import LABEL_NAMES, LABEL_SEPARATOR
from cellwright.tasks.folder_names import equal_ignoring_case
from cellwright.tasks.label_sets import LabelledData

MIN_STRATUM_SIZE = 4
"""Fewer examples cannot be divided among the splits."""
RESAMPLES = (200, 1000)
"""The fewest and the most bootstrap samples for intervals."""
MOST_RESAMPLED = 30_000_000
"""Number of outputs from which on there are fewer bootstrap samples."""


class MultiLabel(Task, ABC):
    """Targets are label sets, uint8 (B, labels) of 0 and 1; outputs are logits of the same shape.

    A label is predicted where its probability is above 0.5.
    """

    metrics: ClassVar[tuple[str, ...]] = (
        "average_precision",
        "micro_f1",
        "macro_f1",
        "subset_accuracy",
        "log_loss",
    )
    output_name: ClassVar[str] = "logits"
    output_meaning: ClassVar[str] = (
        "a logit for each label, in the order of label_names; sigmoid gives its probability"
    )

    label_names: tuple[str, ...]
    label_shares: tuple[float, ...]
    """Share of the training examples that have each label: what networks predict before training."""

    @classmethod
    def of_targets(cls, source: Source, train: Part) -> dict[str, Any]:
        """Return the names of the labels, and how frequent each is."""
        shares = train.targets.mean(axis=0, dtype=np.float64)
        return {"label_names": tuple(source.facts[LABEL_NAMES]), "label_shares": tuple(shares.tolist())}

    @property
    def target_summary(self) -> str:
        """Say how many labels there are."""
        return f"{self.num_outputs} labels"

    @classmethod
    def check(cls, source: Source, section: DataSection) -> None:
        """Check that there are two labels, and enough examples with and without each."""
        if not isinstance(section, LabelledData):
            raise DataError(
                f"data.source {section.source}: its section must be a subclass of LabelledData, since its task "
                f"has labels, got {type(section).__qualname__}"
            )
        names, examples = source.facts[LABEL_NAMES], source.examples
        if len(names) < 2:
            raise DataError(
                f"{examples.origin}: there must be at least two labels, got only {', '.join(names)}"
            )
        least = section.min_class_examples
        for name, count in zip(names, examples.targets.sum(axis=0, dtype=np.int64).tolist(), strict=True):
            for what, number in (("with", count), ("without", len(examples) - count)):
                if number < least:
                    raise DataError(
                        f"{examples.origin}: there must be at least {least} examples {what} the label {name!r} "
                        f"(data.min_class_examples), got {number}"
                    )

    @classmethod
    def remarks(cls, source: Source) -> Iterator[str]:
        """Say how many labels examples have, and which names differ by case alone."""
        for same in equal_ignoring_case(source.facts[LABEL_NAMES]):
            yield f"{source.examples.origin}: the labels {' and '.join(same)} differ by case alone"
        counts = source.examples.targets.sum(axis=1, dtype=np.int64)
        yield (
            f"examples have from {counts.min()} to {counts.max()} labels, {counts.mean():.2f} on average; "
            f"{(counts == 0).sum()} have none"
        )

    @classmethod
    def strata(cls, source: Source) -> Strata:
        """Return for each example the rarest of its labels, so that rare labels are divided evenly."""
        targets = source.examples.targets
        counts = targets.sum(axis=0, dtype=np.int64)
        rarest = np.where(targets, counts, len(targets) + 1).argmin(axis=1)
        rarest[~targets.any(axis=1)] = len(counts)
        sizes = np.bincount(rarest)
        return np.where(sizes[rarest] < MIN_STRATUM_SIZE, sizes.argmax(), rarest)

    @classmethod
    def check_splits(cls, source: Source, parts: Mapping[SplitName, Part]) -> None:
        """Check that every split has examples with and without every label."""
        for split_name, part in parts.items():
            counts = part.targets.sum(axis=0, dtype=np.int64)
            for what, is_absent in (("with", counts == 0), ("without", counts == len(part))):
                if is_absent.any():
                    name = source.facts[LABEL_NAMES][is_absent.argmax()]
                    raise DataError(
                        f"{part.examples.origin}: every split must have examples with and without every label, but "
                        f"{split_name} has none {what} {name!r}"
                    )

    @property
    def num_outputs(self) -> int:
        """Return the number of labels."""
        return len(self.label_names)

    def head(self, num_features: int) -> nn.Module:
        """Return a linear layer that starts from the share of each label."""
        head = nn.Linear(num_features, self.num_outputs)
        with torch.no_grad():
            head.bias.copy_(torch.tensor(self.label_shares).logit(eps=1e-6))
        return head

    def model_info(self, inputs: Mapping[str, ArrayForm], genotype: Genotype) -> ModelInfo:
        """Return the model information with the names of labels."""
        return super().model_info(inputs, genotype).model_copy(update={"label_names": self.label_names})

    def answer(self, output: Tensor) -> dict[str, Any]:
        """Return the labels that are more likely than not, and the probability of each."""
        probabilities = dict(zip(self.label_names, output.sigmoid().tolist(), strict=True))
        return {
            "labels": [name for name, share in probabilities.items() if share > 0.5],
            "probabilities": probabilities,
        }

    def loss(self, outputs: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
        """Return the binary cross entropy, summed over labels."""
        if outputs.ndim == 3:
            targets = targets.unsqueeze(1).expand_as(outputs)
        targets = torch.lerp(targets.to(outputs.dtype), outputs.new_tensor(0.5), label_smoothing)
        losses = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
        return losses.sum(dim=-1).mean()

    def losses(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the binary cross entropy of each example, summed over labels."""
        targets = targets.to(outputs.dtype)
        return functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none").sum(dim=1)

    def combine(self, outputs: Tensor) -> Tensor:
        """Return the logits of the members' mean probabilities."""
        yes, no = functional.logsigmoid(outputs), functional.logsigmoid(-outputs)
        return yes.logsumexp(dim=1) - no.logsumexp(dim=1)

    def predictions(self, outputs: Tensor) -> list[str | float]:
        """Return the names of the predicted labels as one text."""
        return [LABEL_SEPARATOR.join(self._named(row)) for row in outputs > 0]

    def soft_targets(self, targets: Tensor) -> Tensor:
        """Return them as floats."""
        return targets.float()

    def imitated(self, outputs: Tensor) -> Tensor:
        """Return the probabilities."""
        return outputs.sigmoid()

    def running_score(self, device: torch.device) -> RunningScore:
        """Return a running score of the average precision."""
        return _RunningPrecision(self)

    def score(self, outputs: Tensor, targets: Tensor) -> float:
        """Return the average precision, averaged over labels."""
        return RankedLabels(outputs, targets).mean_precision()

    def scorer(self, outputs: Tensor, targets: Tensor) -> Callable[[NDArray[np.int64]], float]:
        """Return the average precision of chosen examples, which are ranked once for all choices."""
        ranked = RankedLabels(outputs, targets)
        return lambda rows: ranked.mean_precision(np.bincount(rows, minlength=len(targets)))

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Score]:
        """Return the average precision with a bootstrap interval, and other metrics of labels and probabilities."""
        from sklearn.metrics import f1_score

        predicted, true = (outputs > 0).numpy(), targets.numpy()
        return {
            "average_precision": Score(
                value=self.score(outputs, targets),
                interval=_interval(self.scorer(outputs, targets), outputs),
            ),
            "micro_f1": Score(value=float(f1_score(true, predicted, average="micro", zero_division=0))),
            "macro_f1": Score(value=float(f1_score(true, predicted, average="macro", zero_division=0))),
            "subset_accuracy": Score(value=float((predicted == true).all(axis=1).mean())),
            "log_loss": Score(
                value=self.losses(outputs.double(), targets).mean().item() / self.num_outputs,
                direction="minimize",
            ),
        }

    def difference(self, outputs: Tensor, others: Tensor, targets: Tensor) -> tuple[float, Interval]:
        """Return the difference in average precision, with a bootstrap interval over the same examples."""
        ours, theirs = self.scorer(outputs, targets), self.scorer(others, targets)
        interval = _interval(lambda rows: ours(rows) - theirs(rows), outputs)
        return self.score(outputs, targets) - self.score(others, targets), interval

    def tables(self, outputs: Tensor, targets: Tensor) -> tuple[ScoreTable, ...]:
        """Return the scores of each label."""
        from sklearn.metrics import precision_recall_fscore_support

        columns = precision_recall_fscore_support(targets.numpy(), (outputs > 0).numpy(), zero_division=0)
        precisions = RankedLabels(outputs, targets).precisions().tolist()
        return (
            ScoreTable(
                title="labels",
                columns=("label", "average precision", "precision", "recall", "F1", "examples"),
                rows=tuple(
                    zip(self.label_names, precisions, *(column.tolist() for column in columns), strict=True)
                ),
            ),
        )

    def target_counts(self, targets: Tensor) -> Mapping[str, int]:
        """Return how many examples have each label."""
        return dict(zip(self.label_names, targets.sum(dim=0, dtype=torch.int64).tolist(), strict=True))

    def format_target(self, target: Tensor) -> str:
        """Return the names of the labels."""
        return ", ".join(self._named(target)) or "no label"

    def wrong_outputs(self, outputs: Tensor, targets: Tensor) -> Iterator[tuple[int, str]]:
        """Yield examples of which not all labels are right, those with the largest loss first."""
        predicted = outputs > 0
        wrong = (predicted != targets.bool()).any(dim=1)
        for row in self.losses(outputs, targets).argsort(descending=True).tolist():
            if wrong[row]:
                yield (
                    row,
                    f"{self.format_target(targets[row])}, taken for {self.format_target(predicted[row])}",
                )

    def classical_targets(self, targets: Tensor) -> NDArray[Any]:
        """Return the label sets."""
        return targets.numpy()

    def classical_outputs(self, estimator: Any, features: NDArray[Any]) -> NDArray[Any]:
        """Return logits (N, labels)."""
        shares = np.clip(estimator.predict_proba(features), 1e-12, 1 - 1e-12)
        return np.asarray(np.log(shares) - np.log1p(-shares))

    def _named(self, row: Tensor) -> list[str]:
        return [name for name, has in zip(self.label_names, row.tolist(), strict=True) if has]


class _RunningPrecision(RunningScore):
    def __init__(self, task: MultiLabel) -> None:
        self.task = task
        self.outputs: list[Tensor] = []
        self.targets: list[Tensor] = []

    def add(self, outputs: Tensor, targets: Tensor) -> None:
        outputs = outputs.detach()
        self.outputs.append(self.task.combine(outputs) if outputs.ndim == 3 else outputs)
        self.targets.append(targets)

    def value(self) -> float:
        return self.task.score(torch.cat(self.outputs), torch.cat(self.targets))


class RankedLabels:
    """Examples in falling order of their scores, label by label.

    Average precision is the mean, over the examples with a label, of the precision among all that score at least as
    high; equal scores have no order.

    Args:
        scores_NK: a score of each label for each example.
        targets_NK: 1 where an example has the label, otherwise 0.
    """

    def __init__(self, scores_NK: Tensor, targets_NK: Tensor) -> None:
        scores_KN, self.order_KN = scores_NK.float().cpu().T.contiguous().sort(dim=1, descending=True)
        self.hits_KN = targets_NK.cpu().T.gather(1, self.order_KN).double()
        is_last_KN = functional.pad(scores_KN[:, 1:] != scores_KN[:, :-1], (0, 1), value=True)
        places = torch.where(is_last_KN, torch.arange(scores_KN.shape[1]), scores_KN.shape[1])
        self.ends_KN = places.flip(1).cummin(dim=1).values.flip(1)

    def precisions(self, counts_N: NDArray[np.int64] | None = None) -> Tensor:
        """Return the average precision of each label, NaN where no example has it.

        Args:
            counts_N: how often each example counts; once by default.
        """
        hits_KN, seen_KN = self.hits_KN, torch.ones_like(self.hits_KN)
        if counts_N is not None:
            seen_KN = torch.from_numpy(counts_N).double()[self.order_KN]
            hits_KN = hits_KN * seen_KN
        found_KN, all_KN = (x.cumsum(dim=1).gather(1, self.ends_KN) for x in (hits_KN, seen_KN))
        precision_KN = found_KN / all_KN.clamp(min=1)
        return (precision_KN * hits_KN).sum(dim=1) / hits_KN.sum(dim=1)

    def mean_precision(self, counts_N: NDArray[np.int64] | None = None) -> float:
        """Return the mean over the labels that an example has; 0 if there are none."""
        precisions_K = self.precisions(counts_N)
        return float(precisions_K.nanmean().nan_to_num())


def _interval(statistic: Callable[[NDArray[np.int64]], float], outputs_NK: Tensor) -> Interval:
    """Return the 95 % percentile interval over bootstrap samples, which are the same in each call."""
    fewest, most = RESAMPLES
    rng, size = np.random.default_rng(0), len(outputs_NK)
    resamples = int(np.clip(MOST_RESAMPLED // outputs_NK.numel(), fewest, most))
    drawn = [statistic(rng.integers(size, size=size)) for _ in range(resamples)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Interval(low=float(low), high=float(high))
