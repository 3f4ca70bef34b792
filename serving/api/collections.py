"""/v1/collections: documents that are kept, and passages that are found in them."""

from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Query as InQuery

from serving.api.answer import ERRORS
from serving.api.disconnect import while_connected
from serving.api.gateway import Gateway, SharedGateway
from serving.api.json_body import JsonRoute
from serving.api.tenant import Tenant
from serving.api.uploads import DOCUMENTED, uploads_of
from serving.api.wire.collections import (
    LISTED,
    MAX_LISTED,
    CollectionCard,
    CollectionList,
    CreateCollection,
    Deleted,
    DocumentCard,
    DocumentList,
    ReceiptList,
    SearchHit,
    SearchRequest,
    SearchResults,
)
from serving.retriever.request import Collection, Document, Hit, Query

router = APIRouter(prefix="/v1/collections", tags=["Documents"], responses=ERRORS, route_class=JsonRoute)


@router.get("", summary="List the collections")
async def list_collections(gateway: SharedGateway, tenant: Tenant) -> CollectionList:
    """Those of this API key, by name."""
    found = await gateway.require_retriever().collections(tenant)
    return {"object": "list", "data": [_collection(collection, gateway) for collection in found]}


@router.post("", summary="Make a collection")
async def create_collection(body: CreateCollection, gateway: SharedGateway, tenant: Tenant) -> CollectionCard:
    """One that is there already is left as it is."""
    return _collection(await gateway.require_retriever().create(tenant, body.name), gateway)


@router.get("/{name}", summary="Describe a collection")
async def get_collection(name: str, gateway: SharedGateway, tenant: Tenant) -> CollectionCard:
    """How many documents it has, and how many of them wait to be read."""
    return _collection(await gateway.require_retriever().collection(tenant, name), gateway)


@router.delete("/{name}", summary="Delete a collection")
async def delete_collection(name: str, gateway: SharedGateway, tenant: Tenant) -> Deleted:
    """With all its documents."""
    await gateway.require_retriever().drop(tenant, name)
    return {"id": name, "object": "collection.deleted", "deleted": True}


@router.post("/{name}/documents", summary="Add documents", status_code=202, openapi_extra=DOCUMENTED)
async def add_documents(name: str, request: Request, gateway: SharedGateway, tenant: Tenant) -> ReceiptList:
    """Texts as JSON, or files (text, Markdown, HTML, PDF, CSV, source code) as a form.

    The collection is made where there is none. Documents are safe when this is answered, and read soon after; the very
    same document again costs nothing.
    """
    retriever = gateway.require_retriever()
    receipts = await retriever.add(tenant, name, await uploads_of(request))
    data = [{"id": receipt.id, "object": "document.receipt", "status": receipt.status} for receipt in receipts]
    return {"object": "list", "data": data}


@router.get("/{name}/documents", summary="List documents")
async def list_documents(
    name: str,
    gateway: SharedGateway,
    tenant: Tenant,
    after: Annotated[str, InQuery(description="Those after this id.")] = "",
    limit: Annotated[int, InQuery(ge=1, le=MAX_LISTED)] = LISTED,
) -> DocumentList:
    """By id, page by page."""
    found = await gateway.require_retriever().documents(tenant, name, after, limit + 1)
    shown = found[:limit]
    return {
        "object": "list",
        "data": list(map(_document, shown)),
        "has_more": len(found) > limit,
        "last_id": shown[-1].id if shown else None,
    }


@router.get("/{name}/documents/{document:path}", summary="Describe a document")
async def get_document(name: str, document: str, gateway: SharedGateway, tenant: Tenant) -> DocumentCard:
    """Whether it is read by now (`ready`), still waits (`pending`), or could not be read (`failed`), and why."""
    return _document(await gateway.require_retriever().document(tenant, name, document))


@router.delete("/{name}/documents/{document:path}", summary="Delete a document")
async def delete_document(name: str, document: str, gateway: SharedGateway, tenant: Tenant) -> Deleted:
    """No search finds it when this is answered."""
    await gateway.require_retriever().delete(tenant, name, document)
    return {"id": document, "object": "document.deleted", "deleted": True}


@router.post("/{name}/search", summary="Find passages")
async def search(
    name: str, body: SearchRequest, request: Request, gateway: SharedGateway, tenant: Tenant
) -> SearchResults:
    """The passages that answer a query best, without those that repeat others."""
    query = Query(body.query, body.top_k or 10, body.mode or "hybrid", body.filter)
    hits = await while_connected(request, gateway.require_retriever().search(tenant, name, query))
    return {"object": "list", "data": list(map(_hit, hits))}


def _collection(collection: Collection, gateway: Gateway) -> CollectionCard:
    return {
        "id": collection.name,
        "object": "collection",
        "created_at": int(collection.created),
        "encoder": collection.encoder,
        "dimensions": collection.dimensions,
        "documents": {"pending": collection.pending, "ready": collection.ready, "failed": collection.failed},
        "max_document_bytes": gateway.require_retriever().description.document_bytes,
    }


def _document(document: Document) -> DocumentCard:
    return {
        "id": document.id,
        "object": "document",
        "status": document.status,
        "error": document.error,
        "source": document.source,
        "media_type": document.media_type,
        "title": document.title,
        "metadata": dict(document.metadata),
        "bytes": document.bytes,
        "chunks": document.chunks,
        "updated_at": int(document.updated),
    }


def _hit(hit: Hit) -> SearchHit:
    return {
        "object": "passage",
        "document_id": hit.document,
        "chunk_id": hit.chunk,
        "text": hit.text,
        "score": hit.score,
        "source": hit.source,
        "title": hit.title,
        "headings": list(hit.headings),
        "page": hit.page,
        "position": hit.position,
        "metadata": dict(hit.metadata),
    }
