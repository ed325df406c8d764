"""The server: which version answers, how another one takes over, and its HTTP paths."""

import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from cellwright.errors import CellwrightError, DataError
from cellwright.report.terminal import visible
from cellwright.serving.batching import Batcher, Busy
from cellwright.serving.metrics import Metrics
from cellwright.serving.model import Answers, Arrays, ServedModel
from cellwright.serving.protocols import (
    metadata,
    read_instances,
    read_json,
    read_tensors,
    write_json,
    write_tensors,
)
from cellwright.serving.recording import Recorder

T = TypeVar("T")

INLINE = 2**16
"""Bytes of a body from which on it is parsed in a thread, beside other requests."""
BINARY_LENGTH = "Inference-Header-Content-Length"
VERSION = "Cellwright-Version"
"""The header of an answer that has the version which gave it."""
WINDOW = 60.0
"""Seconds of predictions that one line of statistics is about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a request may be."""

    rows: int = 1024
    """Examples of a request."""
    megabytes: float = 16.0
    """Of its body."""
    seconds: float = 30.0
    """From its head to its answer."""
    waiting: int = 8192
    """Examples of all requests that may wait."""


@dataclass(frozen=True, slots=True)
class Served:
    """A version that answers, and its batches."""

    model: ServedModel
    batcher: Batcher


@dataclass(frozen=True, kw_only=True, slots=True)
class Registered:
    """Where another version may come from."""

    latest: Callable[[], str]
    """Return the version that the address names now; raises CellwrightError."""
    fetch: Callable[[str, Path], Path]
    """Copy a version's files to a folder, compare them with their digests, and return where they are."""
    every: float
    """Seconds between two looks."""


