"""A process from which trials are forked, so that what they import is imported once.

It reads folders from standard input, as JSON, one line each. Each trial is a fork with its output in the trial's log.
When it ends, its exit code is a line on standard output. The process and its trial end with standard input.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from cellwright.exit_with_parent import exit_with_peer
from cellwright.forks import CAN_FORK, fork

LOG = "trial.log"


def serve(run: Callable[[Path], None]) -> None:
    """Run the trials whose folders standard input names, one after the other.

    Where processes cannot be forked, this one ends with its first trial.
    """
    for line in sys.stdin:
        folder = Path(json.loads(line))
        trial = fork() if CAN_FORK else 0
        if trial == 0:
            _run_and_exit(run, folder)
        _, status = os.waitpid(trial, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run_and_exit(run: Callable[[Path], None], folder: Path) -> None:
    exit_with_peer(0)
    log = os.open(folder / LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = 1
    try:
        run(folder)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
