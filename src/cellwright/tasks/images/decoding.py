"""Decodes the images of a set: few in this process and in memory, many in blocks, by several processes, on disk."""

import json
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright.canonical import digest
from cellwright.data.joined import Joined, joined
from cellwright.data.memory import require_memory
from cellwright.data.reading import Scratch
from cellwright.errors import DataError
from cellwright.files import atomic_path, make_folder, remove_partial_files, write_json
from cellwright.forks import run_in_forks
from cellwright.tasks.folder_names import escaped
from cellwright.tasks.images.files import ImageFiles

MOST_IN_MEMORY = 64 << 20
"""Bytes of images that may be in memory."""
BLOCK_BYTES, BLOCK_IMAGES, BLOCK_SECONDS = 32 << 20, 2048, 1.0
"""Maximum size of a block, which is the work that a killed process loses."""
QUICK_SECONDS = 4.0
"""Decoding that takes less is not worth several processes."""
NUM_TIMED = 32
"""Number of images that show how long decoding takes."""
PROGRESS_EVERY = 2000


class EncodedImage(NamedTuple):
    """An image that is not yet decoded."""

    name: str
    """Printable."""
    open: Callable[[], BinaryIO]


@dataclass(frozen=True, kw_only=True)
class DecodedImages:
    """The usable images of some."""

    pixels: NDArray[np.uint8] | Joined
    """(N, C, H, W)."""
    broken: dict[int, str]
    """The reason for each unusable image, by its index."""
    unlike: dict[int, tuple[int, ...]]
    """The shape (C, H, W) of each image whose shape differs from the others', by its index."""


def decode_all(
    origin: str,
    images: Sequence[EncodedImage],
    how: ImageFiles,
    scratch: Scratch | None,
    log: Callable[[str], None],
) -> DecodedImages:
    """Decode images, whose shape is that of the first usable one.

    Args:
        origin: the set's name in messages.
        images: of which there is at least one.
        how: the conversion.
        scratch: where many images are decoded; without it, all are held in memory.
        log: receives the progress.

    Raises:
        DataError: the images do not fit into memory, and there is no scratch.
        CellwrightError: a process that decodes was killed.
    """
    times: list[float] = []
    first = _decode(images[:NUM_TIMED], how, progress=lambda index: times.append(time.monotonic()))
    if len(images) <= NUM_TIMED:
        return first
    seconds = float(np.median(np.diff(times)))  # the first image takes longer
    form = first.pixels.shape[1:] if len(first.pixels) else None
    num_bytes = prod(form or ()) * len(images)
    if form and scratch and (num_bytes > MOST_IN_MEMORY or seconds * len(images) > QUICK_SECONDS):
        most = min(BLOCK_IMAGES, BLOCK_BYTES // prod(form), int(BLOCK_SECONDS / seconds))
        return _decode_blocks(origin, images, how, form, max(1, most), scratch, log)
    require_memory(f"{origin}: {len(images)} images of {images[0].name}'s size", num_bytes)

    def progress(index: int) -> None:
        if (done := NUM_TIMED + index) % PROGRESS_EVERY == 0:
            log(_progress(origin, done, len(images)))

    return _merged([(0, first), (NUM_TIMED, _decode(images[NUM_TIMED:], how, form, progress))])


def _decode(
    images: Sequence[EncodedImage],
    how: ImageFiles,
    form: tuple[int, ...] | None = None,
    progress: Callable[[int], None] = lambda index: None,
) -> DecodedImages:
    """Decode images in memory; their shape, if it is not given, is that of the first usable one."""
    pixels = np.empty((0, *(form or (0, 0, 0))), np.uint8)
    broken, unlike, count = {}, {}, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for index, image in enumerate(images):
            progress(index)
            try:
                with image.open() as file:
                    decoded = how.decode(file.read())
            except (DataError, OSError) as error:
                broken[index] = escaped(error)
                continue
            form = form or decoded.shape
            if decoded.shape != form:
                unlike[index] = decoded.shape
                continue
            if not count:
                pixels = np.empty((len(images), *form), np.uint8)
            pixels[count] = decoded
            count += 1
    return DecodedImages(pixels=pixels[:count], broken=broken, unlike=unlike)


def _merged(parts: Sequence[tuple[int, DecodedImages]]) -> DecodedImages:
    """Return parts of a set, each with the index of its first image, as one."""
    having = [part.pixels for _, part in parts if len(part.pixels)]
    return DecodedImages(
        pixels=joined(*having) if having else parts[0][1].pixels,
        broken={start + index: reason for start, part in parts for index, reason in part.broken.items()},
        unlike={start + index: shape for start, part in parts for index, shape in part.unlike.items()},
    )


def _decode_blocks(
    origin: str,
    images: Sequence[EncodedImage],
    how: ImageFiles,
    form: tuple[int, ...],
    size: int,
    scratch: Scratch,
    log: Callable[[str], None],
) -> DecodedImages:
    """Decode images in blocks of this size. A killed `prepare` finds them again, and keeps their size."""
    names = [image.name for image in images]
    of_images = scratch.folder / digest([origin, names, how.model_dump(mode="json")])
    size = next((int(path.name) for path in of_images.glob("*")), size)
    blocks = [range(start, min(start + size, len(images))) for start in range(0, len(images), size)]
    folder = of_images / str(size)
    make_folder(folder)
    remove_partial_files(folder)

    def decode(number: int) -> None:
        block = blocks[number]
        decoded = _decode(images[block.start : block.stop], how, form)
        with atomic_path(_pixels(folder, number)) as temporary, temporary.open("wb") as file:
            np.save(file, decoded.pixels[:])
        write_json(
            _facts(folder, number), {"broken": [*decoded.broken.items()], "unlike": [*decoded.unlike.items()]}
        )

    left = [number for number in range(len(blocks)) if not _facts(folder, number).exists()]
    done = len(images) - sum(len(blocks[number]) for number in left)
    if done:
        log(f"{origin}: {done} of {len(images)} images were decoded before")
    for number in run_in_forks(decode, left, scratch.num_processes):
        before, done = done, done + len(blocks[number])
        if done // PROGRESS_EVERY > before // PROGRESS_EVERY:
            log(_progress(origin, done, len(images)))
    return _merged([(block.start, _stored(folder, n, len(block), form)) for n, block in enumerate(blocks)])


def _stored(folder: Path, number: int, size: int, form: tuple[int, ...]) -> DecodedImages:
    """Return a block of so many images, which is mapped into memory whenever it is read."""
    facts: dict[str, Any] = json.loads(_facts(folder, number).read_bytes())
    count = size - len(facts["broken"]) - len(facts["unlike"])
    mapped = partial(np.load, _pixels(folder, number), mmap_mode="r")
    return DecodedImages(
        pixels=Joined([mapped], [count], form, np.dtype(np.uint8)),
        broken=dict(facts["broken"]),
        unlike={index: tuple(shape) for index, shape in facts["unlike"]},
    )


def _pixels(folder: Path, number: int) -> Path:
    return folder / f"{number}.npy"


def _facts(folder: Path, number: int) -> Path:
    """Return the file that lists a block's unusable images. It is written last, so it means that the block is done."""
    return folder / f"{number}.json"


def _progress(origin: str, done: int, total: int) -> str:
    return f"{origin}: decoded {done} of {total} images"
