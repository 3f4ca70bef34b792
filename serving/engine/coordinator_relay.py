"""A way to JAX's coordinator that stays open when the coordinator is gone.

JAX aborts a process, with a stack trace, the moment that its connection to the coordinator breaks. A follower goes
through this relay, whose near side stays open, so that it can end by itself and say why; JAX's heartbeats still end it
where it does not.
"""

import asyncio
import contextlib
import threading

CHUNK = 65536  # bytes


class CoordinatorRelay:
    """Relays connections from a port of this host to `coordinator` (`host:port`), on a thread of its own."""

    def __init__(self, coordinator: str):
        host, _, port = coordinator.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)

    def start(self) -> str:
        """Begins to listen; returns the address, for this host alone."""
        loop = asyncio.new_event_loop()
        threading.Thread(target=loop.run_forever, name="coordinator-relay", daemon=True).start()
        port = asyncio.run_coroutine_threadsafe(self._listen(), loop).result()
        return f"127.0.0.1:{port}"

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    async def _relay(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        try:
            far, to_far = await asyncio.open_connection(self._host, self._port)
        except OSError:
            to_near.close()  # not there yet: JAX will try again
            return
        answers = asyncio.create_task(_carry(far, to_near))  # their end is not the end
        await _carry(near, to_far)
        to_near.close()
        to_far.close()
        await answers


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Passes on what comes until the source ends; that the target is gone, the source need not know."""
    while chunk := await _read(source):
        with contextlib.suppress(OSError):
            target.write(chunk)
            await target.drain()


async def _read(source: asyncio.StreamReader) -> bytes:
    """What comes next, nothing at the end."""
    try:
        return await source.read(CHUNK)
    except OSError:
        return b""
