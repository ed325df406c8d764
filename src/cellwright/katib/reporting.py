"""Reports a trial's metrics directly to Katib's DB manager, which works for trials of any length."""

from collections.abc import Iterable
from datetime import UTC, datetime

import grpc

from cellwright.errors import CellwrightError
from cellwright.katib.api_pb2 import (
    Metric,
    MetricLog,
    ObservationLog,
    ReportObservationLogReply,
    ReportObservationLogRequest,
)
from cellwright.retrying import Retry

DB_MANAGER = "katib-db-manager.kubeflow:6789"
METHOD = "/api.v1.beta1.DBManager/ReportObservationLog"
TIMEOUT = 10.0
"""Time limit in seconds of one attempt."""
SECONDS = 120.0
"""How long to retry sending the metrics."""


def report(
    trial_name: str,
    pairs: Iterable[tuple[str, str]],
    address: str = DB_MANAGER,
    *,
    seconds: float = SECONDS,
) -> None:
    """Report the metrics of a finished trial.

    Retries after any failure, since the DB manager or its database may only be restarting, and a trial without metrics
    is lost. Reporting twice is harmless: Katib uses the latest values.

    Args:
        trial_name: Katib's name of the trial.
        pairs: names and values of the metrics.
        address: host and port of Katib's DB manager.
        seconds: how long to retry.

    Raises:
        CellwrightError: the metrics were not accepted in this time.
    """
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    logs = [MetricLog(time_stamp=now, metric=Metric(name=name, value=value)) for name, value in pairs]
    request = ReportObservationLogRequest(
        trial_name=trial_name, observation_log=ObservationLog(metric_logs=logs)
    )
    retry = Retry(lambda error: isinstance(error, grpc.RpcError), seconds=seconds)
    try:
        retry(_send, request, address)
    except grpc.RpcError as error:
        raise CellwrightError(
            f"Katib's DB manager at {address} must take the metrics of trial {trial_name}, but after {seconds:g} s: "
            f"{error.code().name}: {error.details()}"
        ) from error


def _send(request: ReportObservationLogRequest, address: str) -> None:
    """Send the request over a new connection, since a failed one would wait before it reconnects."""
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        call = channel.unary_unary(
            METHOD,
            request_serializer=ReportObservationLogRequest.SerializeToString,
            response_deserializer=ReportObservationLogReply.FromString,
        )
        call(request, timeout=TIMEOUT)
