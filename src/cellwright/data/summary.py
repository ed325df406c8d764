"""What is kept of a version's data, so that later data can be compared with it.

By default no example can be put together from it, since the values of each feature are sorted by themselves.
"""

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, adaptive_avg_pool2d

from cellwright.data.split import Split

MOST_EXAMPLES = 2000
"""Drawn from a split. More would find differences that are too small to matter."""
MOST_FEATURES = 256
"""Of one input; of wider ones, the first."""
PARTS = 4
"""Of each side of a map, whose means are features."""
TARGETS = "targets"


def summarise(split: Split, names: Iterable[str], *, rows: bool = False) -> dict[str, Tensor]:
    """Return the values (N,) of each feature of the inputs, and of the targets.

    Columns are features of their own. Of maps and series (C, …) these are mean and standard deviation of each channel
    and the means of parts, of bytes, such as those of texts, their number and how often each occurs, and of samples of
    sound how loud clips and their parts are, and how often the sign changes.

    Args:
        split: of which examples are drawn; the same ones at each call.
        names: of the inputs, in their order.
        rows: whether the values of an example keep its place; else those of each feature are sorted.
    """
    drawn = split.sample(MOST_EXAMPLES, seed=0)[:]
    features = {
        name: values
        for name, x in zip(names, drawn.inputs, strict=True)
        for name, values in _features(name, x)
    }
    features |= dict(_columns(TARGETS, drawn.targets))
    if rows:
        return {name: values.clone() for name, values in features.items()}
    return {name: values.sort().values.contiguous() for name, values in features.items()}


def split_targets(summary: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the features of the inputs, and those of the targets."""
    targets = {name: values for name, values in summary.items() if name.partition("[")[0] == TARGETS}
    return {name: values for name, values in summary.items() if name not in targets}, targets


def _features(name: str, x: Tensor) -> Iterator[tuple[str, Tensor]]:
    if x.ndim > 2:
        yield from _of_maps(name, x.float())
    elif x.ndim == 2 and x.dtype == torch.uint8:
        yield from _of_bytes(name, x)
    elif x.ndim == 2 and x.dtype == torch.int16:
        yield from _of_samples(name, x)
    else:
        yield from _columns(name, x)


def _columns(name: str, x: Tensor) -> Iterator[tuple[str, Tensor]]:
    if x.ndim == 1:
        yield name, x
        return
    for column in range(min(x.shape[1], MOST_FEATURES)):
        yield f"{name}[{column}]", x[:, column].flatten()[: len(x)]


def _of_maps(name: str, x_BC: Tensor) -> Iterator[tuple[str, Tensor]]:
    """Yield features of maps (B, C, H, W) or series (B, C, L); missing values count as 0."""
    x_BCP = torch.nan_to_num(x_BC).flatten(2)
    for channel in range(min(x_BCP.shape[1], MOST_FEATURES // 2)):
        yield f"{name}[{channel}] mean", x_BCP[:, channel].mean(dim=1)
        yield f"{name}[{channel}] deviation", x_BCP[:, channel].std(dim=1, correction=0)
    pool = adaptive_avg_pool1d if x_BC.ndim == 3 else adaptive_avg_pool2d
    grey = torch.nan_to_num(x_BC).mean(dim=1, keepdim=True)
    for part, values in enumerate(pool(grey, PARTS).flatten(1).unbind(dim=1)):
        yield f"{name} part {part}", values


def _of_bytes(name: str, x_BL: Tensor) -> Iterator[tuple[str, Tensor]]:
    used = (x_BL > 0).sum(dim=1)
    yield f"{name} length", used.float()
    for byte in torch.unique(x_BL).tolist():
        if byte:
            yield f"{name} byte {byte}", (x_BL == byte).sum(dim=1) / used.clamp(min=1)


def _of_samples(name: str, x_BL: Tensor) -> Iterator[tuple[str, Tensor]]:
    power_BL = x_BL.float().square()
    yield f"{name} level", power_BL.mean(dim=1).sqrt()
    for part, power in enumerate(adaptive_avg_pool1d(power_BL, PARTS).unbind(dim=1)):
        yield f"{name} part {part} level", power.sqrt()
    yield f"{name} changes of sign", ((x_BL[:, 1:] < 0) != (x_BL[:, :-1] < 0)).float().mean(dim=1)
