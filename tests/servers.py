"""Servers for tests: an MLflow that can be killed and started again at the same address, and an S3 gateway."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "mlflow", "server", "--workers", "1")
APPS = Path(__file__).parents[1] / "images" / "mlflow" / "apps"
SWITCHES = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


ADMINISTRATOR = "administrator"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for_health(address: str) -> None:
    """Wait until the server says that it is healthy, at most a minute."""
    for _ in range(600):
        try:
            urllib.request.urlopen(f"{address}/health").close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"{address}/health does not answer")


class MlflowServer:
    """A server on a SQLite database in the folder; with passwords of its users, only for them."""

    def __init__(self, database: str, folder: Path, passwords: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.database = database
        self.folder = folder
        self.command = [*COMMAND, "--port", str(self.port), "--backend-store-uri", database]
        self.command += ["--artifacts-destination", str(folder / "served")]
        self.environment = os.environ | SWITCHES
        if passwords is not None:
            self.command += ["--app-name", "logins"]
            self.environment |= {
                "PYTHONPATH": str(APPS),
                **{f"{user.upper()}_PASSWORD": passwords[user] for user in passwords},
            }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            wait_for_health(self.address)
        except TimeoutError as error:
            error.add_note((self.folder / "server.log").read_text())
            raise

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None


class S3Gateway:
    """A versitygw, which must be on PATH, over the folder, with one bucket; `objects` is where its bytes are."""

    def __init__(self, folder: Path, bucket: str) -> None:
        program = shutil.which("versitygw")
        assert program is not None, "versitygw must be on PATH"
        self.program, self.bucket, port = program, bucket, free_port()
        self.url = f"http://127.0.0.1:{port}"
        for name in ("buckets", "accounts"):
            (folder / name).mkdir()
        self.objects = folder / "buckets" / bucket
        self.process = subprocess.Popen(
            [program, "--access", ADMINISTRATOR, "--secret", ADMINISTRATOR, "--port", f"127.0.0.1:{port}"]
            + ["--iam-dir", str(folder / "accounts"), "posix", str(folder / "buckets")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(600):
            try:
                self.client(ADMINISTRATOR).create_bucket(Bucket=bucket)
                return
            except Exception:
                time.sleep(0.1)
        raise TimeoutError(f"{program} does not answer")

    def keys(self, name: str) -> dict[str, str]:
        """Return the environment of an account."""
        secret = name if name == ADMINISTRATOR else f"{name}-secret"
        return {"AWS_ACCESS_KEY_ID": name, "AWS_SECRET_ACCESS_KEY": secret, "AWS_ENDPOINT_URL": self.url}

    def client(self, name: str) -> Any:
        import boto3
        from botocore.config import Config

        key, secret, url = self.keys(name).values()
        return boto3.client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
