"""One collection of a running server, by HTTP."""

import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import httpx

PATIENCE = 300.0  # seconds for which a server may say that it is starting
TIMEOUT = httpx.Timeout(30.0, read=300.0, write=300.0)


class ServerError(Exception):
    """The server cannot be had, or serves no such request; the message is for people."""


class Refused(Exception):
    """The server does not take these documents; the message is its own."""


class CollectionClient:
    """The calls that an ingest needs. Every one waits while the server starts, and raises ServerError."""

    def __init__(self, url: str, api_key: str, name: str) -> None:
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._url = url.rstrip("/").removesuffix("/v1")
        self._path = f"/v1/collections/{quote(name, safe='')}/documents"
        self._name = name
        try:
            self._http = httpx.Client(base_url=self._url, headers=headers, timeout=TIMEOUT)
        except (httpx.InvalidURL, ValueError) as error:
            raise ServerError(f"{url} is no address: {error}") from None

    def __enter__(self) -> "CollectionClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def create(self) -> int:
        """Make the collection where there is none; returns the bytes of the largest document that it takes."""
        return self._answer("POST", "/v1/collections", json={"name": self._name})["max_document_bytes"]

    def add(self, documents: Sequence[tuple[str, bytes]]) -> Sequence[Mapping[str, str]]:
        """Hand documents in by id, all or none; returns a receipt for each. Raises Refused."""
        files = [("files", (id, content, "application/octet-stream")) for id, content in documents]
        return self._answer("POST", self._path, files=files)["data"]

    def document(self, id: str) -> Mapping[str, Any] | None:
        """A document as it is now; None when it is no more."""
        response = self._request("GET", f"{self._path}/{quote(id, safe='')}")
        return None if response.status_code == HTTPStatus.NOT_FOUND else self._checked(response)

    def _answer(self, method: str, path: str, **content: Any) -> Any:
        return self._checked(self._request(method, path, **content))

    def _request(self, method: str, path: str, **content: Any) -> httpx.Response:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                response = self._http.request(method, path, **content)
            except (httpx.TransportError, httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise ServerError(f"the server at {self._url} cannot be reached: {error}") from None
            if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > until:
                return response
            wait = response.headers.get("retry-after", "")
            time.sleep(min(float(wait), 10.0) if wait.isdecimal() else 1.0)

    def _checked(self, response: httpx.Response) -> Any:
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if response.is_success and isinstance(answer, dict):
            return answer
        error = answer.get("error") if isinstance(answer, dict) else None
        message = str(error.get("message")) if isinstance(error, dict) else f"status {response.status_code}"
        if response.status_code in (HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
            raise Refused(message)
        raise ServerError(f"the server at {self._url} says: {message}")
