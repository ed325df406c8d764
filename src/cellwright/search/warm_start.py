"""What a search starts from: architectures that did well before, perhaps on other data, or alphas."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from torch import Tensor

from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation, Objective
from cellwright.genotype import Genotype
from cellwright.results import GENOTYPE, SearchResult
from cellwright.search.journal import EVALUATIONS, finished, read_evaluations
from cellwright.spaces import TUNE, Space, TunedSpace, architecture_of
from cellwright.spec import SearchSpec
from cellwright.tracking.starting_models import download
from cellwright.training.checkpoint import CHECKPOINT, load_tensors, unprefixed


def start_genotypes(spec: SearchSpec, space: Space) -> list[Genotype]:
    """Return the architectures that the spec starts from, as they lie in the space.

    Raises:
        CellwrightError: a genotype that is given lies outside, or none of an earlier search lies inside.
    """
    given = [Genotype.from_line(line) for line in spec.start.genotypes]
    for genotype in given:
        space.check(_tuned(space, genotype))
    if spec.start.model:
        given.append(_of_model(spec, spec.start.model, space))
    earlier = _of_search(spec.start.search, spec.augment.objective) if spec.start.search else []
    inside = [genotype for genotype in earlier if space.contains(_tuned(space, genotype))]
    if earlier and not inside:
        raise CellwrightError(
            f"start.search must have found architectures of this space, got {earlier[0].to_line()}"
        )
    wanted = [*given, *inside[: spec.start.architectures]]
    return list(dict.fromkeys(_tuned(space, genotype) for genotype in wanted))


def start_worth(spec: SearchSpec, objective: Objective, found: list[Evaluation]) -> str | None:
    """Tell how soon this search reached its start's best score, beside the earlier one that it comes from."""
    if spec.start.search is None or not found:
        return None
    before = [e for e in _evaluations(spec.start.search) if objective.metric in e.metrics]
    if not before:
        return None
    best = max(before, key=lambda e: objective.score(e.metrics))
    target = objective.score(best.metrics)
    needed = next(
        (place for place, e in enumerate(found, start=1) if objective.score(e.metrics) >= target), None
    )
    reached = f"reached after {needed} evaluations" if needed else f"not reached in {len(found)} evaluations"
    return (
        f"the earlier search's best {objective.metric}, {best.metrics[objective.metric]:.4g} after "
        f"{before.index(best) + 1} evaluations, was {reached}"
    )


def start_alphas(folder: Path, space: Space) -> dict[str, Tensor]:
    """Return the alphas that an earlier one-shot search ended with.

    Raises:
        CellwrightError: it has none of the space's decisions.
    """
    tensors, _ = load_tensors(folder / CHECKPOINT)
    alphas = unprefixed("alphas", tensors)
    shapes = {name: tuple(alpha.shape) for name, alpha in alphas.items()}
    for group, shape in space.decisions.items():
        if shapes.get(group) != tuple(shape):
            raise CellwrightError(
                f"start.search must have alphas of this space, {group} of {tuple(shape)}, got {shapes or 'none'}"
            )
    return alphas


def _of_model(spec: SearchSpec, address: str, space: Space) -> Genotype:
    """Return the architecture that is stored with a registered model."""
    with TemporaryDirectory(prefix="cellwright-") as folder:
        genotype = Genotype.from_dict(
            json.loads(download(spec, address, GENOTYPE, Path(folder)).read_bytes())
        )
    if not space.contains(_tuned(space, genotype)):
        raise CellwrightError(
            f"start.model must hold an architecture of this space, got {address} with {genotype.to_line()}"
        )
    return genotype


def _of_search(folder: Path, objective: str) -> list[Genotype]:
    """Return what an earlier search found, the best first."""
    found = SearchResult.load(folder / SearchResult.FILE)
    front = [Genotype.from_line(member.genotype) for member in found.front]
    chosen = Genotype.from_line(found.genotype)
    return list(dict.fromkeys([chosen, *front, *_ranked(folder, objective)]))


def _ranked(folder: Path, objective: str) -> Iterator[Genotype]:
    evaluations = [e for e in _evaluations(folder) if objective in e.metrics]
    for evaluation in sorted(evaluations, key=lambda e: e.metrics[objective], reverse=True):
        yield architecture_of(evaluation.genotype)


def _evaluations(folder: Path) -> list[Evaluation]:
    """Return the finished evaluations of a sampled search; those of a one-shot search are none."""
    return finished(read_evaluations(folder / EVALUATIONS))


def _tuned(space: Space, genotype: Genotype) -> Genotype:
    """Return the genotype with the first values of hyperparameters that it does not name."""
    if isinstance(space, TunedSpace) and TUNE not in genotype.cells:
        return space.join(genotype, dict.fromkeys(space.num_values, 0))
    return genotype
