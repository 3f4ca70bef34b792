"""One request inside the engine: its tokens, its pages, and how far it has come."""

from dataclasses import dataclass, field

from serving.engine.request import GenerationRequest, TokenLogprobs


@dataclass(slots=True, eq=False)
class Sequence:
    """A request being generated.

    `tokens` are those the host knows: the prompt and every sampled token that was read back. `pending` more have been
    sampled, or are about to be, by steps that were dispatched but not read. `computed` positions have their keys and
    values written by the steps dispatched so far.
    """

    request: GenerationRequest
    order: int  # of arrival
    arrived: float  # seconds of the engine's clock
    limit: int  # tokens at which it must stop: prompt + max_tokens, or the context's end
    stop_ids: frozenset[int]
    tokens: list[int] = field(default_factory=list)
    pages: list[int] = field(default_factory=list)
    slot: int | None = None  # its place in the device's tables while it runs
    decoding: bool = False  # all but its newest token have keys and values, and that token is on the device
    computed: int = 0
    pending: int = 0
    published: int = 0  # pages made findable
    parent: bytes = b""  # digest of the last published page
    cached_tokens: int | None = None  # prompt tokens found in the cache when it first ran
    scheduled: float | None = None
    first_token: float | None = None
    prompt_logprobs: list[TokenLogprobs | None] | None = None  # collected until the first token, when asked for
    finished: bool = False

    def __post_init__(self) -> None:
        self.tokens = list(self.request.prompt)
        if self.request.sampling.prompt_logprobs is not None:
            self.prompt_logprobs = [None]

    @property
    def rank(self) -> tuple[int, int]:
        """Who goes first: the smaller rank."""
        return self.request.priority, self.order

    @property
    def length(self) -> int:
        """Tokens of prompt and reply, those in flight included."""
        return len(self.tokens) + self.pending

    @property
    def prompt_length(self) -> int:
        return len(self.request.prompt)
