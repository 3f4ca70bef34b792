"""A model's files in a Google Cloud Storage bucket: listed once, read by ranges, several at a time.

STORAGE_EMULATOR_HOST sends everything to an emulator, as with Google's own tools.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from serving.models.storage import BUCKET_SCHEME, ORIGIN_FILE, Range, StorageError, is_companion, read

try:
    from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound, Unauthorized
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
    from google.cloud.storage import Blob, Client
    from requests import RequestException
except ModuleNotFoundError:
    raise StorageError("gs:// needs Google's client: pip install 'tradewind[gcs]'") from None

ADDRESS = re.compile(r"gs://(?P<bucket>[a-z0-9][a-z0-9._-]*[a-z0-9])(?P<path>(/[^/]+)*)/?")
CHUNK = 8 << 20  # bytes of one request at most
REQUESTS = 8  # under way at once


class Bucket:
    """The files under gs://BUCKET/PATH. Every method raises StorageError, which names what could not be had."""

    gap = 1 << 20  # takes as long to read as a request does to be answered

    def __init__(self, url: str):
        address = ADDRESS.fullmatch(url)
        if not address or {".", ".."} & set(url.split("/")):
            raise StorageError(f"{url}: accepted is gs://BUCKET or gs://BUCKET/PATH")
        self._url = url.rstrip("/")
        self.bucket, self.path = address["bucket"], address["path"].removeprefix("/")

    @cached_property
    def sizes(self) -> Mapping[str, int]:
        """Bytes of each file, by name."""
        return {name: blob.size for name, blob in self._blobs.items()}

    def fill(self, name: str, ranges: Sequence[Range]) -> None:
        """Reads ranges of a file."""
        chunks = [
            (start + offset, buffer[offset : offset + CHUNK])
            for start, buffer in ranges
            for offset in range(0, len(buffer), CHUNK)
        ]
        blob = self._blobs[name]

        def fetch(chunk: Range) -> None:
            start, buffer = chunk
            data = blob.download_as_bytes(start=start, end=start + len(buffer) - 1, raw_download=True, checksum=None)
            if len(data) != len(buffer):
                raise StorageError(f"{self.location(name)} ends at byte {start + len(data)}, too early")
            buffer[:] = data

        with self._explained(self.location(name)), ThreadPoolExecutor(REQUESTS) as pool:
            for _ in pool.map(fetch, chunks):
                pass

    def digest(self, name: str) -> bytes:
        """The checksum that the bucket keeps of a file."""
        blob = self._blobs[name]
        return f"{blob.size} {blob.crc32c}".encode()

    def kvstore(self, name: str) -> dict[str, Any]:
        """TensorStore's specification of a folder of files."""
        return {"driver": "gcs", "bucket": self.bucket, "path": f"{self._object(name)}/"}

    def location(self, name: str) -> str:
        """A file's full address."""
        return f"{self._url}/{name}".rstrip("/")

    def write(self, name: str, content: bytes) -> None:
        """Writes a file."""
        with self._explained(self.location(name)):
            self._client.bucket(self.bucket).blob(self._object(name)).upload_from_string(content)

    @cached_property
    def _client(self) -> Client:
        return Client(project=None)  # only buckets are made within a project

    @cached_property
    def _blobs(self) -> dict[str, Blob]:
        prefix = f"{self.path}/" if self.path else ""
        with self._explained(f"{BUCKET_SCHEME}{self.bucket}"):
            blobs = self._client.list_blobs(self.bucket, prefix=prefix)
            return {blob.name.removeprefix(prefix): blob for blob in blobs if not blob.name.endswith("/")}

    def _object(self, name: str) -> str:
        return f"{self.path}/{name}" if self.path else name

    @contextlib.contextmanager
    def _explained(self, location: str) -> Iterator[None]:
        """Errors of Google's client as errors for people."""
        try:
            yield
        except NotFound:
            raise StorageError(f"{location}: there is no such {'file' if '/' in location[5:] else 'bucket'}") from None
        except DefaultCredentialsError as error:
            raise StorageError(
                f"{location}: no credentials for Google Cloud ({error}). `gcloud auth application-default login` makes "
                "some; GOOGLE_APPLICATION_CREDENTIALS names a file of a service account's"
            ) from None
        except (Forbidden, Unauthorized) as error:
            raise StorageError(
                f"{location}: the credentials in use may not do that; reading needs the role Storage Object Viewer "
                f"({error.message})"
            ) from None
        except (GoogleAPIError, GoogleAuthError, RequestException) as error:
            raise StorageError(f"{location}: {error}") from None


def local_folder(url: str) -> Path:
    """A folder of this machine that stands for the model at `url`: its small files are there, its weights are not.

    It lies in tradewind/gs under XDG_CACHE_HOME, and is brought up to date every time. Raises StorageError.
    """
    bucket = Bucket(url)
    names = {name for name in bucket.sizes if is_companion(name)}
    if not names:
        raise StorageError(f"{bucket.location('')}: there are no files of a model")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "tradewind" / "gs" / bucket.bucket / bucket.path
    for name in names:
        _replace(folder / name, read(bucket, name))
    _replace(folder / ORIGIN_FILE, bucket.location("").encode())
    for path in [path for path in folder.rglob("*") if path.is_file()]:
        name = path.relative_to(folder).as_posix()
        if is_companion(name) and name not in names:
            path.unlink()
    return folder


def _replace(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all, for several processes may do so at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).replace(path)
