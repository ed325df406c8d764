"""Prints NOTICE: the licence of each package in the images, by the metadata of the packages installed here.

Run by `make notice` with the packages of all images installed.
"""

import importlib.metadata
import re
from pathlib import Path

HERE = Path(__file__).parent
IMAGES = ("cellwright", "mlflow", "serving", "suggestion")
HEAD = """\
cellwright
Copyright the cellwright authors

cellwright is licensed under the Apache License 2.0 (LICENSE). Its container images also hold the packages
below, each under its own licence. Four kinds have conditions of their own:

- Names that begin with nvidia- are proprietary libraries of NVIDIA. Whoever distributes the
  image distributes them, and must keep to NVIDIA's licences: the CUDA Toolkit End User License Agreement and, for
  cuDNN, the cuDNN Software License Agreement. They are in the image `cellwright` alone.
- soundfile holds libsndfile as a shared library, which is under the GNU LGPL, version 2.1 or later, as are parts of it.
  It is in the images `cellwright` and `serving`.
- psycopg2-binary is under the GNU LGPL, version 3 or later, with its exceptions. It is in the image `mlflow` alone.
- certifi, and parts of others, are under the Mozilla Public License 2.0.

The base image, Debian with Python, has the licences of its packages in /usr/share/doc; Python's own is the PSF
License.

Package, licence, images. An X marks the images that hold it, in the order cellwright, mlflow, serving, suggestion.
"""


def main() -> None:
    """Print the notice."""
    names = {image: _names(HERE / f"{image}.txt") for image in IMAGES}
    print(HEAD)
    for name in sorted(set().union(*names.values())):
        marks = "".join("X" if name in names[image] else "-" for image in IMAGES)
        print(f"{name:38} {_licence(name):52} {marks}")


def _names(lock: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9._-]+)==", lock.read_text(), re.MULTILINE))


def _licence(name: str) -> str:
    found = importlib.metadata.metadata(name)
    for text in (found["License-Expression"], *_classified(found), found["License"]):
        if text and text.strip() not in ("", "UNKNOWN"):
            return " ".join(text.strip().splitlines()[0].split())[:52]
    return "see the package"


def _classified(found: importlib.metadata.PackageMetadata) -> list[str]:
    classifiers = [each for each in found.get_all("Classifier") or () if each.startswith("License ::")]
    return [" OR ".join(each.rpartition(":: ")[2] for each in classifiers)] if classifiers else []


if __name__ == "__main__":
    main()
