"""The process that `LiveLogging` starts beside a step: sends each record that it is handed, the newest first.

Lines on its standard input: the target and the pace, then notes. Lines on its standard output: what people should
know. It ends with the step, however that ends; after the last note it tries once more to send what is left.
"""

import json
import os
import sys
import threading
from queue import Empty, SimpleQueue

from cellwright.errors import CellwrightError
from cellwright.exit_with_parent import exit_with_peer
from cellwright.tracking import MlflowTracker
from cellwright.tracking.live import Note, Pace, Target, read_note
from cellwright.tracking.retrying import MlflowUnavailable

NICE = 10
TIMEOUT = 10
"""Seconds after which a server that does not answer counts as away."""


def main() -> None:
    """Send notes until the last one."""
    exit_with_peer(sys.stdin.fileno())
    os.nice(NICE)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(TIMEOUT))
    target, pace = json.loads(sys.stdin.readline())
    notes: SimpleQueue[Note] = SimpleQueue()
    threading.Thread(target=_read, args=(notes,), daemon=True).start()
    try:
        _send(Target(**target), notes, Pace(**pace))
    except CellwrightError as error:
        print(f"{error}; nothing more is logged before the end", flush=True)


def _read(notes: "SimpleQueue[Note]") -> None:
    """Keep the pipe empty, so that the step never waits."""
    for line in sys.stdin:
        notes.put(read_note(line))


def _send(target: Target, notes: "SimpleQueue[Note]", pace: Pace) -> None:
    tracker: MlflowTracker | None = None
    is_away = False
    note = notes.get()
    while True:
        try:
            tracker = tracker or MlflowTracker(
                uri=target.uri, experiment=target.experiment, run_id=target.run_id
            )
            tracker.log_run(note.record, status=note.status)
            if is_away:
                print("MLflow answers again", flush=True)
            is_away = False
        except MlflowUnavailable as error:
            if not is_away:
                print(f"{error}; continuing; what is new is sent later", flush=True)
            is_away = True
        if note.is_last:
            return
        note = _newest(notes, note, pace.every if is_away else None)


def _newest(notes: "SimpleQueue[Note]", note: Note, timeout: float | None) -> Note:
    """Wait for a newer note, or no longer than that; pass over those that an even newer one replaces."""
    try:
        note = notes.get(timeout=timeout)
        while True:
            note = notes.get_nowait()
    except Empty:
        return note


if __name__ == "__main__":
    main()
