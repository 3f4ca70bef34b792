"""A peer that falls silent, as a host without power does, is given up by either end."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import pytest

from serving.engine import codec
from serving.engine.leader import Followers
from serving.engine.member import Member
from serving.process.channel import channel_options, server_options

PATIENT = 3600.0
SOON = 0.2


class Wire:
    """A line to a port; once cut, it passes nothing on and ends nothing."""

    def __init__(self, port: int):
        self._port = port
        self._whole = asyncio.Event()
        self._whole.set()

    async def __aenter__(self) -> "Wire":
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    def cut(self) -> None:
        self._whole.clear()

    async def _connect(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        far, to_far = await asyncio.open_connection("127.0.0.1", self._port)
        await asyncio.gather(self._carry(near, to_far), self._carry(far, to_near))

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while chunk := await source.read(65536):
            await self._whole.wait()
            target.write(chunk)
        target.close()


class Leader:
    """One that waits for one follower, by a wire."""

    def __init__(self, patience: float):
        self.losses: asyncio.Queue[str] = asyncio.Queue()
        self.followers = Followers(Member(0, 2, "host0"), self.losses.put_nowait)
        self.server = grpc.aio.server(options=server_options(patience))
        self.server.add_generic_rpc_handlers((self.followers.handler(),))
        self.port = self.server.add_insecure_port("127.0.0.1:0")


def channel_to(wire: Wire, patience: float) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(wire.address, options=channel_options(patience))


async def join(channel: grpc.aio.Channel, leader: Leader) -> grpc.aio.StreamStreamCall:
    stream = channel.stream_stream(codec.METHODS["Follow"], codec.encode_report, codec.decode_turn)()
    await stream.write(Member(1, 2, "host1"))
    await leader.followers.join(lambda progress: None)
    await stream.initial_metadata()
    return stream


@pytest.fixture
async def connect() -> AsyncIterator:
    started: list[Leader] = []

    async def start(leader_patience: float) -> Leader:
        started.append(Leader(leader_patience))
        await started[-1].server.start()
        return started[-1]

    async with asyncio.timeout(60):
        yield start
    for leader in started:
        await leader.server.stop(None)


async def test_the_leader_gives_up_a_silent_follower(connect):
    leader = await connect(SOON)
    async with Wire(leader.port) as wire, channel_to(wire, PATIENT) as channel:
        await join(channel, leader)
        wire.cut()
        assert await leader.losses.get() == "process 1/2 of this replica was lost (host host1)"


async def test_a_follower_gives_up_a_silent_leader(connect):
    leader = await connect(PATIENT)
    async with Wire(leader.port) as wire, channel_to(wire, SOON) as channel:
        stream = await join(channel, leader)
        wire.cut()
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await stream.read()
        assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
