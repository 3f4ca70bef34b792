"""The relay to JAX's coordinator, with plain sockets at both ends."""

import asyncio

from serving.engine.coordinator_relay import CoordinatorRelay


async def connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = address.split(":")
    return await asyncio.open_connection(host, int(port))


async def test_it_relays_both_ways_and_stays_open_when_the_far_end_is_gone():
    arrived: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    server = await asyncio.start_server(lambda *ends: arrived.put_nowait(ends), "127.0.0.1", 0)
    address = CoordinatorRelay(f"127.0.0.1:{server.sockets[0].getsockname()[1]}").start()
    async with asyncio.timeout(20):
        near, to_near = await connect(address)
        far, to_far = await arrived.get()
        to_near.write(b"register")
        assert await far.readexactly(8) == b"register"
        to_far.write(b"registered")
        to_far.close()
        assert await near.readexactly(10) == b"registered"
        to_near.write(b"heartbeat" * 100_000)  # into the void; a closed connection would raise in the end
        await to_near.drain()
        assert not near.at_eof()
        to_near.write_eof()
        assert await near.read() == b""
    server.close()


async def test_it_hangs_up_at_once_while_the_far_end_is_not_there(unused_tcp_port):
    address = CoordinatorRelay(f"127.0.0.1:{unused_tcp_port}").start()
    async with asyncio.timeout(20):
        near, _ = await connect(address)
        assert await near.read() == b""
