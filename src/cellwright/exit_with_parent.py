"""Lets a process exit when its parent exits, for whatever reason."""

import os
import select
import signal
import threading


def exit_with_peer(descriptor: int) -> None:
    """Kill this process as soon as the other end of the pipe is closed. Works for either end; files never close."""
    watched = os.dup(descriptor)  # the original number may be reused for another file

    def watch() -> None:
        poll = select.poll()
        poll.register(watched, 0)
        poll.poll()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
