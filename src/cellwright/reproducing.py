"""Runs again what a registered version is from, and says what differs and why: `cellwright reproduce`."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cellwright.data.manifest import MANIFEST, DataManifest
from cellwright.environment import ENVIRONMENT, environment, read_environment
from cellwright.errors import CellwrightError
from cellwright.results import WEIGHTS, EvaluationResult, ModelScore, Result, SearchResult
from cellwright.spec import SearchSpec, load_spec
from cellwright.steps.register import SPEC
from cellwright.tensor_files import tensors_digest
from cellwright.tracking import download_model_file, download_run_files, recorded_tags
from cellwright.tracking.uri import REGISTRY
from cellwright.training.checkpoint import load_tensors

FILES = (SPEC, ENVIRONMENT, MANIFEST, SearchResult.FILE, EvaluationResult.FILE)
SPEC_TAG = "cellwright.spec"
MACHINE = ("cpu", "gpu", "system")
NUMBERS = ("numpy", "safetensors", "scikit-learn", "scipy", "torch")
"""The packages that compute what is compared; others are named after them."""
HERE = ("runner={kind: local}", "store=null")
"""Put over a spec whose trials ran on a cluster: the same seed gives the same search with each runner."""


class Registered(Result):
    """What the registry knows of a run."""

    address: str
    """`NAME/VERSION`."""
    spec: str
    """The digest that the version's tag has."""
    data: str
    """The content hash."""
    genotype: str
    weights: str
    """The SHA-256 of the tensors; that of the file also depends on the order of its header."""
    evaluation: EvaluationResult
    environment: Mapping[str, str]


class Difference(Result):
    """Something that is not as it was."""

    what: str
    registered: str
    reproduced: str


class Reproduction(Result):
    """`reproduction.json`: a registered version and its run, done again."""

    FILE = "reproduction.json"

    address: str
    compared: int
    """How many values were compared."""
    differences: tuple[Difference, ...]
    """Of the results; empty where all are the same to the last digit."""
    causes: tuple[Difference, ...]
    """What was not as in the first run, and may be why: data, spec, versions, machine."""

    @property
    def sentence(self) -> str:
        """Say how it ended."""
        if not self.differences:
            return f"{self.address}: all {self.compared} results are the same to the last digit"
        named = ", ".join(difference.what for difference in self.differences[:3])
        more = f" and {len(self.differences) - 3} more" if len(self.differences) > 3 else ""
        why = (
            "what was not as in the first run: " + "; ".join(cause.what for cause in self.causes[:8])
            if self.causes
            else "data, versions and machine are the same: the code that computes it depends on something else"
        )
        return f"{self.address}: {len(self.differences)} of {self.compared} results differ ({named}{more}); {why}"


def fetch(
    uri: str, address: str, folder: Path, overrides: Sequence[str] = ()
) -> tuple[SearchSpec, Registered]:
    """Return the spec of a registered version's run, and its results.

    Args:
        uri: of the registry.
        address: `models:/NAME@ALIAS` or `models:/NAME/VERSION`.
        folder: for the run's files.
        overrides: `KEY=VALUE` each, such as where the data is now.

    Raises:
        CellwrightError: there is no such version, or its run lacks a file.
    """
    version = download_run_files(uri, address, FILES, folder)
    tags = recorded_tags(uri, f"{REGISTRY}{version}")
    manifest, found = DataManifest.load(folder), SearchResult.load(folder / SearchResult.FILE)
    whole = load_spec(folder / SPEC)
    if whole.digest != tags[SPEC_TAG]:
        raise CellwrightError(
            f"{REGISTRY}{version}: {SPEC} must have the digest {tags[SPEC_TAG]}, as the tag {SPEC_TAG} says, got "
            f"{whole.digest}; another version of cellwright wrote it, or it was changed"
        )
    here = HERE if whole.runner.is_remote else ()
    spec = load_spec(folder / SPEC, (*here, "tracking={}", *overrides))
    starts_from_a_model = spec.start.model or isinstance(spec.retrain.start, str)
    tracking = spec.tracking.model_copy(update={"uri": uri if starts_from_a_model else None})
    return spec.model_copy(update={"tracking": tracking}), Registered(
        address=version,
        spec=whole.digest,
        data=manifest.content_hash,
        genotype=found.genotype.to_line(),
        weights=_weights(download_model_file(uri, f"{REGISTRY}{version}", WEIGHTS, folder)),
        evaluation=EvaluationResult.load(folder / EvaluationResult.FILE),
        environment=read_environment((folder / ENVIRONMENT).read_text()),
    )


def compare(registered: Registered, folders: Mapping[str, Path]) -> Reproduction:
    """Compare a registered run with its steps' folders, done again."""
    evaluation = EvaluationResult.load(folders["evaluate"] / EvaluationResult.FILE)
    before = {
        "architecture": registered.genotype,
        "weights": registered.weights,
        **_scores(registered.evaluation),
    }
    after = {
        "architecture": SearchResult.load(folders["search"] / SearchResult.FILE).genotype.to_line(),
        "weights": _weights(folders["retrain"] / WEIGHTS),
        **_scores(evaluation),
    }
    data = DataManifest.load(folders["prepare"]).content_hash
    causes = [
        *_differences({"data": registered.data}, {"data": data}),
        *_differences(
            {"device": registered.evaluation.device},
            {"device": evaluation.device},
        ),
        *_environments(registered.environment, read_environment(environment())),
    ]
    return Reproduction(
        address=registered.address,
        compared=len(before.keys() | after.keys()),
        differences=tuple(_differences(before, after)),
        causes=tuple(causes),
    )


def _weights(file: Path) -> str:
    tensors, _ = load_tensors(file)
    return tensors_digest(tensors)


def _scores(evaluation: EvaluationResult) -> dict[str, Any]:
    """Return every metric of every model on the test split, without times."""
    models: tuple[ModelScore, ...] = (evaluation.found, *evaluation.baselines)
    return {f"{model.name}/{name}": score.value for model in models for name, score in model.metrics.items()}


def _environments(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    """Yield what differs: first what computes the numbers, then the machine, then other packages."""
    found = {each.what: each for each in _differences(before, after)}
    first = [name for name in ("python", *NUMBERS, *MACHINE) if name in found]
    for name in (*first, *sorted(found.keys() - set(first))):
        versions = f"{found[name].registered} then, {found[name].reproduced} now"
        yield found[name].model_copy(update={"what": f"{name} ({versions})"})


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in (*before, *(name for name in after if name not in before)):
        then, now = before.get(name, "none"), after.get(name, "none")
        if then != now:
            yield Difference(what=name, registered=_format(then), reproduced=_format(now))


def _format(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
