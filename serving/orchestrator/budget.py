"""How a context is divided among the conversation, the passages found for it, and the reply, in tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of the context that history, passages and reply may take for sure. What one leaves, the next ones get."""

    history: float = 0.3
    passages: float = 0.45
    reply: float = 0.25

    def __post_init__(self) -> None:
        shares = (self.history, self.passages, self.reply)
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError(
                f"shares of {shares} for history, passages and reply; accepted are shares that sum up to 1"
            )


@dataclass(frozen=True, slots=True)
class Division:
    """What fits: how many of the newest turns, which passages (by their place in the ranking), tokens for the reply."""

    turns: int
    passages: tuple[int, ...]
    reply: int


class ContextTooSmall(ValueError):
    """Not even what must be in the prompt fits."""


def divide(
    context: int,
    fixed: int,
    history: Sequence[int],
    passages: Sequence[int],
    reply: int | None = None,
    shares: Shares | None = None,
) -> Division:
    """Divides a context of `context` tokens.

    `fixed` counts what must be there: system prompt, the question, and the fence around passages. `history` counts the
    turns before, oldest first; `passages` the passages, best first, each either whole or left out; `reply` is the most
    that the request wants, None when it leaves that open. The newest turns and the best passages go first. Room that
    passages or history leave goes to the other, then to the reply. Raises ContextTooSmall with the numbers.
    """
    shares = shares or Shares()
    room = context - fixed
    if room <= 0:
        raise ContextTooSmall(
            f"the prompt takes {fixed:,} tokens without history and passages; the context has {context:,}"
        )
    reserved = max(1, int(room * shares.reply))
    if reply is not None:
        reserved = min(reserved, reply)
    room -= reserved
    for_passages = int(room * shares.passages / ((shares.passages + shares.history) or 1))
    for_history = room - for_passages
    sure = sum(passages[index] for index in _fitting(passages, for_passages))
    turns = _newest(history, max(for_history, room - sure))
    used = sum(history[len(history) - turns :])
    chosen = _fitting(passages, room - used)
    left = room - used - sum(passages[index] for index in chosen)
    return Division(turns, chosen, reserved + left if reply is None else min(reply, reserved + left))


def _newest(history: Sequence[int], room: int) -> int:
    """How many turns fit, without a gap, from the newest back."""
    return sum(total <= room for total in accumulate(reversed(history)))


def _fitting(passages: Sequence[int], room: int) -> tuple[int, ...]:
    """The passages that fit, each taken in turn if there is still room for the whole of it."""
    chosen = []
    for index, tokens in enumerate(passages):
        if tokens <= room:
            chosen.append(index)
            room -= tokens
    return tuple(chosen)
