"""Log-probabilities in the three shapes that clients know: of chats, of completions, and vLLM's of prompts."""

from collections.abc import Callable, Iterable, Sequence

from serving.api.wire.chat import ChatLogprobs, ChatToken
from serving.api.wire.completions import CompletionLogprobs
from serving.api.wire.sampling import PromptLogprobs, PromptToken
from serving.engine.request import TokenLogprobs
from serving.models.tokenizer import TextStream, Tokenizer

LEAST = -9999.0  # stands for minus infinity, which JSON cannot write; vLLM's value

Label = Callable[[int], str]


def token_label(tokenizer: Tokenizer, *, as_ids: bool = False) -> Label:
    """How logprobs name a token: its text, its bytes where these are no whole characters, or its id."""
    if as_ids:
        return "token_id:{}".format

    def label(token: int) -> str:
        data = tokenizer.token_bytes(token)
        try:
            return data.decode()
        except UnicodeDecodeError:
            return "bytes:" + "".join(f"\\x{byte:02x}" for byte in data)

    return label


def chat_logprobs(positions: Iterable[TokenLogprobs], tokenizer: Tokenizer, label: Label, top: int) -> ChatLogprobs:
    """OpenAI's shape for chats, with `top` alternatives a token."""

    def described(token: int, logprob: float) -> dict:
        return {"token": label(token), "logprob": _finite(logprob), "bytes": list(tokenizer.token_bytes(token))}

    content: list[ChatToken] = [
        {
            **described(position.token, position.logprob),
            "top_logprobs": [described(*alternative) for alternative in position.top[:top]],
        }
        for position in positions
    ]
    return {"content": content, "refusal": None}


def completion_logprobs(
    positions: Sequence[TokenLogprobs | None], tokens: Sequence[int], offsets: Sequence[int], label: Label, top: int
) -> CompletionLogprobs:
    """OpenAI's shape for text completions. A position of None is a prompt's first token, which nothing predicts."""
    return {
        "tokens": [label(token) for token in tokens],
        "token_logprobs": [position and _finite(position.logprob) for position in positions],
        "top_logprobs": [position and _by_label(position, label, top) for position in positions],
        "text_offset": list(offsets),
    }


def prompt_logprobs(positions: Iterable[TokenLogprobs | None], label: Label) -> PromptLogprobs:
    """vLLM's shape for prompts."""
    return [position and _by_id(position, label) for position in positions]


def prompt_offsets(tokenizer: Tokenizer, tokens: Iterable[int], *, skip_special_tokens: bool) -> list[int]:
    """Where each token's text begins in the text of them all, in characters."""
    stream = TextStream(tokenizer, skip_special_tokens)
    offsets, length = [], 0
    for token in tokens:
        offsets.append(length)
        length += len(stream.push((token,)))
    return offsets


def _by_label(position: TokenLogprobs, label: Label, top: int) -> dict[str, float]:
    """The alternatives and always the token itself. Where two share a label, the likelier one has it."""
    logprobs: dict[str, float] = {}
    for token, logprob in (*position.top[:top], (position.token, position.logprob)):
        logprobs.setdefault(label(token), _finite(logprob))
    return logprobs


def _by_id(position: TokenLogprobs, label: Label) -> dict[str, PromptToken]:
    entries: dict[str, PromptToken] = {
        str(token): {"logprob": _finite(logprob), "rank": rank, "decoded_token": label(token)}
        for rank, (token, logprob) in enumerate(position.top, start=1)
    }
    own: PromptToken = {"logprob": _finite(position.logprob), "rank": None, "decoded_token": label(position.token)}
    entries.setdefault(str(position.token), own)
    return entries


def _finite(logprob: float) -> float:
    return max(logprob, LEAST)
