"""A report with all of its sections: 200 trials, 10,000 test images, and networks of several kinds."""

from pathlib import Path

import numpy as np
import torch

from cellwright.data.prepared import PreparedData
from cellwright.report.html import balance, calibration, pictures
from cellwright.report.html.page import render, sections
from cellwright.report.run_report import RunReport
from cellwright.results import EpochRecord, SearchResult, TrialSummary
from cellwright.tasks.base import read_task
from cellwright.tasks.images.section import ImagesSection
from cellwright.tasks.images.sources.npz import NpzSection
from cellwright.tasks.preparing import prepare
from tests.report.results import FOUND

NUM_TRIALS, NUM_TEST, CLASSES = 200, 10_000, 10


def whole_page(run: RunReport, folder: Path) -> str:
    """Return the page of a run's results on 10,000 random test images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (NUM_TEST + 100, 16, 16), np.uint8)
    labels = np.arange(len(images)) % CLASSES
    for name, rows in (("train", slice(100)), ("test", slice(100, None))):
        np.savez(folder / f"{name}.npz", images=images[rows], labels=labels[rows])
    section = NpzSection(source="npz", path=folder / "train.npz", test_path=folder / "test.npz")
    prepare(section, folder / "data", lambda fact: None)
    data = PreparedData.open(folder / "data")
    task = read_task(data.manifest.task)
    outputs = torch.randn(NUM_TEST, CLASSES, generator=torch.Generator().manual_seed(0))
    outputs[torch.arange(NUM_TEST), data.test.targets] += 3
    augmentation = ImagesSection(task="images", rotate=20, shift=0.1)
    more = [
        *calibration.sections(task, outputs, data.test.targets),
        *pictures.mistakes(task, data, outputs),
        *balance.sections(task, data),
        *pictures.samples(task, data, augmentation),
    ]
    history = tuple(
        EpochRecord(epoch=n, metrics={"accuracy": n % 17 / 17, "best_accuracy": min(1.0, n / 100)})
        for n in range(1, NUM_TRIALS + 1)
    )
    trials = tuple(
        TrialSummary(
            name=str(n),
            state="done" if n % 5 else "pruned",
            reason=None if n % 5 else "latency must be at most 3 ms, got 3.2",
            seconds=n / 10,
            metrics={"accuracy": n % 17 / 17} if n % 5 else {},
            curve=tuple(n % 17 / 17 * epoch / 10 for epoch in range(1, 11 if n % 5 else 4)),
        )
        for n in range(NUM_TRIALS)
    )
    search = SearchResult(genotype=FOUND, score=0.9, seconds=9.0, history=history, trials=trials)
    run = run.model_copy(update={"search": search})
    return render(run, sections(run, more))
