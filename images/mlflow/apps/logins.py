"""Logins for MLflow's server, which `mlflow server --app-name logins` starts instead of its open app.

There are three users, whose passwords are in the environment (VIEWER_PASSWORD and so on):

    viewer     reads; there is none where no password is given
    steps      also writes runs, registers models, and says what a gate decided; it sets no alias but `challenger`,
               deletes nothing, and changes no file of a model that is complete
    promotion  may do everything: it alone says which version is the champion

Whatever is not listed here is refused. With MLflow's own app for users, basic-auth, whoever creates a model manages it,
and whoever may edit a model may set its aliases.
"""

import asyncio
import base64
import hmac
import json
import os
import re
from collections.abc import Mapping
from typing import Any

from mlflow.entities import LoggedModelStatus
from mlflow.exceptions import MlflowException
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

VIEWER, STEPS, PROMOTION = USERS = ("viewer", "steps", "promotion")
SHORTEST_PASSWORD = 16
LARGEST_BODY = 1 << 20
"""Bytes of a request that must be read to know whether it is allowed."""

Values = dict[str, Any]
API = r"/(?:ajax-)?api/[23]\.0/mlflow"
FAMILIES = "experiments|runs|metrics|artifacts|logged-models|registered-models|model-versions|traces|datasets"
READS = re.compile(
    rf"(?:GET|HEAD) (?:/|/version|/graphql|/static-files/.+|(?:/model-versions)?/get-artifact|{API}-artifacts/.+"
    rf"|{API}/(?:{FAMILIES}|server-info|ui-telemetry)(?:/.+)?)"
    rf"|POST (?:/graphql|{API}/(?:(?:experiments|runs|logged-models|traces|datasets)/search"
    r"|experiments/search-datasets|registered-models/get-latest-versions|artifacts/presigned-download-url))"
)
WRITES = re.compile(
    rf"POST {API}/(?:experiments/set-experiment-tag|registered-models/create|logged-models|logged-models/[^/]+/params"
    r"|runs/(?:create|update|log-batch|log-metric|log-parameter|log-inputs|outputs|set-tag|delete-tag))"
    rf"|PATCH {API}/logged-models/[^/]+/tags"
)
FILE = re.compile(
    rf"PUT {API}-artifacts/artifacts/[^/]+/(?:models/(?P<model>[^/]+)|[0-9a-f]{{32}})/artifacts"
    r"(?:/(?!\.{1,2}(?:/|$))[\w .,=@()+-]+)+"
)
"""A file of a model or of a run, by a name that no server decodes to another one."""


