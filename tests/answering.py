"""A server that gives fixed answers, in the place of one that people have by mistake."""

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

HEALTHY = b'{"commit_sha":"unknown", "tag_name":"unknown", "multi_user":false, "pipeline_store": "database"}'
"""What Kubeflow Pipelines 2.14 says of its health."""


class Answer(NamedTuple):
    """What is answered to a request."""

    body: bytes = b""
    kind: str = "application/json"
    status: int = 200


@contextmanager
def answering(answer: Callable[[str, str], Answer]) -> Iterator[str]:
    """Serve on this machine, and give the address.

    Args:
        answer: called with the method and the path of each request.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            given = answer(self.command, self.path)
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(given.status)
            self.send_header("content-type", given.kind)
            self.send_header("content-length", str(len(given.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(given.body)

        do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
