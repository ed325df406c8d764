"""A TCP proxy in front of a server, which does to connections what bad networks and busy servers do."""

import asyncio
import socket
import struct
import threading
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

Break = Literal["reset", "close", "hang"]
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """Between clients of `url` and the server at `endpoint`.

    Attributes:
        received: bytes that clients were sent.
        connections: that were answered.
        hung: set as soon as a connection hangs.
    """

    def __init__(self, endpoint: str, host: str = "127.0.0.1") -> None:
        self._host = host
        address = urlsplit(endpoint)
        self._upstream = (address.hostname or "", address.port or 80)
        self._breaking: tuple[Break, int, int] | None = None
        self._busy = False
        self._open: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self.received = 0
        self.connections = 0
        self.hung = threading.Event()

    def breaks(self, how: Break, after: int, *, times: int = 1_000_000) -> None:
        """Break that many connections, each after so many bytes of answers."""
        self._breaking = (how, after, times)

    def heal(self) -> None:
        """Break nothing from now on."""
        self._breaking = None
        self._call(self._drop())

    def refuse(self, seconds: float) -> None:
        """Drop all connections and accept none, for so long."""
        self._call(self._shut())
        asyncio.run_coroutine_threadsafe(self._listen_after(seconds), self._loop)

    def answer_busy(self, seconds: float) -> None:
        """Answer every request with 503, for so long."""
        self._busy = True
        self._call(self._drop())
        self._loop.call_soon_threadsafe(self._loop.call_later, seconds, setattr, self, "_busy", False)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._port = 0
        self._call(self._listen())
        self.url = f"http://{self._host}:{self._port}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._shut())
        self._call(self._cancel())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._host, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _listen_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self._listen()

    async def _shut(self) -> None:
        self._server.close()
        await self._drop()

    async def _drop(self) -> None:
        for client in self._open.values():
            client.transport.abort()

    async def _cancel(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.1)  # in which the transports close

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._open[task] = client  # asyncio itself lets go of the tasks of connections that are lost
        self.connections += 1
        try:
            if self._busy:
                await reader.readuntil(b"\r\n\r\n")
                client.write(BUSY)
                await client.drain()
                return
            answers, server = await asyncio.open_connection(*self._upstream)
            both = [
                asyncio.ensure_future(_pump(reader, server)),
                asyncio.ensure_future(self._answer(answers, client)),
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in both:
                    one.cancel()
                await asyncio.gather(*both, return_exceptions=True)
                server.close()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            client.close()
            del self._open[task]

    async def _answer(self, answers: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        sent = 0
        while data := await answers.read(1 << 16):
            breaking = self._breaking
            if breaking and sent + len(data) > breaking[1] and breaking[2] > 0:
                how, after, times = breaking
                self._breaking = (how, after, times - 1)
                await self._send(client, data[: after - sent])
                if how == "hang":
                    self.hung.set()
                    await asyncio.sleep(3600)
                if how == "reset":  # which takes along what the client has not read yet
                    await asyncio.sleep(0.02)
                    linger = struct.pack("ii", 1, 0)
                    client.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    client.transport.abort()
                return
            await self._send(client, data)
            sent += len(data)

    async def _send(self, client: asyncio.StreamWriter, data: bytes) -> None:
        client.write(data)
        self.received += len(data)
        await client.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
