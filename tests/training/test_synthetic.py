"""Generated conversations are well-formed, repeatable and true to their passages; held-out wordings stay apart."""

import random
import re

from training.synthetic import Generator
from training.synthetic.grammar import HELD_OUT_EVERY, Voice, expand
from training.synthetic.identity import INTENTS
from training.synthetic.passages import passage
from training.synthetic.tasks import sums

TOPICS, SENTENCES = ["Ada Lovelace", "Botany"], ["I like tea.", "The sun is warm."]


def written(seed: int, held_out: bool = False) -> list:
    return list(Generator(TOPICS, SENTENCES, seed=seed, held_out=held_out).conversations(400))


def test_roles_alternate_and_the_assistant_speaks_last() -> None:
    for messages in written(1):
        roles = [message.role for message in messages if message.role != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert [message.role for message in messages].count("system") <= 1


def test_no_template_is_left_unfilled() -> None:
    texts = [message.content for messages in written(2) for message in messages]
    assert not [text for text in texts if not text or set("[]{}|") & set(text)]


def test_the_seed_decides() -> None:
    assert written(3) == written(3)
    assert written(3) != written(4)


def test_alternatives_nest() -> None:
    rng = random.Random(0)
    assert {expand("[a|[b|c]] {x}", rng, {"x": "d"}) for _ in range(50)} == {"a d", "b d", "c d"}
    assert expand("a {x} and A {x}", rng, {"x": "apple"}) == "an apple and An apple"


def test_held_out_wordings_are_never_trained_on() -> None:
    for intent in INTENTS:
        if len(intent.asks) < HELD_OUT_EVERY:
            continue
        trained = {Voice(random.Random(seed)).wording(intent.asks) for seed in range(200)}
        held_out = {Voice(random.Random(seed), held_out=True).wording(intent.asks) for seed in range(200)}
        assert not trained & held_out
        assert trained | held_out == set(intent.asks)


def test_passages_hold_their_answers() -> None:
    voice = Voice(random.Random(5))
    stated = 0
    for _ in range(200):
        messages = passage(voice)
        for reply in messages[1::2]:
            if any(words in reply.content for words in ("does not say", "not in the text")):
                continue
            stated += 1
            # The value is a number, or the answer's last word.
            values = re.findall(r"\d+", reply.content) or reply.content.rstrip(".").split()[-1:]
            assert all(value.lower() in messages[0].content.lower() for value in values)
    assert stated > 100


def test_sums_are_right() -> None:
    voice = Voice(random.Random(6))
    for _ in range(100):
        answer = sums(voice)[1].content.rstrip(".")
        left, right = answer.replace("plus", "+").replace("minus", "-").replace(" is ", " = ").split(" = ")
        first, sign, second = left.split()
        assert int(right) == (int(first) + int(second) if sign == "+" else int(first) - int(second))
