"""The HTTP client with servers that end bodies, and connections, in every way there is."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from serving.bench.errors import BenchError
from serving.bench.http import HttpClient


class Whole:
    status = 0
    body = b""

    def begin(self, status: int) -> None:
        self.status = status

    def data(self, data: bytes, at: float) -> None:
        self.body += data


class Connections:
    """Plays to each connection what it was told, a piece for every request that arrives; then closes."""

    def __init__(self, *scripts: list[bytes]):
        self.scripts = list(scripts)
        self.requests: list[list[bytes]] = []
        self.closed_by_peer = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self.requests)
        self.requests.append([])
        for answer in self.scripts[number]:
            self.requests[number].append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
        if not self.scripts[number][-1].endswith(b"..."):
            writer.close()
        elif not await reader.read():
            self.closed_by_peer.set()
            writer.close()


@asynccontextmanager
async def client_of(*scripts: list[bytes], path: str = ""):
    connections = Connections(*scripts)
    server = await asyncio.start_server(connections.serve, "127.0.0.1", 0)
    client = HttpClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{path}", {"x-mark": "7"})
    try:
        yield client, connections
    finally:
        client.close()
        server.close()


async def get(client: HttpClient) -> tuple[int, bytes]:
    answer = Whole()
    await client.send("GET", "/v1/models", b"", answer)
    return answer.status, answer.body


SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"
OPEN_ENDED = b"HTTP/1.1 200 OK\r\n\r\nhello"


@pytest.mark.parametrize(("answer", "status"), [(SIZED, 200), (CHUNKED, 503), (OPEN_ENDED, 200)])
async def test_a_body_ends_by_its_length_its_chunks_or_the_connection(answer, status):
    async with client_of([answer]) as (client, connections):
        assert await get(client) == (status, b"hello")
        head = connections.requests[0][0].decode().lower()
        assert head.startswith("get /v1/models http/1.1\r\n") and "x-mark: 7\r\n" in head and "\r\nhost: 127." in head


async def test_a_connection_is_used_again():
    async with client_of([SIZED, CHUNKED, SIZED + b"..."]) as (client, connections):
        assert [(await get(client))[0] for _ in range(3)] == [200, 503, 200]
        assert len(connections.requests) == 1


async def test_a_server_that_asks_to_close_is_not_asked_there_again():
    closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    async with client_of([closing], [SIZED]) as (client, connections):
        assert [(await get(client))[1] for _ in range(2)] == [b"", b"hello"]
        assert len(connections.requests) == 2


async def test_a_connection_that_was_closed_meanwhile_costs_no_request():
    async with client_of([SIZED], [SIZED]) as (client, connections):
        await get(client)
        assert await get(client) == (200, b"hello")
        assert [len(requests) for requests in connections.requests] == [1, 1]


@pytest.mark.parametrize("answer", [SIZED[:-1], CHUNKED[:-4], b"HTTP/1.1 200 OK\r\n", b"", b"no HTTP at all\r\n\r\n"])
async def test_an_answer_that_is_not_whole_is_an_error(answer):
    async with client_of([answer]) as (client, _):
        with pytest.raises(ConnectionError):
            await get(client)


async def test_giving_up_hangs_up():
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n..."
    async with client_of([endless]) as (client, connections):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await get(client)
        await asyncio.wait_for(connections.closed_by_peer.wait(), 10)


async def test_a_base_path_goes_before_every_path_and_v1_is_not_doubled():
    for path in ("/proxy/v1", "/proxy/v1/", "/proxy"):
        async with client_of([SIZED], path=path) as (client, connections):
            await get(client)
            assert connections.requests[0][0].startswith(b"GET /proxy/v1/models ")


@pytest.mark.parametrize("url", ["", "127.0.0.1:8000", "ftp://a", "http://", "http://a:port", "localhost"])
def test_what_is_no_address_is_refused_by_name(url):
    with pytest.raises(BenchError, match="is no address of a server; one looks like"):
        HttpClient(url, {})
