"""Whether the gate refuses versions that were made worse on purpose, with real networks.

    python -m benchmarks.gate

Each is a network with one hidden layer, trained on half of scikit-learn's digits, and compared with a champion on the
other half, by the same functions and limits as `register`. Nothing is random but by seeds.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from cellwright.data.split import Split
from cellwright.data.trained_on import example_hashes
from cellwright.gating import (
    check_bounds,
    check_champion,
    check_leak,
    compare_correct,
    level_of_look,
)
from cellwright.spec.gate import Gate

GATE = Gate(at_least={"worst_class": 0.8})
STEPS, WIDTH, REPEATS, EQUALS = 80, 64, 20, 200
NOISE, FEW = 0.4, 80


@dataclass(frozen=True)
class Version:
    """A trained network, and what it was trained on."""

    network: nn.Module
    train: Split


def splits() -> tuple[Split, Split]:
    """Return the digits for training and for the gate."""
    digits = load_digits()
    images = torch.from_numpy(digits.images).float().flatten(1) / 16
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))
    whole = Split((images[order],), torch.from_numpy(digits.target)[order])
    return whole[: len(order) // 2], whole[len(order) // 2 :]


def trained(train: Split, seed: int) -> Version:
    """Return a network that was trained on all examples at once."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Linear(64, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 10))
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(STEPS):
        optimizer.zero_grad()
        cross_entropy(network(*train.inputs), train.targets).backward()
        optimizer.step()
    return Version(network, train)


def with_noise(train: Split, test: Split, seed: int) -> Version:
    """Train on labels of which a share is drawn at random."""
    rng = torch.Generator().manual_seed(seed)
    is_noisy = torch.rand(len(train), generator=rng) < NOISE
    noise = torch.randint(10, (len(train),), generator=rng)
    return trained(Split(train.inputs, torch.where(is_noisy, noise, train.targets)), seed)


def without_class(train: Split, test: Split, seed: int) -> Version:
    """Train without the examples of one class."""
    keep = train.targets != seed % 10
    return trained(Split((train.inputs[0][keep],), train.targets[keep]), seed)


def quantised(train: Split, test: Split, seed: int) -> Version:
    """Train as the champion is, and round the weights to three values."""
    version = trained(train, seed)
    with torch.no_grad():
        for weight in version.network.parameters():
            step = weight.abs().max()
            weight.copy_((weight / step).round() * step)
    return version


def leaked(train: Split, test: Split, seed: int) -> Version:
    """Train on the test examples too."""
    return trained(train.followed_by(test), seed)


def equal(train: Split, test: Split, seed: int) -> Version:
    """Train as the champion is, with another seed."""
    return trained(train, seed)


WORSE: dict[str, Callable[[Split, Split, int], Version]] = {
    f"{NOISE:.0%} of labels at random": with_noise,
    "one class dropped": without_class,
    "weights rounded to three values": quantised,
    "trained on the test examples too": leaked,
}


@torch.inference_mode()
def predictions(version: Version, test: Split) -> Tensor:
    """Return the likeliest class (N,) of each example."""
    classes: Tensor = version.network(*test.inputs).argmax(dim=1)
    return classes


def passes(new: Version, champion: Version, test: Split, gate: Gate = GATE) -> bool:
    """Return what the gate decides at its first look at the test set."""
    level = level_of_look(gate.level, 1)
    mine, others = (predictions(version, test) for version in (new, champion))
    correct, theirs = ((predicted == test.targets).numpy() for predicted in (mine, others))
    hashes = example_hashes(test)
    seen = int(torch.isin(hashes, example_hashes(new.train)).sum())
    checks = [
        *check_bounds(gate, {"worst_class": worst_recall(correct, test.targets)}),
        check_leak(gate, seen, len(hashes)),
        check_champion(gate, "accuracy", compare_correct(correct, theirs, level), level, 1, {}),
    ]
    return all(check.passed for check in checks)


def worst_recall(correct: NDArray[np.bool_], targets: Tensor) -> float:
    """Return the least share of a class's examples on which a version is right."""
    return min(float(correct[(targets == number).numpy()].mean()) for number in range(10))


def share(versions: list[Version], champions: list[Version], test: Split) -> float:
    """Return the share of versions that pass beside their champions."""
    found = [passes(*both, test) for both in zip(versions, champions, strict=True)]
    return sum(found) / len(found)


def main() -> None:
    """Print how many of each kind passed."""
    torch.set_num_threads(1)
    train, test = splits()
    champions = [trained(train, 1000 + seed) for seed in range(REPEATS)]
    print(f"{len(train)} examples for training, {len(test)} for the gate; {GATE}\n")
    print("| a version | mean accuracy | passed |\n|---|---|---|")
    for name, make in WORSE.items():
        _print(name, [make(train, test, seed) for seed in range(REPEATS)], champions, test)
    beaten = [trained(train[:FEW], 1000 + seed) for seed in range(REPEATS)]
    better = [trained(train, seed) for seed in range(REPEATS)]
    _print(f"better: the champion had {FEW} examples", better, beaten, test)
    equals = [[trained(train, at + seed) for seed in range(EQUALS)] for at in (2000, 3000)]
    _print("equal: another seed", equals[0], equals[1], test)


def _print(name: str, versions: list[Version], champions: list[Version], test: Split) -> None:
    rights = [float((predictions(version, test) == test.targets).float().mean()) for version in versions]
    passed = round(share(versions, champions, test) * len(versions))
    print(f"| {name} | {sum(rights) / len(rights):.3f} | {passed} of {len(versions)} |", flush=True)


if __name__ == "__main__":
    main()
