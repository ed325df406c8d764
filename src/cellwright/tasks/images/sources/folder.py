"""A folder of images with one subfolder per class."""

import itertools
import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, BinaryIO, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from cellwright.data import Examples, Reader, Source
from cellwright.data.opening import require_folder
from cellwright.data.reading import Scratch, SpecSuggestion
from cellwright.errors import DataError
from cellwright.spec.data import StoredData
from cellwright.spec.location import Location
from cellwright.tasks.broken_files import NAMED_PROBLEMS, FilesData, refuse, without_broken
from cellwright.tasks.classified_data import ClassifiedData
from cellwright.tasks.facts import CLASS_NAMES, FILES
from cellwright.tasks.folder_names import (
    escaped,
    is_junk,
    is_other,
    natural_order,
    normal,
    part_of_split,
    require_class_folders,
    require_classes,
)
from cellwright.tasks.images.arrays import as_images, labelled, source_of
from cellwright.tasks.images.decoding import EncodedImage, decode_all
from cellwright.tasks.images.files import FORMATS, ImageFiles

LOOKED_AT = 300
"""Number of images whose headers are read for a suggestion."""
LARGEST_AS_IT_IS, USUAL_SIDE = 96, 64
"""In pixels."""
GREY_MODES = {"1", "L", "LA", "I;16"}

SetKey = Literal["path", "validation_path", "test_path"]
OTHER_SETS: tuple[SetKey, ...] = ("validation_path", "test_path")

Side = Annotated[int, Field(ge=8, le=1024)]


class ImageFilesSection(StoredData, ClassifiedData, FilesData):
    """Common keys of sources with image files."""

    LOCATIONS: ClassVar[tuple[str, ...]] = ("path", "validation_path", "test_path")

    path: Location
    test_path: Location | None = None
    """The user's own test set, in the same form."""
    validation_path: Location | None = None
    """The user's own validation set, in the same form. It needs `test_path`. `path` is then the training set, and no
    split is drawn from it."""
    resize: tuple[Side, Side] | None = None
    """Height and width to resize every image to; required if sizes differ."""
    channels: Literal["grey", "rgb"] = "rgb"
    """Whether images are read with one channel or three."""

    @model_validator(mode="after")
    def _validation_comes_with_a_test_set(self) -> Self:
        if self.validation_path and not self.test_path:
            raise ValueError("test_path must be given where validation_path is")
        return self

    @property
    def image_files(self) -> ImageFiles:
        """Return the conversion of image files."""
        return ImageFiles(mode="L" if self.channels == "grey" else "RGB", resize=self.resize)


class FolderSection(ImageFilesSection):
    """A folder of images (PNG, JPEG, BMP, GIF, WebP, TIFF) with one subfolder per class."""

    FOLDERS = ImageFilesSection.LOCATIONS
    reader = "cellwright.tasks.images.sources.folder:FolderReader"
    task = "images"

    source: Literal["images"]
    path: Location
    """The folder whose subfolders are the classes."""


@dataclass(frozen=True)
class EncodedImages:
    """The encoded images of a set, by class and name."""

    origin: str
    """The set's name in messages."""
    folder: str
    """Where the names are."""
    classes: Mapping[str, Sequence[EncodedImage]]
    """In the order of classes."""


