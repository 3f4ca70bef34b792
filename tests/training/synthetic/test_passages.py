"""Passages hold their answers, do not hold what they are said not to, and keep whole templates for evaluation."""

import random
from collections import Counter

from training.corpus import Example
from training.corpus.reading import NO_ANSWER
from training.synthetic.grammar import Voice
from training.synthetic.passages import DOMAINS, passage
from training.synthetic.passages.stories import STORIES


def written(seed: int, count: int = 600, *, held_out: bool = False) -> list[Example]:
    voice = Voice(random.Random(seed), held_out)
    return [passage(voice) for _ in range(count)]


def test_every_answer_is_a_span_of_its_passage() -> None:
    for example in written(1):
        text = example.messages[0].content.lower()
        for reply in example.messages[1::2]:
            assert reply.content in NO_ANSWER or reply.content.lower() in text


def test_the_last_reply_is_what_evaluation_scores() -> None:
    for example in written(2) + written(2, held_out=True):
        reply = example.messages[-1].content
        assert example.answerable == bool(example.answers) == (reply not in NO_ANSWER)
        assert reply in example.answers or reply in NO_ANSWER


def test_one_question_in_four_is_not_answered() -> None:
    replies = [reply.content in NO_ANSWER for example in written(3, 1500) for reply in example.messages[1::2]]
    assert 0.2 < sum(replies) / len(replies) < 0.32
    held_out = written(3, 1500, held_out=True)
    assert 0.2 < sum(not example.answerable for example in held_out) / len(held_out) < 0.32


def test_what_is_not_said_of_one_may_be_said_of_another() -> None:
    """Near misses: the words of an unanswered question mostly occur in the passage."""
    shared = []
    for example in written(4, held_out=True):
        if not example.answerable:
            words = example.messages[0].content.lower().split()
            shared.append(len(words) - len(set(words)))
    assert sum(count > 2 for count in shared) > len(shared) / 2


def test_no_template_serves_both_splits() -> None:
    splits = {True: Counter(), False: Counter()}
    for domain in DOMAINS:
        splits[domain.held_out].update(domain.name for _ in domain.attributes)
        splits[domain.held_out].update(subject for subject, _ in domain.subjects if " = " not in subject)
    names = {held_out: {domain.name for domain in DOMAINS if domain.held_out == held_out} for held_out in (True, False)}
    assert not names[True] & names[False] and len(names[True]) >= 5 and len(names[False]) >= 25
    texts = {held_out: {story.text for story in STORIES if story.held_out == held_out} for held_out in (True, False)}
    assert not texts[True] & texts[False] and len(texts[True]) >= 3
    seen = {example.messages[0].content.split("\n")[0] for example in written(5)}
    assert not seen & {example.messages[0].content.split("\n")[0] for example in written(5, held_out=True)}


def test_a_question_fits_one_fact_only() -> None:
    """Two subjects share an attribute: then the question names whom it is about."""
    for example in written(6):
        questions = [message.content for message in example.messages[2::2]]
        assert len(questions) == len(set(questions))


def test_pronouns_follow_a_name() -> None:
    for example in written(7):
        text = example.messages[0].content
        assert not text.startswith(("He ", "She ", "It is", "His ", "Her ", "Its "))
