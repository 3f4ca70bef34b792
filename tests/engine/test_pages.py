"""The page pool: what is found again, what is evicted first, what is refused."""

import pytest

from serving.engine.pages import PagePool, PoolExhausted, root_digest

PAGE = 2


def fill(pool: PagePool, salt: str, tokens: list[int]) -> list[int]:
    """Allocates and publishes full pages for tokens."""
    pages = pool.allocate(len(tokens) // PAGE, salt)
    parent = root_digest(salt)
    for index, page in enumerate(pages):
        parent = pool.publish(page, salt, parent, tokens[index * PAGE : (index + 1) * PAGE])
    return pages


def test_a_released_page_is_found_until_it_is_needed():
    pool = PagePool(3, PAGE)
    pages = fill(pool, "", [1, 2, 3, 4])
    pool.release(pages)
    assert pool.available == 3
    assert pool.find("", [1, 2, 3, 4, 5], limit=9) == pages
    assert pool.find("", [1, 2, 9, 9], limit=9) == pages[:1]
    assert pool.find("", [9, 9, 3, 4], limit=9) == []
    pool.allocate(2, "")  # the free page, then the deepest idle one: its parent stays useful without it
    assert pool.find("", [1, 2, 3, 4], limit=9) == pages[:1]


def test_the_limit_bounds_what_is_found():
    pool = PagePool(3, PAGE)
    pages = fill(pool, "", [1, 2, 3, 4])
    assert pool.find("", [1, 2, 3, 4], limit=1) == pages[:1]


def test_shared_pages_stay_until_the_last_holder_leaves():
    pool = PagePool(2, PAGE)
    pages = fill(pool, "", [1, 2])
    pool.hold(pages)
    pool.release(pages)
    assert pool.held == 1
    pool.release(pages)
    assert pool.held == 0
    with pytest.raises(ValueError, match="nobody holds it"):
        pool.release(pages)


def test_an_idle_page_that_is_held_again_is_not_evicted():
    pool = PagePool(2, PAGE)
    pages = fill(pool, "", [1, 2])
    pool.release(pages)
    pool.hold(pages)
    assert pool.allocate(1, "") != pages
    with pytest.raises(PoolExhausted, match="1 pages asked for, 0 of 2"):
        pool.allocate(1, "")


def test_nothing_is_taken_when_too_little_is_there():
    pool = PagePool(2, PAGE)
    with pytest.raises(PoolExhausted):
        pool.allocate(3, "")
    assert pool.available == 2


def test_the_same_content_is_found_once_and_freed_twice():
    pool = PagePool(2, PAGE)
    first, second = fill(pool, "", [1, 2]), fill(pool, "", [1, 2])
    assert pool.find("", [1, 2], limit=1) == first
    pool.release(second)
    pool.release(first)
    assert pool.available == 2


def test_a_busy_tenant_evicts_its_own_pages_before_a_quiet_one_s():
    pool = PagePool(4, PAGE)
    quiet = fill(pool, "quiet", [1, 2])
    pool.release(quiet)  # the oldest of all
    for turn in range(3):
        pool.release(fill(pool, "busy", [turn, turn]))
    for turn in range(3, 9):
        pool.release(fill(pool, "busy", [turn, turn]))
    assert pool.find("quiet", [1, 2], limit=1) == quiet


def test_a_colliding_digest_is_not_a_hit(monkeypatch):
    monkeypatch.setattr("serving.engine.pages.page_digest", lambda parent, tokens: b"always the same")
    pool = PagePool(2, PAGE)
    pool.release(fill(pool, "", [1, 2]))
    assert pool.find("", [3, 4], limit=1) == []