class EncodedImagesReader(Reader):
    """Decodes images that are stored one by one."""

    section: ImageFilesSection

    @abstractmethod
    def images(self, key: SetKey, log: Callable[[str], None]) -> EncodedImages | None:
        """Return the images of a set, which a key of the section names; None if there is none."""

    def read(self, log: Callable[[str], None]) -> Source:
        """Decode all images, including those of validation and test sets if there are any."""
        own = self.images("path", log)
        assert own is not None
        examples, skipped = _decode_set(own, self.section, self.scratch, log)
        facts: dict[str, Any] = {FILES: self.section.image_files}
        sets: dict[SetKey, Examples] = {"path": self.with_targets(examples, own, facts)}
        for key in OTHER_SETS:
            if (other := self.images(key, log)) is None:
                continue
            self.check_targets(own, other)
            examples, more = _decode_set(other, self.section, self.scratch, log)
            sets[key] = self.with_targets(examples, other, facts)
            skipped += more
        source = source_of(facts, sets["path"], sets.get("test_path"), sets.get("validation_path"))
        return replace(source, skipped=skipped)

    def check_targets(self, own: EncodedImages, other: EncodedImages) -> None:
        """Raise DataError unless another set has the classes of the training set."""
        if other.classes.keys() != own.classes.keys():
            raise DataError(
                f"{other.origin}: the classes must be those of {own.origin}, but "
                + _differences(set(own.classes), set(other.classes))
            )

    def with_targets(self, examples: Examples, encoded: EncodedImages, facts: dict[str, Any]) -> Examples:
        """Return the examples of a set with their targets, and add what the task must know to the facts.

        Args:
            examples: with the indices of classes as targets.
            encoded: the set.
            facts: those of the sets before, the training set first.
        """
        facts.setdefault(CLASS_NAMES, tuple(encoded.classes))
        return examples

    def suggestion(self, keys: Mapping[str, Any]) -> SpecSuggestion:
        """Inspect some images of all classes; return the keys, with those that the images require."""
        remarks: list[str] = []
        own = self.images("path", remarks.append)
        assert own is not None
        sizes, modes = _seen(own)
        (height, width), is_grey = _common_size(sizes), modes <= GREY_MODES
        needed: dict[str, Any] = {}
        if len(set(sizes)) > 1 or (height, width) != sizes[0]:
            needed["resize"] = [height, width]
        if is_grey:
            needed["channels"] = "grey"
        counts = {name: len(members) for name, members in own.classes.items()}
        count = sum(counts.values())
        remark = f"{count} images of {len(counts)} classes, {balance(counts)}; {_sizes(sizes)}"
        return SpecSuggestion(
            keys={**keys, **needed},
            remarks=(*remarks, remark),
            num_examples=count,
            shape=(1 if is_grey else 3, height, width),
        )


class ImageFilesReader(EncodedImagesReader):
    """Decodes image files."""

    @abstractmethod
    def classes(self, location: Path, log: Callable[[str], None]) -> tuple[Path, dict[str, list[Path]]]:
        """Return the files of each class at a location, in order of classes, and the folder that contains them."""

    def images(self, key: SetKey, log: Callable[[str], None]) -> EncodedImages | None:
        """Return the files of a set."""
        if (location := getattr(self.section, key)) is None:
            return None
        folder, classes = self.classes(Path(location), log)
        named = {
            label: [EncodedImage(_name(file, folder), _opener(file)) for file in files]
            for label, files in classes.items()
        }
        return EncodedImages(str(location), str(folder), named)


class FolderReader(ImageFilesReader):
    """Decodes the images in a folder with one subfolder per class."""

    section: FolderSection

    @classmethod
    def suggest(cls, path: Path) -> SpecSuggestion | None:
        """Inspect the folders of classes or splits, and the sizes of some images."""
        if not path.is_dir():
            return None
        keys = set_folders(path)
        return cls(FolderSection(source="images", path=keys["path"])).suggestion(keys)

    def classes(self, location: Path, log: Callable[[str], None]) -> tuple[Path, dict[str, list[Path]]]:
        """Return the folder, and the files in each of its subfolders."""
        return location, class_files(location, log)

    def files(self, folder: Path) -> Iterable[Path]:
        """Return the images of all classes."""
        return (file for files in class_files(folder).values() for file in files)

    def names(self, origin: str, names: Iterable[str]) -> list[str]:
        """Return the names `CLASS/FILE`."""
        return class_names(origin, names)

    def check(self, key: str, path: Path) -> None:
        """Check that there is one subfolder per class."""
        super().check(key, path)
        class_folders(path)


