"""What every one-shot strategy must do."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pydantic import TypeAdapter

from cellwright.data import Split
from cellwright.genotype import Genotype
from cellwright.nn.darts import DartsSupernet
from cellwright.nn.network import Network
from cellwright.nn.skeleton import ImageTask, seeded_initialisation
from cellwright.progress import Progress, Silent
from cellwright.results import SearchResult
from cellwright.spaces import Darts
from cellwright.spec import AnyStrategy, Augment, Budget
from cellwright.strategies import SearchData, build_strategy

SECTIONS = [
    {"kind": "darts"},
    {"kind": "darts", "level": "single"},
    {"kind": "beta-darts"},
    {"kind": "beta-darts", "level": "bilevel", "warmup_epochs": 1},
]

Fit = Callable[..., SearchResult]


@pytest.fixture(params=SECTIONS, ids=lambda section: "-".join(map(str, section.values())))
def section(request: pytest.FixtureRequest) -> dict[str, object]:
    return {**request.param, "batch_size": 16}


@pytest.fixture
def data(bars: Split) -> SearchData:
    return SearchData(
        train=Split(bars.images[:40], bars.labels[:40]), validation=Split(bars.images[40:], bars.labels[40:])
    )


@pytest.fixture
def fit(section: dict, data: SearchData, tiny_space: Darts, tiny_task: ImageTask, tmp_path: Path) -> Fit:
    def fit(
        progress: Progress | None = None,
        *,
        checkpoint: str = "checkpoint",
        data: SearchData = data,
        settings: dict | None = None,
        **budget: float,
    ) -> SearchResult:
        with seeded_initialisation(0):
            supernet = DartsSupernet(tiny_task, tiny_space, num_cells=3, channels=4)
        validated = TypeAdapter(AnyStrategy).validate_python(section | (settings or {}))
        return build_strategy(validated, Augment(), seed=5).fit(
            supernet, data, Budget(**{"epochs": 3} | budget), tmp_path / checkpoint, progress or Silent()
        )

    return fit


def test_finds_a_genotype_of_the_space_that_builds(fit: Fit, tiny_space: Darts, tiny_task: ImageTask):
    genotype = Genotype.from_line(fit().genotype)
    tiny_space.check(genotype)
    network = Network(tiny_task, genotype, num_cells=3, channels=4)
    network(torch.zeros(2, *tiny_task.image_shape)).sum().backward()


def test_learns(fit: Fit):
    history = fit(epochs=8).history
    assert history[-1].metrics["train_loss"] < 0.8 * history[0].metrics["train_loss"]


def test_measures_what_shows_a_collapse(fit: Fit):
    for record in fit().history:
        assert record.metrics.keys() >= {"train_loss", "validation_accuracy", "entropy", "skip_fraction"}
        assert all(
            0 <= record.metrics[name] <= 1 for name in ("validation_accuracy", "entropy", "skip_fraction")
        )


def test_the_same_seed_finds_the_same_in_the_same_way(fit: Fit):
    one, other = fit(checkpoint="one"), fit(checkpoint="other")
    assert (one.genotype, one.history) == (other.genotype, other.history)


@pytest.mark.parametrize("killed_after", [1, 2])
def test_a_killed_search_goes_on_to_the_same_end(fit: Fit, killed_after: int):
    class Killed(BaseException):
        pass

    class KillAfter(Silent):
        def advance(self, task, done, total, metrics):
            if done == killed_after:
                raise Killed

    undisturbed = fit(checkpoint="undisturbed")
    with pytest.raises(Killed):
        fit(KillAfter(), checkpoint="killed")
    resumed = fit(checkpoint="killed")
    assert (resumed.genotype, resumed.history) == (undisturbed.genotype, undisturbed.history)


def test_global_randomness_changes_nothing_and_stays_as_it_was(fit: Fit):
    torch.manual_seed(1)
    one = fit(checkpoint="one")
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert fit(checkpoint="other").history == one.history
    assert torch.get_rng_state().equal(before)


def test_stops_when_its_time_is_used_up_and_says_so(fit: Fit):
    result = fit(max_seconds=1e-9)
    assert result.epoch == 1
    assert result.events == ("stopped after 1 of 3 epochs: 0 s of 1e-09 s were used",)


def test_validation_labels_reach_the_weights_through_the_alphas_alone(fit: Fit, data: SearchData):
    """With alphas that stand still, wrong labels in validation leave no trace in the training losses."""
    wrong = Split(data.validation.images, (data.validation.labels + 1) % 3)
    histories = [
        fit(
            checkpoint=name,
            data=SearchData(train=data.train, validation=validation),
            settings={"alpha_learning_rate": 1e-30},
        ).history
        for name, validation in (("clean", data.validation), ("wrong", wrong))
    ]
    clean, poisoned = ([r.metrics["train_loss"] for r in history] for history in histories)
    assert clean == poisoned
    clean, poisoned = ([r.metrics["validation_loss"] for r in history] for history in histories)
    assert clean != poisoned


def test_only_a_bilevel_search_teaches_alphas_by_validation_labels(fit: Fit, data: SearchData, section: dict):
    wrong = SearchData(train=data.train, validation=Split(data.validation.images, data.validation.labels * 0))
    clean, poisoned = (
        fit(checkpoint=name, data=validated, settings={"alpha_learning_rate": 0.1}).history[-1]
        for name, validated in (("clean", data), ("wrong", wrong))
    )
    bilevel = section.get("level", "single" if section["kind"] == "beta-darts" else "bilevel") == "bilevel"
    assert (clean.metrics["entropy"] != poisoned.metrics["entropy"]) == bilevel
