"""Kinds of request fields that the endpoints share."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, WithJsonSchema
from pydantic_core import PydanticCustomError

INT64 = 2**63


class Body(BaseModel):
    """A request body. Unknown fields are ignored, as vLLM does; every field may be null, which means left out."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


def _refuse(value: Any) -> None:
    if value not in (None, False, "", [], {}):
        raise PydanticCustomError("unsupported", "this server does not support it; leave it out")


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _not_zero(value: int) -> int:
    if value == 0:
        raise PydanticCustomError("truncation", "accepted are -1 (what the context holds) and 1 or more")
    return value


# A field that would change the answer and that this server cannot honour. Empty values mean the same as leaving it out.
Unsupported = Annotated[Any, BeforeValidator(_refuse), WithJsonSchema({"type": "null"}), Field(default=None)]

StopString = Annotated[str, Field(min_length=1)]
TokenId = Annotated[int, Field(ge=0, lt=2**32)]
Penalty = Annotated[FiniteFloat, Field(ge=-2, le=2)]
Bias = Annotated[FiniteFloat, Field(ge=-100, le=100)]
Share = Annotated[FiniteFloat, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=-INT64, lt=INT64)]
TokenCount = Annotated[int, Field(ge=0, lt=2**31)]
TruncateTo = Annotated[int, Field(ge=-1, lt=2**31), AfterValidator(_not_zero)]
Strings = BeforeValidator(_as_list)  # one string stands for a list of one
