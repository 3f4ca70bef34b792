"""What an engine is asked to generate, and what it answers: plain values, no JAX, no HTTP."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

MAX_TOP_LOGPROBS = 20

MAX_HELD_STOPS = 16
"""Stop tokens, the model's own included, that `min_tokens` can hold back."""


class FinishReason(StrEnum):
    """Why a generation ended."""

    STOP = "stop"  # an end-of-sequence or stop token was sampled
    LENGTH = "length"  # max_tokens or the context's end was reached
    CANCELLED = "cancelled"  # the caller asked for no more
    ERROR = "error"  # the engine could not serve it; Delta.error says why


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How tokens are drawn. Field names and meanings are those of the OpenAI API and of vLLM's extensions.

    A value of "off" costs nothing: `temperature` 0 is greedy, `top_k` 0, `top_p` 1 and `min_p` 0 keep every token,
    the penalties' neutral values are 1, 0 and 0.
    """

    max_tokens: int
    min_tokens: int = 0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int = 0  # 64 bits; the caller draws one where its own caller gave none
    logit_bias: dict[int, float] = field(default_factory=dict)
    allowed_token_ids: tuple[int, ...] = ()  # empty: every token is allowed
    stop_token_ids: tuple[int, ...] = ()  # beside the model's own end-of-sequence ids
    ignore_eos: bool = False
    logprobs: int | None = None  # how many alternatives beside each sampled token; 0 means the token's own alone
    prompt_logprobs: int | None = None  # the same for the prompt's tokens


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """One sequence to continue. `id` is unique within the connection that carries it."""

    id: str
    prompt: tuple[int, ...]
    sampling: SamplingParams
    salt: str = ""  # pages are shared only between requests of the same salt (tenant, cache_salt)
    priority: int = 0  # lower goes first, as in vLLM; equal priorities go first come, first served


@dataclass(frozen=True, slots=True)
class TokenLogprobs:
    """Log-probabilities at one position, of the model's own distribution before penalties and temperature."""

    token: int
    logprob: float
    top: tuple[tuple[int, float], ...] = ()  # (token, logprob), most likely first


@dataclass(frozen=True, slots=True)
class Timings:
    """When a request passed each stage, in seconds of the engine's clock."""

    arrived: float
    scheduled: float
    first_token: float
    finished: float


@dataclass(frozen=True, slots=True)
class Delta:
    """What an engine step, or several in a row, added to one request."""

    id: str
    tokens: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprobs, ...] = ()  # one a token when asked for
    prompt_logprobs: tuple[TokenLogprobs | None, ...] = ()  # once, before the first token; the first entry is None
    cached_tokens: int = 0  # prompt tokens found in the prefix cache; set with the first token
    finish_reason: FinishReason | None = None
    stop_token: int | None = None  # the token that ended it, when a stop token did (it is the last of `tokens`)
    error: str = ""
    timings: Timings | None = None  # with the finish reason

    def joined(self, later: "Delta") -> "Delta":
        """This and the next one of the same request as one."""
        return replace(
            later,
            tokens=self.tokens + later.tokens,
            logprobs=self.logprobs + later.logprobs,
            prompt_logprobs=self.prompt_logprobs or later.prompt_logprobs,
            cached_tokens=max(self.cached_tokens, later.cached_tokens),
        )


@dataclass(frozen=True, slots=True)
class EngineStats:
    """The engine's gauges and counters after a step (counters since the engine started)."""

    running: int = 0
    waiting: int = 0
    pages_used: int = 0
    pages_total: int = 0
    prefix_queries: int = 0  # tokens looked up
    prefix_hits: int = 0  # tokens found
    preemptions: int = 0
    steps: int = 0
    compiles_after_warmup: int = 0


@dataclass(frozen=True, slots=True)
class EngineDescription:
    """What a gateway must know of an engine before it sends work there."""

    model: str
    max_context: int  # tokens of prompt and reply together
    vocab_size: int
    max_rows: int  # requests decoded at once
    page_size: int
    pages: int
    dtype: str
    platform: str
    fingerprint: str  # of weights and configuration
    eos_token_ids: tuple[int, ...] = ()
