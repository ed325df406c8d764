"""Warm starts of a search: architectures that were good before, perhaps on other data, or alphas."""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cellwright.candidate import Candidate
from cellwright.errors import CellwrightError
from cellwright.evaluation import Evaluation, Objective
from cellwright.genotype import Genotype
from cellwright.results import GENOTYPE, WEIGHTS, SearchResult
from cellwright.search.journal import EVALUATIONS, finished, read_evaluations
from cellwright.spaces import CandidateSpace, Space
from cellwright.spec import SearchSpec
from cellwright.tracking import TRAINED_ON, MlflowUnavailable
from cellwright.tracking.starting_models import download, version_of

if TYPE_CHECKING:
    from torch import Tensor

    from cellwright.data.split import Split
    from cellwright.training.starting_weights import StartingWeights


def start_candidates(spec: SearchSpec, space: CandidateSpace) -> list[Candidate]:
    """Return the candidates that the spec starts from, with the first value of each hyperparameter that is not given.

    Raises:
        CellwrightError: a given genotype is not in the space, or no genotype of an earlier search is.
    """
    given = [space.complete(Candidate.from_line(line)) for line in spec.start.genotypes]
    for candidate in given:
        space.check(candidate)
    if spec.start.model:
        model = _of_model(spec, spec.start.model, space.architectures)
        given.append(space.complete(Candidate(genotype=model)))
    earlier = _of_search(spec.start.search, spec.augment.objective) if spec.start.search else []
    inside = [
        space.complete(Candidate(genotype=genotype))
        for genotype in earlier
        if space.architectures.contains(genotype)
    ]
    if earlier and not inside:
        raise CellwrightError(
            f"start.search must have found architectures of this space, got {earlier[0].to_line()}"
        )
    return list(dict.fromkeys([*given, *inside[: spec.start.architectures]]))


def start_model(spec: SearchSpec, space: Space) -> Genotype | None:
    """Return the architecture of the registered model that the spec starts from; None if it names none.

    Raises:
        CellwrightError: there is no such model, or its architecture is not in the space.
    """
    return _of_model(spec, spec.start.model, space) if spec.start.model else None


def registered_weights(spec: SearchSpec, address: str) -> "StartingWeights":
    """Return the weights of a registered model."""
    from cellwright.training.checkpoint import load_tensors
    from cellwright.training.starting_weights import StartingWeights

    with TemporaryDirectory(prefix="cellwright-") as folder:
        tensors, _ = load_tensors(download(spec, address, WEIGHTS, Path(folder)))
    return StartingWeights(version_of(spec, address), tensors)


def trained_examples(spec: SearchSpec, address: str) -> "Tensor | None":
    """Return the hashes (N,) of the examples that a registered model was trained on; None where it has no list."""
    from cellwright.training.checkpoint import load_tensors

    with TemporaryDirectory(prefix="cellwright-") as folder:
        try:
            tensors, _ = load_tensors(download(spec, address, TRAINED_ON, Path(folder)))
        except MlflowUnavailable:
            raise
        except CellwrightError:
            return None
    return tensors["examples"]


def unseen_rows(spec: SearchSpec, address: str, split: "Split") -> "Tensor | None":
    """Return the rows of a split that a registered model was not trained on; None where its version has no list."""
    import torch

    from cellwright.data.trained_on import hashes_in_order

    if (trained := trained_examples(spec, address)) is None:
        return None
    return torch.isin(hashes_in_order(split), trained).logical_not().nonzero().flatten()


def start_worth(spec: SearchSpec, objective: Objective, found: list[Evaluation]) -> str | None:
    """Return a message that compares how fast this search and the earlier one reached the start's best score."""
    if spec.start.model and found and objective.metric in found[0].metrics:
        return _model_worth(spec.start.model, objective, found)
    if spec.start.search is None or not found:
        return None
    before = [e for e in _evaluations(spec.start.search) if objective.metric in e.metrics]
    if not before:
        return None
    best = max(before, key=lambda e: objective.score(e.metrics))
    target = objective.score(best.metrics)
    needed = next(
        (index for index, e in enumerate(found, start=1) if objective.score(e.metrics) >= target), None
    )
    reached = f"reached after {needed} evaluations" if needed else f"not reached in {len(found)} evaluations"
    return (
        f"the earlier search's best {objective.metric}, {best.metrics[objective.metric]:.4g} after "
        f"{before.index(best) + 1} evaluations, was {reached}"
    )


def _model_worth(model: str, objective: Objective, found: list[Evaluation]) -> str:
    """Return a message that says how many evaluations the rest of the search needed for the model's score."""
    first, *others = found
    target = objective.score(first.metrics)
    scores = [objective.score(e.metrics) for e in others if objective.metric in e.metrics]
    needed = next((index for index, score in enumerate(scores, start=1) if score >= target), None)
    rest = (
        f"the {needed}. other one reached it, so starting there saved {needed - 1}"
        if needed
        else f"none of the {len(scores)} others reached it"
    )
    return f"the architecture of {model} had {objective.metric} {first.metrics[objective.metric]:.4g} at once; {rest}"


def start_alphas(folder: Path, space: Space) -> "dict[str, Tensor]":
    """Return the final alphas of an earlier one-shot search.

    Raises:
        CellwrightError: the search has none of the space's decisions.
    """
    from cellwright.training.checkpoint import CHECKPOINT, load_tensors, unprefixed

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
    """Return the architecture of a registered model."""
    with TemporaryDirectory(prefix="cellwright-") as folder:
        genotype = Genotype.from_dict(
            json.loads(download(spec, address, GENOTYPE, Path(folder)).read_bytes())
        )
    if not space.contains(genotype):
        raise CellwrightError(
            f"start.model must hold an architecture of this space, got {address} with {genotype.to_line()}"
        )
    return genotype


def _of_search(folder: Path, objective: str) -> list[Genotype]:
    """Return the results of an earlier search, the best first."""
    found = SearchResult.load(folder / SearchResult.FILE)
    front = [member.genotype for member in found.front]
    return list(dict.fromkeys([found.genotype, *front, *_ranked(folder, objective)]))


def _ranked(folder: Path, objective: str) -> Iterator[Genotype]:
    evaluations = [e for e in _evaluations(folder) if objective in e.metrics]
    for evaluation in sorted(evaluations, key=lambda e: e.metrics[objective], reverse=True):
        yield evaluation.candidate.genotype


def _evaluations(folder: Path) -> list[Evaluation]:
    """Return the finished evaluations of a sampled search; empty for a one-shot search."""
    return finished(read_evaluations(folder / EVALUATIONS))
