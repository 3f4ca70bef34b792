"""What a chat's answer says of the documents behind it."""

from serving.api.gateway import Gateway
from serving.api.tenant import DEFAULT_TENANT
from serving.api.wire.chat import ChatRequest, FileCitation, Retrieval
from serving.orchestrator.citations import cited
from serving.orchestrator.grounded_prompt import Grounded
from serving.orchestrator.grounding import Shelf


def shelf(body: ChatRequest, gateway: Gateway, tenant: str) -> Shelf | None:
    """Where a request's question is to be looked up: in the collection that it names, else in the server's, if any.

    The server's collection is the default tenant's, and everybody's to ask.
    """
    if body.collection is not None:
        return Shelf(tenant, body.collection, named=True)
    if gateway.collection and "collection" not in body.model_fields_set:
        return Shelf(DEFAULT_TENANT, gateway.collection, named=False)
    return None


def annotations(grounded: Grounded, reply: str) -> list[FileCitation]:
    """The passages that a reply cites."""
    context = grounded.context
    places = cited(reply, context.question, [hit.text for hit in context.hits])
    return [
        {
            "type": "file_citation",
            "index": place + 1,
            "document_id": hit.document,
            "chunk_id": hit.chunk,
            "title": hit.title,
            "source": hit.source,
            "headings": list(hit.headings),
            "page": hit.page,
            "text": hit.text,
        }
        for place, hit in ((place, context.hits[place]) for place in places)
    ]


def retrieval(grounded: Grounded) -> Retrieval:
    """How looking up went, and what the model had before it."""
    context = grounded.context
    return {
        "collection": context.shelf.collection,
        "origin": context.origin,
        "warning": context.warning,
        "passages": [
            {"index": number, "document_id": hit.document, "chunk_id": hit.chunk, "score": hit.score}
            for number, hit in enumerate(context.hits, start=1)
        ],
        "turns_left_out": grounded.turns_left_out,
    }
