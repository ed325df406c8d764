import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from cellwright import __version__
from cellwright.cli.app import app

WORK = ["--fresh", "--runs", "--set", "SPEC"]
KUBEFLOW = ["--ca-file", "--host", "--insecure-http", "--namespace", "--token-file"]
COMMANDS = {
    "init": ["--output", "-o", "DATA"],
    "run": WORK,
    "prepare": WORK,
    "search": WORK,
    "retrain": WORK,
    "baselines": WORK,
    "evaluate": WORK,
    "register": WORK,
    "validate": ["--json", "--set", "SPEC"],
    "compile": ["--output", "--set", "-o", "SPEC"],
    "schema": [],
    "show": ["--json", "--runs", "GENOTYPE_OR_RUN"],
    "leaderboard": ["--json", "--runs", "RUN"],
    "watch": ["--runs", *KUBEFLOW, "RUN"],
    "serve": [
        "--every",
        "--host",
        "--max-megabytes",
        "--max-rows",
        "--max-seconds",
        "--port",
        "--record",
        "--record-inputs",
        "--runs",
        "--threads",
        "MODEL",
    ],
    "verify": ["--endpoint", "--runs", "--store-kind", "--tracking-uri", "RUN_OR_STORE_OR_MODEL"],
    "promote": ["--force", "--runs", "--tracking-uri", "--why", "NAME", "VERSION"],
    "rollback": ["--runs", "--tracking-uri", "--why", "NAME"],
    "history": ["--json", "--runs", "--tracking-uri", "NAME"],
    "decide": ["--json", "--runs", "--set", "SPEC"],
    "compare": ["--json", "--runs", "--tracking-uri", "A", "B"],
    "reproduce": ["--json", "--runs", "--set", "--tracking-uri", "MODEL"],
    "predict": ["--csv", "--endpoint", "--json", "--runs", "FILES...", "MODEL"],
    "report": ["--json", "--output", "--runs", "-o", "RUN"],
    "submit": ["--follow", "--name", "--set", *KUBEFLOW, "SPEC"],
    "status": ["--follow", "--json", *KUBEFLOW, "RUN"],
    "logs": [*KUBEFLOW, "RUN", "STEP"],
    "stop": [*KUBEFLOW, "RUN"],
    "runs": ["--count", "--json", *KUBEFLOW],
    "schedule": ["--always", "--cron", "--set", "--timezone", *KUBEFLOW, "SPEC"],
    "schedules": ["--json", *KUBEFLOW],
    "unschedule": [*KUBEFLOW, "NAME"],
    "run-now": ["--follow", *KUBEFLOW, "NAME"],
    "manifest": ["--runs", "--set", "--stage", "SPEC"],
    "doctor": ["--inside", "--json", "--katib-namespace", "--set", "SPEC"],
    "register-suggestions": ["--image", "--katib-namespace"],
}

IMPORTED = """
import json, sys
from cellwright.cli.app import app
for arguments in json.loads(sys.argv[1]):
    try:
        app(arguments)
    except SystemExit as end:
        assert not end.code, arguments
heavy = {"torch", "kfp", "mlflow", "numpy", "sklearn", "yaml", "kubernetes", "boto3"} & set(sys.modules)
sys.exit(f"imported for help: {heavy}" if heavy else 0)
"""


def test_the_command_line_is_as_users_know_it():
    commands = typer.main.get_command(app).commands
    shown = {name: sorted(flags(command)) for name, command in commands.items() if not command.hidden}
    assert shown == {name: sorted(words) for name, words in COMMANDS.items()}


def flags(command) -> list[str]:
    return [
        flag
        for parameter in command.params
        for flag in ([parameter.metavar] if parameter.param_type_name == "argument" else parameter.opts)
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_and_gives_an_example(cellwright, command):
    result = cellwright(command, "--help")
    assert result.exit_code == 0
    assert f"Example  cellwright {command}" in result.stdout
    explanation = typer.main.get_command(app).commands[command].help
    summary, *more = explanation.split("\n\n")
    assert summary.endswith(".") and len(summary) < 80
    assert more


def test_help_needs_nothing_heavy():
    calls = [["--help"], ["--version"], *([command, "--help"] for command in COMMANDS)]
    arguments = [sys.executable, "-c", IMPORTED, json.dumps(calls)]
    result = subprocess.run(arguments, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_no_arguments_give_the_help(cellwright):
    assert "Everything follows from one spec file" in cellwright().output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell):
    asked = {
        "_CELLWRIGHT_COMPLETE": f"complete_{shell}",
        "COMP_WORDS": "cellwright re",
        "COMP_CWORD": "1",
        "_TYPER_COMPLETE_ARGS": "cellwright re",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    command = [Path(sys.executable).with_name("cellwright")]
    result = subprocess.run(command, env=os.environ | asked, capture_output=True, text=True)
    assert {"retrain", "register", "report"} <= set(re.findall(r"[a-z-]+", result.stdout)), result.stderr


def test_the_version_is_printed(cellwright):
    assert cellwright("--version").stdout == f"cellwright {__version__}\n"
