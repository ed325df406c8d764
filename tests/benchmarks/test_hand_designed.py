from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.hand_designed import (
    BUDGETS,
    CIFAR,
    DATA,
    FORMAT_SHAPE,
    all_cells,
    faster_formats,
    measure_prices,
    missing,
    prices_beside,
    rates,
    run_cells,
    training_of,
    write_report,
)
from benchmarks.hand_shapes import SHAPES, TODAY, build_shape
from benchmarks.hand_table import FORMATS, Cell, Outcome, Price, leaders
from benchmarks.outcomes import append_outcome, load_outcomes
from cellwright.data.prepared import PreparedData
from cellwright.progress import Silent
from cellwright.spec import SearchSpec
from cellwright.step_list import STEPS
from cellwright.steps.running import run_step
from cellwright.testing.images import numbered_images

SHORT, LONG = BUDGETS
FASHION = DATA[0]


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("noise")
    rng = np.random.default_rng(0)
    images = rng.integers(256, size=(200, 16, 16, 3), dtype=np.uint8)
    np.savez(folder / "noise.npz", images=images, labels=np.arange(200) % 10)
    data = {"source": "npz", "path": str(folder / "noise.npz")}
    spec = SearchSpec.model_validate({"name": "noise", "data": data})
    return run_step(STEPS["prepare"], spec, {}, folder / "prepared", Silent())


def outcome(cell: Cell, accuracy: float, *, price: float = 0.05) -> Outcome:
    return Outcome(
        **cell._asdict(),
        test_accuracy=accuracy,
        price=price,
        steps=round(cell.seconds / price),
        epochs=11.5,
        cpu_seconds=cell.seconds,
        params=12_345,
        macs=2_500_000,
        latency_ms=1.25,
        versions="torch 2",
    )


@pytest.mark.parametrize("precision", FORMATS)
@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_trains(shape: str, precision: str, noise: Path):
    data = PreparedData.open(noise)
    training = training_of(shape, data, precision, seed=0)
    before = [parameter.clone() for parameter in training.network.parameters()]
    for _ in range(2):
        training.step(1.0)
    parameters = list(training.network.parameters())
    assert all(parameter.isfinite().all() for parameter in parameters)
    assert not any(torch.equal(old, new) for old, new in zip(before, parameters, strict=True))
    assert training.averaged()(data.test.inputs[0][:3].float()).shape == (3, 10)


def test_averages_of_a_short_training_forget_the_initial_weights(noise: Path):
    training = training_of("conv-pool-conv 24-64-96", PreparedData.open(noise), "float32", seed=0)
    before = [tensor.clone() for tensor in training.weights]
    for _ in range(20):
        training.step(1.0)
    for first, average, last in zip(before, training.average, training.weights, strict=True):
        assert (average - last).norm() <= (average - first).norm()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("image_shape", [(1, 28, 28), (3, 32, 32)])
def test_each_shape_takes_the_images_of_both_data_sets(shape: str, image_shape: tuple[int, int, int]):
    task = numbered_images(image_shape, 10, mean=128.0, std=64.0)
    with torch.inference_mode():
        assert build_shape(shape, task).eval()(torch.zeros(2, *image_shape)).shape == (2, 10)


def test_rates_rise_briefly_and_fall_to_0_in_a_straight_line():
    assert list(rates(4)) == pytest.approx([1 / 1.2, 3 / 3.8, 2 / 3.8, 1 / 3.8])
    long = list(rates(1000))
    assert long.index(max(long)) == pytest.approx(50, abs=1)
    assert max(long) <= 1 and long[-1] < 0.002


