"""What a host of a TPU slice finds around it, on loopback: the metadata server and Cloud Storage."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "a-token-of-the-slice"
INSTANCE = "/computeMetadata/v1/instance/"


@dataclass(slots=True)
class Surroundings:
    """Attributes of the machine, and objects by BUCKET/NAME. `port` is that of both servers, which are one."""

    port: int
    attributes: dict[str, str] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables, Google's own libraries know them too, that lead there."""
        return {
            "GCE_METADATA_HOST": f"127.0.0.1:{self.port}",
            "STORAGE_EMULATOR_HOST": f"http://127.0.0.1:{self.port}",
        }


@contextmanager
def surroundings() -> Iterator[Surroundings]:
    """Serve them until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = self._metadata() if self.path.startswith(INSTANCE) else self._object()
            self.send_response(200 if answer is not None else 404)
            self.end_headers()
            self.wfile.write(answer or b"")

        def _metadata(self) -> bytes | None:
            assert self.headers["Metadata-Flavor"] == "Google"
            name = self.path.removeprefix(INSTANCE)
            if name == "service-accounts/default/token":
                return json.dumps({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}).encode()
            value = around.attributes.get(name.removeprefix("attributes/"))
            return None if value is None else value.encode()

        def _object(self) -> bytes | None:
            allowed = self.headers["Authorization"] == f"Bearer {TOKEN}"
            return around.objects.get(self.path.removeprefix("/")) if allowed else None

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    around = Surroundings(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield around
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
