"""What the suggestion image runs: `python -m cellwright.katib`."""

import argparse
import logging
import os
import signal
import threading

from cellwright.katib.service import PORT, serve
from cellwright.katib.settings import OWN_CODE

GRACE = 5.0
"""Grace period in seconds for running requests when the pod is terminated."""


def main() -> None:
    """Serve until the process is terminated."""
    parser = argparse.ArgumentParser(prog="python -m cellwright.katib", description=__doc__)
    parser.add_argument("--port", type=int, default=PORT, help="where to listen, %(default)s unless given")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    told_to_end = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told_to_end.set())
    server, port = serve(arguments.port, with_own_code=os.environ.get(OWN_CODE) == "1")
    logging.info("listening on port %d", port)
    told_to_end.wait()
    server.stop(GRACE).wait()


if __name__ == "__main__":
    main()
