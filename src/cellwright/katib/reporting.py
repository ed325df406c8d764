"""How a trial hands its metrics to Katib: straight to the DB manager, so that none is too short to be seen."""

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
"""Seconds for one attempt."""
SECONDS = 120.0
"""How long metrics are sent again."""


def report(
    trial_name: str,
    pairs: Iterable[tuple[str, str]],
    address: str = DB_MANAGER,
    *,
    seconds: float = SECONDS,
) -> None:
    """Report the metrics of a trial that is done.

    Tried again on any failure, which may be no more than a DB manager or a database that is being restarted, while a
    trial whose metrics are lost is lost itself. To report twice does no harm: Katib takes the latest values.

    Args:
        trial_name: Katib's name of the trial.
        pairs: names and values.
        address: host and port of Katib's DB manager.
        seconds: after which they are not sent again.

    Raises:
        CellwrightError: they were not taken in that time.
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
    """Send over a connection of its own: one that failed would wait on its own before it tries again."""
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        call = channel.unary_unary(
            METHOD,
            request_serializer=ReportObservationLogRequest.SerializeToString,
            response_deserializer=ReportObservationLogReply.FromString,
        )
        call(request, timeout=TIMEOUT)
