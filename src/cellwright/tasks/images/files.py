"""Converts image files to inputs, in training and in prediction."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from cellwright.data.opening import something_else
from cellwright.errors import DataError
from cellwright.results import ModelInfo, Result
from cellwright.tasks.folder_names import escaped
from cellwright.tasks.images.repairing import repaired

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1", b"avif", b"avis")
MAX_PIXELS = 25_000_000
"""Maximum number of pixels in an image, which is held in memory several times while it is decoded."""


class ImageFiles(Result):
    """The conversion of an image, in this order. Of animations and multi-page files, only the first image is used."""

    depth: Literal["higher byte"] = "higher byte"
    """The part of 16-bit values that is kept."""
    orientation: Literal["exif"] = "exif"
    """The image is rotated according to its EXIF data."""
    background: Literal["white"] = "white"
    """Background of transparent pixels."""
    mode: Literal["L", "RGB"]
    """Pillow's mode to convert to: grey or colour."""
    resize: tuple[int, int] | None
    """Height and width; None if all images have the same size."""
    filter: Literal["BILINEAR"] = "BILINEAR"
    """Pillow's filter for resizing, which averages when it shrinks."""
    axes: Literal["CHW"] = "CHW"
    """Channels, height, width."""

    @property
    def meaning(self) -> str:
        """Return a description of the pixels."""
        return f"{'red, green and blue' if self.mode == 'RGB' else 'grey'} from 0 to 255"

    @classmethod
    def of(cls, model: ModelInfo) -> Self:
        """Return the conversion for a model; if training used arrays of bytes, files are resized to their size.

        Raises:
            DataError: the rule that names what the model takes instead.
        """
        if model.from_file is not None:
            return cls.model_validate(model.from_file)
        [images] = model.inputs
        channels, height, width = images.shape
        if images.dtype != "uint8" or channels not in (1, 3):
            raise DataError(
                f"the model was trained on arrays of {images.dtype} with {channels} channels, and how a picture "
                "becomes one is not known"
            )
        return cls(mode="L" if channels == 1 else "RGB", resize=(height, width))

    def decode(self, content: bytes) -> NDArray[np.uint8]:
        """Return the image (C, H, W) that a file's content is.

        Raises:
            DataError: why the content is unusable, to be read after the name of the file.
        """
        from PIL import UnidentifiedImageError

        try:
            return self._decoded(content)
        except Exception as error:  # decoders raise almost anything for damaged files
            with suppress(Exception):
                first, *others = map(self._decoded, repaired(content))
                if all(np.array_equal(first, other) for other in others):
                    return first
            if isinstance(error, UnidentifiedImageError):
                raise DataError(_unreadable(content[:64])) from error
            raise DataError(escaped(str(error) or type(error).__name__)) from error

    def _decoded(self, content: bytes) -> NDArray[np.uint8]:
        from PIL import Image, ImageOps

        with _of_any_size(), Image.open(BytesIO(content), formats=FORMATS) as stored:
            if stored.width * stored.height > MAX_PIXELS and self.resize:
                stored.draft(None, self.resize[::-1])  # supported for JPEG only
            if stored.width * stored.height > MAX_PIXELS:
                raise ValueError(
                    f"has {stored.width}×{stored.height} pixels, and must have at most {MAX_PIXELS}"
                    + (
                        ""
                        if self.resize or stored.format != "JPEG"
                        else "; with data.resize, JPEGs may have more"
                    )
                )
            stored.load()
            upright: Image.Image = ImageOps.exif_transpose(stored)
            image = _of_8_bits(upright)
            if image.has_transparency_data:
                white = Image.new("RGBA", image.size, self.background)
                image = Image.alpha_composite(white, image.convert("RGBA"))
            image = image.convert(self.mode)
            if self.resize:
                height, width = self.resize
                image = image.resize((width, height), Image.Resampling[self.filter])
            pixels: NDArray[Any] = np.atleast_3d(np.asarray(image))
        return pixels.transpose(2, 0, 1)


def decoder(model: ModelInfo) -> Callable[[bytes], NDArray[np.uint8]]:
    """Return what reads an image from the content of a file; raises DataError if that is not known."""
    return ImageFiles.of(model).decode


def _of_8_bits(image: "Image") -> "Image":
    from PIL import Image

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode.startswith(("I", "F")):
        raise ValueError(f"pixels of more than 16 bits (mode {image.mode}) need data.source npz")
    return image


@contextmanager
def _of_any_size() -> Iterator[None]:
    """Disable Pillow's own limit, since ours takes into account that images are decoded at a smaller scale."""
    from PIL import Image

    bound = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = bound


def _unreadable(start: bytes) -> str:
    """Return a message for a file in no supported format, from its first 64 bytes."""
    if (other := something_else(start)) is not None:
        return other
    if start[4:8] == b"ftyp" and start[8:12] in HEIF_BRANDS:
        return "is HEIC or AVIF, which is not read: convert it, as magick mogrify -format jpg does"
    return f"is not a readable {', '.join(FORMATS)}" + ("" if start else ": it is empty")
