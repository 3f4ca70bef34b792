"""JetStream's Engine API over the step program: prefill, insert and generate, in a loop of the caller's own.

    prefix, first = engine.prefill(params=params, padded_tokens=tokens, true_length=length)
    state = engine.insert(prefix, state, slot=0)
    state, result = engine.generate(params, state)

A `Prefix` is the list of the pages that its text fills, so `insert` only writes a line of the page table: no key or
value is copied, and a prefix can be inserted and continued many times. What is left of a text, less than a page, is
read again by the slot's first step into a page of its own, since a page that is written on cannot be shared.

Source: github.com/AI-Hypercomputer/JetStream, jetstream/engine/engine_api.py.
"""

import functools
import itertools
import threading
import weakref
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Values
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Int

from serving.engine.loading import Loaded, load
from serving.engine.options import EngineOptions
from serving.engine.padding_tokenizer import PaddingTokenizer, TokenizerParameters
from serving.engine.pages import PagePool
from serving.engine.request import MAX_HELD_STOPS, EngineDescription, GenerationRequest, SamplingParams
from serving.engine.result_tokens import ResultTokens, pack
from serving.engine.runner import Runner
from serving.engine.slots import Slots
from serving.models.folder import EMBEDDED_MODEL
from serving.process.progress import StartupProgress

ONE_TOKEN = EngineOptions(decode_steps=1)
"""Every call of `generate` draws one token a slot, as JetStream's examples expect."""


@dataclass(frozen=True, eq=False)
class Params:
    """The weights of one engine. They stay with it; this is the ticket that its calls ask for."""

    description: EngineDescription


@dataclass(frozen=True, eq=False)
class DecodeState:
    """What the slots hold, after the call that made this: only the newest one is good for another call.

    Keys, values and tables lie on the device and are overwritten by every call, so there is nothing to go back to.
    """

    call: str
    number: int


@dataclass(frozen=True, eq=False)
class Prefix:
    """A text that was read: the pages that it fills, and the token that was drawn after it.

    It is a value: insert it in several slots, continue it by several prefills, and they all share its pages. A page
    goes back to the pool when every slot and every Prefix that has it is gone (the last reference to a Prefix dropped).
    """

    request: GenerationRequest = field(repr=False)
    pages: tuple[int, ...]
    first: ResultTokens = field(repr=False)
    slots: Slots = field(repr=False)  # of the engine that has the pages

    @property
    def tokens(self) -> tuple[int, ...]:
        """The text, from its first token on."""
        return self.request.prompt

    @functools.cached_property
    def first_token(self) -> int:
        """The token drawn after the text; waits for the device."""
        return int(np.asarray(self.first.data)[0, 0])


