"""How sampled strategies do on NAS-Bench-201's table; prints tables and writes docs/benchmarks/nasbench201.md.

`make bench-nb201` runs it, in two processes of one thread each. A query gives the validation accuracy of one of a
cell's two or three seeds, drawn by chance; what a search chooses is judged by the mean over all of them, which the
search never sees. Scoring finalists again takes queries from the same budget. The textbooks are written down here
in the plainest way and choose what scored best.
"""

import argparse
import math
import os
import random
import statistics
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from statistics import NormalDist
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy is imported

import numpy as np

from cellwright.candidate import Candidate
from cellwright.estimators.tabular.estimator import read_table
from cellwright.evaluation import FULL, Evaluation, Objective
from cellwright.files import write_text
from cellwright.genotype import Genotype
from cellwright.spaces import CELL, CandidateSpace, Taken
from cellwright.spaces.nasbench201.space import NasBench201
from cellwright.spec import STRATEGIES as KINDS
from cellwright.spec import AshaScheduler, SampledSection
from cellwright.strategies.sampled import Asha, Features, Suggesting, Surrogate, build_strategy
from cellwright.strategies.sampled.nsga2 import Nsga2
from cellwright.strategies.sampled.predictor import Predictor

DATA_SETS = ("cifar10", "cifar100", "imagenet16-120")
BUDGETS = (50, 150, 300)
FINALISTS = {50: 3, 150: 7, 300: 15}
"""For each budget, how many finalists are scored once more; each takes a query."""
STRATEGIES = ("random", "regularized-evolution", "local-search", "reinforce", "tpe", "nsga2", "predictor")
ACCURACY = Objective(metric="accuracy")
LATENCY = Objective(metric="latency", direction="minimize")
REPORT = Path("docs/benchmarks/nasbench201.md")


@dataclass(frozen=True)
class Cells(NasBench201):
    """The space, with everything that depends on a cell alone worked out once."""

    def genotype(self, taken: Taken) -> Genotype:
        return _genotype(tuple(taken[CELL]))

    def taken(self, genotype: Genotype) -> Taken:
        return _taken(genotype.to_line())

    def isomorphism_key(self, genotype: Genotype) -> str:
        return _key(genotype.to_line())


@cache
def _genotype(primitives: tuple[int, ...]) -> Genotype:
    return NasBench201().genotype({CELL: primitives})


@cache
def _taken(line: str) -> Taken:
    return NasBench201().taken(Genotype.from_line(line))


@cache
def _key(line: str) -> str:
    return NasBench201().isomorphism_key(Genotype.from_line(line))


SPACE = Cells()


@cache
def features() -> Features:
    return Features(CandidateSpace(SPACE), cached=1 << 14)


class Table:
    """One data set's part of the benchmark."""

    def __init__(self, data_set: str) -> None:
        self._rows = read_table(data_set)

    def row(self, genotype: Genotype) -> Mapping[str, Sequence[float]]:
        return self._rows["".join(map(str, SPACE.taken(genotype)[CELL]))]

    def accuracies(self, genotype: Genotype) -> Sequence[float]:
        return self.row(genotype)["val_acc"]

    def mean(self, genotype: Genotype) -> float:
        return statistics.fmean(self.accuracies(genotype))

    def seconds(self, genotype: Genotype) -> float:
        return self.row(genotype)["train_time"][0]

    def latency(self, genotype: Genotype) -> float:
        return 1000 * self.row(genotype)["latency"][0]

    @cached_property
    def genotypes(self) -> list[Genotype]:
        return [SPACE.genotype({CELL: list(map(int, name))}) for name in sorted(self._rows)]

    @cached_property
    def sorted_means(self) -> list[float]:
        return sorted(map(self.mean, self.genotypes))

    @cached_property
    def mean_seconds(self) -> float:
        return statistics.fmean(map(self.seconds, self.genotypes))

    def simulated(self, genotype: Genotype, share: float) -> float:
        """Return what a shorter training might give: the rank in full and an error of the cell's own.

        The table has no learning curves. Published scores after 12 of 200 epochs have a rank correlation of about 0.8
        with those in full, two trainings in full one of 0.99; in between the rest of it falls as a power of the share.
        """
        means = self.sorted_means
        rank = (bisect_left(means, self.mean(genotype)) + 0.5) / len(means)
        correlation = 1 - 0.01 * share ** (-math.log(20) / math.log(200 / 12))
        error = random.Random(f"{genotype.to_line()} {share:.3f}").gauss(0, 1)
        quantile = correlation * NormalDist().inv_cdf(rank) + math.sqrt(1 - correlation**2) * error
        return share**0.1 * means[int(NormalDist().cdf(quantile) * len(means))]


