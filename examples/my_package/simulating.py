"""How examples/spectra.csv was made: `python -m my_package.simulating examples/spectra.csv`."""

import sys

import numpy as np
from numpy.typing import NDArray

WIDTH = 48


def simulate(count: int, seed: int) -> NDArray[np.float64]:
    """Return spectra of mixtures, and last the concentration of the substance that is asked for.

    Each substance absorbs in a few bands, in proportion to its concentration; background and noise come on top.
    """
    rng = np.random.default_rng(seed)
    positions = np.arange(WIDTH)
    bands = [
        sum(np.exp(-0.5 * ((positions - centre) / width) ** 2) for centre, width in substance)
        for substance in (((11, 2.0), (30, 3.0)), ((14, 3.0), (38, 2.5)), ((24, 4.0), (33, 2.0)))
    ]
    concentrations = rng.uniform(0, 1, (count, len(bands)))
    background = rng.uniform(0, 0.5, (count, 1)) + rng.uniform(-0.3, 0.3, (count, 1)) * positions / WIDTH
    spectra = concentrations @ np.array(bands) + background + rng.normal(0, 0.03, (count, WIDTH))
    return np.column_stack([spectra, concentrations[:, 0]])


if __name__ == "__main__":
    np.savetxt(sys.argv[1], simulate(300, seed=0), fmt="%.3f", delimiter=",")
