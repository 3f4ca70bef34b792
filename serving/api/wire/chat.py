"""POST /v1/chat/completions: the request, the answer and the stream's chunks."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema, field_validator
from pydantic_core import PydanticCustomError, from_json
from typing_extensions import TypedDict

from serving.api.wire.fields import Body, StopString, Strings, TokenCount, Unsupported
from serving.api.wire.sampling import LogprobCount, PromptLogprobs, SamplingFields, UsageCounts

MAX_STOPS = 4  # as OpenAI has it
RENDER_ARGUMENTS = {"messages", "tools", "add_generation_prompt", "continue_final_message", "self"}

TEXT_PART = {"type": "object", "properties": {"type": {"const": "text"}, "text": {"type": "string"}}}
CONTENT = {"anyOf": [{"type": "string"}, {"type": "array", "items": {**TEXT_PART, "required": ["type", "text"]}}]}


def _joined_parts(content: Any) -> Any:
    """Content parts as one text, a line for each, as vLLM joins them for templates that expect a string."""
    if not isinstance(content, list):
        return content
    return "\n".join(_text_of(part, index) for index, part in enumerate(content))


def _text_of(part: Any, index: int) -> str:
    match part:
        case {"type": "text", "text": str(text)} | {"type": "refusal", "refusal": str(text)}:
            return text
        case {"type": str(kind)} if kind != "text":
            raise PydanticCustomError(
                "content_part",
                'part {index} is of type "{kind}"; only text is supported: {"type": "text", "text": "..."}',
                {"index": index, "kind": kind[:40]},
            )
    raise PydanticCustomError(
        "content_part", 'part {index} is not of the form {"type": "text", "text": "..."}', {"index": index}
    )


def _parsed_arguments(arguments: Any) -> Any:
    """A call's arguments as an object, which templates expect; clients send them as JSON in a string."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return from_json(arguments or "{}", allow_inf_nan=False)
    except ValueError:
        raise PydanticCustomError("arguments", "it is not valid JSON") from None


def _no_render_arguments(variables: dict[str, Any]) -> dict[str, Any]:
    if taken := sorted(RENDER_ARGUMENTS & variables.keys()):
        raise PydanticCustomError("variables", "{name} has a field of its own", {"name": taken[0]})
    return variables


Content = Annotated[str, BeforeValidator(_joined_parts), WithJsonSchema(CONTENT)]
CollectionName = Annotated[str, Field(min_length=1)]
TemplateVariables = Annotated[dict[str, Any], AfterValidator(_no_render_arguments)]


class CalledFunction(Body):
    """A function that the model called in an earlier turn."""

    name: str
    arguments: Annotated[dict[str, Any], BeforeValidator(_parsed_arguments), WithJsonSchema({"type": "string"})]


class ToolCall(Body):
    """One call of an earlier turn."""

    id: str | None = None
    type: Literal["function"] = "function"
    function: CalledFunction