@cache
def table(data_set: str) -> Table:
    return Table(data_set)


class Trial:
    """Queries of the table by one search: no seed of a cell is looked at twice."""

    def __init__(self, data_set: str, seed: int) -> None:
        self.table = table(data_set)
        self._rng = random.Random(f"queries {data_set} {seed}")
        self.scores: dict[Genotype, list[float]] = {}
        self._left: dict[Genotype, list[float]] = {}

    def query(self, genotype: Genotype) -> float:
        if genotype not in self._left:
            scores = list(self.table.accuracies(genotype))
            self._rng.shuffle(scores)
            self._left[genotype], self.scores[genotype] = scores, []
        score = self._left[genotype].pop()
        self.scores[genotype].append(score)
        return score

    def score_again(self, strategy: Suggesting, finalists: Sequence[Candidate]) -> Genotype:
        """Return what the strategy chooses once each finalist has one more score."""
        again = [
            Evaluation(
                number=0, candidate=found, repeat=1, metrics={"accuracy": self._left[found.genotype][-1]}
            )
            for found in finalists
        ]
        return strategy.choose(again).genotype


def build(kind: str, seed: int, objectives: Sequence[Objective] = (ACCURACY,)) -> Any:
    settings = KINDS.validate({"kind": kind})
    assert isinstance(settings, SampledSection)
    strategy = build_strategy(settings, CandidateSpace(SPACE), objectives, seed=seed)
    if isinstance(strategy, Predictor | Nsga2):
        strategy.features = features()
    return strategy


def search(kind: str, data_set: str, seed: int, finalists: Mapping[int, int] = FINALISTS) -> list[float]:
    """Return for each budget the mean accuracy of what is chosen."""
    strategy, trial = build(kind, seed), Trial(data_set, seed)
    chosen = []
    for budget in finalists:
        while len(trial.scores) < budget - finalists[budget]:
            (suggestion,) = strategy.suggest(1)
            score = trial.query(suggestion.candidate.genotype)
            strategy.observe([suggestion.done({"accuracy": score})])
        chosen.append(trial.table.mean(trial.score_again(strategy, strategy.finalists(finalists[budget]))))
    return chosen


def textbook(method: str, data_set: str, seed: int) -> list[float]:
    """Return for each budget the mean accuracy of what scored best."""
    table_, rng = table(data_set), random.Random(f"textbook {method} {data_set} {seed}")
    history: list[tuple[float, Genotype]] = []

    def query(genotype: Genotype) -> float:
        history.append((rng.choice(table_.accuracies(genotype)), genotype))
        return history[-1][0]

    TEXTBOOKS[method](query, rng, history)
    return [table_.mean(max(history[:budget], key=lambda pair: pair[0])[1]) for budget in BUDGETS]


Query = Callable[[Genotype], float]
History = list[tuple[float, Genotype]]


def _random_search(query: Query, rng: random.Random, history: History) -> None:
    while len(history) < max(BUDGETS):
        query(SPACE.sample(rng))


def _regularized_evolution(query: Query, rng: random.Random, history: History) -> None:
    """Keep a population of 10, draw 5, mutate the best."""
    while len(history) < max(BUDGETS):
        if len(history) < 10:
            query(SPACE.sample(rng))
        else:
            query(SPACE.mutate(max(rng.sample(history[-10:], 5), key=lambda pair: pair[0])[1], rng))


