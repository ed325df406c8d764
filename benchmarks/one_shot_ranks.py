"""Where what one-shot strategies find stands among all 15,625 cells of NAS-Bench-201.

Each strategy searches the benchmark's space on 10,000 images of CIFAR-10, with a supernet and a budget in CPU time that
two cores afford. The cell that it finds is then looked up in the benchmark's table, whose accuracies are of networks
that were trained for 200 epochs on the whole training set. Random search has the same CPU time: it trains as many
random cells for a few epochs as fit, and returns the one with the best validation accuracy.

A finished search is a line of the results; the command resumes from those that are there, and then writes the table.
"""

import argparse
import itertools
import os
import random
import statistics
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import torch
import yaml

from benchmarks.cpu_budget import search_epochs
from benchmarks.hand_designed import cifar_data
from benchmarks.nasbench201 import DATA_SETS as TABLES
from benchmarks.nasbench201 import table as table_of
from benchmarks.outcomes import append_outcome, difference_of_means, load_outcomes, markdown, versions
from cellwright.candidate import Candidate
from cellwright.data.prepared import PreparedData
from cellwright.estimators.base import build_estimator
from cellwright.estimators.short_training.section import ShortTrainingSection
from cellwright.evaluation import Evaluation
from cellwright.files import write_text
from cellwright.genotype import Genotype, GenotypeLine
from cellwright.progress import Silent
from cellwright.results import Result, SearchResult
from cellwright.search.trial import setting_of
from cellwright.spaces import build_space
from cellwright.spec import SearchSpec
from cellwright.step_list import STEPS
from cellwright.steps import search
from cellwright.steps.running import run_step

SECONDS, SEEDS = 300.0, 3
"""CPU time of one thread for each search, and searches of each contender."""
IMAGES, SIDE = 10_000, 16
RANDOM = "random search"
RANDOM_EPOCHS = 4
"""Epochs of each cell in random search."""
STRATEGIES = ("drnas", "beta-darts", "darts", "pc-darts", "gdas", "spos", "enas", "random-ws")
JUDGED = ("drnas", "beta-darts", RANDOM)
"""What the bar is about, which is run first."""
CONTENDERS = (*JUDGED, *(kind for kind in STRATEGIES if kind not in JUDGED))
CELLS = 15_625
BEST = 0.03
"""The bar: the mean rank is among this fraction of all cells."""

SHARED: dict[str, object] = {
    "name": "one-shot-ranks",
    "augment": {"shift": 0.125, "rotate": 0, "scale": 0, "flip": "horizontal"},
    "space": {"kind": "nasbench201", "num_cells": 2, "channels": 8},
    "resources": {"cpu": "1"},
}
"""What all specs say; the rest are defaults."""
WORKSPACE = Path("runs/one-shot-ranks")
RESULTS = Path("docs/benchmarks/one_shot_ranks.jsonl")


class Outcome(Result):
    """One search: a line of the results."""

    contender: str
    seed: int
    budget: float
    """CPU seconds that it was given."""
    genotype: GenotypeLine
    epochs: int
    """Epochs of the supernet; for random search, the number of cells."""
    cpu_seconds: float
    entropy: float | None
    """Mean entropy of the alphas at the end, from 1 for uniform ones to 0; None without alphas."""
    versions: str


def spec_for(contender: str, seed: int, data: dict[str, str]) -> SearchSpec:
    """Return what a user would write; contenders differ in the strategy's kind alone."""
    kind = "random-ws" if contender == RANDOM else contender
    own = {"seed": seed, "data": data | {"limit": IMAGES, "resize": [SIDE, SIDE]}, "strategy": {"kind": kind}}
    return SearchSpec.model_validate(SHARED | own)


def run(contender: str, seed: int, seconds: float, data: dict[str, str]) -> Outcome:
    """Search on one thread, for as many epochs or cells as fit into the CPU time."""
    torch.set_num_threads(1)
    spec = spec_for(contender, seed, data)
    prepared = PreparedData.open(run_step(STEPS["prepare"], spec, {}, WORKSPACE, Silent()))
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        find = random_search if contender == RANDOM else one_shot
        genotype, epochs, entropy = find(spec, prepared, seconds, Path(folder))
    return Outcome(
        contender=contender,
        seed=seed,
        budget=seconds,
        genotype=genotype,
        epochs=epochs,
        cpu_seconds=round(time.process_time() - began, 1),
        entropy=entropy,
        versions=versions(),
    )


