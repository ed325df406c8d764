"""Files from many places, shown to MLflow as one folder."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staged(files: Mapping[str, Path]) -> Iterator[Path]:
    """Give a folder with a copy of each file or folder under its name (MLflow refuses symbolic links)."""
    with tempfile.TemporaryDirectory(prefix="cellwright-") as name:
        for target, source in files.items():
            copy = Path(name) / target
            copy.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, copy, dirs_exist_ok=True)
            else:
                shutil.copyfile(source, copy)
        yield Path(name)
