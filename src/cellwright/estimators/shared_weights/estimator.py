"""Scores architectures with shared weights: those of one supernet, trained once before the search."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cellwright.candidate import Candidate
from cellwright.estimators.base import Estimator, Setting
from cellwright.estimators.shared_weights.section import SharedWeightsSection
from cellwright.evaluation import Evaluation
from cellwright.nn.initialising import seeded_initialisation
from cellwright.progress import Progress
from cellwright.seeds import derive_seed
from cellwright.spaces.networks import build_supernet
from cellwright.spec import Budget
from cellwright.strategies.one_shot.base import SearchData
from cellwright.strategies.one_shot.spos.section import SposSection
from cellwright.strategies.one_shot.spos.strategy import Spos

CHECKPOINT = "supernet.safetensors"


class SharedWeights(Estimator):
    """Trains single paths, drawn uniformly, as SPOS does, and scores an architecture with the weights of its path.

    Guo et al. 2020, https://arxiv.org/abs/1904.00420.

    Args:
        settings: length of the training, and number of validation examples to score on.
        setting: task, data and settings.
        seed: seed of all randomness.
    """

    def __init__(self, settings: SharedWeightsSection, setting: Setting, *, seed: int) -> None:
        super().__init__(settings, setting, seed=seed)
        self._strategy: Spos | None = None

    def prepare(self, folder: Path, progress: Progress) -> None:
        """Train the supernet, or load its weights from the folder's checkpoint."""
        with seeded_initialisation(derive_seed(self.seed, "supernet")):
            supernet = build_supernet(self.setting.space, self.setting.task).to(self.setting.device)
        self._strategy = Spos(
            SposSection(
                kind="spos",
                population=2,
                generations=1,
                batch_size=self.settings.batch_size,
                learning_rate=self.settings.learning_rate,
                score_examples=self.settings.score_examples,
            ),
            supernet,
            SearchData(train=self.setting.train, validation=self.setting.validation),
            Budget(epochs=self.settings.epochs),
            augment=self.setting.augment,
            seed=derive_seed(self.seed, "shared weights"),
        )
        self._strategy.rate_name = "learning_rate of the estimator shared-weights"
        self._strategy.fit(folder / CHECKPOINT, progress)

    def estimate(
        self, candidate: Candidate, earlier: Sequence[Evaluation], *, seed: int
    ) -> Mapping[str, float]:
        """Return the validation objective of the supernet, restricted to the genotype."""
        assert self._strategy is not None, "prepare must be called first"
        return {self.metrics[0]: self._strategy.score(candidate.genotype)}
