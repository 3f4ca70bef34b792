"""Generated conversations are well-formed and repeatable; held-out wordings stay apart."""

import random
import re
import tomllib
from collections import Counter
from itertools import product
from pathlib import Path

from training import evaluation
from training.corpus import Example
from training.synthetic import PASSAGE_SHARE, TOOL_SHARE, Generator
from training.synthetic.grammar import HELD_OUT_EVERY, Intent, Voice, expand
from training.synthetic.identity import INTENTS as IDENTITY
from training.synthetic.small_talk import GREETING, INTRODUCTION, TIME_OF_DAY
from training.synthetic.small_talk import INTENTS as SMALL_TALK
from training.synthetic.tasks import sums

TOPICS, SENTENCES = ["Ada Lovelace", "Botany"], ["I like tea.", "The sun is warm."]
NOUNS = ["anchor", "candle", "kettle", "lantern"]


def written(seed: int, held_out: bool = False) -> list[Example]:
    return list(Generator(TOPICS, SENTENCES, NOUNS, seed=seed, held_out=held_out).examples(600))


def test_the_assistant_speaks_last_and_the_system_first() -> None:
    for example in written(1):
        roles = [message.role for message in example.messages]
        assert "system" not in roles[1:]
        assert roles[-1] == "assistant"
        spoken = [role for role in roles if role in ("user", "assistant")]
        assert example.tools or spoken == ["user", "assistant"] * (len(spoken) // 2)


def test_no_template_is_left_unfilled() -> None:
    texts = [(m.content, m.role) for example in written(2) for m in example.messages if not m.calls]
    assert not [text for text, role in texts if not text or (set("[]{}|") & set(text) and role != "tool")]


def test_the_seed_decides() -> None:
    assert written(3) == written(3)
    assert written(3) != written(4)


def test_the_parts_have_their_shares() -> None:
    sources = Counter(example.source for example in written(5))
    assert abs(sources["synthetic_passages"] / 600 - PASSAGE_SHARE) < 0.06
    assert abs(sources["synthetic_tools"] / 600 - TOOL_SHARE) < 0.06


def test_alternatives_nest() -> None:
    rng = random.Random(0)
    assert {expand("[a|[b|c]] {x}", rng, {"x": "d"}) for _ in range(50)} == {"a d", "b d", "c d"}
    assert expand("a {x} and A {x}", rng, {"x": "apple"}) == "an apple and An apple"


def test_held_out_wordings_are_never_trained_on() -> None:
    for intent in IDENTITY:
        if len(intent.asks) < HELD_OUT_EVERY:
            continue
        trained = {Voice(random.Random(seed)).wording(intent.asks) for seed in range(400)}
        held_out = {Voice(random.Random(seed), held_out=True).wording(intent.asks) for seed in range(400)}
        assert not trained & held_out
        assert trained | held_out == set(intent.asks)


def test_no_wording_is_one_of_evaluations_sixty() -> None:
    file = Path(evaluation.__file__).with_name("wordings.toml")
    kept = {plain(words) for topic in tomllib.loads(file.read_text())["topic"] for words in topic["wordings"]}
    assert len(kept) == 60
    intents: list[Intent] = [*IDENTITY, *SMALL_TALK, GREETING, TIME_OF_DAY, INTRODUCTION]
    trained = {plain(text) for intent in intents for ask in intent.asks for text in every(ask)}
    assert plain("Hello there!") in trained
    assert not kept & trained


def plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


def every(template: str) -> list[str]:
    """Every sentence that a template without nested alternatives stands for."""
    parts = re.split(r"\[([^\[\]]*)\]", template)
    choices = [part.split("|") if index % 2 else [part] for index, part in enumerate(parts)]
    return ["".join(chosen) for chosen in product(*choices)]


def test_sums_are_right() -> None:
    voice = Voice(random.Random(6))
    for _ in range(100):
        answer = sums(voice)[1].content.rstrip(".")
        left, right = answer.replace("plus", "+").replace("minus", "-").replace(" is ", " = ").split(" = ")
        first, sign, second = left.split()
        assert int(right) == (int(first) + int(second) if sign == "+" else int(first) - int(second))
