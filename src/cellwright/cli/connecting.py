"""How Kubeflow Pipelines is reached: options first, then the environment, then the user's file."""

import functools
import inspect
import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from urllib.parse import urlsplit

import typer

from cellwright.errors import CellwrightError

if TYPE_CHECKING:
    from cellwright_pipelines.kubeflow import Connection, Kubeflow

IN_CLUSTER = "http://ml-pipeline.kubeflow.svc:8888"
POD_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
"""Where Kubeflow projects a pod's token for pipelines."""

Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        metavar="URL",
        show_default=False,
        help="Address of the API of Kubeflow Pipelines; through the kubeconfig, or this pod's cluster, by default.",
    ),
]
Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace", metavar="NAME", show_default=False, help="Yours, where Kubeflow has several users."
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        show_default=False,
        help="File with a bearer token. One in the environment or in your settings goes only to the host beside it.",
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        metavar="FILE",
        show_default=False,
        help="Certificates (PEM) of the authorities that the host's certificate is checked against.",
    ),
]
InsecureHttp = Annotated[
    bool,
    typer.Option(
        "--insecure-http", help="Send the token over http to hosts outside this machine and cluster too."
    ),
]


class _Source(NamedTuple):
    """One place that may say how Kubeflow is reached."""

    name: str
    values: dict[str, Any]
    token: str | None = None

    def read_token(self) -> str | None:
        """Return the token, from its file if there is one."""
        path = self.values.get("token_file")
        if path is None:
            return self.token
        token = _read("token", path)
        mode = path.expanduser().stat().st_mode & 0o777
        if mode & 0o077:
            typer.echo(
                f"warning: others can use token file {path} (mode {mode:o}): chmod 600 {path}", err=True
            )
        return token


def connection(
    host: Host = None,
    namespace: Namespace = None,
    token_file: TokenFile = None,
    ca_file: CaFile = None,
    insecure_http: InsecureHttp = False,
) -> "Connection":
    """Return how to reach Kubeflow Pipelines.

    A token belongs to the host that its source, or one below it, names, and is sent to no other.

    Raises:
        CellwrightError: the user's file, the token's or the certificates' cannot be read; or a token would be sent in
            the clear.
    """
    from cellwright_pipelines.kubeflow import Connection

    given = {"host": host, "namespace": namespace, "token_file": token_file, "ca_file": ca_file}
    sources = [
        _Source("the options", {**given, "insecure_http": insecure_http or None}),
        *_from_environment_and_file(),
        _from_pod(),
    ]
    merged: dict[str, Any] = {}
    for source in reversed(sources):
        merged |= {name: value for name, value in source.values.items() if value is not None}
    address = merged.get("host")
    _check(address)
    token = _token(sources, address)
    if token and not merged.get("insecure_http") and _is_in_the_clear(address):
        raise CellwrightError(
            f"--host must be https, got {address}: the token would be sent in the clear (--insecure-http allows it)"
        )
    authorities = merged.get("ca_file")
    if authorities is not None:
        _read("certificate", authorities)
    return Connection(
        host=address,
        namespace=merged.get("namespace"),
        token=token,
        ca_file=str(authorities.expanduser()) if authorities else None,
    )


def with_kubeflow(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of `connection`: its argument `connect` returns the client that they describe."""
    shared = inspect.signature(connection).parameters

    @functools.wraps(command)
    def run(**arguments: Any) -> None:
        said = {name: arguments.pop(name) for name in shared}

        def connect() -> "Kubeflow":
            from cellwright_pipelines.kubeflow import Kubeflow

            return Kubeflow(connection(**said), typer.echo)

        command(**arguments, connect=connect)

    own = [each for each in inspect.signature(command).parameters.values() if each.name != "connect"]
    run.__signature__ = inspect.Signature([*own, *shared.values()])  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in (*own, *shared.values())}
    return run


def _from_environment_and_file() -> list[_Source]:
    from cellwright.cli.settings import Settings, read_settings

    names = {name: f"CELLWRIGHT_{name.upper()}" for name in Settings.model_fields}
    said = {name: value for name, variable in names.items() if (value := os.environ.get(variable))}
    environment = Settings.model_validate(said).model_dump()
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return [
        _Source("the environment", environment, os.environ.get("CELLWRIGHT_TOKEN")),
        _Source(str(folder / "cellwright.toml"), read_settings(folder).model_dump()),
    ]


def _from_pod() -> _Source:
    """Return what a pod is given: its own cluster, and the token that Kubeflow projects."""
    host = os.environ.get("KF_PIPELINES_ENDPOINT")
    if "KUBERNETES_SERVICE_HOST" not in os.environ:
        return _Source("KF_PIPELINES_ENDPOINT", {"host": host})
    token = POD_TOKEN.read_text(encoding="utf-8").strip() if POD_TOKEN.exists() else None
    return _Source("this pod", {"host": host or IN_CLUSTER}, token)


def _token(sources: list[_Source], address: str | None) -> str | None:
    """Return the first source's token that there is, if the address is the one that it belongs to."""
    for number, source in enumerate(sources):
        if (token := source.read_token()) is None:
            continue
        hosts = (each.values.get("host") for each in sources[number:])
        if _origin(next(filter(None, hosts), None)) == _origin(address):
            return token
        typer.echo(
            f"warning: the token of {source.name} belongs to the host beside it and is not sent to {address}: "
            "give that host's with --token-file",
            err=True,
        )
        return None
    return None


def _check(address: str | None) -> None:
    """Refuse what is no address of a server."""
    if address is None:
        return
    scheme, host, _ = _origin(address) or ("", None, None)
    if scheme not in ("http", "https") or not host or not address.isprintable() or " " in address:
        raise CellwrightError(f"--host must be a URL such as http://localhost:8888, got {address!r}")


def _origin(address: str | None) -> tuple[str, str | None, int | None] | None:
    """Return the scheme, host and port of an address; without a scheme it is https, as KFP's client has it."""
    if address is None:
        return None
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        default = {"http": 80, "https": 443}.get(parts.scheme)
        return parts.scheme, parts.hostname, parts.port or default
    except ValueError as error:
        raise CellwrightError(f"--host must be a URL, got {address!r}: {error}") from error


def _is_in_the_clear(address: str | None) -> bool:
    """Return whether others could read what is sent: http that leaves this machine and this cluster."""
    scheme, host, _ = _origin(address) or ("https", None, None)
    host = host or ""
    if (
        scheme == "https"
        or host == "localhost"
        or host.endswith((".localhost", ".svc", ".svc.cluster.local"))
    ):
        return False
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return True


def _read(what: str, path: Path) -> str:
    try:
        return path.expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CellwrightError(f"{what} file {path} cannot be read: {reason}") from error