def _local_search(query: Query, rng: random.Random, history: History) -> None:
    """Score all neighbours, go to the best while it is better, else start afresh; cells of one key cost one query."""
    scores: dict[str, float] = {}

    def score(genotype: Genotype) -> float:
        key = SPACE.isomorphism_key(genotype)
        if key not in scores and len(history) < max(BUDGETS):
            scores[key] = query(genotype)
        return scores.get(key, -math.inf)

    while len(history) < max(BUDGETS):
        here = SPACE.sample(rng)
        while True:
            neighbours = list(SPACE.neighbours(here))
            rng.shuffle(neighbours)
            best = max(neighbours, key=score)
            if score(best) <= score(here) or len(history) == max(BUDGETS):
                break
            here = best


TEXTBOOKS = {
    "random": _random_search,
    "regularized-evolution": _regularized_evolution,
    "local-search": _local_search,
}


def timed_search(scheduled: bool, data_set: str, seed: int) -> list[float]:
    """Return the mean accuracy of what is chosen, and the mean trainings in full that the search took the time of."""
    table_, trial = table(data_set), Trial(data_set, seed)
    budget = (75 if scheduled else 150) * table_.mean_seconds
    kept = 10 * table_.mean_seconds
    strategy: Suggesting = build("predictor", seed)
    if scheduled:
        strategy = Asha(AshaScheduler(), partial(build, "predictor", seed))
    spent = 0.0
    while spent < budget - kept:
        (suggestion,) = strategy.suggest(1)
        share = suggestion.fidelity.epochs
        genotype = suggestion.candidate.genotype
        spent += share * table_.seconds(genotype)
        in_full = suggestion.fidelity == FULL
        score = trial.query(genotype) if in_full else table_.simulated(genotype, share)
        strategy.observe([suggestion.done({"accuracy": score})])
    finalists: list[Candidate] = []
    for found in strategy.finalists(FINALISTS[150]):
        if spent + table_.seconds(found.genotype) <= budget and found.genotype in trial.scores:
            spent += table_.seconds(found.genotype)
            finalists.append(found)
    return [table_.mean(trial.score_again(strategy, finalists)), spent / table_.mean_seconds]


def hypervolume(kind: str, data_set: str, seed: int) -> list[float]:
    """Return the area that the front of 150 cells dominates, as a share of that of all cells."""
    strategy, trial = build(kind, seed, (ACCURACY, LATENCY)), Trial(data_set, seed)
    for _ in range(150):
        (suggestion,) = strategy.suggest(1)
        metrics = {
            "accuracy": trial.query(suggestion.candidate.genotype),
            "latency": trial.table.latency(suggestion.candidate.genotype),
        }
        strategy.observe([suggestion.done(metrics)])
    return [_area(trial.table, trial.scores) / _area(trial.table, trial.table.genotypes)]


def _area(table_: Table, genotypes: Iterable[Genotype]) -> float:
    """Return the area between the worst cell of all and the front, in accuracy times latency."""
    slowest = max(map(table_.latency, table_.genotypes))
    area, best = 0.0, table_.sorted_means[0]
    for latency, accuracy in sorted((table_.latency(g), table_.mean(g)) for g in genotypes):
        if accuracy > best:
            area += (accuracy - best) * (slowest - latency)
            best = accuracy
    return area


