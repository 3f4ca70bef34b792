"""Asks the engine at ADDRESS whether it is alive or, with --ready, whether it serves. Status 1 says no, and why.

For the probes of containers. A process of a replica over several hosts other than the first serves nobody, so there
is nobody to ask: it ends by itself when its replica does.
"""

import argparse
import os
import sys

import grpc

from serving.engine import codec
from serving.process.codec import decode_progress, encode_empty

TIMEOUT = 8.0  # seconds


def main() -> None:
    """Parse the command line, ask, and end with the answer's status."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("address", help="where the engine listens: host:port or unix:/path")
    parser.add_argument("--ready", action="store_true", help="ask whether it serves, not only whether it is alive")
    arguments = parser.parse_args()
    if os.environ.get("LWS_WORKER_INDEX", "0") != "0":
        return
    try:
        print(ask(arguments.address, ready=arguments.ready))
    except grpc.RpcError as error:
        sys.exit(f"{arguments.address}: {error.code().name.lower()}: {error.details()}")


def ask(address: str, *, ready: bool) -> str:
    """What the engine says: the model that it serves, or the newest stage of its start. Raises grpc.RpcError."""
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        if ready:
            describe = channel.unary_unary(codec.METHODS["Describe"], encode_empty, codec.decode_description)
            return f"serves {describe(None, timeout=TIMEOUT).model}"
        watch = channel.unary_stream(codec.METHODS["WatchStartup"], encode_empty, decode_progress)
        return next(iter(watch(None, timeout=TIMEOUT))).stage


if __name__ == "__main__":
    main()
