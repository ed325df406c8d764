"""Metrics on their way to a DB manager that has its moods."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import grpc
import pytest

from cellwright.errors import CellwrightError
from cellwright.katib.api_pb2 import ReportObservationLogReply, ReportObservationLogRequest
from cellwright.katib.reporting import report

PAIRS = [("accuracy", "-inf"), ("state", "pruned")]


class DBManager:
    """Refuses what it is told so many times."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.told: list[ReportObservationLogRequest] = []

    def take(self, request: ReportObservationLogRequest, context: grpc.ServicerContext):
        if self.refusals:
            self.refusals -= 1
            context.abort(grpc.StatusCode.UNKNOWN, "the database is starting up")
        self.told.append(request)
        return ReportObservationLogReply()


@contextmanager
def serving(manager: DBManager) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    method = grpc.unary_unary_rpc_method_handler(
        manager.take,
        request_deserializer=ReportObservationLogRequest.FromString,
        response_serializer=ReportObservationLogReply.SerializeToString,
    )
    handler = grpc.method_handlers_generic_handler("api.v1.beta1.DBManager", {"ReportObservationLog": method})
    server.add_generic_rpc_handlers([handler])
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"localhost:{port}"
    server.stop(None)


def test_a_manager_that_refuses_twice_gets_the_report_once():
    manager = DBManager(refusals=2)
    with serving(manager) as address:
        report("trial-1", PAIRS, address)
    (request,) = manager.told
    assert request.trial_name == "trial-1"
    assert [(log.metric.name, log.metric.value) for log in request.observation_log.metric_logs] == PAIRS
    for log in request.observation_log.metric_logs:
        assert log.time_stamp.endswith("Z")
        assert datetime.now(UTC) - datetime.fromisoformat(log.time_stamp) < timedelta(minutes=1)


def test_a_manager_that_goes_on_refusing_is_named_with_the_trial_and_the_cause():
    with (
        serving(DBManager(refusals=99)) as address,
        pytest.raises(CellwrightError) as caught,
    ):
        report("trial-1", PAIRS, address, seconds=1)
    assert str(caught.value) == (
        f"Katib's DB manager at {address} must take the metrics of trial trial-1, but after 1 s: "
        "UNKNOWN: the database is starting up"
    )


def test_a_manager_that_is_not_there_is_named():
    with serving(DBManager(refusals=0)) as address:
        pass
    with pytest.raises(CellwrightError, match=f"at {address} .* trial-1, but after 1 s: UNAVAILABLE: "):
        report("trial-1", PAIRS, address, seconds=1)
