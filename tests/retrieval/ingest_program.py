"""A process that ingests: `python -m tests.retrieval.ingest_program FOLDER [DOCUMENTS]`."""

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from retrieval.library import Library
from retrieval.store.database import Database
from tests.retrieval.ingesting import TENANT, parse_here, text
from tests.retrieval.word_encoder import word_encoder


async def main(folder: Path, count: int) -> None:
    """Takes documents in, if any, reads all that wait, and says `pending N` before each step."""
    database = await Database.open(f"sqlite:///{folder / 'documents.db'}")
    with ThreadPoolExecutor(2) as workers, ThreadPoolExecutor(1) as builders:
        library = Library(
            database, folder / "indexes", word_encoder(), parse=parse_here, workers=workers, builders=builders
        )
        if count:
            await library.add(TENANT, "notes", [text(f"d{number:03}", f"word{number}") for number in range(count)])
        busy = True
        while busy:
            print("pending", (await library.counts(TENANT, "notes"))["pending"], flush=True)
            busy = await library.ingest.step()
        await library.close()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
