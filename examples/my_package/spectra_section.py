"""What a spec says about spectra: where they are, and what happens to them in training. No torch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from pydantic import Field

from cellwright.data import Examples, Reader, Source
from cellwright.errors import DataError
from cellwright.spec.data import StoredData
from cellwright.spec.location import Location
from cellwright.spec.task import TaskSection

SPECTRA = "spectra"


class SpectraAugment(TaskSection):
    """The `augment` section of a spec whose data are spectra."""

    implementation = "my_package.spectra:SpectraRegression"
    objective = "r2"
    hand_designed = ("mlp",)

    task: str = "my_package.spectra_section:SpectraAugment"
    noise: float = Field(default=0.02, ge=0)
    """Standard deviation of what is added to each intensity, as a share of the intensities' own."""


class SpectraSection(StoredData):
    """A CSV file without a header: in each row the intensities of a spectrum, and last what is to be predicted."""

    reader = "my_package.spectra_section:SpectraReader"
    task = "my_package.spectra_section:SpectraAugment"
    LOCATIONS = ("path",)

    path: Location
    """The file."""


class SpectraReader(Reader):
    """Reads the CSV file."""

    section: SpectraSection

    def read(self, log: Callable[[str], None]) -> Source:
        """Read all spectra."""
        path = Path(self.section.path)
        try:
            table = np.loadtxt(path, delimiter=",", dtype=np.float32, ndmin=2)
        except (OSError, ValueError) as error:
            raise DataError(f"{path}: must be a CSV file of numbers: {error}") from error
        if table.shape[1] < 9:
            raise DataError(
                f"{path}: a row must have at least 8 intensities and a target, got {table.shape[1]}"
            )
        return Source(
            examples=Examples(origin=str(path), inputs={SPECTRA: table[:, :-1]}, targets=table[:, -1])
        )
