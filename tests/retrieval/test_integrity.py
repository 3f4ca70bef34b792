"""Whatever happens, in whatever order: every hit is the right chunk of the right document of the right tenant.

Hypothesis makes up the story: documents come, change, go, cannot be read, have no vector; the encoder breaks; merges
take their time; files are damaged; and the process ends before or after any step that writes. SQL, read by other means
than ours, is what the index is held against; what was accepted is what SQL is held against.
"""

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Awaitable
from contextlib import closing, suppress
from itertools import groupby
from pathlib import Path
from unittest import mock

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from retrieval.collection import Collection
from retrieval.errors import EncoderFault, NotFound
from retrieval.index import segment
from retrieval.index.policy import IndexPolicy
from retrieval.library import Library
from retrieval.search import Query
from retrieval.store.database import Database
from retrieval.store.uploads import Upload
from tests.retrieval.faults import Crash, CrashPoints, HeldExecutor, InlineExecutor
from tests.retrieval.ingesting import parse_here
from tests.retrieval.word_encoder import DIMENSIONS, embed, vector, word_encoder

POLICY = IndexPolicy(saved_from=4, hashed_from=16, partitioned_from=24, recall=1.0, growth=2)
EVERYWHERE = (("ann", "x"), ("bob", "x"), ("ann", "y"))
PLACES = st.sampled_from([*EVERYWHERE[:1] * 3, *EVERYWHERE])  # one of them grows large
KEYS = st.sampled_from([f"d{number}" for number in range(9)])
PARAGRAPHS = st.lists(st.integers(0, 40).map(lambda number: f"# h{number}\n\nword{number} all"), min_size=1, max_size=9)
# Two sections of one heading that follow each other are one section.
GOOD = PARAGRAPHS.map(lambda paragraphs: "\n\n".join(text for text, _ in groupby(paragraphs)))
CONTENTS = st.one_of(GOOD, GOOD, GOOD, st.just("# a\n\nvoid"), st.just("\x00 unreadable"))
GIVEN = st.dictionaries(KEYS, CONTENTS, min_size=1, max_size=6)
CRASHES = st.one_of(st.just(0), st.just(0), st.integers(1, 40))

DOCUMENTS = """
    SELECT c.tenant, c.name, d.key, d.status, u.content, (
        SELECT group_concat('# ' || json_extract(h.headings, '$[#-1]') || char(10, 10) || h.text, char(10, 10))
        FROM (SELECT * FROM chunks WHERE document_id = d.id ORDER BY position) h
    )
    FROM documents d JOIN collections c ON c.id = d.collection_id LEFT JOIN uploads u ON u.document_id = d.id
"""  # with the content put together again from chunks

CHUNKS = """
    SELECT h.id, c.tenant, h.tenant, d.tenant, c.name, d.key, h.text, h.title, json_extract(h.headings, '$[#-1]')
    FROM chunks h JOIN documents d ON d.id = h.document_id JOIN collections c ON c.id = h.collection_id
"""