def rank_correlation(with_params: bool, data_set: str, seed: int) -> list[float]:
    """Return Spearman's correlation of a surrogate of 100 cells with the mean accuracy of all others."""
    table_, rng = table(data_set), random.Random(f"surrogate {seed}")
    genotypes = rng.sample(table_.genotypes, len(table_.genotypes))
    groups = features()([Candidate(genotype=genotype) for genotype in genotypes])
    if with_params:
        groups.append(np.log([[table_.row(genotype)["model_size"][0]] for genotype in genotypes]))
    scores = [rng.choice(table_.accuracies(genotype)) for genotype in genotypes[:100]]
    surrogate = Surrogate([group[:100] for group in groups], scores)
    predicted = np.concatenate(
        [
            surrogate.means([group[start : start + 1000] for group in groups])
            for start in range(100, 15625, 1000)
        ]
    )
    ranks = [
        np.argsort(np.argsort(values)) for values in (predicted, list(map(table_.mean, genotypes[100:])))
    ]
    return [float(np.corrcoef(ranks[0], ranks[1])[0, 1])]


Measure = Callable[[Any, str, int], list[float]]
Results = dict[tuple[str, Any, str], list[list[float]]]


def measure_all(pool: Executor, jobs: Sequence[tuple[Measure, Any, int]]) -> Results:
    """Return for each measure, what is measured and data set a row for each seed."""
    futures = {
        (measure.__name__, what, data_set): [
            pool.submit(measure, what, data_set, seed) for seed in range(num_seeds)
        ]
        for measure, what, num_seeds in jobs
        for data_set in DATA_SETS
    }
    return {key: [future.result() for future in row] for key, row in futures.items()}


def _cell(values: Sequence[float], digits: int = 2) -> str:
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{statistics.fmean(values):.{digits}f} ± {error:.{digits}f}"


def _columns(results: Results, measure: str, what: Any, column: int) -> list[list[float]]:
    return [[row[column] for row in results[measure, what, data_set]] for data_set in DATA_SETS]


def accuracy_table(results: Results) -> Iterator[str]:
    headings = [f"{data_set}, {budget}" for data_set in DATA_SETS for budget in BUDGETS]
    yield f"| | {' | '.join(headings)} |"
    yield f"|---|{'---|' * len(headings)}"
    for measure, kinds in (("search", STRATEGIES), ("textbook", tuple(TEXTBOOKS))):
        for kind in kinds:
            rows = [
                [row[column] for row in results[measure, kind, data_set]]
                for data_set in DATA_SETS
                for column in range(len(BUDGETS))
            ]
            name = f"textbook {kind}" if measure == "textbook" else f"**`{kind}`**"
            yield f"| {name} | {' | '.join(map(_cell, rows))} |"


def verdicts(results: Results) -> Iterator[str]:
    """Yield whether the bars are met, as a table."""
    yield f"| bar | {' | '.join(DATA_SETS)} |"
    yield f"|---|{'---|' * len(DATA_SETS)}"
    for ours, theirs in ((1, 2), (0, 1)):
        claim = f"`predictor` at {BUDGETS[ours]} queries reaches textbook local search at {BUDGETS[theirs]}"
        yield _verdict(claim, results, ("search", "predictor", ours), ("textbook", "local-search", theirs))
    for kind in STRATEGIES:
        baseline = kind if kind in TEXTBOOKS else "random"
        for column, budget in enumerate(BUDGETS):
            pairs = [("search", kind, column), ("textbook", baseline, column)]
            yield _verdict(f"`{kind}` at {budget} is no worse than textbook {baseline}", results, *pairs)


Column = tuple[str, str, int]
"""Measure, what is measured, and the place of the budget."""


def _verdict(claim: str, results: Results, ours: Column, theirs: Column) -> str:
    words = []
    for data_set in DATA_SETS:
        one, other = (
            [row[column] for row in results[measure, what, data_set]]
            for measure, what, column in (ours, theirs)
        )
        difference = statistics.fmean(one) - statistics.fmean(other)
        error = math.sqrt((statistics.variance(one) + statistics.variance(other)) / len(one))
        word = (
            "yes" if difference >= 0 else "within two standard errors" if difference >= -2 * error else "NO"
        )
        words.append(word)
    return f"| {claim} | {' | '.join(words)} |"


