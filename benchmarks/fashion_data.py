"""Fashion-MNIST for the benchmarks, from its Debian package: https://packages.debian.org/dataset-fashion-mnist."""

import sys
from pathlib import Path

from benchmarks.idx_package import IdxPackage, run

PACKAGE = "dataset-fashion-mnist"
DEFAULT_FOLDER = Path("runs/fashion-mnist")
FILES = {
    "images": "train-images-idx3-ubyte.gz",
    "labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
"""By the fields of the spec's `idx` source that name them."""


def _unpack(folder: Path) -> Path:
    hint = " (apt-get update may be needed)"
    run(["apt-get", "download", PACKAGE], folder, hint)
    (archive,) = folder.glob(f"{PACKAGE}_*.deb")
    run(["dpkg", "-x", archive.name, "."], folder, hint)
    return folder / "usr/share/datasets/fashion-mnist"


_SOURCE = IdxPackage(f"the Debian package {PACKAGE}", ["apt-get", "dpkg"], _unpack, FILES)


def fashion_mnist(folder: Path = DEFAULT_FOLDER) -> Path:
    """Return the folder, with the four IDX files in it, fetched unless they are all there.

    Raises:
        DataError: the files are not there and the package can't be fetched.
    """
    return _SOURCE.fetched(folder)


def fashion_data(folder: Path = DEFAULT_FOLDER) -> dict[str, str]:
    """Return the spec's `data` section for all of Fashion-MNIST with its own test set."""
    return _SOURCE.section(folder)


if __name__ == "__main__":
    print(fashion_mnist(*map(Path, sys.argv[1:2])))
