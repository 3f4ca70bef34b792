"""The ideal caches that the engine's hits are compared with, and the prompts that are made of a trace."""

from benchmarks.prefix import ideal_hits, token_prompts
from serving.bench.workload import Segment, Session, Turn

A, B, C, D = ([n] * 4 for n in range(4))


def test_a_page_is_found_after_the_same_beginning_only():
    prompts = [[*A, *B, 9], [*A, *B, *C, 9], [*B, *A, 9], [*A, *C, 9], [*A, *B, *C, 7]]
    assert ideal_hits(prompts, 4) == [0, 8, 0, 4, 12]


def test_the_last_token_is_computed_even_where_everything_is_known():
    assert ideal_hits([[*A, *B], [*A, *B], [*A], [*A, 1]], 4) == [0, 4, 0, 4]


def test_a_page_that_is_not_whole_is_not_kept():
    assert ideal_hits([[*A, 1, 1], [*A, 1, 1, 1, 1]], 4) == [0, 4]


def test_of_a_small_room_the_longest_unused_goes_first_and_of_one_prompt_its_end():
    first, second = [*A, *B, 9], [*C, 9]
    assert ideal_hits([first, second, first, second], 4, room=3) == [0, 0, 8, 4]
    assert ideal_hits([first, second, first], 4, room=2) == [0, 0, 4]
    assert ideal_hits([first, second, [*D, 9], first, second], 4, room=2) == [0, 0, 0, 0, 0]
    assert ideal_hits([first, first], 4, room=1) == [0, 4]


def test_an_infinite_room_finds_what_a_large_one_does():
    prompts = [[*A, *B, 9], [*C, 9], [*A, *D, 9]] * 3
    assert ideal_hits(prompts, 4) == ideal_hits(prompts, 4, room=100)


def test_prompts_share_tokens_where_they_share_segments():
    def session(*keys: str) -> Session:
        return Session((Turn(tuple(Segment(key, 5) for key in keys), 3),))

    (first, reply), (second, _), (third, _) = token_prompts([session("a", "b"), session("a", "c"), session("d")], 1000)
    assert (len(first), len(third), reply) == (10, 5, 3)
    assert first[:5] == second[:5] and first[5:] != second[5:] and third != first[:5]
    assert all(16 <= token < 1000 for token in first + second + third)
