"""The contract of one-shot strategies."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from cellwright.data.split import Split
from cellwright.errors import DivergedError
from cellwright.genotype import Genotype
from cellwright.nn.initialising import seeded_initialisation
from cellwright.progress import Silent
from cellwright.results import SearchResult
from cellwright.spaces import build_space
from cellwright.spaces.darts.section import DartsSection
from cellwright.spaces.networks import build_network, build_supernet
from cellwright.spaces.supernet import Supernet
from cellwright.spec import STRATEGIES, Budget, OneShotSection, SpaceSection
from cellwright.strategies.one_shot.base import OneShotStrategy, SearchData, build_strategy
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.task import ImageClassification

CELLS = DartsSection(primitives=("skip_connect", "dil_conv_3x3"), num_nodes=2, num_cells=3, channels=4)
TASK = ImageClassification(map_shape=(2, 8, 8), class_names=("a", "b", "c"), mean=(0.5, 1.0), std=(1.0, 2.0))
STANDSTILL = 1e-30
"""A learning rate that is too small to learn anything."""
ARGMAX = {"derivation": "argmax", "warmup": 0}
"""Settings for tests of the alphas only."""


class Killed(BaseException):
    """Ends a search like a signal."""


def bars(count: int) -> Split:
    """Return examples for `TASK` that are easy to classify: noise with a bright bar, whose row is the class."""
    rng = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 3
    images = 0.3 * torch.rand(count, 2, 8, 8, generator=rng)
    for image, label in zip(images, labels.tolist(), strict=True):
        image[:, 1 + 2 * label] += 1
    return Split((images,), labels)


@dataclass(frozen=True)
class TinySearch:
    """Runs tiny searches with two sections of a spec."""

    section: Mapping[str, Any]
    """The `strategy` section."""
    space: SpaceSection
    folder: Path
    data: SearchData
    forwards: list[int] = field(default_factory=list)
    """Number of supernet passes of each counted search."""

    def strategy(
        self,
        settings: Mapping[str, Any] | None = None,
        *,
        data: SearchData | None = None,
        budget: Budget | None = None,
        supernet: Supernet | None = None,
    ) -> Any:
        """Return the strategy, with some settings changed."""
        return build_strategy(
            self._section(settings or {}),
            supernet or self.supernet(settings),
            data or self.data,
            budget or Budget(epochs=3),
            augment=ImagesSection(),
            seed=5,
        )

    def supernet(self, settings: Mapping[str, Any] | None = None) -> Supernet:
        """Return a supernet with fixed initial weights."""
        with seeded_initialisation(0):
            return build_supernet(
                self.space, TASK, channel_fraction=self._section(settings or {}).mixed_fraction
            )

    def search(
        self, checkpoint: str, strategy: OneShotStrategy | None = None, **changes: Any
    ) -> SearchResult:
        """Run a search, resuming from this checkpoint if it exists; `changes` are arguments of `strategy`."""
        return (strategy or self.strategy(**changes)).fit(self.folder / checkpoint, Silent())

    def _section(self, settings: Mapping[str, Any]) -> OneShotSection:
        section = STRATEGIES.validate({"batch_size": 12, **self.section, **settings})
        assert isinstance(section, OneShotSection)
        return section

    def without_learning(self) -> dict[str, float]:
        """Return settings that prevent learning of architectures: tiny learning rates for all but the weights."""
        fields = type(self._section({})).model_fields
        return {name: STANDSTILL for name in fields if name.endswith("_learning_rate")}


class OneShotContract:
    """Inherit from this class, and define the fixture `section` with the strategy's section of the spec.

    Searches use small DARTS cells, unless the fixture `space` returns the section of another space.
    """

    LEARNING_EPOCHS = 12
    """Epochs for the training loss to fall by a tenth; single paths learn more slowly than mixtures."""

    @pytest.fixture(scope="class")
    @classmethod
    def section(cls) -> Mapping[str, Any]:
        """Return the `strategy` section to test."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def space(cls) -> SpaceSection:
        """Return the `space` section to search."""
        return CELLS

    @pytest.fixture(scope="class")
    @classmethod
    def tiny_search(
        cls, section: Mapping[str, Any], space: SpaceSection, tmp_path_factory: pytest.TempPathFactory
    ) -> TinySearch:
        """Return the runner of tiny searches, whose folder is shared by the tests of one pair of sections."""
        examples = bars(36)
        data = SearchData(train=examples[:24], validation=examples[24:])
        return TinySearch(section, space, tmp_path_factory.mktemp("searches"), data)

    @pytest.fixture(scope="class")
    @classmethod
    def undisturbed(cls, tiny_search: TinySearch) -> SearchResult:
        """Return the result of an uninterrupted search."""
        supernet = tiny_search.supernet()
        with _counting(supernet, tiny_search.forwards):
            return tiny_search.search("undisturbed", supernet=supernet)

    def test_finds_a_genotype_of_the_space_that_builds(
        self, space: SpaceSection, undisturbed: SearchResult
    ) -> None:
        """Space and network accept the genotype's line."""
        genotype = undisturbed.genotype
        build_space(space).check(genotype)
        logits_BK = build_network(space, TASK, genotype)(*TASK.example(2))
        torch.autograd.backward(logits_BK.sum())

    def test_learns(self, tiny_search: TinySearch) -> None:
        """The training loss falls."""
        history = tiny_search.search("learning", budget=Budget(epochs=self.LEARNING_EPOCHS)).history
        assert min(r.metrics["train_loss"] for r in history) < 0.9 * history[0].metrics["train_loss"]

    def test_measures_each_epoch(self, undisturbed: SearchResult) -> None:
        """All metrics for people and guards exist, and fractions are between 0 and 1."""
        assert [record.epoch for record in undisturbed.history] == [1, 2, 3]
        for record in undisturbed.history:
            assert record.metrics["train_loss"] > 0
            for name in ("train_accuracy", "validation_accuracy", "skip_fraction"):
                assert 0 <= record.metrics[name] <= 1

    def test_its_seed_alone_decides(self, tiny_search: TinySearch, undisturbed: SearchResult) -> None:
        """The global random state affects nothing, and is not changed."""
        torch.default_generator.manual_seed(2)
        before = torch.get_rng_state()
        again = tiny_search.search("again")
        assert (again.genotype, again.history) == (undisturbed.genotype, undisturbed.history)
        assert torch.get_rng_state().equal(before)

    @pytest.mark.parametrize("share", [0.4, 0.97])
    def test_killed_anywhere_it_resumes_to_the_same_result(
        self, tiny_search: TinySearch, undisturbed: SearchResult, share: float
    ) -> None:
        """The search is killed between epochs, within one or during selection, and restarted."""
        supernet = tiny_search.supernet()
        name = f"killed-{share}"
        with pytest.raises(Killed), _counting(supernet, [], kill_at=int(share * tiny_search.forwards[0])):
            tiny_search.search(name, supernet=supernet)
        resumed = tiny_search.search(name)
        assert (resumed.genotype, resumed.history) == (undisturbed.genotype, undisturbed.history)

    def test_stops_when_its_time_is_used_up_and_reports_it(self, tiny_search: TinySearch) -> None:
        """Only the first epoch is trained. A restarted search reports this once."""
        for _ in range(2):
            result = tiny_search.search("late", budget=Budget(epochs=3, max_seconds=1e-9))
            assert result.epoch == 1
            (event,) = result.events
        assert re.fullmatch(r"stopped after 1 of 3 epochs: \d+ s of 1e-09 s were used", event)

    def test_divergence_ends_it_at_once_and_names_the_learning_rate(self, tiny_search: TinySearch) -> None:
        """No genotype is derived from NaN."""
        rule = r"training diverges in epoch [12]: .*; lower strategy.learning_rate, 1e\+38"
        with pytest.raises(DivergedError, match=rule):
            tiny_search.search("diverging", settings={"learning_rate": 1e38})

    def test_weights_gather_gradients_from_training_batches_alone(self, tiny_search: TinySearch) -> None:
        """Gradients of validation batches never reach a weight."""
        supernet = tiny_search.supernet()
        sources = _trace_gradients(supernet, tiny_search.data.validation)
        tiny_search.search("traced", supernet=supernet, budget=Budget(epochs=2))
        assert sources == {"train"}

    def test_validation_labels_reach_the_weights_through_the_architecture_alone(
        self, tiny_search: TinySearch
    ) -> None:
        """If no architecture is learnt, wrong validation labels do not change the training losses."""
        clean = tiny_search.data
        wrong = Split(clean.validation.inputs, (clean.validation.targets + 1) % 3)
        poisoned = SearchData(train=clean.train, validation=wrong)
        losses = [
            [
                record.metrics["train_loss"]
                for record in tiny_search.search(
                    name, data=data, settings=tiny_search.without_learning(), budget=Budget(epochs=2)
                ).history
            ]
            for name, data in (("still", clean), ("still-poisoned", poisoned))
        ]
        assert losses[0] == losses[1]