def test_the_order_follows_what_is_known():
    cells, formats = all_cells(DATA), ("bfloat16", "float32")
    first = missing(cells, [], formats)
    assert sorted(first) == sorted(cells)
    assert [cell.data for cell in first[: 2 * len(SHAPES)]] == [name for name in DATA for _ in SHAPES]
    assert {cell[2:] for cell in first[: 2 * len(SHAPES)]} == {("bfloat16", SHORT, 0)}
    done = [
        outcome(cell, 0.8 + 0.01 * list(SHAPES).index(cell.shape))
        for cell in cells
        if cell.seconds == SHORT and cell.seed == 0
    ]
    leading = leaders(done, FASHION, SHORT)
    assert leading == [*list(SHAPES)[:-6:-1], TODAY]
    left = missing(cells, done, formats)
    assert {(cell.shape, *cell[2:]) for cell in left[:6]} == {
        (shape, "bfloat16", LONG, 0) for shape in leading
    }
    assert len(left) == len(cells) - len(done)


def test_a_price_is_measured_once_and_fixes_the_steps(noise: Path, tmp_path: Path):
    wanted = [Cell(FASHION, "shallow ResNet, 32 channels", "float32", 0.1, seed) for seed in (0, 1)]
    results = tmp_path / "runs.jsonl"
    measured = measure_prices(wanted, {FASHION: noise}, results)
    assert [price.seconds > 0 for price in measured] == [True]
    stored = measured[0].model_copy(update={"seconds": 0.05})
    prices_beside(results).write_text(stored.model_dump_json() + "\n")
    run_cells(wanted[:1], {FASHION: noise}, results, write=True)
    first = results.read_text()
    run_cells(wanted, {FASHION: noise}, results)
    assert results.read_text().startswith(first)
    done = load_outcomes(results, Outcome)
    assert [(run.cell, run.price, run.steps) for run in done] == [(cell, 0.05, 2) for cell in wanted]
    lines = results.read_text()
    run_cells(wanted, {FASHION: noise}, results)
    assert results.read_text() == lines
    assert load_outcomes(prices_beside(results), Price) == [stored]
    assert "0 of 288 cells" in results.with_suffix(".md").read_text()


def test_the_faster_format_comes_first():
    prices = [
        Price(data=data, shape=FORMAT_SHAPE, precision=precision, seconds=seconds, versions="torch 2")
        for data, precision, seconds in (
            (FASHION, "float32", 0.08),
            (FASHION, "bfloat16", 0.05),
            (CIFAR, "bfloat16", 0.11),
        )
    ]
    assert faster_formats(prices) == ["bfloat16", "float32"]


def test_the_report_names_the_best_and_what_overtakes_it(tmp_path: Path):
    small, large = "conv-pool-conv 24-64-96", "conv-pool-conv 32-96-128"
    results = tmp_path / "runs.jsonl"
    for shape, precision, seconds, seed, accuracy in (
        (small, "float32", SHORT, 0, 0.90),
        (small, "bfloat16", SHORT, 0, 0.91),
        (small, "float32", SHORT, 1, 0.92),
        (large, "float32", SHORT, 0, 0.89),
        (small, "float32", LONG, 0, 0.93),
        (large, "float32", LONG, 0, 0.94),
    ):
        append_outcome(results, outcome(Cell(FASHION, shape, precision, seconds, seed), accuracy))
    write_report(results)
    text = results.with_suffix(".md").read_text()
    assert "6 of 288 cells are done" in text
    assert f"| {small} | **91.00** ± 1.41 (2) | **91.00** (1) | 93.00 (1) |  |" in text
    assert f"- Best at 90 s, of 2 shapes: **{small}** in float32, 91.00 %." in text
    assert (
        f"- Best at 480 s, of 2 shapes: **{large}** in float32, 94.00 %. Ahead of {small}: {large}." in text
    )
    assert "| Fashion-MNIST, 90 s | 1 | +1.00 | +1.00, +1.00 | 1.00 |" in text
    assert (
        f"| {small} | 12,345 | 2.5 | 1.25 | 50.0 | 1,800 (11.5) | 9,600 (11.5) | 50.0 | 1,800 (11.5) |  |"
        in text
    )