class Message(Body):
    """One message of the conversation so far."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content | None = Field(None, validate_default=True, description="Text, or a list of text parts.")
    name: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = Field(None, description="The older name of reasoning.")
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None

    @field_validator("content")
    @classmethod
    def _only_assistants_without(cls, content: str | None, info: ValidationInfo) -> str | None:
        if content is None and info.data.get("role") != "assistant":
            raise PydanticCustomError("content", "only an assistant's message may do without content")
        return content

    def for_template(self) -> dict[str, Any]:
        """The message as chat templates expect it."""
        message: dict[str, Any] = {
            "role": "system" if self.role == "developer" else self.role,
            "content": self.content or "",
        }
        if self.name is not None:
            message["name"] = self.name
        if reasoning := self.reasoning or self.reasoning_content:
            message["reasoning"] = message["reasoning_content"] = reasoning
        if self.tool_calls:
            message["tool_calls"] = [call.model_dump(exclude_none=True) for call in self.tool_calls]
        if self.tool_call_id is not None:
            message["tool_call_id"] = self.tool_call_id
        return message


class ChatRequest(SamplingFields):
    """A chat completion. `store`, `metadata`, `service_tier` and other bookkeeping is accepted and ignored."""

    messages: Annotated[list[Message], Field(min_length=1)]
    max_completion_tokens: TokenCount | None = Field(None, description="The newer name of max_tokens; it wins.")
    stop: Annotated[list[StopString], Strings, Field(max_length=MAX_STOPS)] | None = Field(
        None, description="Up to 4 strings that end the reply; they are not part of it."
    )
    logprobs: bool | None = None
    top_logprobs: LogprobCount | None = None
    reasoning_effort: str | None = Field(None, description="Given to the chat template.")
    tool_choice: Literal["none", "auto"] | None = None
    modalities: list[Literal["text"]] | None = None

    collection: CollectionName | None = Field(
        None,
        description="Answer from this collection's documents; null from none, also where the server has a collection "
        "for all chats.",
    )
    add_generation_prompt: bool | None = Field(None, description="Open the assistant's turn (default true).")
    continue_final_message: bool | None = Field(None, description="Leave the last message open and go on with it.")
    chat_template_kwargs: TemplateVariables | None = Field(None, description="What this very template knows besides.")

    audio: Unsupported
    chat_template: Unsupported
    documents: Unsupported
    function_call: Unsupported
    functions: Unsupported
    tools: Unsupported
    web_search_options: Unsupported

    @field_validator("top_logprobs")
    @classmethod
    def _only_with_logprobs(cls, count: int | None, info: ValidationInfo) -> int | None:
        if count is not None and not info.data.get("logprobs"):
            raise PydanticCustomError("top_logprobs", "it is accepted only together with logprobs: true")
        return count

    @field_validator("continue_final_message")
    @classmethod
    def _only_without_generation_prompt(cls, value: bool | None, info: ValidationInfo) -> bool | None:
        if value and info.data.get("add_generation_prompt"):
            raise PydanticCustomError("continue_final_message", "it excludes add_generation_prompt: true")
        return value


class TopToken(TypedDict):
    """A token that could have stood at one place of the reply."""

    token: str
    logprob: float
    bytes: list[int]


class ChatToken(TopToken):
    """A token of the reply."""

    top_logprobs: list[TopToken]


class ChatLogprobs(TypedDict):
    """The reply's tokens."""

    content: list[ChatToken]
    refusal: None


class FileCitation(TypedDict):
    """A passage that the reply cites: of which document it is, and what it says."""

    type: Literal["file_citation"]
    index: int  # the passage's number in the prompt, as in [1]
    document_id: str
    chunk_id: int
    title: str
    source: str
    headings: list[str]
    page: int | None
    text: str


class AssistantMessage(TypedDict):
    """The reply."""

    role: str
    content: str
    refusal: None
    annotations: NotRequired[list[FileCitation]]


class GivenPassage(TypedDict):
    """A passage that the model had before it, whether or not the reply cites it."""

    index: int
    document_id: str
    chunk_id: int
    score: float


class Retrieval(TypedDict):
    """What was looked up for the reply, and how that went."""

    collection: str
    origin: Literal["found", "last_known", "none"]  # last_known: found for an earlier question of this conversation
    warning: Literal["late", "unavailable", "missing", "no_room"] | None
    passages: list[GivenPassage]
    turns_left_out: int  # oldest turns that had to make room for passages


class ChatChoice(TypedDict):
    """One reply."""

    index: int
    message: AssistantMessage
    logprobs: ChatLogprobs | None
    finish_reason: str
    token_ids: NotRequired[list[int]]


class ChatCompletion(TypedDict):
    """The answer without streaming."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: UsageCounts
    prompt_logprobs: NotRequired[PromptLogprobs]
    prompt_token_ids: NotRequired[list[int]]
    retrieval: NotRequired[Retrieval]


class MessageDelta(TypedDict, total=False):
    """What a chunk adds to the message."""

    role: str
    content: str
    annotations: list[FileCitation]


class ChatChunkChoice(TypedDict):
    """What a chunk adds to one reply."""

    index: int
    delta: MessageDelta
    logprobs: ChatLogprobs | None
    finish_reason: str | None
    token_ids: NotRequired[list[int]]


class ChatChunk(TypedDict):
    """One event of a stream."""

    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChunkChoice]
    usage: NotRequired[UsageCounts | None]
    prompt_token_ids: NotRequired[list[int]]
    retrieval: NotRequired[Retrieval]
