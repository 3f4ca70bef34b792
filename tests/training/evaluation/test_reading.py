"""SQuAD's scores, refusals, and the rows that they make."""

import pytest

from training.conversation import assistant, user
from training.corpus import Example
from training.corpus.reading import passage_of
from training.evaluation.bench import HeldOut
from training.evaluation.reading import exact_match, f1, refuses, rows


def test_case_punctuation_and_articles_do_not_count() -> None:
    assert exact_match("The Eiffel-Tower.", ["Paris", "eiffeltower"])
    assert exact_match(" an apple", ["Apple!"])
    assert not exact_match("apples", ["apple"])


def test_f1_is_of_the_best_answer() -> None:
    assert f1("in the old town", ["town", "old town of Graz"]) == pytest.approx(2 * 2 / (3 + 4))
    assert f1("nowhere", ["town"]) == 0.0


@pytest.mark.parametrize(
    ("reply", "refused"),
    [
        ("The passage does not say.", True),
        ("That is not in the text.", True),
        ("The text doesn't mention it.", True),
        ("There is no information about that here.", True),
        ("I cannot find that in the text.", True),
        ("It was not mentioned.", True),
        ("October 1973", False),
        ("not until 1912", False),
        ("No Man's Land", False),
        ("at an unknown place", False),
    ],
)
def test_refusals(reply: str, refused: bool) -> None:
    assert refuses(reply) == refused


def test_the_passage_is_what_stands_before_the_question() -> None:
    assert passage_of("One.\n\nTwo.\n\nWhich?") == "One.\n\nTwo."
    assert passage_of("Tom is a cook. What is Tom?") == "Tom is a cook. What is Tom?"


def reading(kind: str, number: int, answer: str) -> Example:
    reply = answer or "The passage does not say."
    messages = (user(f"Passage {number}: the cat is red.\n\nWhich?"), assistant(reply))
    return Example(
        "reading", True, messages=messages, answers=(answer,) if answer else (), answerable=bool(answer), kind=kind
    )


def test_every_row_counts_its_own_examples(scripted) -> None:
    squad = [reading("squad", number, "red" if number < 6 else "") for number in range(10)]
    passages = [reading("passage", number, "the cat") for number in range(20, 23)]

    def script(prompt) -> str:
        number = int(prompt.messages[0].content.split(":")[0].split()[1])
        return {0: "Red!", 1: "red cat", 2: "no answer", 6: "That is not in the text."}.get(number, "blue")

    found = {row.name: row.estimate for row in rows(scripted(script), HeldOut({"reading": squad + passages}))}
    assert (found["SQuAD, unseen articles, free: EM"].value, found["SQuAD, unseen articles, free: EM"].n) == (1 / 6, 6)
    assert found["SQuAD, unseen articles, free: F1"].value == pytest.approx((1 + 2 / 3) / 6)
    assert found["synthetic passages: EM"].value == 0.0
    assert found["synthetic passages: EM"].n == 3
    assert found["answerable or not, SQuAD"].value == pytest.approx((1 / 4 + 5 / 6) / 2)
    assert found["answerable or not, synthetic passages"] is None