class Story(RuleBasedStateMachine):
    """One library over its lives."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.loop = asyncio.new_event_loop()
        self.now = 1000.0
        self.encoder_works = True
        self.crashes = CrashPoints()
        settled = Collection.settled

        async def settled_now(collection: Collection) -> None:
            if collection.merging:
                with self.builders.released():
                    await settled(collection)

        self.patches = [
            mock.patch.object(segment, "_EXACT", 4),
            mock.patch.object(Collection, "settled", settled_now),
            self.crashes.installed(),
        ]
        for patch in self.patches:
            patch.__enter__()
        # What each document's content may be: one where that is certain, several after a crash; None for no document.
        self.accepted: dict[tuple[str, str, str], set[str | None]] = {}

    async def encode(self, texts):
        """Vectors of words, none for what is void, and nonsense when the encoder is broken."""
        if not self.encoder_works:
            return np.ones((len(texts) + 1, DIMENSIONS), np.float32)
        vectors = await embed(texts)
        vectors[[row for row, text in enumerate(texts) if "void" in text]] = np.nan
        return vectors

    @initialize()
    def start(self) -> None:
        """The first process, or the next."""

        async def opened() -> tuple[Database, Library]:
            database = await Database.open(f"sqlite:///{self.folder / 'documents.db'}")
            library = Library(
                database,
                self.folder / "indexes",
                word_encoder(self.encode),
                parse=parse_here,
                workers=InlineExecutor(),
                builders=self.builders,
                policy=POLICY,
                clock=lambda: self.now,
            )
            await library.clean()
            return database, library

        self.crashes.arm(0)
        self.builders = HeldExecutor()
        self.database, self.library = self.loop.run_until_complete(opened())

    def end(self) -> None:
        """The process is no more: nothing is saved, nothing is finished."""

        async def ended() -> None:
            await self.library.close()
            await self.database.close()

        self.crashes.arm(0)
        self.loop.run_until_complete(ended())

    def run(self, action: Awaitable, crash_after: int = 0) -> bool:
        """Does something; False when the process ended meanwhile, and another was started."""

        self.crashes.arm(crash_after)
        try:
            self.loop.run_until_complete(action)
        except Crash:
            self.end()
            self.start()
            return False
        finally:
            self.crashes.arm(0)
        return True

    @rule(place=PLACES, given=GIVEN, crash=CRASHES)
    def add(self, place, given, crash) -> None:
        """Documents come or change."""
        uploads = [Upload(key, content.encode(), "text/markdown") for key, content in given.items()]
        done = self.run(self.library.add(*place, uploads), crash)
        for key, content in given.items():
            before = self.accepted.get((*place, key), {None})
            self.accepted[*place, key] = {content} if done else {content} | before

    @rule(place=PLACES, given=st.dictionaries(KEYS, GOOD, min_size=3, max_size=6))
    def add_one_by_one(self, place, given) -> None:
        """Each is read before the next comes, which makes a segment of each."""
        for key, content in given.items():
            self.add(place, {key: content}, 0)
            self.read_some(0)

    @rule(crash=CRASHES)
    def read_some(self, crash) -> None:
        """A few documents are read."""
        self.run(self.library.ingest.step(), crash)

    @precondition(lambda self: self.accepted)
    @rule()
    def read_with_a_broken_encoder(self) -> None:
        """Nothing may come of it."""
        self.encoder_works = False

        async def step() -> None:
            with suppress(EncoderFault):
                await self.library.ingest.step()

        self.run(step())
        self.encoder_works = True

    @precondition(lambda self: self.accepted)
    @rule(place=PLACES, key=KEYS, crash=CRASHES)
    def delete(self, place, key, crash) -> None:
        """A document goes."""
        before = self.accepted.get((*place, key), {None})

        async def delete() -> None:
            try:
                await self.library.delete(*place, key)
            except NotFound:
                assert None in before

        done = self.run(delete(), crash)
        self.accepted[*place, key] = {None} if done else before | {None}

    @precondition(lambda self: len(self.accepted) > 9)
    @rule(place=PLACES)
    def drop(self, place) -> None:
        """A collection goes."""

        async def drop() -> None:
            with suppress(NotFound):
                await self.library.drop(*place)

        self.run(drop())
        self.accepted = {known: content for known, content in self.accepted.items() if known[:2] != place}

    @precondition(lambda self: self.builders.waiting)
    @rule(crash=CRASHES)
    def merge(self, crash) -> None:
        """What is to be merged is merged now, after whatever happened since it was chosen."""

        async def merged() -> None:
            self.builders.release()
            for task in [task for task in asyncio.all_tasks() if task.get_name().startswith("merge ")]:
                while not task.done() and not self.builders.waiting:  # for the next merge
                    await asyncio.wait([task], timeout=0.01)
                if task.done():
                    task.result()

        self.run(merged(), crash)

    @rule(ends=st.booleans(), damaged=st.none() | st.integers(0, 200), cut=st.booleans())
    def restart(self, ends, damaged, cut) -> None:
        """The process ends, a file may suffer, another starts. Or all collections leave memory."""
        if not ends:
            self.now += 10_000
            self.library.loaded.drop_idle()
            return
        self.end()
        saved = sorted(path for path in (self.folder / "indexes").rglob("*") if path.is_file())
        if damaged is not None and saved:
            file = saved[damaged % len(saved)]
            content = bytearray(file.read_bytes())
            if cut or not content:
                content = content[: len(content) // 2]
            else:
                content[damaged % len(content)] ^= 1 + damaged % 7
            file.write_bytes(content)
        self.start()

    @invariant()
    def the_index_is_what_sql_says(self) -> None:
        """Every live chunk is found, and nothing else, with its own text and of its own tenant."""
        if not hasattr(self, "library"):
            return
        truth = self.read_sql()
        for tenant, name in EVERYWHERE:
            chunks = {chunk: row for chunk, (place, *row) in truth.items() if place == (tenant, name)}
            try:
                self.run(self.check_index(tenant, name, chunks))
            except NotFound:
                assert not chunks

    async def check_index(self, tenant: str, name: str, chunks: dict[int, list[str]]) -> None:
        """Holds one collection's index and searches against its chunks."""
        record = await self.library.collection(tenant, name)
        async with self.library.loaded.use(record) as collection:
            snapshot = collection.snapshot
        vectors = {chunk: vector(embedded) for chunk, (_, _, embedded) in chunks.items()}
        for chunk, (_, text, embedded) in list(chunks.items())[:6]:
            query = (vectors[chunk] / np.linalg.norm(vectors[chunk])).astype(np.float32)
            assert set(snapshot.dense(query, 10_000).ids.tolist()) == set(chunks)
            near = snapshot.dense(query, 3)
            assert near.scores[0] > 0.999 and len(set(near.ids.tolist())) == len(near.ids) == min(3, len(chunks))
            for found, score in zip(near.ids.tolist(), near.scores, strict=True):
                own = vectors[found] / np.linalg.norm(vectors[found])
                assert abs(score - own @ query) < 1e-4
            assert set(snapshot.lexical(text.split()[0], 10_000).ids.tolist()) == {
                other for other, (_, words, _) in chunks.items() if words == text
            }
            hits = await self.library.search(tenant, name, Query(embedded, top_k=5))
            assert hits and hits[0].passage.text == text
            assert all(chunks[hit.passage.chunk_id][:2] == [hit.passage.document, hit.passage.text] for hit in hits)
        if not chunks:
            assert not len(snapshot.dense(np.eye(1, DIMENSIONS, dtype=np.float32)[0], 5).ids)

    @invariant()
    def what_was_accepted_is_there(self) -> None:
        """As it was given: still to be read, read, or known as unreadable; and a bad one costs no good one."""
        with closing(sqlite3.connect(self.folder / "documents.db")) as connection:
            there = connection.execute(DOCUMENTS).fetchall()
        seen = set()
        for tenant, name, key, status, waiting, read in there:
            expected = self.accepted.get((tenant, name, key), {None})
            if status == "pending":
                assert waiting.decode() in expected
            elif status == "ready":
                assert waiting is None and read in expected
            else:
                assert waiting is None and any(text and ("void" in text or "\x00" in text) for text in expected)
            seen.add((tenant, name, key))
        for document, expected in self.accepted.items():
            assert document in seen or None in expected

    def read_sql(self) -> dict[int, tuple]:
        """Every chunk: (tenant, collection), document, text, embedded text."""
        with closing(sqlite3.connect(self.folder / "documents.db")) as connection:
            rows = connection.execute(CHUNKS).fetchall()
        assert all(row[1] == row[2] == row[3] for row in rows)
        return {
            row[0]: (
                (row[1], row[4]),
                row[5],
                row[6],
                f"{row[7]} {row[8]} {row[6]}" if row[7] != row[8] else f"{row[7]} {row[6]}",
            )
            for row in rows
        }

    def teardown(self) -> None:
        if hasattr(self, "library"):
            self.end()
        for patch in reversed(self.patches):
            patch.__exit__(None, None, None)
        self.loop.close()
        shutil.rmtree(self.folder, ignore_errors=True)


TestStory = Story.TestCase
TestStory.settings = settings(
    max_examples=20,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
