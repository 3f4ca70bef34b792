import pytest

from retrieval.recent import Recent


async def test_what_is_known_is_not_computed_again_and_the_longest_unused_goes():
    computed: list[str] = []
    recent: Recent[str] = Recent(2)

    async def get(key: str) -> str:
        async def compute() -> str:
            computed.append(key)
            return key.upper()

        return await recent.get(key, compute)

    assert [await get(key) for key in "abacab"] == list("ABACAB")
    assert computed == ["a", "b", "c", "b"]


async def test_what_failed_is_tried_again():
    recent: Recent[int] = Recent(2)
    answers = iter([ValueError("not now"), 7])

    async def compute() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(ValueError, match="not now"):
        await recent.get("a", compute)
    assert await recent.get("a", compute) == 7