class DifferentiableContract(OneShotContract):
    """The additional contract of strategies with architecture parameters."""

    LEARNING_EPOCHS = 8

    def test_measures_what_shows_a_collapse(self, undisturbed: SearchResult) -> None:
        """Entropy, skips, gap and drop are measured."""
        for record in undisturbed.history:
            assert 0 <= record.metrics["entropy"] <= 1
            assert -1 <= record.metrics["derivation_drop"] <= 1
            assert -1 <= record.metrics["generalisation_gap"] <= 1

    @pytest.mark.parametrize("poisoned", ["train", "validation"])
    def test_alphas_learn_from_the_split_of_their_level(self, tiny_search: TinySearch, poisoned: str) -> None:
        """With constant weights, wrong labels change the alphas only in the split that alphas learn from."""
        clean = tiny_search.data
        splits = {"train": clean.train, "validation": clean.validation}
        splits[poisoned] = Split(splits[poisoned].inputs, (splits[poisoned].targets + 1) % 3)
        settings = {"learning_rate": STANDSTILL, "alpha_learning_rate": 0.1} | ARGMAX
        both = (clean, SearchData(**splits))
        strategies = [tiny_search.strategy(settings, data=data, budget=Budget(epochs=1)) for data in both]
        for strategy, name in zip(strategies, ("clean", f"wrong-{poisoned}"), strict=True):
            tiny_search.search(name, strategy)  # the search with clean data is shared by both parameters
        ends = [torch.cat([a.flatten() for a in strategy.alphas.values()]) for strategy in strategies]
        level = {"single": "train", "bilevel": "validation"}[strategies[0].settings.level]
        assert (not ends[0].equal(ends[1])) == (level == poisoned)

    def test_a_guard_stops_at_the_last_good_epoch(
        self, tiny_search: TinySearch, undisturbed: SearchResult, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A collapse is undone and ends the search. Restarting it changes nothing."""
        settings = {"derivation": "argmax", "guard": {"max_skip_fraction": 0.8}}
        strategy = tiny_search.strategy(settings)
        derived = _report_skips(strategy, [0.0, 0.0, 1.0], monkeypatch)
        result = tiny_search.search("guarded", strategy)
        assert (result.genotype, result.epoch) == (derived[1], 2)
        assert [r.metrics["train_loss"] for r in result.history] == [
            r.metrics["train_loss"] for r in undisturbed.history
        ]
        (event,) = result.events
        assert event.startswith(
            "epoch 3: the share of skip connections was 1.00, above 0.8; stopped at epoch 2"
        )
        assert tiny_search.search("guarded", settings=settings) == result

    def test_a_guard_with_no_good_epoch_to_go_back_to_resets_the_alphas(
        self, tiny_search: TinySearch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After a collapse in the first epochs, the search continues; it stops only once there is a good epoch."""
        settings = {"alpha_learning_rate": 0.1} | ARGMAX
        budget = Budget(epochs=4)
        strategy = tiny_search.strategy(settings, budget=budget)
        _report_skips(strategy, [1.0, 1.0, 0.0, 1.0], monkeypatch)
        started: list[Tensor] = []
        begin_epoch = strategy.begin_epoch

        def begin(epoch: int) -> None:
            started.append(torch.cat([alpha.detach().flatten() for alpha in strategy.alphas.values()]))
            begin_epoch(epoch)

        monkeypatch.setattr(strategy, "begin_epoch", begin)
        result = tiny_search.search("reset", strategy)
        assert [event.partition("; ")[2] for event in result.events] == [
            *["there is no good epoch to return to, so the alphas were reset"] * 2,
            "stopped at epoch 3, the last good one",
        ]
        assert started[0].equal(started[1])
        assert started[0].equal(started[2])
        assert not started[0].equal(started[3])
        assert result.epoch == 3
        assert tiny_search.search("reset", settings=settings, budget=budget) == result

    def test_a_guard_raises_the_regularisation(
        self, tiny_search: TinySearch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """If every epoch collapses, it increases after each, and affects the alphas from the next epoch on."""
        entropies = []
        for strength in (STANDSTILL, 100):
            guard = {"action": "regularise", "strength": strength}
            settings = {"guard": guard, "alpha_learning_rate": 0.1} | ARGMAX
            strategy = tiny_search.strategy(settings, budget=Budget(epochs=2))
            _report_skips(strategy, [1.0, 1.0], monkeypatch)
            result = tiny_search.search(f"raised-{strength}", strategy)
            assert len(result.events) == 2
            assert f"to {2 * strength:g}" in result.events[1]
            entropies.append([record.metrics["entropy"] for record in result.history])
        assert entropies[0][0] == entropies[1][0]
        assert entropies[0][1] != entropies[1][1]


def _report_skips(
    strategy: OneShotStrategy, shares: list[float], monkeypatch: pytest.MonkeyPatch
) -> list[Genotype]:
    """Make the strategy report these skip fractions in its epochs, and return a list that collects its genotypes."""
    watch, derived = strategy.watch, []

    def report() -> dict[str, float]:
        derived.append(strategy.derive())
        return {**watch(), "skip_fraction": shares[len(derived) - 1]}

    monkeypatch.setattr(strategy, "watch", report)
    return derived


@contextmanager
def _counting(supernet: Supernet, counts: list[int], *, kill_at: int | None = None) -> Iterator[None]:
    """Append the number of supernet passes in the block, and kill the search at pass `kill_at`."""
    count = 0

    def hook(*_: Any) -> None:
        nonlocal count
        count += 1
        if count == kill_at:
            raise Killed

    with supernet.register_forward_pre_hook(hook):
        yield
    counts.append(count)


def _trace_gradients(supernet: Supernet, validation: Split) -> set[str]:
    """Return a set that collects the splits whose batches give the weights gradients."""
    known = {image.numpy().tobytes() for image in validation[:].inputs[0]}
    sources: set[str] = set()
    current = ""

    def look(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        nonlocal current
        current = "validation" if inputs[0][0].contiguous().numpy().tobytes() in known else "train"

    def note(_: Tensor) -> None:
        sources.add(current)

    supernet.register_forward_pre_hook(look)
    for weight in supernet.parameters():
        weight.register_post_accumulate_grad_hook(note)  # type: ignore[no-untyped-call]
    return sources
