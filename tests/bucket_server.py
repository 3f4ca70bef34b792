"""Google Cloud Storage on this machine: the emulator, and what was asked of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from gcp_storage_emulator.handlers import objects
from gcp_storage_emulator.server import Request, RequestHandler, Response, create_server
from gcp_storage_emulator.storage import Storage

CLIENTS = ("STORAGE_EMULATOR_HOST", "TENSORSTORE_GCS_HTTP_URL")
"""Which server Google's clients and TensorStore talk to."""

BUCKET_KINDS = "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"
"""Whether gcsfs asks for a bucket's kind, of which the emulator knows nothing."""


_download = objects.download


def _download_with_generation(request: Request, response: Response, storage: Storage) -> None:
    """As Google's server answers: with the object's generation, by which TensorStore asks whether it has changed."""
    _download(request, response, storage)
    if response.status < 400:
        described = storage.get_file_obj(request.params["bucket_name"], request.params["object_id"])
        response["X-Goog-Generation"] = described["generation"]


class BucketServer:
    """An emulator with one bucket, "models". `requests` are the method, path and Range header of each request."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str | None]] = []
        self._server = create_server("127.0.0.1", 0, in_memory=True, default_bucket="models")

    @contextmanager
    def running(self) -> Iterator["BucketServer"]:
        """While it runs, this process's clients go there."""
        parse_request = RequestHandler.parse_request

        def parse_and_note(handler: RequestHandler) -> bool:
            parsed = parse_request(handler)
            if parsed:
                self.requests.append((handler.command, handler.path, handler.headers.get("Range")))
            return parsed

        with (
            mock.patch.object(RequestHandler, "parse_request", parse_and_note),
            mock.patch.object(objects, "download", _download_with_generation),
        ):
            self._server.start()
            host, port = self._server._api._httpd.server_address
            url = f"http://{host}:{port}"
            try:
                with mock.patch.dict(os.environ, dict.fromkeys(CLIENTS, url), **{BUCKET_KINDS: "false"}):
                    yield self
            finally:
                self._server.stop()

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """First and last byte of each range that was asked for."""
        found = (header.removeprefix("bytes=").split("-") for _, _, header in self.requests if header)
        return [(int(first), int(last)) for first, last in found]


def upload(folder: Path, url: str) -> None:
    """Copies a folder's files to gs://BUCKET/PATH."""
    from serving.models.bucket import Bucket

    bucket = Bucket(url)
    for path in folder.rglob("*"):
        if path.is_file():
            bucket.write(path.relative_to(folder).as_posix(), path.read_bytes())
