"""POST /v1/embeddings: the request and the answer."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from serving.api.wire.completions import PROMPT
from serving.api.wire.fields import Body

MAX_INPUTS = 2048


def _as_inputs(given: Any) -> list[str] | list[list[int]]:
    """All forms of an input as the list form. Ids are not yet checked against a vocabulary."""
    if isinstance(given, str) or (given and _is_ids(given)):
        given = [given]
    if not isinstance(given, list) or not (all(isinstance(one, str) for one in given) or all(map(_is_ids, given))):
        raise PydanticCustomError(
            "input", "accepted are a string, a list of strings, a list of token ids, or a list of lists of token ids"
        )
    if len(given) > MAX_INPUTS:
        raise PydanticCustomError(
            "input", "{given} inputs are too many; accepted are up to {most}", {"given": len(given), "most": MAX_INPUTS}
        )
    empty = next((place for place, one in enumerate(given) if not one), None)
    if not given or empty is not None:
        place = f"input[{empty}]" if given and len(given) > 1 else "it"
        raise PydanticCustomError("input", "{place} is empty; accepted are one token or more", {"place": place})
    return given


def _is_ids(value: Any) -> bool:
    return isinstance(value, list) and all(type(token) is int and 0 <= token < 2**32 for token in value)


class EmbeddingRequest(Body):
    """Texts that are to be turned into vectors."""

    model: str | None = None
    input: Annotated[list[Any], BeforeValidator(_as_inputs), WithJsonSchema(PROMPT)]
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="How a vector is written: as numbers, or as its float32 bytes, little-endian, in base64."
    )
    dimensions: Annotated[int, Field(ge=1, lt=2**31)] | None = Field(
        None, description="Keep only so many of a vector's first numbers, at length 1 again."
    )
    truncate_prompt_tokens: Literal[-1] | None = Field(
        None, description="-1 cuts off what the encoder cannot read; without it, a text that is too long is an error."
    )


class EmbeddingEntry(TypedDict):
    """One input's vector."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingUsage(TypedDict):
    """Tokens, special ones included."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingList(TypedDict):
    """The answer."""

    object: Literal["list"]
    data: list[EmbeddingEntry]
    model: str
    usage: EmbeddingUsage
