"""POST /v1/completions: the request, the answer and the stream's chunks."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from serving.api.wire.fields import StopString, Strings, TokenCount, Unsupported
from serving.api.wire.sampling import LogprobCount, PromptLogprobs, SamplingFields, UsageCounts

DEFAULT_MAX_TOKENS = 16
MAX_STOPS = 32  # lm-evaluation-harness sends all that a task has
MAX_REPLIES = 2048  # prompts times choices in one request

_STRING = {"type": "string"}
_IDS = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}
PROMPT = {"anyOf": [_STRING, {"type": "array", "items": _STRING, "minItems": 1}, _IDS, {**_IDS, "items": _IDS}]}


def _as_prompts(prompt: Any) -> list[str | list[int]]:
    """All forms of a prompt as the list form. Ids are not yet checked against a vocabulary."""
    if isinstance(prompt, str):
        return [prompt]
    if isinstance(prompt, list) and prompt:
        if len(prompt) <= MAX_REPLIES and (all(isinstance(p, str) for p in prompt) or all(map(_is_ids, prompt))):
            return prompt
        if _is_ids(prompt):
            return [prompt]
    raise PydanticCustomError(
        "prompt",
        "accepted are a string, a list of strings, a list of token ids, or a list of lists of token ids, "
        "none of them empty, up to {most} in one request",
        {"most": MAX_REPLIES},
    )


def _is_ids(value: Any) -> bool:
    return isinstance(value, list) and all(type(token) is int for token in value)


def _one_at_most(value: Any) -> None:
    if value not in (None, 0, 1):
        raise PydanticCustomError("unsupported", "this server does not choose among replies; ask for n of them instead")


class CompletionRequest(SamplingFields):
    """A text completion."""

    prompt: Annotated[list[Any], BeforeValidator(_as_prompts), WithJsonSchema(PROMPT)]
    max_tokens: TokenCount | None = Field(
        DEFAULT_MAX_TOKENS, description="Most tokens that the reply may have; 0 with echo scores the prompt alone."
    )
    stop: Annotated[list[StopString], Strings, Field(max_length=MAX_STOPS)] | None = Field(
        None, description="Strings that end the reply; they are not part of it."
    )
    logprobs: LogprobCount | None = Field(None, description="Alternatives to report beside each token.")

    best_of: Annotated[Any, BeforeValidator(_one_at_most), WithJsonSchema({"type": "null"})] = None
    prompt_embeds: Unsupported
    suffix: Unsupported


class CompletionLogprobs(TypedDict):
    """One entry a token, the prompt's first where it is echoed."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class CompletionChoice(TypedDict):
    """One reply, or what a chunk adds to it."""

    index: int
    text: str
    logprobs: CompletionLogprobs | None
    finish_reason: str | None
    token_ids: NotRequired[list[int]]
    prompt_token_ids: NotRequired[list[int]]
    prompt_logprobs: NotRequired[PromptLogprobs]


class Completion(TypedDict):
    """The answer, or one event of a stream."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[CompletionChoice]
    usage: NotRequired[UsageCounts | None]
