"""What is picked, what is asked, and what limits the replies."""

import pytest

from training import prepared
from training.conversation import assistant, user
from training.corpus import Example
from training.evaluation.bench import HeldOut, before_reply, opening, training_messages
from training.evaluation.model import Prompt
from training.evaluation.spans import Spans

TALK = (user("Hi"), assistant("Hello!"), user("Bye"), assistant("See you!"))


def test_a_pick_is_bounded_repeatable_and_without_doubles(bench) -> None:
    examples = [Example("chat", True, messages=(user(f"Number {n % 80}"), assistant("Yes."))) for n in range(200)]
    picked = bench.pick(examples)
    assert len(picked) == len(set(picked)) == 50
    assert picked == bench.pick(examples)
    assert {example.messages[0].content for example in picked} != {f"Number {n}" for n in range(50)}
    assert len(bench.pick(examples, 500)) == 80


def test_prompts_end_where_the_assistant_speaks() -> None:
    example = Example("chat", True, messages=TALK)
    assert before_reply(example).messages == TALK[:3]
    assert opening(example).messages == TALK[:1]


def test_replies_come_in_the_prompts_order_and_stay_within_their_own_limits(bench) -> None:
    words = ["the quick brown fox " * count + f"number {count}" for count in (6, 1, 3)]
    spans = [Spans(text, bench.model.tokenizer) for text in words]
    prompts = [Prompt([user(text)]) for text in words]
    replies = bench.ask("limited", prompts, greedy=16, allowed=lambda index, reply: spans[index].allowed(reply))
    assert all(reply and reply in text for reply, text in zip(replies, words, strict=True))


def test_a_prompt_without_room_gets_an_empty_reply_and_keeps_its_place(bench) -> None:
    prompts = [Prompt([user("long " * 200)]), Prompt([user("Hi")])]
    spans = Spans("Tradewind", bench.model.tokenizer)
    seen = []

    def allowed(index: int, reply: list[int]) -> set[int]:
        seen.append(index)
        return spans.allowed(reply)

    assert bench.ask("room", prompts, greedy=16, allowed=allowed) == ["", "Tradewind"]
    assert set(seen) == {1}


def test_a_prompts_reply_does_not_hang_on_its_neighbours(bench) -> None:
    prompts = [Prompt([user(text)]) for text in ("Hi", "How are you?", "What is your name, my friend?")]
    together = bench.ask("three", prompts)
    assert len(set(together)) == 3
    assert bench.ask("two", prompts[:2]) == together[:2]


def test_held_out_examples_are_read_by_source_and_kind(tmp_path) -> None:
    reading = Example("reading", True, messages=TALK, kind="squad")
    train = Example("greetings", False, messages=TALK)
    prepared.write(tmp_path, [reading, Example("greetings", True, messages=TALK), train])
    held_out = HeldOut.from_folder(tmp_path)
    assert held_out.of_kind("squad") == [reading]
    assert held_out.sizes() == {"greetings": 1, "reading: squad": 1}
    assert list(training_messages(tmp_path)) == ["Hi", "Hello!", "Bye", "See you!"]


def test_a_folder_without_held_out_examples_says_how_to_make_them(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="python -m training prepare"):
        HeldOut.from_folder(tmp_path)
