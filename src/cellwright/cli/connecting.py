"""How Kubeflow Pipelines is reached: options first, then the environment, then the user's file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cellwright.errors import CellwrightError

IN_CLUSTER = "http://ml-pipeline.kubeflow.svc:8888"
POD_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
"""Where Kubeflow projects a pod's token for pipelines."""

if TYPE_CHECKING:
    from cellwright_pipelines.kubeflow import Connection

Host = Annotated[
    str | None,
    typer.Option(
        "--host",
        metavar="URL",
        show_default=False,
        help="Address of the API of Kubeflow Pipelines; through the kubeconfig, or this pod's cluster, unless said.",
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
    typer.Option("--token-file", metavar="FILE", show_default=False, help="File with a bearer token."),
]


def connection(host: str | None, namespace: str | None, token_file: Path | None) -> "Connection":
    """Return how to reach Kubeflow Pipelines.

    Raises:
        CellwrightError: the user's file, or that of the token, cannot be read.
    """
    from cellwright.cli.settings import Settings, read_settings
    from cellwright_pipelines.kubeflow import Connection

    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    environment = {
        name: value
        for name in Settings.model_fields
        if (value := os.environ.get(f"CELLWRIGHT_{name.upper()}"))
    }
    options = {"host": host, "namespace": namespace, "token_file": token_file}
    said: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    settings = Settings.model_validate({**read_settings(folder).model_dump(), **environment, **said})
    token = os.environ.get("CELLWRIGHT_TOKEN")
    if settings.host is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        settings = settings.model_copy(update={"host": os.environ.get("KF_PIPELINES_ENDPOINT", IN_CLUSTER)})
        token = token or (POD_TOKEN.read_text().strip() if POD_TOKEN.exists() else None)
    if settings.token_file is not None:
        try:
            token = settings.token_file.expanduser().read_text(encoding="utf-8").strip()
        except OSError as error:
            raise CellwrightError(
                f"token file {settings.token_file} cannot be read: {error.strerror}"
            ) from error
    return Connection(host=settings.host, namespace=settings.namespace, token=token)
