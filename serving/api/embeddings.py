"""POST /v1/embeddings."""

import asyncio
import base64
import json

import numpy as np
from fastapi import APIRouter, Request, Response
from jaxtyping import Float

from serving.api.answer import ERRORS
from serving.api.disconnect import while_connected
from serving.api.gateway import SharedGateway
from serving.api.json_body import JsonRoute
from serving.api.wire.embeddings import EmbeddingList, EmbeddingRequest
from serving.encoder.request import Embeddings

Vector = Float[np.ndarray, " dimensions"]

router = APIRouter(tags=["OpenAI"], responses=ERRORS, route_class=JsonRoute)


@router.post("/v1/embeddings", summary="Texts to vectors", response_model=EmbeddingList)
async def create_embeddings(body: EmbeddingRequest, request: Request, gateway: SharedGateway) -> Response:
    """A vector for each input, in their order."""
    embedder = gateway.require_embedder(body.model)
    work = embedder.embed(body.input, dimensions=body.dimensions, truncate=body.truncate_prompt_tokens is not None)
    embeddings = await while_connected(request, work)
    # On a thread, since a million numbers take a second to write and others' tokens are to come evenly meanwhile.
    content = await asyncio.to_thread(rendered, embeddings, embedder.model, body.encoding_format == "base64")
    return Response(content, media_type="application/json")


def rendered(embeddings: Embeddings, model: str, as_base64: bool) -> bytes:
    """The answer as JSON, written vector by vector, so that other threads have their turns."""
    written = _base64 if as_base64 else _numbers
    entries = (
        b'{"object":"embedding","index":%d,"embedding":%b}' % (index, written(vector))
        for index, vector in enumerate(embeddings.vectors)
    )
    tokens = sum(embeddings.token_counts)
    return b'{"object":"list","data":[%b],"model":%b,"usage":{"prompt_tokens":%d,"total_tokens":%d}}' % (
        b",".join(entries),
        json.dumps(model).encode(),
        tokens,
        tokens,
    )


def _numbers(vector: Vector) -> bytes:
    return json.dumps(vector.tolist(), allow_nan=False, separators=(",", ":")).encode()


def _base64(vector: Vector) -> bytes:
    return b'"%b"' % base64.b64encode(vector.astype("<f4").tobytes())
