import random
from pathlib import Path

import pytest

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation, Objective
from cellwright.genotype import Genotype
from cellwright.results import SearchResult
from cellwright.search.candidates import candidate_space
from cellwright.search.journal import EVALUATIONS, EvaluationJournal
from cellwright.search.warm_start import start_candidates, start_worth
from cellwright.spaces import CandidateSpace, build_space
from cellwright.spaces.darts.space import Darts
from cellwright.spec import SearchSpec

ACCURACY = Objective(metric="accuracy")


def spec_of(**sections) -> SearchSpec:
    return SearchSpec.model_validate(
        {"name": "a", "data": {"source": "digits"}, "strategy": {"kind": "random"}, **sections}
    )


def done(number: int, genotype: Genotype, accuracy: float) -> Evaluation:
    return Evaluation(number=number, candidate=Candidate(genotype=genotype), metrics={"accuracy": accuracy})


@pytest.fixture
def genotypes() -> list[Genotype]:
    rng = random.Random(0)
    return [build_space(spec_of().space).sample(rng) for _ in range(6)]


@pytest.fixture
def earlier(genotypes: list[Genotype], tmp_path: Path) -> Path:
    """An earlier search whose accuracies fell from 0.8 to 0.4, and which took the second best."""
    journal = EvaluationJournal(tmp_path / EVALUATIONS)
    for number, genotype in enumerate(genotypes[:5]):
        journal.add(done(number, genotype, 0.8 - 0.1 * number))
    journal.close()
    SearchResult(genotype=genotypes[1], score=0.7, seconds=1, history=()).save(tmp_path / SearchResult.FILE)
    return tmp_path


def test_the_found_one_comes_first_then_the_best(genotypes: list[Genotype], earlier: Path):
    spec = spec_of(start={"search": earlier, "architectures": 3, "genotypes": [genotypes[5].to_line()]})
    started = start_candidates(spec, candidate_space(spec))
    assert [candidate.genotype for candidate in started] == [genotypes[place] for place in (5, 1, 0, 2)]


def test_hyperparameters_start_from_their_first_values_where_none_are_given(
    genotypes: list[Genotype], earlier: Path
):
    given = Candidate(genotype=genotypes[5], values={"retrain.learning_rate": 0.2})
    spec = spec_of(
        start={"search": earlier, "genotypes": [given.line]},
        tune={"when": "with", "values": {"retrain.learning_rate": [0.1, 0.2]}},
    )
    started = start_candidates(spec, candidate_space(spec))
    assert started[0] == given
    assert started[1] == Candidate(genotype=genotypes[1], values={"retrain.learning_rate": 0.1})
    assert len(started) == 6


def test_what_lies_outside_is_left_out_or_refused(genotypes: list[Genotype], earlier: Path):
    elsewhere = CandidateSpace(Darts(primitives=("skip_connect", "avg_pool_3x3"), num_nodes=2))
    with pytest.raises(CellwrightError, match="start.search must have found architectures of this space"):
        start_candidates(spec_of(start={"search": earlier}), elsewhere)
    with pytest.raises(CellwrightError):
        start_candidates(spec_of(start={"genotypes": [genotypes[0].to_line()]}), elsewhere)


@pytest.mark.parametrize(
    ("accuracies", "verdict"),
    [((0.5, 0.8), "reached after 2 evaluations"), ((0.5, 0.6), "not reached in 2 evaluations")],
)
def test_the_score_of_the_start_is_reported(
    accuracies: tuple[float, ...], verdict: str, genotypes: list[Genotype], earlier: Path
):
    found = [done(number, genotypes[number], accuracy) for number, accuracy in enumerate(accuracies)]
    told = start_worth(spec_of(start={"search": earlier}), ACCURACY, found)
    assert told == f"the earlier search's best accuracy, 0.8 after 1 evaluations, was {verdict}"
    assert start_worth(spec_of(), ACCURACY, found) is None
