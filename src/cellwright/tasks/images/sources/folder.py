"""A folder of images with a folder per class."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cellwright.data import Examples, Reader, Source
from cellwright.data.memory import require_memory
from cellwright.data.opening import require_folder
from cellwright.errors import DataError
from cellwright.spec.data import StoredData
from cellwright.spec.place import Place
from cellwright.tasks.classified_data import ClassifiedData
from cellwright.tasks.images.arrays import as_images, classified, labelled
from cellwright.tasks.images.files import FORMATS, ImageFiles
from cellwright.tasks.images.sources.folder_names import (
    alike_but_for_case,
    natural_order,
    normal,
    require_classes,
)

NAMED_MISTAKES = 5
PROGRESS_EVERY = 2000

Side = Annotated[int, Field(ge=8, le=1024)]


class FolderSection(StoredData, ClassifiedData):
    """A folder of images (PNG, JPEG, BMP, GIF, WebP, TIFF) with one folder per class."""

    FOLDERS = ("path", "test_path")
    reader = "cellwright.tasks.images.sources.folder:FolderReader"
    task = "images"

    source: Literal["images"]
    path: Place
    """The folder whose folders are the classes."""
    test_path: Place | None = None
    """A folder of the same form with the user's own test set."""
    resize: tuple[Side, Side] | None = None
    """Height and width that every image is brought to; needed where sizes differ."""
    channels: Literal["grey", "rgb"] = "rgb"

    @property
    def image_files(self) -> ImageFiles:
        """Return how the files are read."""
        return ImageFiles(mode="L" if self.channels == "grey" else "RGB", resize=self.resize)


class FolderReader(Reader):
    """Decodes images, each folder being a class."""

    section: FolderSection

    def read(self, say: Callable[[str], None]) -> Source:
        """Decode every image, and those of the test folder if there is one."""
        section = self.section
        folder, how = Path(section.path), section.image_files
        classes = class_files(folder)
        for names in alike_but_for_case(classes):
            say(f"{folder}: the classes {' and '.join(names)} differ by case alone")
        examples, test = _read_folder(folder, classes, how, say), None
        if section.test_path:
            test_folder = Path(section.test_path)
            test_classes = class_files(test_folder)
            if test_classes.keys() != classes.keys():
                raise DataError(
                    f"{test_folder}: the folders must be those of {folder}: "
                    + _differences(set(classes), set(test_classes))
                )
            test = _read_folder(test_folder, test_classes, how, say)
        return classified(tuple(classes), examples, test, files=how)

    def files(self, folder: Path) -> Iterable[Path]:
        """Return the images of all classes."""
        return (file for files in class_files(folder).values() for file in files)

    def names(self, origin: str, names: Iterable[str]) -> list[str]:
        """Return the names `CLASS/FILE`."""
        return class_names(origin, names)

    def check(self, key: str, path: Path) -> None:
        """Require a folder per class."""
        super().check(key, path)
        class_folders(path)


def class_folders(folder: Path) -> list[Path]:
    """List the folders of the classes, without hidden ones; their names are those of classes."""
    require_folder(folder)
    found = [path for path in _visible(folder) if path.is_dir()]
    require_classes(str(folder), [path.name for path in found])
    return found


def class_files(folder: Path) -> dict[str, list[Path]]:
    """List the files of each class, in the natural order of classes and the plain one of files, without hidden ones.

    Classes have the same names on all file systems: their form is Unicode's NFC.
    """
    try:
        found = {path.name: _visible(path) for path in class_folders(folder)}
        strays = [path for path in _visible(folder) if not path.is_dir()]
        others = [path for files in found.values() for path in files if not path.is_file()]
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from error
    _refuse(
        f"{folder}: must hold a folder per class with nothing but images in it",
        [f"{path.relative_to(folder)} is no folder" for path in strays]
        + [f"{path.relative_to(folder)} is no file" for path in others]
        + [f"{name} is empty" for name, files in found.items() if not files],
    )
    if not found:
        raise DataError(f"{folder}: must hold a folder per class, but holds none")
    classes = {normal(name): files for name, files in found.items()}
    return {name: classes[name] for name in natural_order(classes)}


def class_names(origin: str, names: Iterable[str]) -> list[str]:
    """Return the names `CLASS/FILE` of a folder that is not on this machine, without hidden ones and empty folders."""
    parts = {name: name.split("/") for name in names if not name.endswith("/")}
    visible = [name for name in parts if not any(part.startswith(".") for part in parts[name])]
    require_classes(origin, {parts[name][0] for name in visible if len(parts[name]) > 1})
    _refuse(
        f"{origin}: must hold a folder per class with nothing but images in it",
        [f"{name} is not CLASS/FILE" for name in visible if len(parts[name]) != 2 or "" in parts[name]],
    )
    return visible


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _read_folder(
    folder: Path, classes: dict[str, list[Path]], how: ImageFiles, say: Callable[[str], None]
) -> Examples:
    files = [file for members in classes.values() for file in members]
    labels = np.repeat(np.arange(len(classes)), [len(members) for members in classes.values()])
    images = as_images(_decode_all(folder, files, how, say), "NCHW", str(folder))
    return labelled(str(folder), images, labels)


def _decode_all(
    folder: Path, files: Sequence[Path], how: ImageFiles, say: Callable[[str], None]
) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    images = np.empty((0, 0, 0, 0), np.uint8)
    mistakes = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for index, file in enumerate(files):
            if index and index % PROGRESS_EVERY == 0:
                say(f"{folder}: decoded {index} of {len(files)} images")
            name = file.relative_to(folder)
            try:
                pixels = how.decode(file)
            except UnidentifiedImageError:
                mistakes.append(f"{name}: is no readable {', '.join(FORMATS)}")
                continue
            except Exception as error:  # on broken bytes, decoders raise nearly anything
                mistakes.append(f"{name}: {str(error) or type(error).__name__}")
                continue
            if not images.size:
                require_memory(f"{folder}: {len(files)} images of {name}'s size", len(files) * pixels.size)
                images = np.empty((len(files), *pixels.shape), np.uint8)
            if pixels.shape == images.shape[1:]:
                images[index] = pixels
            else:
                (_, height, width), (_, _, first_height, first_width) = pixels.shape, images.shape
                mistakes.append(
                    f"{name}: is {height}×{width}, others are {first_height}×{first_width}: set data.resize"
                )
    _refuse(f"{folder}: {len(mistakes)} of {len(files)} images cannot be used", mistakes)
    return images


def _refuse(what: str, mistakes: Sequence[str]) -> None:
    """Raise DataError with the first mistakes and the number of the others, if there are any."""
    if mistakes:
        more = len(mistakes) - NAMED_MISTAKES
        named = [*mistakes[:NAMED_MISTAKES]] + ([f"and {more} more"] if more > 0 else [])
        raise DataError(f"{what}: {'; '.join(named)}")


def _differences(wanted: set[str], got: set[str]) -> str:
    missing, extra = sorted(wanted - got), sorted(got - wanted)
    parts = [f"{', '.join(missing)} missing"] * bool(missing) + [f"{', '.join(extra)} unknown"] * bool(extra)
    return "; ".join(parts)
