"""Fields that chat and text completions share: how to sample, when to stop, what to report."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, FiniteFloat, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from serving.api.wire.fields import (
    Bias,
    Body,
    Penalty,
    Seed,
    Share,
    StopString,
    Strings,
    TokenCount,
    TokenId,
    TruncateTo,
    Unsupported,
)
from serving.engine.request import MAX_TOP_LOGPROBS

MAX_CHOICES = 128  # for one prompt, as OpenAI has it
INT32 = 2**31

LogprobCount = Annotated[int, Field(ge=0, le=MAX_TOP_LOGPROBS)]


class ResponseFormat(BaseModel):
    """Plain text is the one format there is."""

    type: Literal["text"]


class StreamOptions(BaseModel):
    """What a stream reports beside the reply."""

    include_usage: bool | None = Field(None, description="End the stream with a chunk of token counts.")
    continuous_usage_stats: bool | None = Field(None, description="Give token counts in every chunk.")


class SamplingFields(Body):
    """OpenAI's names first, then vLLM's. Where a field is left out, the model's own generation defaults hold."""

    model: str | None = Field(None, description="A name of /v1/models; left out, the model that is served.")
    max_tokens: TokenCount | None = Field(None, description="Most tokens that the reply may have.")
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES)] | None = Field(None, description="Choices for each prompt.")
    temperature: Annotated[FiniteFloat, Field(ge=0, le=2)] | None = Field(None, description="0 is greedy.")
    top_p: Share | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    logit_bias: dict[TokenId, Bias] | None = Field(None, description="Token id to what is added to its logit.")
    seed: Seed | None = Field(None, description="The same seed and request give the same reply.")
    stop: Annotated[list[StopString], Strings] | None = Field(
        None, description="Strings that end the reply; they are not part of it."
    )
    stream: bool | None = Field(None, description="Send the reply as server-sent events while it is written.")
    stream_options: StreamOptions | None = None
    user: str | None = Field(None, description="Accepted and ignored.")
    response_format: ResponseFormat | None = None

    top_k: Annotated[int, Field(ge=-1, lt=INT32)] | None = Field(None, description="0 and -1 keep every token.")
    min_p: Share | None = None
    repetition_penalty: Annotated[FiniteFloat, Field(ge=0.01, le=10)] | None = None
    stop_token_ids: list[TokenId] | None = None
    include_stop_str_in_output: bool | None = None
    ignore_eos: bool | None = None
    min_tokens: TokenCount | None = None
    skip_special_tokens: bool | None = Field(None, description="Leave special tokens out of the text (default true).")
    truncate_prompt_tokens: TruncateTo | None = Field(
        None, description="Keep this many of the prompt's last tokens; -1 keeps what the context holds."
    )
    add_special_tokens: bool | None = None
    allowed_token_ids: Annotated[list[TokenId], Field(min_length=1)] | None = None
    bad_words: list[StopString] | None = Field(None, description="Words of one token each that must not appear.")
    prompt_logprobs: LogprobCount | None = None
    echo: bool | None = Field(None, description="Begin the reply with what it continues.")
    priority: Annotated[int, Field(ge=-INT32, lt=INT32)] | None = Field(None, description="Lower goes first.")
    cache_salt: Annotated[str, Field(max_length=1024)] | None = Field(
        None, description="Prefix cache pages are shared only with requests of the same salt."
    )
    return_token_ids: bool | None = None
    return_tokens_as_token_ids: bool | None = Field(None, description='Write tokens of logprobs as "token_id:7".')
    truncation_side: Literal["left"] | None = None

    guided_choice: Unsupported
    guided_grammar: Unsupported
    guided_json: Unsupported
    guided_regex: Unsupported
    logits_processors: Unsupported
    logprob_token_ids: Unsupported
    repetition_detection: Unsupported
    structured_outputs: Unsupported
    thinking_token_budget: Unsupported
    use_beam_search: Unsupported

    @field_validator("stream_options")
    @classmethod
    def _only_with_stream(cls, value: StreamOptions | None, info: ValidationInfo) -> StreamOptions | None:
        if value is not None and not info.data.get("stream"):
            raise PydanticCustomError("stream_options", "it is accepted only together with stream: true")
        return value

    @field_validator("prompt_logprobs")
    @classmethod
    def _only_without_stream(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("stream"):
            raise PydanticCustomError("prompt_logprobs", "it is not available together with stream: true")
        return value

    @property
    def choices(self) -> int:
        """Choices for each prompt."""
        return self.n or 1


class PromptTokensDetails(TypedDict):
    """Of the prompt's tokens."""

    cached_tokens: int


class CompletionTokensDetails(TypedDict):
    """Of the reply's tokens."""

    reasoning_tokens: int


class UsageCounts(TypedDict):
    """Tokens of one call, all choices together; the prompt counts once."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


class PromptToken(TypedDict):
    """One token at one place of the prompt, as vLLM reports it."""

    logprob: float
    rank: int | None  # 1 is the most likely; null when it is not among those asked for
    decoded_token: str


PromptLogprobs = list[dict[str, PromptToken] | None]  # by token id; the first entry is null
