"""The base class of strategies that train one path of the supernet at a time and then choose among candidates."""

import random
from abc import abstractmethod
from collections.abc import Iterator, Sequence

from cellwright.data.split import Batch
from cellwright.genotype import Genotype
from cellwright.seeds import derive_seed
from cellwright.spec import OneShotSection
from cellwright.strategies.one_shot.alphas import skip_fraction
from cellwright.strategies.one_shot.base import OneShotStrategy, Round, StepResult
from cellwright.strategies.one_shot.scoring import (
    calibration_inputs,
    restriction,
    score_genotype,
    some_examples,
)

WATCHED_PATHS = 4


class SinglePath(OneShotStrategy):
    """Trains the weights of one genotype on each batch, without computing other ops.

    Then candidates are scored with the shared weights, round by round, and the best one is the result. Subclasses
    define the paths to train (`path`) and the candidates (`candidates`).
    """

    settings: OneShotSection

    @property
    @abstractmethod
    def num_rounds(self) -> int:
        """Return the number of rounds of scoring."""

    @abstractmethod
    def candidates(self, number: int, rng: random.Random) -> Sequence[Genotype]:
        """Return the candidates of a round, counted from 0. They may depend on `scores` of earlier rounds."""

    def path(self, rng: random.Random) -> Genotype:
        """Draw the genotype to train on the next batch."""
        return self.space.sample(rng)

    @property
    def scores(self) -> dict[str, float]:
        """Return the score of each candidate so far, by its line."""
        scores: dict[str, float] = self.notes.setdefault("scores", {})
        return scores

    def begin(self) -> None:
        """Set aside the examples for scoring candidates."""
        self.selection = some_examples(self.data.validation, self.settings.score_examples, self.seed)
        self.calibration = calibration_inputs(self.data.train, self.seed)

    def begin_epoch(self, epoch: int) -> None:
        """Create the generator of the epoch's paths."""
        self.rng = random.Random(derive_seed(self.seed, "paths", epoch))

    def step(self, batch: Batch) -> StepResult:
        """Train one path."""
        return self.weight_step(batch, *restriction(self.space, self.path(self.rng), self.device))

    def watch(self) -> dict[str, float]:
        """Return mean validation score and skip fraction of a few paths, the same paths after every epoch."""
        rng = random.Random(derive_seed(self.seed, "watch"))
        paths = [self.path(rng) for _ in range(WATCHED_PATHS)]
        return {
            self.validation_score: sum(map(self.score, paths)) / len(paths),
            "skip_fraction": sum(map(skip_fraction, paths)) / len(paths),
        }

    def score(self, genotype: Genotype) -> float:
        """Return the genotype's validation score with the shared weights."""
        return score_genotype(self.supernet, genotype, self.selection, self.calibration)

    def select(self) -> Iterator[Round]:
        """Score the candidates of the remaining rounds."""
        for number in range(self.notes.get("rounds", 0), self.num_rounds):
            rng = random.Random(derive_seed(self.seed, "candidates", number))
            for genotype in self.candidates(number, rng):
                if genotype.to_line() not in self.scores:
                    self.scores[genotype.to_line()] = self.score(genotype)
            self.notes["rounds"] = number + 1
            yield Round(number=number + 1, total=self.num_rounds, metrics={"best": max(self.scores.values())})

    def derive(self) -> Genotype:
        """Return the best candidate; of equals, the one scored first."""
        return Genotype.from_line(max(self.scores, key=self.scores.__getitem__))
