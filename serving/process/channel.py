"""Both ends of the connections to a process: no limits on messages, and a silent peer is soon given up."""

import grpc

KEEPALIVE = 10.0
"""Seconds of silence before a peer is asked for a sign of life, and then seconds to give it."""

Options = list[tuple[str, int]]


def keepalive_options(seconds: float = KEEPALIVE) -> Options:
    """For either end."""
    milliseconds = int(seconds * 1000)
    return [
        ("grpc.keepalive_time_ms", milliseconds),
        ("grpc.keepalive_timeout_ms", milliseconds),
        ("grpc.http2.ping_timeout_ms", milliseconds),  # the one that decides; a minute by default
        ("grpc.http2.max_pings_without_data", 0),
    ]


def channel_options(seconds: float = KEEPALIVE) -> Options:
    """For the end that connects."""
    return [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.enable_http_proxy", 0),  # engines are neighbours
        ("grpc.initial_reconnect_backoff_ms", 100),  # an address that is about to appear
        ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000),
        *keepalive_options(seconds),
    ]


def server_options(seconds: float = KEEPALIVE) -> Options:
    """For the end that listens."""
    return [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),  # a long prompt's ids, a long prompt's logprobs
        ("grpc.so_reuseport", 0),  # two engines at one address is a mistake, not load balancing
        ("grpc.http2.max_ping_strikes", 0),  # gateways ping often to notice an engine that hangs
        *keepalive_options(seconds),
    ]


async def started_server(listen: str, *handlers: grpc.GenericRpcHandler) -> grpc.aio.Server:
    """A server at `listen` (`unix:/path` or `host:port`). Raises OSError where the address cannot be had."""
    server = grpc.aio.server(options=server_options())
    server.add_generic_rpc_handlers(handlers)
    try:
        server.add_insecure_port(listen)
    except RuntimeError as error:
        raise OSError(f"cannot listen at {listen}: {error}") from None
    await server.start()
    return server
