"""Processes that end with the one that started them, however that ends."""

import os
import select
import signal
import threading


def die_with_peer(descriptor: int) -> None:
    """Kill this process as soon as the pipe is closed at its other end, be it read or written here; files never are."""
    watched = os.dup(descriptor)  # the number itself may come to stand for another file

    def watch() -> None:
        poll = select.poll()
        poll.register(watched, 0)
        poll.poll()
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
