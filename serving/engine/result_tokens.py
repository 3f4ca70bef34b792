"""What a call of the engine API drew, packed as JetStream packs it: one array, so that one copy brings all to the host.

Source: `ResultTokens` of github.com/AI-Hypercomputer/JetStream, jetstream/engine/engine_api.py.
"""

import functools
from collections.abc import Iterable
from collections.abc import Sequence as Values
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from serving.engine.runner import Dispatched
from serving.engine.scheduler import DecodeRow
from serving.engine.sequence import Sequence


def _static():
    return field(metadata={"static": True})


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class SlotData:
    """The part of a ResultTokens that belongs to one slot."""

    tokens: Int[Array, "samples tokens"]
    valid: Int[Array, "samples tokens"]
    lengths: Int[Array, " samples"]
    log_prob: Float[Array, "samples tokens"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ResultTokens:
    """The tokens of every slot, on the device until somebody reads them. A pytree, as in JetStream.

    Attributes:
        data: a line for each slot: its tokens, whether each is valid (1 or 0), and how many tokens its reply has so
            far, the one of `prefill` included. The next three say which columns hold what.
        tokens_idx, valid_idx, length_idx: first column, and the one after the last.
        samples_per_slot: lines of a slot.
        log_prob: of the tokens under the model's own distribution; NaN for a slot that did not ask for it.
    """

    data: Int[Array, "slots columns"]
    tokens_idx: tuple[int, int] = _static()
    valid_idx: tuple[int, int] = _static()
    length_idx: tuple[int, int] = _static()
    samples_per_slot: int = _static()
    log_prob: Float[Array, "slots tokens"]

    def copy_to_host_async(self) -> None:
        """Starts the copy that `convert_to_numpy` waits for."""
        for array in (self.data, self.log_prob):
            if isinstance(array, jax.Array):
                array.copy_to_host_async()

    def convert_to_numpy(self) -> "ResultTokens":
        """The same on the host; waits for the device."""
        return jax.tree.map(np.asarray, self)

    def get_result_at_slot(self, slot: int) -> SlotData:
        """What a slot drew. Raises IndexError for a slot that is not there."""
        slots = len(self.data) // self.samples_per_slot
        if not 0 <= slot < slots:
            raise IndexError(f"slot {slot} is given; this result has the slots 0 to {slots - 1}")
        lines = slice(slot * self.samples_per_slot, (slot + 1) * self.samples_per_slot)
        return SlotData(
            tokens=self.data[lines, slice(*self.tokens_idx)],
            valid=self.data[lines, slice(*self.valid_idx)],
            lengths=self.data[lines, self.length_idx[0]],
            log_prob=self.log_prob[lines],
        )


def pack(steps: Values[Dispatched], slots: Values[Sequence | None]) -> ResultTokens:
    """Sorts what the steps of one call drew by slot, on the device; returns at once.

    A slot without a sequence, or whose sequence was in none of the steps, is invalid.
    """
    drew: dict[Sequence | None, tuple[int, int]] = {}  # its row, counting all steps' rows through, and how many tokens
    before = 0
    for step in steps:
        for row, item in enumerate(step.plan.rows + step.plan.chunks, start=before):
            drew[item.sequence] = row, item.steps if isinstance(item, DecodeRow) else 1
        before += step.outputs.drawn.tokens.shape[1]
    width = max((count for _, count in drew.values()), default=1)
    data, log_prob = _by_slot(
        [step.outputs.drawn.tokens for step in steps] or [np.zeros((1, 1), np.int32)],
        [step.outputs.drawn.logprob for step in steps] or [np.zeros((1, 1), np.float32)],
        rows=_table(drew.get(held, (0, 0))[0] for held in slots),
        counts=_table(drew.get(held, (0, 0))[1] for held in slots),
        lengths=_table(held.length - held.prompt_length if held else 0 for held in slots),
        scored=_table(held is not None and held.request.sampling.logprobs is not None for held in slots),
        width=width,
    )
    return ResultTokens(data, (0, width), (width, 2 * width), (2 * width, 2 * width + 1), 1, log_prob)


@functools.partial(jax.jit, static_argnames="width")
def _by_slot(
    tokens: list[Int[Array, "steps rows"]],
    logprobs: list[Float[Array, "steps rows"]],
    *,
    rows: Int[Array, " slots"],
    counts: Int[Array, " slots"],
    lengths: Int[Array, " slots"],
    scored: Int[Array, " slots"],
    width: int,
) -> tuple[Int[Array, "slots columns"], Float[Array, "slots tokens"]]:
    def of_slots(parts: list[Array]) -> Array:
        return jnp.concatenate([part[:width] for part in parts], axis=1)[:, rows].T

    valid = jnp.arange(width) < counts[:, None]
    columns = [jnp.where(valid, of_slots(tokens), 0), valid.astype(jnp.int32), lengths[:, None]]
    return jnp.concatenate(columns, axis=1), jnp.where(valid & (scored[:, None] > 0), of_slots(logprobs), jnp.nan)


def _table(values: Iterable[int]) -> Int[np.ndarray, " slots"]:
    return np.fromiter(values, np.int32)
