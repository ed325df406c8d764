import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow import MlflowClient

from cellwright.credentials import without_credentials
from cellwright.errors import CellwrightError
from cellwright.tracking import MlflowTracker, ui_command
from cellwright.tracking import connection as _connection


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://bob:secret@host:5000/x", "https://host:5000/x"),
        ("postgresql://bob:s@cret@db/mlflow", "postgresql://db/mlflow"),
        ("from http://a:b@one and s3://c@two/k", "from http://one and s3://two/k"),
        ("https://host/path@2", "https://host/path@2"),
        ("models:/net@champion", "models:/net@champion"),
        ("sqlite:////runs/mlflow.db", "sqlite:////runs/mlflow.db"),
        ("sqlite:////home/me@work/mlflow.db", "sqlite:////home/me@work/mlflow.db"),
        ("http://bob:sec/ret@host/x", "http://host/x"),
        ("MLflow at http://host:5000, experiment a@b", "MLflow at http://host:5000, experiment a@b"),
    ],
)
def test_credentials_are_dropped(text: str, shown: str):
    assert without_credentials(text) == shown


@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("http://bob:secret@127.0.0.1:9", "no server answers there .*Connection refused"),
        ("sqlite:///{folder}/junk.txt", "file is not a database"),
        ("sqlite:///{folder}", "unable to open database file"),
        ("sqlite:///{folder}/junk.txt/mlflow.db", "File exists"),
        ("file:///{folder}", "filesystem tracking backend"),
        ("ftp://host/x", "unsupported URI"),
    ],
)
def test_a_bad_uri_gives_one_line(tmp_path: Path, uri: str, reason: str):
    (tmp_path / "junk.txt").write_text("no database, but longer than a header of SQLite " * 9)

    with pytest.raises(CellwrightError, match=reason) as caught:
        MlflowTracker(uri=uri.format(folder=tmp_path), experiment="cells")

    message = str(caught.value)
    assert message.startswith("MLflow at ")
    assert "experiment 'cells'" in message
    assert "secret" not in message
    assert "\n" not in message


def test_the_page_of_a_database_is_served_by_mlflow():
    words = shlex.split(ui_command("sqlite:////a folder/mlflow.db"))

    assert words[2:5] == [sys.executable, "-m", "mlflow"]
    assert words[-2:] == ["--backend-store-uri", "sqlite:////a folder/mlflow.db"]


def test_the_page_of_a_server_is_the_server():
    assert ui_command("https://bob:secret@host/ml") == f"{sys.executable} -m webbrowser https://host/ml"


def test_files_lie_beside_the_database(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    MlflowTracker(uri="sqlite:///mlflow.db", experiment="here")
    MlflowTracker(uri="sqlite:///mlflow.db", experiment="there", artifact_location="s3://bucket/there")

    client = MlflowClient(uri)
    assert client.get_experiment_by_name("here").artifact_location == (tmp_path / "artifacts").as_uri()
    assert client.get_experiment_by_name("there").artifact_location == "s3://bucket/there"


def test_killed_migrations_leave_no_database(
    tmp_path: Path, killed_at: Callable[[object, str, int, Callable[[], object]], None]
):
    path = tmp_path / "mlflow.db"

    killed_at(os, "link", 1, lambda: _connection.connect(f"sqlite:///{path}"))

    assert not path.exists()
