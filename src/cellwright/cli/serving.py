"""The command that puts a trained model behind HTTP."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellwright.cli import options

if TYPE_CHECKING:
    import socket

    from cellwright.serving.server import Limits, Server


def add_to(app: typer.Typer) -> None:
    """Add the command to the application."""
    options.add(app, "serve", serve, "cellwright serve models:/shoes@champion --port 8080")


def serve(
    model: options.Model,
    runs: options.Runs = options.RUNS,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 for all of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen at; 0 for a free one.")] = 8080,
    threads: Annotated[int, typer.Option(min=0, help="Of ONNX Runtime; 0 for one a core.")] = 0,
    every: Annotated[
        float, typer.Option(metavar="SECONDS", min=0.1, help="Between two looks where the alias has moved.")
    ] = 10.0,
    max_rows: Annotated[int, typer.Option(min=1, help="Examples of a request.")] = 1024,
    max_megabytes: Annotated[float, typer.Option(min=0.001, help="Of a request's body, in MiB.")] = 16.0,
    max_seconds: Annotated[
        float, typer.Option(min=0.001, help="From a request's head to its answer.")
    ] = 30.0,
    record: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", show_default=False, help="Where to write statistics of inputs and predictions."
        ),
    ] = None,
    record_inputs: Annotated[
        bool, typer.Option("--record-inputs", help="Store the inputs themselves there, too.")
    ] = False,
) -> None:
    """Answer requests for predictions over HTTP, as KServe's protocols have it.

    POST /v1/models/NAME:predict takes {"instances": [...]} and answers as predict does; /v2/models/NAME/infer takes
    tensors. /health/ready, /health/live and /metrics are for who runs it. Where an alias names the model, a move of it
    is followed without losing a request. It ends by Ctrl-C.
    """
    from contextlib import suppress

    from cellwright.errors import CellwrightError

    if record_inputs and record is None:
        raise CellwrightError("--record-inputs needs --record FOLDER, where they go")
    from cellwright.serving.server import Limits

    limits = Limits(rows=max_rows, megabytes=max_megabytes, seconds=max_seconds)
    server = _server(model, runs, threads, every, limits)
    if record is not None:
        from cellwright.serving.recording import Recorder

        server.recorder = Recorder(record, has_inputs=record_inputs)
    with suppress(KeyboardInterrupt):
        _run(server, host, port)


def _server(model: str, runs: Path, threads: int, every: float, limits: "Limits") -> "Server":
    import tempfile

    from cellwright.finding import download_version, find_model
    from cellwright.results import ONNX
    from cellwright.serving.model import ServedModel
    from cellwright.serving.server import Registered, Server
    from cellwright.tracking import model_version
    from cellwright.tracking.uri import REGISTRY, registry_uri

    registered = None
    with tempfile.TemporaryDirectory(prefix="cellwright-") as folder:
        if model.startswith(REGISTRY):
            uri = registry_uri(runs, os.environ)
            registered = Registered(
                latest=lambda: model_version(uri, model),
                fetch=lambda version, to: download_version(uri, version, (ONNX,), to),
                every=every,
            )
            version = registered.latest()
            name, files = version.partition("/")[0], registered.fetch(version, Path(folder))
        else:
            files = find_model(model, runs, Path(folder), (ONNX,))
            name, version = Path(model).resolve().stem, files.name
        served = ServedModel(files, name=name, version=version, threads=threads)
    return Server(model=served, threads=threads, limits=limits, registered=registered)


def _run(server: "Server", host: str, port: int) -> None:
    import gc

    import uvicorn

    config = uvicorn.Config(
        server.app(),
        access_log=False,
        log_config=None,
        server_header=False,
        limit_concurrency=1000,
        timeout_graceful_shutdown=30,
    )
    with listen(host, port) as listening:
        at = listening.getsockname()[1]
        typer.echo(
            f"{server.model.version} answers at http://{host}:{at}/v1/models/{server.model.name}:predict"
        )
        gc.freeze()  # what is loaded now stays, so that no collection looks through it
        uvicorn.Server(config).run([listening])


def listen(host: str, port: int) -> "socket.socket":
    """Return a socket at which requests wait until a server takes them.

    It names its protocol, without which asyncio leaves TCP_NODELAY off, and answers on an open connection take 40 ms.

    Raises:
        CellwrightError: the address cannot be used.
    """
    import socket

    from cellwright.errors import CellwrightError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError as error:
        listening.close()
        raise CellwrightError(f"cannot listen at {host}:{port}: {error.strerror or error}") from error
    return listening
