"""One retriever as the gateway sees it: documents go in, passages come out."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import grpc

from serving.fleet.served_process import ReplicaUnavailable, ServedProcess
from serving.process.channel import KEEPALIVE
from serving.process.codec import encode_empty
from serving.retriever import codec
from serving.retriever.request import (
    Adding,
    Collection,
    Conflict,
    Document,
    Hit,
    InCollection,
    InvalidRetrieval,
    Listing,
    NotFound,
    OneDocument,
    Query,
    Receipt,
    RetrieverDescription,
    RetrieverStats,
    Searching,
    Upload,
)

RETRY = 2.0  # seconds; an encoder with compiled programs at hand is soon back


class RetrieverReplica(ServedProcess):
    """One retriever's client.

    Every call raises ReplicaUnavailable, at once unless the replica is ready, and when the retriever dies or misses its
    encoder; InvalidRetrieval for what is not accepted, NotFound for what the tenant does not have, and Conflict for a
    collection of another encoder. Cancelling the task that waits ends the call.
    """

    kind = "retriever"
    methods = codec.METHODS

    def __init__(
        self,
        name: str,
        *,
        on_change: Callable[["RetrieverReplica"], None] = lambda _: None,
        keepalive: float = KEEPALIVE,
    ) -> None:
        super().__init__(name, on_change=on_change, keepalive=keepalive)
        self.description: RetrieverDescription | None = None
        self.stats = RetrieverStats()
        self._calls: dict[str, grpc.aio.UnaryUnaryMultiCallable] = {}  # while there is a connection

    async def create(self, tenant: str, name: str) -> Collection:
        """The tenant's collection of that name, made when there is none."""
        return await self._call("Create", InCollection(tenant, name))

    async def collections(self, tenant: str) -> Sequence[Collection]:
        """The tenant's collections by name."""
        return (await self._call("List", InCollection(tenant))).items

    async def collection(self, tenant: str, name: str) -> Collection:
        """One of them."""
        return await self._call("Get", InCollection(tenant, name))

    async def drop(self, tenant: str, name: str) -> None:
        """Removes a collection with all its documents."""
        await self._call("Drop", InCollection(tenant, name))

    async def add(self, tenant: str, collection: str, uploads: Sequence[Upload]) -> Sequence[Receipt]:
        """Takes documents in, to be read soon, all or none; the collection is made when there is none.

        When this returns, they outlive a crash.
        """
        return (await self._call("Add", Adding(tenant, collection, tuple(uploads)))).items

    async def documents(self, tenant: str, collection: str, after: str = "", limit: int = 100) -> Sequence[Document]:
        """Documents by id, those after `after`."""
        return (await self._call("ListDocuments", Listing(tenant, collection, after, limit))).items

    async def document(self, tenant: str, collection: str, id: str) -> Document:
        """One document."""
        return await self._call("GetDocument", OneDocument(tenant, collection, id))

    async def delete(self, tenant: str, collection: str, id: str) -> None:
        """Removes a document; no search finds it when this returns."""
        await self._call("DeleteDocument", OneDocument(tenant, collection, id))

    async def search(self, tenant: str, collection: str, query: Query) -> Sequence[Hit]:
        """The passages that answer a query, best first."""
        return (await self._call("Search", Searching(tenant, collection, query))).items

    async def _call(self, name: str, request: Any) -> Any:
        self._require_ready()
        try:
            return await self._calls[name](request)
        except grpc.aio.AioRpcError as error:
            match error.code():
                case grpc.StatusCode.NOT_FOUND:
                    raise NotFound(error.details()) from None
                case grpc.StatusCode.INVALID_ARGUMENT:
                    raise InvalidRetrieval(error.details()) from None
                case grpc.StatusCode.FAILED_PRECONDITION:
                    raise Conflict(error.details()) from None
                case grpc.StatusCode.ABORTED | grpc.StatusCode.INTERNAL:
                    raise ReplicaUnavailable(error.details(), RETRY) from None
            raise self.unavailable() from error
        except asyncio.CancelledError:
            if asyncio.current_task().cancelling():
                raise
            raise self.unavailable() from None  # the connection was closed, and this call with it

    async def _carry(self, channel: grpc.aio.Channel) -> None:
        self._calls = {
            name: channel.unary_unary(call.path, call.encode_request, call.decode_answer)
            for name, call in codec.CALLS.items()
        }
        self.description = await self._calls["Describe"](None)
        stats = channel.unary_stream(codec.METHODS["WatchStats"], encode_empty, codec.decode_stats)(None)
        await stats.initial_metadata()  # the retriever sends it when the stream stands
        if not stats.done():
            self._ready()
        async for self.stats in stats:
            pass

    def _end_requests(self) -> None:
        """The connection has ended, and all calls with it."""
        self.stats = RetrieverStats()
        self._calls = {}
