"""A registered model over its versions: who is the champion, what the gate decided, and moving the alias."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cellwright.canonical import digest
from cellwright.policy import PastVersion
from cellwright.results import ChampionMove, GateDecision, ModelHistory, PastModel, Result
from cellwright.retrying import Retry
from cellwright.tracking.moves import Move, utc_now
from cellwright.tracking.record import EXTRA_FILES, KEY_TAG
from cellwright.tracking.retrying import SHORT, mlflow_retry
from cellwright.tracking.uri import REGISTRY

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

T = TypeVar("T")

ACTION_TAG = "cellwright.action"
"""The tag of a version that says whether its architecture was searched or only trained again."""
EXAMPLES_TAG = "cellwright.examples"
"""The tag of a version that has the number of its examples, of all splits."""
POLICY_TAG = "cellwright.policy"
"""The tag of a version, and of its run, that says why a scheduled run made it."""
REASONS_TAG = "cellwright.reasons"
"""The tag of such a version that has the names of all reasons."""
HOURS, SEARCH_HOURS = "cost/hours", "cost/search_hours"
"""Metrics of a run: how long its steps took, and its search alone."""
SUMMARY = "data_summary.safetensors"
"""The file of a version that has the summary of its data."""
TRAINED_ON = "trained_on.safetensors"
"""The file of a version that has the hashes of all examples that its weights were trained on."""
PARENT_TAG = "mlflow.parentRunId"
"""The tag of a run of MLflow that is nested in another."""
DAY = 86400.0
GATE_TAG = "cellwright.gate"
"""The tag of a version that has what the gate decided."""
FOUND = "found/"
"""Begins the metrics of the found network."""
DATA_TAG = "cellwright.data"
"""The tag of a version that has the hash of its data."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Champion:
    """The version that is the champion."""

    version: int
    data: str | None
    """The hash of the data that it is from."""


class VersionFacts(Result):
    """What the registry knows of a version."""

    name: str
    version: int
    data: str | None
    """The hash of the data that it is from."""
    metrics: dict[str, float]
    """Of its network, from the evaluation."""
    gate: GateDecision | None

    @property
    def address(self) -> str:
        """Return `NAME/VERSION`."""
        return f"{self.name}/{self.version}"


def _decision(tags: Mapping[str, str]) -> GateDecision | None:
    text = tags.get(GATE_TAG)
    return None if text is None else GateDecision.model_validate_json(text)


def _past_model(client: "MlflowClient", version: "ModelVersion", objective: str) -> PastModel:
    metrics = client.get_run(version.run_id).data.metrics if version.run_id else {}
    decision, reasons = _decision(version.tags), version.tags.get(REASONS_TAG)
    score = f"{FOUND}test_{objective}"
    return PastModel(
        version=int(version.version),
        when=datetime.fromtimestamp(version.creation_timestamp / 1000, UTC).isoformat(timespec="seconds"),
        action=version.tags.get(ACTION_TAG, "search"),
        reasons=tuple(reasons.split(", ")) if reasons else (),
        passed=None if decision is None else decision.passed,
        score=metrics.get(score),
        low=metrics.get(f"{score}_low"),
        high=metrics.get(f"{score}_high"),
        hours=metrics.get(HOURS),
    )


def version_facts(uri: str, address: str) -> VersionFacts:
    """Return what the registry knows of the version that `NAME@ALIAS` or `NAME/VERSION` names.

    Raises:
        CellwrightError: there is none, or no registry; names the address.
    """

    def find() -> VersionFacts:
        from cellwright.tracking import connection, registry

        with connection.translate_errors(uri, address):
            client = connection.connect(uri)
            found = registry.find_version(client, f"{REGISTRY}{address}")
            metrics = client.get_run(found.run_id).data.metrics if found.run_id else {}
        return VersionFacts(
            name=found.name,
            version=int(found.version),
            data=found.tags.get(DATA_TAG),
            metrics={
                name.removeprefix(FOUND): value for name, value in metrics.items() if name.startswith(FOUND)
            },
            gate=_decision(found.tags),
        )

    return mlflow_retry(seconds=SHORT)(find)


