"""The suggestion service, which Katib's controller calls over gRPC.

Katib runs one service for each Experiment and sends all trials with every request, so it can be restarted at any time.
"""

import logging
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from cellwright.errors import CellwrightError
from cellwright.katib.api_pb2 import (
    Experiment,
    GetSuggestionsReply,
    GetSuggestionsRequest,
    ObjectiveType,
    ParameterAssignment,
    Trial,
    TrialStatus,
    ValidateAlgorithmSettingsReply,
    ValidateAlgorithmSettingsRequest,
)
from cellwright.katib.assignments import assign, read_evaluation, read_number, read_suggestion
from cellwright.katib.cache_guard import SECONDS, CacheGuard
from cellwright.katib.searching import NotYetError, Search, UsedUpError, next_numbers
from cellwright.katib.settings import SearchSettings

PORT = 6789
SERVICE = "api.v1.beta1.Suggestion"
HEALTH = "manager.v1beta1.Suggestion"
"""Service name in Katib's health probes."""
MAX_REQUEST = 8 << 20
"""In bytes. A trial takes about one thousand, and nine times as much memory."""
DIRECTIONS = {ObjectiveType.MAXIMIZE: "maximize", ObjectiveType.MINIMIZE: "minimize"}

logger = logging.getLogger(__name__)


class SuggestionService:
    """Answers Katib's two requests: what to try next, and whether an Experiment is valid.

    An unexpected error becomes the gRPC status UNKNOWN, and the service keeps running.

    Args:
        seconds: how long to wait for suggested trials to appear.
        with_own_code: whether a request may name strategies and spaces by import path, which runs their code.
    """

    def __init__(self, seconds: float, *, with_own_code: bool) -> None:
        self._with_own_code = with_own_code
        self._lock = threading.Lock()
        self._cache_guard = CacheGuard(seconds)
        self._search: tuple[SearchSettings, Search] | None = None
        """The latest search with its state, so that a request does not process all trials again."""

    def get_suggestions(
        self, request: GetSuggestionsRequest, context: grpc.ServicerContext
    ) -> GetSuggestionsReply:
        """Return the parameters of the requested number of trials."""
        began = time.monotonic()
        try:
            with self._lock:
                trials = self._next_trials(request)
        except NotYetError as error:
            context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
        except UsedUpError as error:
            context.abort(grpc.StatusCode.OUT_OF_RANGE, str(error))
        except CellwrightError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        logger.info(
            "%s: suggested %s after %d trials in %.2f s",
            request.experiment.name,
            ", ".join(trial["number"] for trial in trials),
            len(request.trials),
            time.monotonic() - began,
        )
        return GetSuggestionsReply(
            parameter_assignments=[
                GetSuggestionsReply.ParameterAssignments(
                    assignments=[ParameterAssignment(name=n, value=v) for n, v in trial.items()]
                )
                for trial in trials
            ]
        )

    def validate_algorithm_settings(
        self, request: ValidateAlgorithmSettingsRequest, context: grpc.ServicerContext
    ) -> ValidateAlgorithmSettingsReply:
        """Check the Experiment, which fails with a message if anything is wrong."""
        try:
            check_experiment(request.experiment, with_own_code=self._with_own_code)
        except CellwrightError as error:
            logger.warning("%s: refused: %s", request.experiment.name, error)
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return ValidateAlgorithmSettingsReply()

    def _next_trials(self, request: GetSuggestionsRequest) -> list[dict[str, str]]:
        settings = _read_settings(request.experiment, self._with_own_code)
        count = request.current_request_number
        self._cache_guard.require_all(request.total_request_number - count, len(request.trials))
        if not settings.is_sampled:
            taken = [read_number(_assignments(trial)) for trial in request.trials]
            return [{"number": str(number)} for number in next_numbers(taken, count)]
        if self._search is None or self._search[0] != settings:
            self._search = settings, Search(settings)
        search = self._search[1]
        first_to_end = sorted(request.trials, key=lambda t: (t.status.completion_time or "~", t.name))
        return [
            assign(suggestion)
            for suggestion in search.suggest(
                (
                    read_evaluation(
                        read_suggestion(_assignments(trial)),
                        TrialStatus.TrialConditionType.Name(trial.status.condition),
                        {metric.name: metric.value for metric in trial.status.observation.metrics},
                        search.objectives,
                        seconds=_seconds(trial.status),
                    )
                    for trial in first_to_end
                ),
                count,
            )
        ]