class Logins:
    """MLflow's app, for those who log in, and for what they may do."""

    def __init__(self, app: ASGIApp, passwords: Mapping[str, str]) -> None:
        """Guard `app` with a password for each user."""
        self._app = app
        self._users = {
            user: base64.b64encode(f"{user}:{password}".encode()) for user, password in passwords.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on, or answer 401 or 403."""
        if scope["type"] == "lifespan" or (scope["type"] == "http" and scope["path"] == "/health"):
            await self._app(scope, receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
        elif (user := self._user(Headers(scope=scope).get("authorization", ""))) is None:
            refusal = _refusal(
                401, "UNAUTHENTICATED", "needs MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
            await refusal(scope, receive, send)
        elif (allowed := await _allowed(user, f"{scope['method']} {scope['path']}", receive)) is not None:
            await self._app(scope, allowed, send)
        else:
            said = f"{user} may not {scope['method']} {scope['path']}"
            await _refusal(403, "PERMISSION_DENIED", said)(scope, receive, send)

    def _user(self, authorization: str) -> str | None:
        scheme, _, login = authorization.partition(" ")
        same = [
            user for user, known in self._users.items() if hmac.compare_digest(known, login.strip().encode())
        ]
        return same[0] if same and scheme.lower() == "basic" else None


def _refusal(status: int, code: str, message: str) -> JSONResponse:
    headers = {"WWW-Authenticate": 'Basic realm="mlflow"'} if status == 401 else {}
    return JSONResponse({"error_code": code, "message": message}, status, headers)


async def _allowed(user: str, request: str, receive: Receive) -> Receive | None:
    """Return where MLflow gets the request's body from, None if the user may not make the request."""
    if user == PROMOTION or READS.fullmatch(request):
        return receive
    if user != STEPS:
        return None
    if WRITES.fullmatch(request):
        return receive
    if found := FILE.fullmatch(request):
        if found["model"] is None:
            return receive
        return _while_incomplete(found["model"], receive) if await _is_incomplete(found["model"]) else None
    for pattern, is_allowed in CHECKED:
        if found := pattern.fullmatch(request):
            body = await _read(receive)
            return _again(body, receive) if await is_allowed(_values(body), **found.groupdict()) else None
    return None


async def _is_experiment(values: Values) -> bool:
    """Refuse an experiment whose files are at a place of its own: that can be anywhere."""
    return {"name"} <= values.keys() <= {"name", "tags"}


async def _is_challenger(values: Values) -> bool:
    return values.keys() == {"name", "alias", "version"} and values["alias"] == "challenger"


async def _is_of_gate(values: Values) -> bool:
    """Allow the tag of what a gate decided, but not, for example, that of the digests of files."""
    is_gate = re.fullmatch(r"cellwright\.gate(\.[0-9]+)?", str(values.get("key"))) is not None
    return is_gate and values.keys() == {"name", "version", "key", "value"}


async def _is_of_complete_model(values: Values) -> bool:
    if not values.keys() <= {"name", "source", "run_id", "model_id", "tags", "description"}:
        return False
    model = await _logged_model(str(values.get("model_id")))
    is_complete = model is not None and model.status == LoggedModelStatus.READY
    return is_complete and values.get("source") == model.artifact_location


async def _completes(values: Values, model: str) -> bool:
    """Require the model of the address in the body too, which is what MLflow goes by."""
    return (
        values.keys() == {"model_id", "status"}
        and values["model_id"] == model
        and await _is_incomplete(model)
    )


CHECKED = tuple(
    (re.compile(pattern), is_allowed)
    for pattern, is_allowed in (
        (rf"POST {API}/experiments/create", _is_experiment),
        (rf"POST {API}/registered-models/alias", _is_challenger),
        (rf"POST {API}/model-versions/create", _is_of_complete_model),
        (rf"POST {API}/model-versions/set-tag", _is_of_gate),
        (rf"PATCH {API}/logged-models/(?P<model>[^/]+)", _completes),
    )
)


def _values(body: bytes) -> Values:
    """Return a request's JSON object; an empty one, which no check allows, for anything else."""
    try:
        values = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


async def _logged_model(model_id: str) -> Any:
    from mlflow.server.handlers import _get_tracking_store

    try:
        return await asyncio.to_thread(lambda: _get_tracking_store().get_logged_model(model_id))
    except MlflowException:
        return None


async def _is_incomplete(model_id: str) -> bool:
    model = await _logged_model(model_id)
    return model is not None and model.status == LoggedModelStatus.PENDING


def _while_incomplete(model_id: str, receive: Receive) -> Receive:
    """Look again when the last bytes have come, since they may take as long as the sender likes."""

    async def checked() -> Message:
        message = await receive()
        if (
            message["type"] == "http.request"
            and not message.get("more_body")
            and not await _is_incomplete(model_id)
        ):
            raise PermissionError(f"{model_id} was completed while a file of it was sent")
        return message

    return checked


async def _read(receive: Receive) -> bytes:
    """Return a request's body; nothing where it is too large to be allowed."""
    body, more = b"", True
    while more and len(body) <= LARGEST_BODY:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body if len(body) <= LARGEST_BODY else b""


def _again(body: bytes, receive: Receive) -> Receive:
    """Give a body that has been read, and then what else comes."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message


def passwords(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the users' passwords from the environment.

    Raises:
        ValueError: one is missing or too short, or two are the same; names the variable.
    """
    found = {user: environ[name] for user in USERS if (name := f"{user.upper()}_PASSWORD") in environ}
    for user in {STEPS, PROMOTION, *found}:
        if len(found.get(user, "")) < SHORTEST_PASSWORD:
            raise ValueError(f"{user.upper()}_PASSWORD must have at least {SHORTEST_PASSWORD} characters")
    if len(set(found.values())) < len(found):
        raise ValueError(f"each of {', '.join(found)} must have a password of its own")
    return found


def create_app() -> ASGIApp:
    """Return MLflow's app behind logins; MLflow's command calls this in the process that serves."""
    guarded = passwords(os.environ)
    from mlflow.server.fastapi_app import app

    return Logins(app, guarded)
