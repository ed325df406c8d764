"""How an image file becomes an input, in training and at prediction."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cellwright.results import Result

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")
MAX_PIXELS = 25_000_000
"""Of one image, which is held several times over while it is decoded."""


class ImageFiles(Result):
    """What is done with an image of 8 bits per channel, in this order; of an animation, with the first frame."""

    orientation: Literal["exif"] = "exif"
    """Turned upright, as its EXIF says."""
    background: Literal["white"] = "white"
    """What lies behind transparent pixels."""
    mode: Literal["L", "RGB"]
    """Pillow's mode that it is converted to: grey or colour."""
    resize: tuple[int, int] | None
    """Height and width; None where all images are of one size."""
    filter: Literal["BILINEAR"] = "BILINEAR"
    """Pillow's filter for resizing, which averages where it shrinks."""
    axes: Literal["CHW"] = "CHW"
    """Channels, height, width."""

    @property
    def meaning(self) -> str:
        """Say what pixels are."""
        return f"{'red, green and blue' if self.mode == 'RGB' else 'grey'} from 0 to 255"

    def decode(self, file: Path) -> NDArray[np.uint8]:
        """Return the image (C, H, W)."""
        from PIL import Image, ImageOps

        with Image.open(file, formats=FORMATS) as stored:
            if stored.width * stored.height > MAX_PIXELS and self.resize:
                stored.draft(None, self.resize[::-1])  # which JPEG alone can
            if stored.width * stored.height > MAX_PIXELS:
                raise ValueError(
                    f"has {stored.width}×{stored.height} pixels, and must have at most {MAX_PIXELS}"
                )
            stored.load()
            if stored.mode.startswith(("I", "F")):
                raise ValueError(f"pixels of more than 8 bits (mode {stored.mode}) need data.source npz")
            image: Image.Image = ImageOps.exif_transpose(stored)
            if image.has_transparency_data:
                white = Image.new("RGBA", image.size, self.background)
                image = Image.alpha_composite(white, image.convert("RGBA"))
            image = image.convert(self.mode)
            if self.resize:
                height, width = self.resize
                image = image.resize((width, height), Image.Resampling[self.filter])
            pixels: NDArray[Any] = np.atleast_3d(np.asarray(image))
        return pixels.transpose(2, 0, 1)
