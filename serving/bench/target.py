"""The server that is measured: what it serves, how it counts, and one request to it."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serving.bench.endpoint import Endpoint, Said
from serving.bench.errors import BenchError
from serving.bench.http import HttpClient
from serving.bench.measurement import Answer, Measurement, error_message
from serving.bench.text import WORDS, Calibration

PATIENCE = 60  # seconds for an answer before the measurement begins


class _Whole:
    """Keeps an answer."""

    def __init__(self) -> None:
        self.status = 0
        self.body = b""

    def begin(self, status: int) -> None:
        self.status = status

    def data(self, data: bytes, at: float) -> None:
        self.body += data


@dataclass
class Target:
    """A server at the other end of `http`, its `model`, and the fields that every request carries beside its own.

    `context` is the most tokens that the server takes, where it says so.
    """

    http: HttpClient
    endpoint: Endpoint
    model: str
    context: int | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = PATIENCE

    @classmethod
    async def at(cls, http: HttpClient, endpoint: Endpoint, model: str | None, **options: Any) -> "Target":
        """The server's model of this name, else its first. Raises BenchError when it lists none such."""
        listed = (await _call(http, "GET", "/v1/models")).get("data") or []
        cards = [card for card in listed if model in (None, card.get("id"))]
        if not cards:
            known = ", ".join(str(card.get("id")) for card in listed) or "no model at all"
            raise BenchError(f"the server at {http.url} does not list {model or 'a model'}; it lists {known}")
        return cls(http, endpoint, cards[0]["id"], cards[0].get("max_model_len"), **options)

    async def calibrate(self) -> Calibration:
        """Ask for one word, then for all of ours, and compare how many tokens the server counts.

        This holds for every server that reports usage, whatever its tokenizer and template; it also shows that the
        server takes such requests at all. Raises BenchError with the server's own words when it does not.
        """
        known = WORDS[: self.context // 4] if self.context else WORDS
        least, most = [await self._count(known[:count]) for count in (1, len(known))]
        if least is None or most is None or len(known) < 2:
            return Calibration()
        per_word = (most - least) / (len(known) - 1)
        return Calibration(per_word, round(least - per_word))

    async def ask(self, history: Sequence[Said], max_tokens: int, measurement: Measurement, started: float) -> str:
        """Send one request, fill in its measurement, and return the answer's text. It never raises for a failure.

        `started` is the event loop's time of the run's start.
        """
        body = self._body(history, max_tokens, stream=True, stream_options={"include_usage": True})
        answer = Answer(measurement, self.endpoint.text, started)
        loop = asyncio.get_running_loop()
        measurement.sent = loop.time() - started
        try:
            async with asyncio.timeout(self.timeout):
                await self.http.send("POST", self.endpoint.path, body, answer)
            answer.end()
        except TimeoutError:
            measurement.error = "timeout"
        except OSError as failure:
            broken = measurement.text_at or isinstance(failure, ConnectionResetError | BrokenPipeError)
            measurement.error = measurement.error or ("connection lost" if broken else "no connection")
        measurement.finished = loop.time() - started
        return answer.text

    async def _count(self, words: Sequence[str]) -> int | None:
        answer = await _call(
            self.http, "POST", self.endpoint.path, self._body([("user", " ".join(words))], 1, stream=False)
        )
        return (answer.get("usage") or {}).get("prompt_tokens")

    def _body(self, history: Sequence[Said], max_tokens: int, **more: Any) -> bytes:
        body = {"model": self.model, **self.endpoint.ask(history), "max_tokens": max_tokens, **more, **self.fields}
        return json.dumps({name: value for name, value in body.items() if value is not None}).encode()


async def _call(http: HttpClient, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
    answer = _Whole()
    try:
        async with asyncio.timeout(PATIENCE):
            await http.send(method, path, body, answer)
    except TimeoutError:
        raise BenchError(f"{http.url}{path} did not answer within {PATIENCE} s") from None
    except OSError as failure:
        raise BenchError(f"no server answers at {http.url}: {failure}") from None
    if answer.status != 200:
        raise BenchError(f"{http.url}{path} answered with status {answer.status}: {error_message(answer.body)}")
    try:
        parsed = json.loads(answer.body)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise BenchError(f"{http.url}{path} does not answer as OpenAI's protocol has it")
    return parsed
