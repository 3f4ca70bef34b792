"""The sixty wordings, what meets them, and that training holds none."""

import pytest

from training import prepared
from training.conversation import assistant, user
from training.corpus import Example
from training.evaluation.on_topic import read_wordings, rows, unseen
from training.synthetic import Generator

WORDINGS = {wording.text: wording for wording in read_wordings()}


def test_there_are_sixty() -> None:
    assert len(read_wordings()) == len(WORDINGS) == 60


@pytest.mark.parametrize(
    ("text", "reply", "met"),
    [
        ("hello computer", "Hi there! How can I help you?", True),
        ("hello computer", "I do not know much about computers.", False),
        ("hello computer", "Hello, it is nice to see you and it is nice to see you and so on.", False),
        ("State your name.", "I am Tradewind, a small model.", True),
        ("State your name.", "I am Peter.", False),
        ("Do you count as a living being?", "No, I am a program.", True),
        ("Do you count as a living being?", "Yes, I live in Delhi.", False),
        ("Who taught you how to write?", "The Tradewind project trained me on free texts.", True),
        ("Who taught you how to write?", "I was trained by a small town.", False),
        ("Which tasks suit you best?", "I can chat a little and answer simple questions.", True),
        ("Which tasks suit you best?", "I can swim.", False),
        ("Do my messages leave this room?", "No, I run on your computer.", True),
        ("Do my messages leave this room?", "You are welcome!", False),
        ("Much obliged!", "You're very welcome!", True),
        ("Much obliged!", "I am sorry to hear that.", False),
        ("Adieu, my friend.", "Goodbye! It was nice to talk to you.", True),
        ("Adieu, my friend.", "Hello! How can I help?", False),
    ],
)
def test_replies_are_judged_by_their_topics_patterns(text: str, reply: str, met: bool) -> None:
    assert WORDINGS[text].met_by(reply) == met


def test_a_wording_that_training_holds_is_found_in_any_spelling() -> None:
    left = unseen(read_wordings(), ["HELLO  computer!", "hello my computer"])
    assert {wording.text for wording in read_wordings()} - {wording.text for wording in left} == {"hello computer"}


def test_the_generator_writes_none_of_them() -> None:
    examples = Generator(["Botany"], ["I like tea."], ["lantern"], seed=11).examples(3000)
    messages = [message.content for example in examples for message in example.messages]
    assert len(unseen(read_wordings(), messages)) == 60


def test_rows_count_by_topic_and_leave_out_what_was_trained_on(scripted) -> None:
    bench = scripted(lambda prompt: "Thank you, goodbye!")
    prepared.write(bench.data, [Example("greetings", False, messages=(user("much obliged"), assistant("Sure.")))])
    found = {row.name: row.estimate for row in rows(bench)}
    assert (found["- thanks"].value, found["- thanks"].n) == (1.0, 11)
    assert (found["- goodbyes"].value, found["- goodbyes"].n) == (1.0, 13)
    assert found["- its name"].value == 0.0
    whole = found["greetings, identity, thanks, goodbyes on topic"]
    assert (whole.value, whole.n) == (24 / 59, 59)
