"""GET /v1/models, /health and /ready."""

from typing import Literal

from typing_extensions import TypedDict


class ModelCard(TypedDict):
    """One model."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    task: Literal["generate", "embed"]  # which endpoints it is for
    max_model_len: int | None  # tokens of prompt and reply together, or of one text; null until the model is ready


class ModelList(TypedDict):
    """All models of this server."""

    object: Literal["list"]
    data: list[ModelCard]


class Progress(TypedDict):
    """How far the engine has come on its way to serving."""

    stage: str
    done: int
    total: int
    message: str


class Readiness(TypedDict):
    """Whether requests are served now."""

    status: Literal["starting", "ready", "down"]
    model: str
    progress: Progress
