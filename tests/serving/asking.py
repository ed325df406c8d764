"""A client that asks a server all the time, while others move the champion."""

import json
import threading
import time
import urllib.request

from cellwright.serving.server import VERSION

PAUSE = 0.02


class Client:
    """Asks 50 times a second, until it is stopped, and counts who answered what."""

    def __init__(self, address: str, body: bytes) -> None:
        self.address, self.body = address, body
        self.answers: list[tuple[str, str]] = []
        self.errors: list[str] = []
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._ask)

    def _ask(self) -> None:
        due = time.monotonic()
        while not self.stopped.is_set():
            try:
                with urllib.request.urlopen(self.address, self.body, timeout=60) as answer:
                    [prediction] = json.load(answer)["predictions"]
                    self.answers.append((answer.headers[VERSION], prediction["label"]))
            except OSError as error:
                self.errors.append(repr(error))
            due = max(due + PAUSE, time.monotonic() - 1)
            self.stopped.wait(max(0.0, due - time.monotonic()))

    def wait_for(self, version: str, *, times: int = 1) -> None:
        """Wait until so many answers in a row are of a version; each of several servers follows by itself."""
        for _ in range(6000):
            if [of for of, _ in self.answers[-times:]] == [version] * times:
                return
            time.sleep(0.02)
        raise TimeoutError(f"{version} did not answer, but {self.answers[-1:]}, {self.errors[-1:]}")