def one_shot(
    spec: SearchSpec, prepared: PreparedData, seconds: float, folder: Path
) -> tuple[Genotype, int, float | None]:
    """Return what the spec's strategy finds, its epochs, and the entropy of its alphas."""
    epochs = search_epochs(spec, prepared, seconds)
    spec = spec.model_copy(update={"budget": spec.budget.model_copy(update={"epochs": epochs})})
    search.search(spec, {"prepare": prepared.folder}, folder, Silent())
    found = SearchResult.load(folder / SearchResult.FILE)
    return found.genotype, epochs, found.history[-1].metrics.get("entropy")


def random_search(
    spec: SearchSpec, prepared: PreparedData, seconds: float, folder: Path
) -> tuple[Genotype, int, float | None]:
    """Return the best of the random cells that fit into the time, and their number; a cell drawn twice counts once."""
    began = time.process_time()
    rng, space = random.Random(spec.seed), build_space(spec.space)
    setting = setting_of(spec, prepared, torch.device("cpu"))
    section = ShortTrainingSection(epochs=RANDOM_EPOCHS, median_stopping=None)
    estimator = build_estimator(section, setting, seed=spec.seed)
    scores: dict[Genotype, float] = {}
    used = 0.0
    while used * (len(scores) + 1) <= seconds * len(scores):
        genotype, number = space.sample(rng), len(scores)
        place = folder / str(number)
        place.mkdir()
        asked = Evaluation(number=number, candidate=Candidate(genotype=genotype))
        done = estimator.evaluate(asked, (), seed=spec.seed, folder=place, progress=Silent())
        scores[genotype] = done.metrics[spec.augment.objective]
        used = time.process_time() - began
    return max(scores, key=scores.__getitem__), len(scores), None


def rank_of(genotype: Genotype, data_set: str) -> tuple[int, float]:
    """Return the rank of a cell by its mean accuracy over the table's seeds, 1 for the best, and that in percent."""
    rows = table_of(data_set)
    accuracy = rows.mean(genotype)
    return 1 + len(rows.sorted_means) - bisect_right(rows.sorted_means, accuracy), accuracy


def missing(seeds: int, done: Sequence[Outcome], seconds: float) -> Iterator[tuple[str, int]]:
    """Yield the searches that are left, those that the bar is about first."""
    finished = {(outcome.contender, outcome.seed) for outcome in done if outcome.budget == seconds}
    for contenders in (JUDGED, CONTENDERS[len(JUDGED) :]):
        for seed, contender in itertools.product(range(seeds), contenders):
            if (contender, seed) not in finished:
                yield contender, seed


def table(outcomes: Sequence[Outcome]) -> str:
    """Return a row for each contender: its ranks, and its accuracy beside random search with Welch's interval."""
    accuracies = {
        name: [rank_of(outcome.genotype, TABLES[0])[1] for outcome in outcomes if outcome.contender == name]
        for name in CONTENDERS
    }
    headings = (
        "contender", "seeds", "rank, mean (each)", "best, %", "accuracy, %", f"less {RANDOM} (95 % interval)",
        *(f"rank, {name}" for name in TABLES[1:]), "entropy", "epochs", "CPU s",
    )  # fmt: skip
    rows = [headings, ("---", *["--:"] * (len(headings) - 1))]
    for name in CONTENDERS:
        runs = [outcome for outcome in outcomes if outcome.contender == name]
        if not runs:
            continue
        ranks = [[rank_of(run.genotype, data_set)[0] for run in runs] for data_set in TABLES]
        mean = statistics.fmean(ranks[0])
        entropies = [run.entropy for run in runs if run.entropy is not None]
        rows.append(
            (
                name,
                str(len(runs)),
                f"{mean:,.0f} ({', '.join(f'{rank:,}' for rank in ranks[0])})",
                f"{100 * mean / CELLS:.1f}",
                f"{statistics.fmean(accuracies[name]):.2f}",
                "" if name == RANDOM else difference_of_means(accuracies[name], accuracies[RANDOM]),
                *(f"{statistics.fmean(others):,.0f}" for others in ranks[1:]),
                f"{statistics.fmean(entropies):.2f}" if entropies else "",
                f"{statistics.fmean(run.epochs for run in runs):.0f}",
                f"{statistics.fmean(run.cpu_seconds for run in runs):.0f}",
            )
        )
    return markdown(rows)


