"""How tests take documents in and wait until they are read."""

from retrieval.library import Library
from retrieval.parsing.blocks import ParsedDocument
from retrieval.parsing.formats import parse
from retrieval.search import Hit, Query
from retrieval.store.uploads import Upload

TENANT = "ann"


def text(key: str, content: str, **metadata) -> Upload:
    """A plain text."""
    return Upload(key, content.encode(), "text/plain", metadata=metadata)


async def parse_here(data: bytes, name: str, media_type: str) -> ParsedDocument:
    """Parses in this process, for tests that are about something else."""
    return parse(data, name, media_type)


async def read_all(library: Library) -> None:
    """Reads everything that waits."""
    while await library.ingest.step():
        pass


async def ingest(library: Library, *given: Upload, tenant: str = TENANT, name: str = "notes") -> None:
    """Takes documents in and reads them."""
    await library.add(tenant, name, given)
    await read_all(library)


async def found(library: Library, query: str, tenant: str = TENANT, name: str = "notes", **more) -> list[str]:
    """The documents that a search finds, best first."""
    return [hit.passage.document for hit in await hits(library, query, tenant, name, **more)]


async def hits(library: Library, query: str, tenant: str = TENANT, name: str = "notes", **more) -> list[Hit]:
    """What a search finds."""
    return await library.search(tenant, name, Query(query, **more))