def check_experiment(experiment: Experiment, *, with_own_code: bool = False) -> None:
    """Raise CellwrightError if the service cannot run the Experiment; the message lists every error."""
    settings = _read_settings(experiment, with_own_code)
    spec, (first, *others) = experiment.spec, settings.objectives
    problems = []
    if spec.algorithm.algorithm_name != settings.algorithm_name:
        problems.append(
            f"algorithmName must be {settings.algorithm_name}, as the setting strategy has it, got "
            f"{spec.algorithm.algorithm_name}"
        )
    names = Counter(parameter.name for parameter in spec.parameter_specs.parameters)
    if names != Counter(settings.parameters):
        problems.append(
            f"parameters must be {', '.join(settings.parameters)}, got {', '.join(names) or 'none'}"
        )
    objective = spec.objective.objective_metric_name, DIRECTIONS.get(spec.objective.type)
    if objective != (first.metric, first.direction):
        problems.append(
            f"objective must be to {first.direction} {first.metric}, as the setting objectives has it, got "
            f"{objective[1]} {objective[0]}"
        )
    missing = {o.metric for o in others} - set(spec.objective.additional_metric_names)
    if missing:
        problems.append(
            f"objective.additionalMetricNames must have {', '.join(sorted(missing))}: the setting objectives has them"
        )
    if settings.is_sampled:
        if settings.in_order and spec.parallel_trial_count > settings.parallel:
            problems.append(
                f"parallelTrialCount must be at most the setting parallel, which is {settings.parallel}, where "
                f"in_order is true, got {spec.parallel_trial_count}"
            )
        try:
            Search(settings)
        except CellwrightError as error:
            problems.append(str(error))
    if problems:
        raise CellwrightError("; ".join(problems))


def serve(
    port: int = PORT, *, seconds: float = SECONDS, with_own_code: bool = False
) -> tuple[grpc.Server, int]:
    """Start a server; return it and its port, which the system chooses if `port` is 0."""
    service = SuggestionService(seconds, with_own_code=with_own_code)
    server = grpc.server(
        ThreadPoolExecutor(max_workers=4), options=[("grpc.max_receive_message_length", MAX_REQUEST)]
    )
    handlers = {
        "GetSuggestions": grpc.unary_unary_rpc_method_handler(
            service.get_suggestions,
            request_deserializer=GetSuggestionsRequest.FromString,
            response_serializer=GetSuggestionsReply.SerializeToString,
        ),
        "ValidateAlgorithmSettings": grpc.unary_unary_rpc_method_handler(
            service.validate_algorithm_settings,
            request_deserializer=ValidateAlgorithmSettingsRequest.FromString,
            response_serializer=ValidateAlgorithmSettingsReply.SerializeToString,
        ),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    healthy = health.HealthServicer()
    for name in ("", HEALTH):
        healthy.set(name, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    bound = server.add_insecure_port(f"[::]:{port}")
    server.start()
    return server, bound


def _read_settings(experiment: Experiment, with_own_code: bool) -> SearchSettings:
    spec = experiment.spec
    settings = {setting.name: setting.value for setting in spec.algorithm.algorithm_settings}
    direction = DIRECTIONS.get(spec.objective.type, "maximize")
    objective = {"metric": spec.objective.objective_metric_name, "direction": direction}
    try:
        if not with_own_code:
            SearchSettings.refuse_own_code(settings)
        return SearchSettings.from_settings(settings, objective)
    except CellwrightError as error:
        raise CellwrightError(f"algorithmSettings: {error}") from error


def _assignments(trial: Trial) -> dict[str, str]:
    return {a.name: a.value for a in trial.spec.parameter_assignments.assignments}


def _seconds(status: TrialStatus) -> float:
    """Return the duration of a finished trial in whole seconds."""
    if not (status.start_time and status.completion_time):
        return 0.0
    took = datetime.fromisoformat(status.completion_time) - datetime.fromisoformat(status.start_time)
    return took.total_seconds()