def report(results: Results, seeds: int, few: int, seconds: float) -> Iterator[str]:
    yield "# NAS-Bench-201\n"
    yield f"`make bench-nb201`, {seconds:.0f} s.\nMean over {seeds} seeds (0 to {seeds - 1}) ± its standard error.\n"
    yield "## Validation accuracy in percent of the chosen cell, by queries\n"
    yield (
        "A query is a training in full, which gives the accuracy of one of the cell's two or three seeds.\n"
        "The table below has the mean over all seeds of the cell that was chosen. Searches score their best\n"
        f"{', '.join(map(str, FINALISTS.values()))} once more before they choose; these queries are among the 50, 150 "
        "and 300. Textbooks\nsearch with all queries and choose the best score. "
        "NAS-Bench-201's table has no test accuracy.\n"
    )
    yield from accuracy_table(results)
    yield ""
    yield from verdicts(results)
    yield "\n## Within half the time\n"
    yield (
        "`predictor` with the time of 150 mean trainings, and within `asha` (shares 1/9, 1/3 and 1 of the\n"
        "epochs) with that of 75. Scores of short trainings are **simulated**, since the table has none:\n"
        "their rank correlation with the full score is 0.8 after 12 of 200 epochs, as published, and grows\n"
        f"with the share of the epochs. {few} seeds.\n"
    )
    yield f"| | {' | '.join(f'{d} | trainings' for d in DATA_SETS)} |"
    yield f"|---|{'---|' * 2 * len(DATA_SETS)}"
    for scheduled, name in ((False, "in full"), (True, "within `asha`")):
        accuracies, trainings = (_columns(results, "timed_search", scheduled, column) for column in (0, 1))
        cells = [cell for a, t in zip(accuracies, trainings, strict=True) for cell in (_cell(a), _cell(t, 1))]
        yield f"| {name} | {' | '.join(cells)} |"
    yield "\n## Accuracy and latency: hypervolume of 150 cells, as a share of all cells' front\n"
    yield f"| | {' | '.join(DATA_SETS)} |"
    yield f"|---|{'---|' * len(DATA_SETS)}"
    volumes = {kind: _columns(results, "hypervolume", kind, 0) for kind in ("nsga2", "random")}
    for kind, columns in volumes.items():
        yield f"| `{kind}` | {' | '.join(_cell(column, 4) for column in columns)} |"
    wins = [
        sum(a > b for a, b in zip(ours, theirs, strict=True))
        for ours, theirs in zip(volumes["nsga2"], volumes["random"], strict=True)
    ]
    yield f"| seeds in which `nsga2` is above | {' | '.join(f'{w} of {few}' for w in wins)} |"
    yield "\n## The surrogate: Spearman's correlation with all other cells, at 100 random cells\n"
    yield f"| | {' | '.join(DATA_SETS)} |"
    yield f"|---|{'---|' * len(DATA_SETS)}"
    for with_params, name in ((False, "the cell's graph"), (True, "and the number of parameters")):
        columns = _columns(results, "rank_correlation", with_params, 0)
        yield f"| {name} | {' | '.join(_cell(column, 3) for column in columns)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--few", type=int, default=10, help="seeds of the hypervolumes and the surrogate")
    parser.add_argument("--output", type=Path, default=REPORT)
    given = parser.parse_args()
    began = time.monotonic()
    jobs: list[tuple[Measure, Any, int]] = [
        *((search, kind, given.seeds) for kind in reversed(STRATEGIES)),
        *((timed_search, scheduled, given.few * 2) for scheduled in (False, True)),
        *((textbook, method, given.seeds) for method in TEXTBOOKS),
        *((hypervolume, kind, given.few) for kind in ("nsga2", "random")),
        *((rank_correlation, with_params, given.few) for with_params in (False, True)),
    ]
    with ProcessPoolExecutor(2) as pool:
        results = measure_all(pool, jobs)
    text = "\n".join(report(results, given.seeds, given.few, time.monotonic() - began)) + "\n"
    print(text)
    write_text(given.output, text)


if __name__ == "__main__":
    main()