def set_folders(path: Path) -> dict[str, Path]:
    """Return the folders of the training, validation and test sets by their keys; the path if it is not split."""
    parts = {part_of_split(child.name): child for child in _visible(path) if child.is_dir()}
    keys = {"path": path}
    if "train" in parts and len(parts) > 1:
        keys = {"path": parts["train"]}
        if test := parts.get("test", parts.get("validation")):
            keys["test_path"] = test
        if "test" in parts and "validation" in parts:
            keys["validation_path"] = parts["validation"]
    return keys


def _seen(encoded: EncodedImages) -> tuple[list[tuple[int, int]], set[str]]:
    """Return the sizes and modes of some images, evenly spread over all; reads only headers."""
    from PIL import Image, UnidentifiedImageError

    images = [image for members in encoded.classes.values() for image in members]
    sizes, modes = [], set()
    for stored in images[:: max(1, len(images) // LOOKED_AT)]:
        try:
            with stored.open() as file, Image.open(file, formats=FORMATS) as image:
                sizes.append((image.height, image.width))
                modes.add(image.mode)
        except (OSError, UnidentifiedImageError, ValueError):
            continue
    if not sizes:
        raise DataError(f"{encoded.folder}: holds no readable {', '.join(FORMATS)}")
    return sizes, modes


def _common_size(sizes: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return a size that a small machine can afford: the images' own up to 96, otherwise their shape scaled to 64."""
    height, width = (int(np.median(sides)) for sides in zip(*sizes, strict=True))
    longer = max(height, width)
    if longer <= LARGEST_AS_IT_IS and len(set(sizes)) == 1:
        return height, width
    scale = min(1.0, USUAL_SIDE / longer)
    return tuple(max(8, 8 * round(side * scale / 8)) for side in (height, width))  # type: ignore[return-value]


def balance(counts: Mapping[str, int]) -> str:
    """Say how many examples classes have."""
    least, most = min(counts, key=counts.__getitem__), max(counts, key=counts.__getitem__)
    if counts[least] == counts[most]:
        return f"{counts[least]} of each"
    return f"from {counts[least]} of {escaped(least)} to {counts[most]} of {escaped(most)}"


def _sizes(sizes: Sequence[tuple[int, int]]) -> str:
    smallest, largest = min(sizes), max(sizes)
    if smallest == largest:
        return f"all of those looked at are {smallest[0]}×{smallest[1]}"
    return f"sizes from {smallest[0]}×{smallest[1]} to {largest[0]}×{largest[1]}"


def class_folders(folder: Path) -> list[Path]:
    """List the folders of the classes, whose names are the class names."""
    require_folder(folder)
    found = [path for path in _visible(folder) if path.is_dir()]
    require_class_folders(folder, found)
    return found


def class_files(folder: Path, log: Callable[[str], None] = lambda fact: None) -> dict[str, list[Path]]:
    """List the files of each class, including subfolders, with classes in natural order.

    Skips hidden files, files of operating systems, and files whose names are not those of images. Class names are the
    same on all file systems, since they are normalised to Unicode's NFC.
    """
    try:
        found = {path.name: _members(path) for path in class_folders(folder)}
        beside = [path for path in _visible(folder) if not path.is_dir()]
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read: {error.strerror}") from error
    strays = [path for path in beside if not is_other(path.name, in_class=False)]
    if strays and not found:
        tables = [path.name for path in beside if path.suffix.lower() == ".csv"]
        hint = f", or name the table of labels, {escaped(tables[0])}, if it is one" if tables else ""
        raise DataError(
            f"{folder}: must hold a folder per class with its images, but holds {len(strays)} images and no folder: "
            f"move the images of each class into a folder with its name{hint}"
        )
    members = [path for files in found.values() for path in files]
    images = {
        name: [path for path in files if not is_other(path.name, in_class=True)]
        for name, files in found.items()
    }
    refuse(
        f"{folder}: must hold a folder per class with nothing but images in it",
        [f"{_name(path, folder)} is in no class's folder" for path in strays]
        + [f"{_name(path, folder)} {_no_file(path)}" for path in members if not path.is_file()]
        + [f"{escaped(name)} has no image" for name, files in images.items() if not files],
    )
    if not found:
        raise DataError(f"{folder}: must hold a folder per class, but holds none")
    others = [path for path in members if is_other(path.name, in_class=True)] + beside
    if others:
        names = ", ".join(_name(path, folder) for path in others[:NAMED_PROBLEMS])
        more = f" and {len(others) - NAMED_PROBLEMS} more" if len(others) > NAMED_PROBLEMS else ""
        log(f"{folder}: passed over {names}{more}, which by their names are not images")
    classes = {normal(name): files for name, files in images.items()}
    return {name: classes[name] for name in natural_order(classes)}


def class_names(origin: str, names: Iterable[str]) -> list[str]:
    """Return the names `CLASS/…/FILE` of a remote folder, without those to skip."""
    parts = {name: name.split("/") for name in names if not name.endswith("/")}
    visible = [name for name in parts if not any(map(is_junk, parts[name]))]
    require_classes(origin, {parts[name][0] for name in visible if len(parts[name]) > 1})
    files = [name for name in visible if not is_other(name, in_class=len(parts[name]) > 1)]
    refuse(
        f"{origin}: must hold a folder per class with nothing but images in it",
        [f"{escaped(name)} is not CLASS/FILE" for name in files if len(parts[name]) < 2 or "" in parts[name]],
    )
    return files


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not is_junk(path.name))


def _members(folder: Path) -> list[Path]:
    """List the content of a class's folder and its subfolders. Links to folders are not followed."""
    return sorted(
        path
        for path in folder.rglob("*")
        if (path.is_symlink() or not path.is_dir()) and not any(map(is_junk, path.relative_to(folder).parts))
    )


def _opener(file: Path) -> Callable[[], BinaryIO]:
    return lambda: file.open("rb")


def _name(path: Path, folder: Path) -> str:
    return escaped(path.relative_to(folder))


def _no_file(path: Path) -> str:
    if not path.is_symlink():
        return "is no file"
    return (
        f"is a link to {escaped(os.readlink(path))}, which is {'a folder' if path.is_dir() else 'not there'}"
    )


def _decode_set(
    encoded: EncodedImages, section: ImageFilesSection, scratch: Scratch | None, log: Callable[[str], None]
) -> tuple[Examples, tuple[str, ...]]:
    """Return the examples of a set, and the skipped images with their reasons."""
    files = [image for members in encoded.classes.values() for image in members]
    names, folder = [image.name for image in files], encoded.folder
    counts = [len(members) for members in encoded.classes.values()]
    labels = np.repeat(np.arange(len(counts)), counts)
    decoded = decode_all(folder, files, section.image_files, scratch, log)
    broken, (height, width) = decoded.broken, decoded.pixels.shape[2:]
    refuse(
        f"{folder}: {len(decoded.unlike)} of {len(files)} images have another size: set data.resize",
        [f"{names[i]}: is {h}×{w}, others are {height}×{width}" for i, (_, h, w) in decoded.unlike.items()],
    )
    kept, skipped = without_broken(folder, "images", names, broken, section)
    as_images(decoded.pixels[:1], "NCHW", encoded.origin)  # refuses images that are too small
    usable = tuple(itertools.compress(names, kept))
    return labelled(encoded.origin, decoded.pixels, labels[kept], usable), skipped


def _differences(wanted: set[str], got: set[str]) -> str:
    missing, extra = (", ".join(map(repr, natural_order(names))) for names in (wanted - got, got - wanted))
    return " and ".join(
        [f"{missing} is missing"] * bool(missing) + [f"{extra} is no class there"] * bool(extra)
    )