@dataclass(kw_only=True)
class Server:
    """Answers requests with one version, until the registry's address names another.

    A request keeps the version that it began with, so none is lost when another takes over.
    """

    model: ServedModel
    threads: int
    limits: Limits = Limits()
    registered: Registered | None = None
    recorder: Recorder | None = None
    metrics: Metrics = field(default_factory=Metrics)

    def __post_init__(self) -> None:
        self._take(self.model)
        self._is_ready = False
        self._writing: set[asyncio.Task[None]] = set()
        # One thread: several would only evict each other's caches.
        self._reading = ThreadPoolExecutor(1, "cellwright-bodies")

    def _take(self, model: ServedModel) -> None:
        batcher = Batcher(model.run, self.limits.waiting, self.metrics.batches.observe)
        self.served = Served(model, batcher)
        self.metrics.version.clear()
        self.metrics.version.labels(model.version).set(1)

    def app(self) -> Starlette:
        """Return the application, for any ASGI server."""
        get = partial(Route, methods=["GET"])
        return Starlette(
            routes=[
                get("/health", self._live),
                get("/health/live", self._live),
                get("/health/ready", self._ready),
                get("/metrics", self._metrics),
                get("/v2", self._about),
                get("/v2/health/live", self._live),
                get("/v2/health/ready", self._ready),
                get("/v2/models/{name}", self._model),
                get("/v2/models/{name}/ready", self._model_ready),
                Route("/v2/models/{name}/infer", partial(self._predict, "v2", self._infer), methods=["POST"]),
                get("/v1/models/{name}", self._model_ready),
                Route(
                    "/v1/models/{name}:predict",
                    partial(self._predict, "v1", self._instances),
                    methods=["POST"],
                ),
            ],
            exception_handlers={HTTPException: _refused, 500: _failed},
            lifespan=self._running,
        )

    @asynccontextmanager
    async def _running(self, _: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._record())] if self.recorder else []
        tasks += [asyncio.create_task(self._follow(self.registered))] if self.registered else []
        self._is_ready = True
        yield
        self._is_ready = False
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
        await self._write()

    async def _follow(self, registered: Registered) -> None:
        """Look which version the address names, and load that beside the one that answers until it can."""
        said = ""
        while True:
            await asyncio.sleep(registered.every)
            try:
                version = await asyncio.to_thread(registered.latest)
                self.metrics.last_look.set_to_current_time()
                if version != (before := self.served.model.version):
                    self._take(await asyncio.to_thread(self._load, registered, version))
                    self.metrics.loads.labels("taken").inc()
                    _say(f"{version} answers now, in place of {before}")
                said = ""
            except (CellwrightError, OSError) as error:
                self.metrics.loads.labels("failed").inc()
                if said != (said := str(error)):
                    _say(f"{self.served.model.version} continues to answer: {error}")

    def _load(self, registered: Registered, version: str) -> ServedModel:
        with tempfile.TemporaryDirectory(prefix="cellwright-") as folder:
            files = registered.fetch(version, Path(folder))
            return ServedModel(files, name=self.model.name, version=version, threads=self.threads)

    async def _record(self) -> None:
        while True:
            await asyncio.sleep(WINDOW)
            await self._write()

    async def _write(self) -> None:
        if self.recorder and (window := self.recorder.take()):
            try:
                await asyncio.to_thread(window.write)
            except OSError as error:
                _say(f"{self.recorder.folder}: predictions of a window are not recorded: {error}")

    async def _live(self, _: Request) -> Response:
        return _json({"live": True})

    async def _ready(self, _: Request) -> Response:
        return _json({"ready": self._is_ready}, 200 if self._is_ready else 503)

    async def _metrics(self, _: Request) -> Response:
        self.metrics.waiting.set(self.served.batcher.rows)
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4")

    async def _about(self, _: Request) -> Response:
        from cellwright import __version__

        return _json({"name": "cellwright", "version": __version__, "extensions": ["binary_tensor_data"]})

    async def _model(self, request: Request) -> Response:
        return _json(metadata(self._named(request)))

    async def _model_ready(self, request: Request) -> Response:
        return _json({"name": self._named(request).name, "ready": self._is_ready})

    def _named(self, request: Request) -> ServedModel:
        model, name = self.served.model, request.path_params["name"]
        if name != model.name:
            raise HTTPException(404, f"the model must be {model.name}, got {name:.100}")
        return model

    async def _predict(
        self, protocol: str, answer: Callable[[Served, Request, bytes], Awaitable[Response]], request: Request
    ) -> Response:
        """Answer a request within the limits, by the version that is served as it arrives."""
        began, status, limits = time.perf_counter(), 500, self.limits
        try:
            self._named(request)
            async with asyncio.timeout(limits.seconds):
                body = await self._body(request)
                served = self.served
                response = await answer(served, request, body)
            response.headers[VERSION] = served.model.version
            status = response.status_code
            return response
        except HTTPException as error:
            status = error.status_code
            raise
        except DataError as error:
            status = 400
            return _error(status, str(error))
        except Busy:
            status = 503
            return _error(status, f"more than {limits.waiting} examples wait: try again later")
        except TimeoutError:
            status = 503
            return _error(status, f"a request must be answered in {limits.seconds:g} s: send fewer examples")
        finally:
            self.metrics.requests.labels(protocol, str(status)).inc()
            self.metrics.seconds.labels(protocol).observe(time.perf_counter() - began)

    async def _body(self, request: Request) -> bytes:
        most = int(self.limits.megabytes * 2**20)
        too_large = HTTPException(413, f"the body must have at most {self.limits.megabytes:g} MiB")
        length = request.headers.get("content-length")
        if length is not None and length.isdecimal() and int(length) > most:
            raise too_large
        parts, size = [], 0
        try:
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise too_large
                parts.append(part)
        except ClientDisconnect as error:
            raise HTTPException(400, "the body must be whole") from error
        return b"".join(parts)

    async def _instances(self, served: Served, request: Request, body: bytes) -> Response:
        model = served.model

        def read() -> Arrays:
            return read_instances(read_json(body), model, self.limits.rows)

        answers = await self._answers(served, await _beside(self._reading, read, body))
        return _json({"predictions": model.in_words(answers)})

    async def _infer(self, served: Served, request: Request, body: bytes) -> Response:
        model, header = served.model, request.headers.get(BINARY_LENGTH)

        def read() -> tuple[Arrays, dict[str, Any]]:
            return read_tensors(body, header, model, self.limits.rows)

        arrays, asked = await _beside(self._reading, read, body)
        content, length = write_tensors(model, await self._answers(served, arrays), asked)
        if length is None:
            return Response(content, media_type="application/json")
        return Response(content, headers={BINARY_LENGTH: str(length)}, media_type="application/octet-stream")

    async def _answers(self, served: Served, arrays: Arrays) -> Answers:
        answers = served.model.answers(await served.batcher.outputs(arrays))
        self.metrics.rows.inc(len(answers.outputs))
        if self.recorder and self.recorder.add(arrays, answers, served.model.version):
            task = asyncio.create_task(self._write())
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)
        return answers


async def _beside(thread: ThreadPoolExecutor, read: Callable[[], T], body: bytes) -> T:
    return read() if len(body) < INLINE else await asyncio.get_running_loop().run_in_executor(thread, read)


def _json(value: Any, status: int = 200) -> Response:
    return Response(write_json(value), status, media_type="application/json")


def _error(status: int, message: str) -> Response:
    return _json({"error": visible(message)}, status)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _error(error.status_code, error.detail)


async def _failed(_: Request, error: Exception) -> Response:
    return _error(500, "the server could not answer; its log says why")


def _say(message: str) -> None:
    print(f"serve: {visible(message)}", file=sys.stderr, flush=True)
