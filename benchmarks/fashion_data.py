"""Fashion-MNIST for the benchmarks, from its Debian package: https://packages.debian.org/dataset-fashion-mnist."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cellwright.errors import DataError
from cellwright.files import atomic_path

PACKAGE = "dataset-fashion-mnist"
DEFAULT_FOLDER = Path("runs/fashion-mnist")
FILES = {
    "images": "train-images-idx3-ubyte.gz",
    "labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}
"""By the fields of the spec's `idx` source that name them."""


def fashion_mnist(folder: Path = DEFAULT_FOLDER) -> Path:
    """Return the folder, with the four IDX files in it, fetched unless they are all there.

    Raises:
        DataError: the files are not there and the package can't be fetched.
    """
    if all((folder / name).exists() for name in FILES.values()):
        return folder
    for tool in ("apt-get", "dpkg"):
        if shutil.which(tool) is None:
            raise DataError(
                f"{folder}: must hold {', '.join(FILES.values())} where there is no {tool} to fetch the Debian "
                f"package {PACKAGE} with"
            )
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        _run(["apt-get", "download", PACKAGE], Path(temporary))
        (archive,) = Path(temporary).glob(f"{PACKAGE}_*.deb")
        _run(["dpkg", "-x", archive.name, "."], Path(temporary))
        for name in FILES.values():
            with atomic_path(folder / name) as whole:
                shutil.copy(Path(temporary, "usr/share/datasets/fashion-mnist", name), whole)
    return folder


def fashion_data(folder: Path = DEFAULT_FOLDER) -> dict[str, str]:
    """Return the spec's `data` section for all of Fashion-MNIST with its own test set."""
    files = fashion_mnist(folder)
    return {"source": "idx"} | {field: str(files / name) for field, name in FILES.items()}


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise DataError(f"{' '.join(command)} failed: {done.stderr.strip()} (apt-get update may be needed)")


if __name__ == "__main__":
    print(fashion_mnist(*map(Path, sys.argv[1:2])))
