"""Files from many places, shown to MLflow as one folder."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def staged(files: Mapping[str, Path]) -> Iterator[Path]:
    """Give a folder that holds each file, or folder of files, under its name, as symbolic links."""
    with tempfile.TemporaryDirectory(prefix="cellwright-") as name:
        for target, source in files.items():
            link = Path(name) / target
            link.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source.resolve(), link, copy_function=os.symlink, dirs_exist_ok=True)
            else:
                link.symlink_to(source.resolve(strict=True))
        yield Path(name)
