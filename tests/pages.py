"""README and docs, as tests read them: their code and their commands, in order."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from typer.testing import CliRunner

from cellwright.cli.app import app
from cellwright.folders import claim
from cellwright.progress import Progress
from cellwright.report.lines import RUN_LOG, LineProgress
from cellwright.spec import SearchSpec
from cellwright.steps.running import run_until

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "ARCHITECTURE.md"]
PAGES += sorted((ROOT / "docs").rglob("*.md"))
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = (
    "cellwright",
    "make",
    "python",
    "kubectl",
    "torchrun",
    "mlflow",
    "curl",
    "export",
    "cat",
    "printf",
    "pre-commit",
)
COMMAND = re.compile(rf"([A-Z_]+=\S+ )*({'|'.join(PROGRAMS)}) ")


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a language."""
    return [text for found, text in FENCED.findall(page.read_text()) if found == language]


def python(name: str, start: str) -> str:
    """Return the one block of Python of a page in docs that starts so."""
    (found,) = (block for block in blocks(ROOT / "docs" / name, "python") if block.startswith(start))
    return found


def commands(page: Path) -> list[str]:
    """Return the commands of the indented blocks and blocks of shells of a page, each on one line with its pipe."""
    shells = re.sub(r"^```sh\n(.*?)^```", lambda found: re.sub("^", "    ", found[1], flags=re.MULTILINE),
                    page.read_text(), flags=re.MULTILINE | re.DOTALL)  # fmt: skip
    indented = "\n".join(line for line in FENCED.sub("", shells).splitlines() if line.startswith("    "))
    lines = (line.strip() for line in re.sub(r"\\\n +", "", indented).splitlines())
    return [re.sub(r" +# .*$", "", line) for line in lines if COMMAND.match(line)]


def words_of(command: str) -> list[str]:
    """Return the words of a command as a shell has them, with its patterns of files filled in."""
    done = subprocess.run(
        ["bash", "-c", f'printf "%s\\0" {command}'], capture_output=True, text=True, check=True
    )
    return done.stdout.split("\0")[:-1]


def call(command: str, *more: str) -> str:
    """Run a command of cellwright in this process, with what is piped into it, and return what it prints."""
    piped, _, line = command.rpartition(" | ")
    given = subprocess.run(["bash", "-c", piped], capture_output=True, check=True).stdout if piped else None
    program, *words = words_of(line)
    assert program == "cellwright", command
    done = CliRunner().invoke(app, [*words, *more], input=given)
    assert done.exit_code == 0, f"{command}: {done.output}"
    return done.stdout


def with_settings(*overrides: str) -> list[str]:
    """Return the words that set keys of a spec."""
    return [word for override in overrides for word in ("--set", override)]


def run_in_this_process(spec: SearchSpec, workspace: Path, progress: Progress) -> Mapping[str, Path]:
    """Run the steps of a pipeline without starting processes; `test_whole_pipeline` starts them."""
    claim(workspace / RUN_LOG)
    with (workspace / RUN_LOG).open("w", encoding="utf-8") as log:
        return run_until("register", spec, workspace, LineProgress(log))