REPORT = """# One-shot strategies on NAS-Bench-201

{done} of {wanted} searches are done.

{table}
`make bench-oneshot` writes this page. The searches, with their genotypes, are in
[{lines}]({lines}); the command resumes from those that are there.

- **Ranks** are among all {cells:,} cells, by the mean validation accuracy of the benchmark's two or three
  trainings of 200 epochs on all of CIFAR-10; 1 is the best. "Best, %" is the mean rank as a share of all.
  Other data sets' ranks are of the same cells. The goal is a mean rank in the best {best:.0%} for `drnas` and
  `beta-darts`, and a better accuracy than {random}.
- **Budget**: {seconds:.0f} CPU seconds of one thread for each search. How many epochs fit is measured first,
  within the same time.
- **{random_title}** trains random cells for {epochs} epochs each on the training split, with the recipe of
  retraining, and returns the one with the best validation accuracy. Its "epochs" are the number of cells.
- **Data**: {images:,} training images of CIFAR-10, a quarter of them the validation split. They are JPEGs.
- **Entropy** of the alphas at the end: 1 if all choices have the same probability, 0 if one is certain.
- **Versions**: {versions}.

All specs share this; everything else is a default:

```yaml
{spec}```
"""


def write_report(results: Path, seconds: float) -> None:
    """Write the table beside the results."""
    outcomes = [outcome for outcome in load_outcomes(results, Outcome) if outcome.budget == seconds]
    text = REPORT.format(
        table=table(outcomes),
        done=len(outcomes),
        wanted=SEEDS * len(CONTENDERS),
        lines=results.name,
        cells=CELLS,
        best=BEST,
        random=RANDOM,
        random_title=RANDOM.capitalize(),
        seconds=seconds,
        epochs=RANDOM_EPOCHS,
        images=IMAGES,
        versions="; ".join(sorted({outcome.versions for outcome in outcomes})),
        spec=yaml.safe_dump(SHARED, sort_keys=False),
    )
    write_text(results.with_suffix(".md"), text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cifar", type=Path, help="archive of CIFAR-10's images")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="CPU seconds of a search")
    parser.add_argument("--only", nargs="+", default=CONTENDERS, choices=CONTENDERS, metavar="CONTENDER")
    parser.add_argument("--jobs", type=int, default=1, help="searches at a time, one thread each")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="only write the table of what is finished")
    given = parser.parse_args()
    if not given.table:
        if given.cifar is None:
            parser.error("--cifar must name the archive of CIFAR-10's images (docs/benchmarks.md)")
        data = cifar_data(given.cifar)
        run_step(STEPS["prepare"], spec_for(RANDOM, 0, data), {}, WORKSPACE, Silent())
        os.environ["OMP_NUM_THREADS"] = "1"
        done = load_outcomes(given.results, Outcome)
        left = [pair for pair in missing(given.seeds, done, given.seconds) if pair[0] in given.only]
        with ProcessPoolExecutor(given.jobs, get_context("spawn"), max_tasks_per_child=1) as pool:
            for future in as_completed(pool.submit(run, *pair, given.seconds, data) for pair in left):
                outcome = future.result()
                append_outcome(given.results, outcome)
                rank, accuracy = rank_of(outcome.genotype, TABLES[0])
                print(
                    f"{outcome.contender}, seed {outcome.seed}: rank {rank:,}, {accuracy:.2f} %", flush=True
                )
                write_report(given.results, given.seconds)
    write_report(given.results, given.seconds)


if __name__ == "__main__":
    main()
