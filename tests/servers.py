"""An MLflow server that can be killed, and started again at the same address."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path

COMMAND = (sys.executable, "-m", "mlflow", "server", "--workers", "1")
APPS = Path(__file__).parents[1] / "images" / "mlflow" / "apps"
SWITCHES = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


class MlflowServer:
    """A server on a SQLite database in the folder; with passwords of its users, only for them."""

    def __init__(self, database: str, folder: Path, passwords: Mapping[str, str] | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
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
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.address}/health").close()
                return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError((self.folder / "server.log").read_text())

    def kill(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None
