"""A search as texts in an Experiment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright.errors import CellwrightError
from cellwright.katib.settings import SearchSettings
from cellwright.spaces.nasbench201.section import NasBench201Section
from cellwright.spec import STRATEGIES, ObjectiveSection
from cellwright.strategies.one_shot.beta_darts.section import BetaDartsSection
from cellwright.strategies.sampled.random import RandomSearchSection
from tests.contracts.sections import SECTIONS

OBJECTIVES = (ObjectiveSection(metric="accuracy"),)
KINDS = ["darts", "beta-darts", "enas", "random", "regularized-evolution", "reinforce", "predictor", "nsga2"]


@given(
    strategy=st.sampled_from(KINDS),
    space=st.sampled_from(list(SECTIONS.values())),
    seed=st.integers(0, 2**31 - 1),
    start=st.lists(st.text(max_size=8), max_size=2),
    tune=st.dictionaries(
        st.sampled_from(["retrain.learning_rate", "retrain.epochs", "augment.shift"]),
        st.lists(st.floats(-9, 9), min_size=2, max_size=4, unique_by=repr).map(tuple),
    ),
    parallel=st.integers(1, 99),
    in_order=st.booleans(),
)
def test_they_come_back_as_they_went(strategy, **fields):
    section = STRATEGIES.validate({"kind": strategy})
    settings = SearchSettings(strategy=section, objectives=OBJECTIVES, **fields)
    back = SearchSettings.from_settings(settings.to_settings())
    assert back == settings
    assert list(back.tune) == list(settings.tune), "hyperparameters are drawn in their order"


def test_they_may_be_written_by_hand():
    settings = SearchSettings.from_settings(
        {"strategy": "random", "space": "nasbench201", "seed": "3", "in_order": "false", "parallel": "2"},
        {"metric": "accuracy"},
    )
    assert settings == SearchSettings(
        strategy=RandomSearchSection(kind="random"),
        space=NasBench201Section(kind="nasbench201"),
        objectives=OBJECTIVES,
        seed=3,
        in_order=False,
        parallel=2,
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "strategy: must be given; space: must be given"),
        (
            {"strategy": "random", "space": "darts", "paralel": "2", "seed": "x"},
            "seed: must be a whole number, got 'x'; paralel: unknown key; did you mean 'parallel'?",
        ),
        (
            {"strategy": '{"kind": "predictor", "initial": 1}', "space": '{"kind": "darts", "num_node": 2}'},
            "strategy.initial: must be greater than or equal to 2, got 1; "
            "space.num_node: unknown key; did you mean 'num_nodes'?",
        ),
        (
            {
                "strategy": "random",
                "space": "darts",
                "tune": '{"retrain.learning_rate": [1]}',
                "parallel": "0",
            },
            "tune.retrain.learning_rate: must have at least 2 members, got [1]; "
            "parallel: must be greater than or equal to 1, got 0",
        ),
        (
            {"strategy": '["random"', "space": '{"kind": "darts"', "seed": "3"},
            """strategy: must be JSON, got '["random"': Expecting ',' delimiter: line 1 column 10 (char 9); """
            """space: must be JSON, got '{"kind": "darts"': Expecting ',' delimiter: line 1 column 17 (char 16)""",
        ),
        (
            {"strategy": "race", "space": "stages"},
            "strategy: must be a strategy that Katib can run, got race, which trains in slices",
        ),
    ],
)
def test_all_errors_are_named_at_once(settings, message):
    with pytest.raises(CellwrightError) as caught:
        SearchSettings.from_settings(settings, {"metric": "accuracy"})
    assert str(caught.value).startswith(message)


def test_a_one_shot_search_needs_its_number_alone():
    settings = SearchSettings(
        strategy=BetaDartsSection(), objectives=OBJECTIVES, space=NasBench201Section(kind="nasbench201")
    )
    assert settings.parameters == ("number",)
    assert settings.algorithm_name == "cellwright-beta-darts"
