"""The page pool: which fixed-size pages of the KV cache are held, by how many sequences, and what they contain.

A full page is findable by a digest chained over the tenant's salt and every token up to the page's end. A page that
nobody holds any more stays findable until it is needed for something else. Pure host bookkeeping, no JAX.
"""

import hashlib
from array import array
from collections import OrderedDict, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass


class PoolExhausted(Exception):
    """More pages were asked for than are free or idle; nothing was allocated."""


@dataclass(slots=True)
class _Page:
    holders: int = 0
    digest: bytes | None = None  # set while the page is findable
    parent: bytes = b""
    tokens: tuple[int, ...] = ()
    salt: str = ""


def root_digest(salt: str) -> bytes:
    """Where a tenant's chains begin: different salts never share a page."""
    return hashlib.blake2b(salt.encode(), digest_size=16, person=b"tradewind-root").digest()


def page_digest(parent: bytes, tokens: Sequence[int]) -> bytes:
    """The digest of a full page that follows the page of digest `parent`."""
    return hashlib.blake2b(parent + array("I", tokens).tobytes(), digest_size=16).digest()


class PagePool:
    """`count` pages of `page_size` tokens each, numbered from 0.

    Every page is in exactly one of three states: held (one or more holders), idle (no holder, still findable) or free.
    """

    def __init__(self, count: int, page_size: int):
        self.count = count
        self.page_size = page_size
        self._pages = [_Page() for _ in range(count)]
        self._free = list(range(count - 1, -1, -1))
        self._by_digest: dict[bytes, int] = {}
        self._idle: OrderedDict[int, None] = OrderedDict()  # least recently used first
        self._idle_of: defaultdict[str, OrderedDict[int, None]] = defaultdict(OrderedDict)  # the same, by tenant

    @property
    def available(self) -> int:
        """How many pages `allocate` could hand out now."""
        return len(self._free) + len(self._idle)

    @property
    def held(self) -> int:
        """How many pages somebody holds."""
        return self.count - self.available

    def pages_for(self, tokens: int) -> int:
        """How many pages hold that many tokens."""
        return -(-tokens // self.page_size)

    def allocate(self, count: int, salt: str) -> list[int]:
        """Takes `count` pages, each with one holder. Raises PoolExhausted, taking none, when there are fewer."""
        if count > self.available:
            raise PoolExhausted(f"{count} pages asked for, {self.available} of {self.count} available")
        pages = []
        for _ in range(count):
            page = self._free.pop() if self._free else self._evict(salt)
            self._pages[page].holders = 1
            pages.append(page)
        return pages

    def find(self, salt: str, tokens: Sequence[int], limit: int) -> list[int]:
        """The pages of the longest known prefix of `tokens`, at most `limit` of them. Does not hold them."""
        found: list[int] = []
        parent = root_digest(salt)
        for start in range(0, min(limit, len(tokens) // self.page_size) * self.page_size, self.page_size):
            wanted = tuple(tokens[start : start + self.page_size])
            digest = page_digest(parent, wanted)
            page = self._by_digest.get(digest)
            if page is None:
                break
            record = self._pages[page]
            # A digest may collide, by accident or by design: the content decides.
            if record.tokens != wanted or record.parent != parent or record.salt != salt:
                break
            found.append(page)
            parent = digest
        return found

    def hold(self, pages: Sequence[int]) -> None:
        """Adds a holder to each of the pages, which are held already or idle."""
        for page in pages:
            record = self._pages[page]
            if record.holders == 0:
                del self._idle[page]
                self._forget_idle_of(record.salt, page)
            record.holders += 1

    def release(self, pages: Sequence[int]) -> None:
        """Takes a holder from each of a sequence's pages, given in the sequence's order.

        Pages left by their last holder become idle when they are findable, free otherwise. The deepest page becomes
        the least recently used, because without its parents it could not be found.
        """
        for page in reversed(pages):
            record = self._pages[page]
            if record.holders <= 0:
                raise ValueError(f"page {page} is released, but nobody holds it")
            record.holders -= 1
            if record.holders:
                continue
            if record.digest is None:
                self._free.append(page)
            else:
                self._idle[page] = None
                self._idle_of[record.salt][page] = None

    def digest(self, page: int) -> bytes:
        """The digest of a findable page."""
        digest = self._pages[page].digest
        if digest is None:
            raise ValueError(f"page {page} cannot be found, so it has no digest")
        return digest

    def publish(self, page: int, salt: str, parent: bytes, tokens: Sequence[int]) -> bytes:
        """Makes a held, full page findable; returns its digest, the parent of the page that follows.

        Where another page with the same content is findable already, that one stays the one to be found.
        """
        content = tuple(tokens)
        if len(content) != self.page_size:
            raise ValueError(f"a page of {self.page_size} tokens cannot be found by {len(content)}")
        digest = page_digest(parent, content)
        if digest not in self._by_digest:
            self._by_digest[digest] = page
            record = self._pages[page]
            record.digest, record.parent, record.tokens, record.salt = digest, parent, content, salt
        return digest

    def _evict(self, salt: str) -> int:
        """Frees one idle page: the tenant's own oldest when it has its fair share of them or more, else the oldest."""
        own = self._idle_of.get(salt)
        victims = own if own and len(own) * len(self._idle_of) >= len(self._idle) else self._idle
        page = next(iter(victims))
        record = self._pages[page]
        del self._idle[page]
        self._forget_idle_of(record.salt, page)
        if record.digest is not None:
            del self._by_digest[record.digest]
        self._pages[page] = _Page()
        return page

    def _forget_idle_of(self, salt: str, page: int) -> None:
        pages = self._idle_of[salt]
        del pages[page]
        if not pages:
            del self._idle_of[salt]
