"""The body of POST /v1/collections/{name}/documents: texts as JSON, or files as a form."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json
from starlette.datastructures import UploadFile

from serving.api.wire.collections import MAX_DOCUMENTS, NewDocument, NewDocuments
from serving.orchestrator.failures import InvalidRequest
from serving.retriever.request import Upload

FORM = "multipart/form-data"


def _schema() -> dict[str, Any]:
    """Of `NewDocuments`, whole."""
    schema = NewDocuments.model_json_schema()
    schema["properties"]["documents"]["items"] = schema.pop("$defs")["NewDocument"]
    return schema


DOCUMENTED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": _schema()},
            FORM: {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {
                        "files": {"type": "array", "items": {"type": "string", "format": "binary"}},
                        "metadata": {"type": "string", "description": "A JSON object, for all of these files."},
                    },
                }
            },
        },
    }
}
"""For the OpenAPI document, which FastAPI cannot write for a body of two kinds."""

_METADATA = TypeAdapter(dict[str, Any])


async def uploads_of(request: Request) -> Sequence[Upload]:
    """The documents in the body of a JsonRoute's request. Raises what is answered with 400."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
        return await _files(request)
    try:
        return [_text(document) for document in NewDocuments.model_validate(await request.json()).documents]
    except ValidationError as error:
        problems = [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors(include_url=False)]
        raise RequestValidationError(problems) from None


def _text(document: NewDocument) -> Upload:
    return Upload(
        document.id,
        document.text.encode(),
        document.media_type or "text/plain",
        document.source or "",
        document.metadata or {},
    )


async def _files(request: Request) -> Sequence[Upload]:
    """Each file of a form as a document, whose id is its name."""
    async with request.form(max_files=MAX_DOCUMENTS, max_fields=MAX_DOCUMENTS) as form:
        metadata = _metadata(form.get("metadata"))
        files = [file for _, file in form.multi_items() if isinstance(file, UploadFile)]
        if not files:
            raise InvalidRequest("The form has no files; accepted are parts with a filename.", "files")
        return [Upload(file.filename or "", await file.read(), _media_type(file), metadata=metadata) for file in files]


def _media_type(file: UploadFile) -> str:
    """What its sender knows of a file, which may be nothing."""
    return "" if file.content_type in (None, "application/octet-stream") else file.content_type


def _metadata(given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    try:
        return _METADATA.validate_python(from_json(given, allow_inf_nan=False))
    except (ValueError, TypeError):
        raise InvalidRequest("metadata is no JSON object", "metadata") from None
