"""/tokenizer_info, /tokenize and /detokenize: a tokenizer for clients that have none, as vLLM and lm-evaluation-harness
know them."""

from typing import Annotated

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from serving.api.wire.chat import Message, TemplateVariables
from serving.api.wire.fields import Body, TokenId


class TokenizeRequest(Body):
    """Text, or messages to be put through the chat template first."""

    model: str | None = None
    prompt: str | None = None
    messages: Annotated[list[Message], Field(min_length=1)] | None = None
    add_special_tokens: bool | None = Field(
        None, description="Add what the model expects around a text, such as bos; by default for a prompt only."
    )
    add_generation_prompt: bool | None = None
    continue_final_message: bool | None = None
    chat_template_kwargs: TemplateVariables | None = None
    return_token_strs: bool | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> "TokenizeRequest":
        if (self.prompt is None) == (self.messages is None):
            raise PydanticCustomError("prompt", "give either prompt or messages")
        return self


class Tokenized(TypedDict):
    """Token ids."""

    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str] | None


class DetokenizeRequest(Body):
    """Token ids."""

    model: str | None = None
    tokens: list[TokenId]


class Detokenized(TypedDict):
    """Their text."""

    prompt: str


class TokenizerInfo(TypedDict):
    """What a client needs to render chats itself."""

    tokenizer_class: str
    vocab_size: int
    bos_token: str | None
    eos_token: str | None
    chat_template: str | None
