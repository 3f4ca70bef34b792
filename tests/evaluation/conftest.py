"""What an engine inside the tests' own process says of a text, for the harness's answers to be compared with."""

from collections.abc import Iterator
from itertools import count

import pytest

from serving.engine.request import GenerationRequest, SamplingParams
from serving.models.folder import EMBEDDED_MODEL
from serving.models.tokenizer import Tokenizer
from tests.engine.offline import Offline, offline


class OwnEngine:
    """The embedded model's tokenizer and engine, without a server."""

    def __init__(self, engine: Offline):
        self.tokenizer = Tokenizer.from_folder(EMBEDDED_MODEL)
        self._engine = engine
        self._names = count()

    def ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, False)

    def loglikelihood(self, tokens: list[int], start: int) -> tuple[float, bool]:
        """Log-probability of the tokens from `start` on given those before, and whether each was the likeliest."""
        sampling = SamplingParams(max_tokens=1, temperature=0, prompt_logprobs=1)
        (reply,) = self._engine.generate([GenerationRequest(f"s{next(self._names)}", tuple(tokens), sampling)])
        scored = reply.prompt_logprobs[start:]
        return sum(score.logprob for score in scored), all(score.top[0][0] == score.token for score in scored)

    def continuation(self, tokens: list[int], max_tokens: int) -> list[int]:
        """The likeliest tokens."""
        sampling = SamplingParams(max_tokens=max_tokens, temperature=0, ignore_eos=True)
        request = GenerationRequest(f"c{next(self._names)}", tuple(tokens), sampling)
        return self._engine.generate([request])[0].tokens


@pytest.fixture(scope="session")
def own_engine(server_data) -> Iterator[OwnEngine]:
    cache = str(server_data / "compilation-cache")
    with offline(EMBEDDED_MODEL, max_rows=2, max_context=128, step_tokens=64, compilation_cache_dir=cache) as engine:
        yield OwnEngine(engine)