def hours_of_month(uri: str, experiment: str) -> float:
    """Return the hours of an experiment's runs since the month began, in UTC.

    These are the hours of a finished run's steps, those of each GPU. Of a run that failed or goes on it is the time
    from its start to its end, or until now.
    """

    def count() -> float:
        from cellwright.tracking import connection

        now = datetime.now(UTC)
        began = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000
        with connection.translate_errors(uri, f"experiment {experiment!r}"):
            client = connection.connect(uri)
            if (found := client.get_experiment_by_name(experiment)) is None:
                return 0.0
            runs = list(
                connection.all_runs(client, found.experiment_id, f"attributes.start_time >= {began:.0f}")
            )
        until = now.timestamp() * 1000
        return sum(
            float(run.data.metrics.get(HOURS, ((run.info.end_time or until) - run.info.start_time) / 3.6e6))
            for run in runs
            if PARENT_TAG not in run.data.tags
        )

    return mlflow_retry(seconds=SHORT)(count)


class Lifecycle:
    """A registered model in a registry; every call can be repeated, also after a kill at any point.

    Args:
        uri: of the registry.
        name: of the registered model.
        retry: how long to wait for an MLflow that is away; by default, some seconds.

    Raises:
        CellwrightError: from every method, where there is no such model or version, or no registry.
    """

    def __init__(self, *, uri: str, name: str, retry: Retry | None = None) -> None:
        self.uri, self.name = uri, name
        self._retry = retry or mlflow_retry(seconds=SHORT)

    def champion(self) -> Champion | None:
        """Return the champion, None where there is none."""

        def find(client: "MlflowClient") -> Champion | None:
            from cellwright.tracking import champion

            if (number := champion.champion(client, self.name)) is None:
                return None
            tags = client.get_model_version(self.name, str(number)).tags
            return Champion(version=number, data=tags.get(DATA_TAG))

        return self._ask(find)

    def version(self, version: str) -> int:
        """Return the number of a version that is given as such or as `@ALIAS`."""

        def find(client: "MlflowClient") -> int:
            if version.startswith("@"):
                return int(client.get_model_version_by_alias(self.name, version[1:]).version)
            return int(client.get_model_version(self.name, version).version)

        return self._ask(find)

    def moves(self) -> tuple[Move, ...]:
        """Return the moves of the alias, the oldest first."""

        def find(client: "MlflowClient") -> tuple[Move, ...]:
            from cellwright.tracking import champion

            return champion.moves(client, self.name)

        return self._ask(find)

    def past(self, objective: str) -> tuple[PastVersion, ...]:
        """Return the versions, the oldest first, as the policy sees them; those without a score were not evaluated."""

        def find(client: "MlflowClient") -> tuple[PastVersion, ...]:
            now, found = time.time(), []
            for version in sorted(self._versions(client), key=lambda version: int(version.version)):
                metrics = client.get_run(version.run_id).data.metrics if version.run_id else {}
                examples = version.tags.get(EXAMPLES_TAG)
                found.append(
                    PastVersion(
                        version=int(version.version),
                        action="retrain" if version.tags.get(ACTION_TAG) == "retrain" else "search",
                        days=max(0.0, now - version.creation_timestamp / 1000) / DAY,
                        data=version.tags.get(DATA_TAG),
                        num_examples=None if examples is None else int(examples),
                        score=metrics.get(f"{FOUND}test_{objective}"),
                        hours=metrics.get(HOURS),
                        search_hours=metrics.get(SEARCH_HOURS),
                    )
                )
            return tuple(found)

        return self._ask(find)

    def history(self, objective: str) -> ModelHistory:
        """Return how the versions did and which were the champion, the oldest first."""

        def find(client: "MlflowClient") -> ModelHistory:
            from cellwright.tracking import champion

            versions = sorted(self._versions(client), key=lambda version: int(version.version))
            moves = champion.moves(client, self.name)
            return ModelHistory(
                name=self.name,
                objective=objective,
                versions=tuple(_past_model(client, version, objective) for version in versions),
                moves=tuple(
                    ChampionMove(kind=m.kind, version=m.to_version, when=m.when, who=m.who, why=m.why)
                    for m in moves
                ),
            )

        return self._ask(find)

    def metric(self, version: int, name: str) -> float | None:
        """Return the last value of a metric in a version's run; None where it has none."""

        def find(client: "MlflowClient") -> float | None:
            run_id = client.get_model_version(self.name, str(version)).run_id
            value: float | None = client.get_run(run_id).data.metrics.get(name) if run_id else None
            return value

        return self._ask(find)

    def look(self, test_set: str, key: str) -> int:
        """Return the number of the look that a pipeline run takes at a test set, beside the runs that did so before."""

        def count(client: "MlflowClient") -> int:
            of_others = [
                version.tags for version in self._versions(client) if version.tags.get(KEY_TAG) != key
            ]
            decisions = [_decision(tags) for tags in of_others]
            return 1 + sum(decision is not None and decision.test_set == test_set for decision in decisions)

        return self._ask(count)

    def decided(self, key: str) -> GateDecision | None:
        """Return what the gate decided on the version of a pipeline run; None where there is no version of it yet."""

        def find(client: "MlflowClient") -> GateDecision | None:
            from cellwright.tracking import models

            version = models.find_version(client, self.name, key)
            return None if version is None else _decision(version.tags)

        return self._ask(find)

    def decision(self, version: int) -> GateDecision | None:
        """Return what the gate decided on a version, None where it was not asked."""
        return self._ask(lambda client: _decision(client.get_model_version(self.name, str(version)).tags))

    def record(self, version: int, decision: GateDecision) -> None:
        """Write what the gate decided on a version, in place of what it had decided."""

        def write(client: "MlflowClient") -> None:
            client.set_model_version_tag(self.name, str(version), GATE_TAG, decision.model_dump_json())

        self._ask(write)

    def download(self, version: int, files: Sequence[str], folder: Path) -> None:
        """Copy files that were registered among a version's `extra_files`, compared with their digests."""

        def fetch(client: "MlflowClient") -> None:
            from cellwright.tracking import registry

            found = client.get_model_version(self.name, str(version))
            for file in files:
                copy = registry.download(client, self.uri, found, f"{EXTRA_FILES}/{file}", folder)
                copy.replace(folder / file)

        self._ask(fetch)

    def promote(
        self,
        version: int,
        *,
        expected: int | None,
        who: str,
        why: str,
        evidence: GateDecision | None,
        owner: str,
        force: bool = False,
    ) -> Move:
        """Make a version the champion, if the version `expected` still is, and return the move.

        Args:
            version: to promote; where it is the champion, nothing moves.
            expected: the champion that the promotion was decided against; None for none.
            who: moves it.
            why: in a few words.
            evidence: what the gate decided.
            owner: distinguishes this promotion from concurrent ones; the same when it is repeated.
            force: whether a version that was rolled back may be promoted again.

        Raises:
            ChampionMoved: another version is the champion.
            NotPromoted: the version was rolled back.
        """
        move = Move(
            kind="promotion",
            to_version=version,
            who=who,
            when=utc_now(),
            why=why,
            owner=digest(owner),
            evidence=None if evidence is None else evidence.sentence,
        )

        def make(client: "MlflowClient") -> Move:
            from cellwright.tracking import champion

            return champion.promote(client, self.name, expected=expected, move=move, force=force)

        return self._ask(make)

    def rollback(self, *, who: str, why: str, owner: str) -> Move:
        """Make the version the champion that was it before, and return the move.

        Raises:
            NotPromoted: there is none, or it was rolled back itself.
        """
        move = Move(kind="rollback", to_version=0, who=who, when=utc_now(), why=why, owner=digest(owner))

        def make(client: "MlflowClient") -> Move:
            from cellwright.tracking import champion

            return champion.rollback(client, self.name, move=move)

        return self._ask(make)

    def _versions(self, client: "MlflowClient") -> "list[ModelVersion]":
        quote = '"' if "'" in self.name else "'"
        return list(client.search_model_versions(f"name = {quote}{self.name}{quote}"))

    def _ask(self, work: "Callable[[MlflowClient], T]") -> T:
        from cellwright.tracking import connection

        def translate_errors() -> T:
            with connection.translate_errors(self.uri, f"registered model {self.name!r}"):
                return work(connection.connect(self.uri))

        return self._retry(translate_errors)