class JetStreamEngine:
    """An engine that computes when it is told to. Its calls are thread-safe; only `insert` may wait for the device.

    Args:
        loaded: the model with its programs.
        options: those that it was loaded with. `decode_steps` is how many tokens a call of `generate` draws at most;
            `prefix_cache` means nothing here, because what is shared is what the caller shares.
        folder: the model's.
        sampler: for prefills that bring none of their own; greedy by default, up to the context's end.
    """

    def __init__(self, loaded: Loaded, options: EngineOptions, folder: Path, sampler: SamplingParams | None = None):
        self._runner: Runner = loaded.runner
        self._description = loaded.description
        self._chunk_size = loaded.step_tokens
        self._decode_steps = options.decode_steps
        self._folder = folder
        self._slots = Slots(
            PagePool(loaded.description.pages, loaded.description.page_size),
            options.max_rows,
            chunk_size=loaded.step_tokens,
            max_context=loaded.description.max_context,
            eos_ids=loaded.description.eos_token_ids,
        )
        greedy = SamplingParams(max_tokens=loaded.description.max_context, temperature=0)
        self._sampler = self._accepted(sampler or greedy)
        self._params = Params(loaded.description)
        self._state: DecodeState | None = None
        self._states = itertools.count(1)
        self._lock = threading.Lock()

    @classmethod
    def load(
        cls,
        folder: Path = EMBEDDED_MODEL,
        options: EngineOptions = ONE_TOKEN,
        progress: Callable[[StartupProgress], None] = lambda _: None,
        sampler: SamplingParams | None = None,
    ) -> "JetStreamEngine":
        """Loads a model and compiles what the first call needs. Raises what `loading.load` raises."""
        return cls(load(folder, options, progress), options, folder, sampler)

    def load_params(self) -> Params:
        """What `prefill` and `generate` take as `params`: a ticket for the weights, which are on their devices already.

        JetStream lets weights travel as an argument. Ours belong to the engine, whose programs were compiled for where
        they lie; so the calls only check that a caller with several engines did not mix them up.
        """
        return self._params

    def init_decode_state(self) -> DecodeState:
        """All slots free. An engine has one decode state: what an earlier one held is given back."""
        with self._lock:
            for slot in range(self.max_concurrent_decodes):
                self._slots.free(slot)
            return self._next_state("init_decode_state")

    def prefill(
        self,
        *,
        params: Params,
        existing_prefix: Prefix | None = None,
        padded_tokens: Int[jax.Array, " padded"] | Int[np.ndarray, " padded"] | Values[int],
        true_length: int,
        sampler: SamplingParams | None = None,
        request_id: Any = None,
    ) -> tuple[Prefix, ResultTokens]:
        """Reads a text, chunk by chunk where it is long, and draws the token after it.

        Args:
            params: of `load_params`.
            existing_prefix: a text that was read before and that this one continues; its pages are shared.
            padded_tokens: of which the first `true_length` are read. Padding is not needed and never computed.
            sampler: how this text's tokens are drawn, here and in its slots. JetStream takes a function of the logits;
                our draw is a part of the step program, so it takes values. `max_tokens` bounds the reply, the token
                drawn here included. Which token ends it is for the caller to see; `stop_token_ids` and the model's own
                are what `min_tokens` holds back.
            request_id: names the text in messages; a number by default.

        Returns the prefix, and the token as the result of one slot, number 0.
        Raises TypeError or ValueError for what is not accepted, PoolExhausted when the pool has not the pages.
        """
        with self._lock:
            self._check_params(params)
            sampler = self._sampler if sampler is None else self._accepted(sampler)
            text, shared = self._text(padded_tokens, true_length), ()
            if existing_prefix is not None:
                self._check_prefix(existing_prefix)
                text, shared = existing_prefix.tokens + text, existing_prefix.pages
            if len(text) > self.max_prefill_length:
                raise ValueError(f"the text has {len(text)} tokens; at most {self.max_prefill_length} are accepted")
            sequence = self._slots.sequence(request_id, text, sampler)
            self._slots.take_pages(sequence, shared, len(text))
            steps = [self._runner.dispatch(plan) for plan in self._slots.read_text(sequence)]
            first = pack(steps[-1:], [sequence])
            prefix = Prefix(sequence.request, self._slots.keep_whole_pages(sequence), first, self._slots)
            weakref.finalize(prefix, self._slots.drop, prefix.pages).atexit = False
            return prefix, first

    def insert(self, prefix: Prefix, decode_state: DecodeState, slot: int, request_id: Any = None) -> DecodeState:
        """Lets a slot continue a prefix, from its first token on.

        Pages for the longest reply that the prefix's sampler allows are taken now, so that `generate` never lacks any.
        Raises IndexError for a slot that is not there, ValueError for one that is taken or a state that was passed on,
        PoolExhausted when the pool has not the pages; then nothing has changed.
        """
        with self._lock:
            self._check_state(decode_state)
            self._check_prefix(prefix)
            self._check_slot(slot)
            taken = self._slots.held[slot]
            if taken is not None:
                free = [str(number) for number, held in enumerate(self._slots.held) if held is None]
                raise ValueError(
                    f"slot {slot} is taken by request {taken.request.id}; free are: {', '.join(free) or 'none'}. "
                    f"free_resource({slot}) ends what it holds"
                )
            request_id = prefix.request.id if request_id is None else request_id
            sequence = self._slots.sequence(request_id, prefix.tokens, prefix.request.sampling)
            # The last token of a reply is not read, so it takes no room.
            self._slots.take_pages(sequence, prefix.pages, sequence.limit - 1)
            sequence.tokens.append(prefix.first_token)
            sequence.slot = slot
            self._slots.held[slot] = sequence
            return self._next_state("insert")

    def generate(self, params: Params, decode_state: DecodeState) -> tuple[DecodeState, ResultTokens]:
        """Draws the next token of every slot that holds a reply; up to `decode_steps` of them when none is new.

        A slot is invalid in the result when it is free or its reply is as long as it may be.
        Raises ValueError for a state that was passed on, or for foreign params.
        """
        with self._lock:
            self._check_params(params)
            self._check_state(decode_state)
            steps = [self._runner.dispatch(plan) for plan in self._slots.step(self._decode_steps)]
            return self._next_state("generate"), pack(steps, self._slots.held)

    def free_resource(self, slot: int) -> None:
        """Ends what a slot holds and gives its pages back, except those that others share. Free slots stay free."""
        with self._lock:
            self._check_slot(slot)
            self._slots.free(slot)

    def get_tokenizer(self) -> TokenizerParameters:
        """What `build_tokenizer` needs."""
        return TokenizerParameters(path=str(self._folder))

    def build_tokenizer(self, metadata: TokenizerParameters) -> PaddingTokenizer:
        """The model's tokenizer. Raises ModelFolderError."""
        return PaddingTokenizer(metadata)

    @property
    def max_concurrent_decodes(self) -> int:
        """How many slots there are."""
        return len(self._slots.held)

    @property
    def samples_per_slot(self) -> int:
        """Replies of a slot. For several to one text, insert or continue its prefix several times."""
        return 1

    @property
    def max_prefill_length(self) -> int:
        """Tokens of the longest text: all of the context but one, for the reply."""
        return self._description.max_context - 1

    @property
    def use_chunked_prefill(self) -> bool:
        """Texts longer than `prefill_chunk_size` are read in chunks, by `prefill` itself."""
        return True

    @property
    def prefill_chunk_size(self) -> int:
        """Tokens that one step reads."""
        return self._chunk_size

    @property
    def mesh(self) -> Mesh:
        """The devices that the model is on."""
        return self._runner.layout.mesh

    @property
    def colocated_cpus(self) -> list[jax.Device] | None:
        """This host's CPU devices; None where JAX was told to leave them alone (JAX_PLATFORMS)."""
        try:
            return jax.local_devices(backend="cpu")
        except RuntimeError:
            return None

    @property
    def available_pages(self) -> int:
        """Pages that no slot and no Prefix has."""
        with self._lock:
            return self._slots.available_pages

    def wait_warm(self) -> None:
        """Waits until every step program is compiled, as a measurement must. Raises what compiling raised."""
        self._runner.programs.wait_all()

    def stop(self) -> None:
        """Gives up the programs whose compilation has not begun."""
        self._runner.programs.cancel()

    def _next_state(self, call: str) -> DecodeState:
        self._state = DecodeState(call, next(self._states))
        return self._state

    def _text(self, padded_tokens: Any, true_length: int) -> tuple[int, ...]:
        tokens = np.asarray(padded_tokens)
        if tokens.ndim != 1 or not np.issubdtype(tokens.dtype, np.integer):
            raise ValueError(
                f"padded_tokens is {tokens.dtype} of shape {list(tokens.shape)}; accepted are integers along one axis"
            )
        if not 1 <= true_length <= len(tokens):
            raise ValueError(f"true_length is {true_length}; accepted is 1 to {len(tokens)}, the tokens given")
        text = tuple(tokens[:true_length].tolist())
        self._check_vocabulary("padded_tokens", text)
        return text

    def _accepted(self, sampler: SamplingParams) -> SamplingParams:
        """The sampler, when it can be served."""
        if not isinstance(sampler, SamplingParams):
            raise TypeError(
                f"sampler is a {type(sampler).__name__}; accepted are SamplingParams, the draw being compiled"
            )
        if sampler.max_tokens < 1:
            raise ValueError(f"max_tokens is {sampler.max_tokens}; at least 1 is needed")
        stops = len(self._slots.stop_ids(sampler))
        if sampler.min_tokens and stops > MAX_HELD_STOPS:
            raise ValueError(f"min_tokens can hold back {MAX_HELD_STOPS} stop tokens; there are {stops}")
        if sampler.logprobs or sampler.prompt_logprobs is not None:
            raise ValueError(
                f"logprobs is {sampler.logprobs} and prompt_logprobs {sampler.prompt_logprobs}; accepted are None and, "
                "for the drawn tokens' own, logprobs 0: ResultTokens has no room for more (engine.Engine gives them)"
            )
        self._check_vocabulary("logit_bias", sampler.logit_bias)
        self._check_vocabulary("allowed_token_ids", sampler.allowed_token_ids)
        return sampler

    def _check_vocabulary(self, name: str, tokens: Iterable[int]) -> None:
        size = self._description.vocab_size
        foreign = next((token for token in tokens if not 0 <= token < size), None)
        if foreign is not None:
            raise ValueError(f"{name} holds {foreign}; this model's tokens are 0 to {size - 1}")

    def _check_params(self, params: Params) -> None:
        if params is not self._params:
            raise ValueError(f"params is a foreign {type(params).__name__}; accepted is what load_params() returned")

    def _check_prefix(self, prefix: Prefix) -> None:
        if not isinstance(prefix, Prefix):
            raise TypeError(f"a {type(prefix).__name__} is given; accepted is a Prefix, which prefill returns")
        if prefix.slots is not self._slots:
            raise ValueError("the prefix is of another engine; its pages are not in this one's pool")

    def _check_state(self, decode_state: DecodeState) -> None:
        if self._state is None:
            raise ValueError("there is no decode state yet; init_decode_state() makes it")
        if decode_state is not self._state:
            given = decode_state if isinstance(decode_state, DecodeState) else f"a {type(decode_state).__name__}"
            raise ValueError(
                f"the decode state given, {given}, was passed on or is not this engine's; accepted is the one that the "
                f"last call returned, {self._state}"
            )

    def _check_slot(self, slot: int) -> None:
        if not 0 <= slot < self.max_concurrent_decodes:
            raise IndexError(f"slot {slot} is given; slots are 0 to {self.max_concurrent_decodes - 1} (max_rows)")
