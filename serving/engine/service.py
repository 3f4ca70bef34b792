"""The gRPC face of one engine: its start, its description, and one stream of commands and tokens per gateway."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Protocol

import grpc

from serving.engine import codec
from serving.engine.codec import StepOutput
from serving.engine.request import Delta, EngineDescription, EngineStats, GenerationRequest
from serving.engine.turns import Cancel, Command, Turn
from serving.process.codec import decode_empty
from serving.process.progress import StartupProgress
from serving.process.startup import Startup


class ServedEngine(Protocol):
    """What the service asks of an engine: `serving.engine.engine.Engine`, or a stand-in for it."""

    description: EngineDescription
    failed: BaseException | None

    def start(self, publish: Callable[[list[Delta], EngineStats], None], announce: Callable[[Turn], None]) -> None:
        """Begin to step on a thread of its own; `publish` is called there once a step, `announce` before each turn."""

    def submit(self, request: GenerationRequest) -> None:
        """Take a request in; thread-safe, returns at once."""

    def cancel(self, request_id: str) -> None:
        """End a request early; thread-safe, harmless when it has ended already."""

    def stop(self) -> None:
        """End the loop; returns when its thread has ended."""


class Connection:
    """One gateway's stream: the requests it has running and what waits to be sent to it.

    Requests' ids are unique within one gateway only, so inside the engine each carries the connection's number.
    """

    def __init__(self, number: int):
        self.number = number
        self.running: set[str] = set()  # ids as the engine knows them
        self._deltas: list[Delta] = []
        self._stats = self._sent = EngineStats()
        self._closed = False
        self._news = asyncio.Event()

    def engine_id(self, request_id: str) -> str:
        """The id that the engine knows a request of this gateway by."""
        return f"{self.number}/{request_id}"

    def put(self, engine_id: str, delta: Delta) -> None:
        """Queue what a step added to one of this gateway's requests; `delta` has the gateway's own id."""
        if delta.finish_reason is not None:
            self.running.discard(engine_id)
        self._deltas.append(delta)
        self._news.set()

    def put_stats(self, stats: EngineStats) -> None:
        """Note the newest gauges; they travel with the deltas, or alone when they changed."""
        self._stats = stats
        self._news.set()

    def close(self) -> None:
        """Let `outputs` end once everything queued has been taken."""
        self._closed = True
        self._news.set()

    async def outputs(self) -> AsyncIterator[StepOutput]:
        """What to send, one item a step; steps that wait for a slow reader become one."""
        while True:
            if self._deltas or self._stats != self._sent:
                deltas, self._deltas, self._sent = tuple(self._deltas), [], self._stats
                yield StepOutput(deltas, self._stats)
            elif self._closed:
                return
            else:
                self._news.clear()
                await self._news.wait()


class EngineService:
    """Serves one engine to any number of gateways. All but `report` belongs to the event loop.

    `on_failure` is called when the engine's loop has failed; to `close` the streams is left to whoever hears of it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_failure: Callable[[BaseException], None]):
        self._loop = loop
        self._on_failure = on_failure
        self._engine: ServedEngine | None = None
        self._stats = EngineStats()
        self._ending = ""  # why streams end, once they do
        self._startup = Startup(loop)
        self._connections: dict[str, Connection] = {}
        self._numbers = itertools.count(1)

    def handler(self) -> grpc.GenericRpcHandler:
        """The service as `grpc.aio.Server.add_generic_rpc_handlers` takes it."""
        return grpc.method_handlers_generic_handler(
            codec.ENGINE_SERVICE,
            {
                "WatchStartup": self._startup.handler(),
                "Describe": grpc.unary_unary_rpc_method_handler(self._describe, decode_empty, codec.encode_description),
                "Generate": grpc.stream_stream_rpc_method_handler(
                    self._generate, codec.decode_command, codec.encode_step
                ),
            },
        )

    def report(self, progress: StartupProgress) -> None:
        """Tell every watcher how far the engine has come; from any thread."""
        self._startup.report(progress)

    def serve(self, engine: ServedEngine, announce: Callable[[Turn], None] = lambda _: None) -> None:
        """Start the engine's loop, which tells `announce` of its turns, and take requests for it from now on."""
        self._engine = engine
        engine.start(self._publish, announce)
        self._startup.note(StartupProgress("ready"))

    def close(self, reason: str) -> None:
        """End every stream for `reason` once what was generated has been sent, and take no new one."""
        self._ending = self._ending or reason
        self._startup.close(reason)
        for connection in self._connections.values():
            connection.close()

    async def stop_engine(self, grace: float) -> None:
        """End the engine's loop; after `grace` seconds its thread is left to itself."""
        if self._engine is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.to_thread(self._engine.stop), grace)

    def _publish(self, deltas: list[Delta], stats: EngineStats) -> None:
        """Hand one step over to the event loop; on the engine's thread."""
        self._loop.call_soon_threadsafe(self._distribute, deltas, stats)

    def _distribute(self, deltas: list[Delta], stats: EngineStats) -> None:
        for delta in deltas:
            number, _, request_id = delta.id.partition("/")
            if connection := self._connections.get(number):
                connection.put(delta.id, replace(delta, id=request_id))
        self._stats = stats
        for connection in self._connections.values():
            connection.put_stats(stats)
        error = self._engine.failed
        if error is not None:
            self._on_failure(error)

    async def _describe(self, _: None, context: grpc.aio.ServicerContext) -> EngineDescription:
        return (await self._ready_engine(context)).description

    async def _generate(self, commands: AsyncIterator[Command], context: grpc.aio.ServicerContext) -> None:
        engine = await self._ready_engine(context)
        await context.send_initial_metadata(())  # tells the gateway that the stream stands
        connection = Connection(next(self._numbers))
        connection.put_stats(self._stats)
        self._connections[str(connection.number)] = connection
        if self._ending:
            connection.close()
        reader = asyncio.create_task(self._obey(commands, engine, connection))
        writer = asyncio.create_task(self._send(connection, context))
        try:
            done, _ = await asyncio.wait((reader, writer), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        finally:
            del self._connections[str(connection.number)]
            for engine_id in connection.running:
                engine.cancel(engine_id)
            reader.cancel()
            writer.cancel()
        if self._ending:
            await context.abort(grpc.StatusCode.UNAVAILABLE, self._ending)

    async def _obey(self, commands: AsyncIterator[Command], engine: ServedEngine, connection: Connection) -> None:
        async for command in commands:
            engine_id = connection.engine_id(command.id)
            if isinstance(command, Cancel):
                engine.cancel(engine_id)
            elif engine_id in connection.running:
                raise ValueError(f"request id {command.id!r} is already running on this stream")
            else:
                connection.running.add(engine_id)
                engine.submit(replace(command, id=engine_id))

    async def _send(self, connection: Connection, context: grpc.aio.ServicerContext) -> None:
        async for output in connection.outputs():
            await context.write(output)

    async def _ready_engine(self, context: grpc.aio.ServicerContext) -> ServedEngine:
        if self._ending:
            await context.abort(grpc.StatusCode.UNAVAILABLE, self._ending)
        if self._engine is None:
            await context.abort(grpc.StatusCode.UNAVAILABLE, f"the engine is not ready: {self._startup.stage}")
        return self._engine
