"""Loops, and which replies are looked at."""

from training.conversation import assistant, user
from training.corpus import Example
from training.evaluation.bench import HeldOut
from training.evaluation.loops import loops, rows


def test_loops_are_six_words_said_twice() -> None:
    assert loops("I am a small model on I am a small model on")
    assert not loops("I am a small model, and I am a small model.")
    assert not loops("")


def test_every_source_gives_equally_many_openings(scripted) -> None:
    bench = scripted(lambda prompt: "la " * 7 if prompt.messages[0].content.startswith("Sing") else "No.")
    held_out = {
        source: [Example(source, True, messages=(user(f"{source} {n}"), assistant("."))) for n in range(count)]
        for source, count in (("Sing", 80), ("Talk", 80), ("None", 0))
    }
    sampled, greedy = rows(bench, HeldOut(held_out))
    assert (sampled.estimate.value, sampled.estimate.n) == (0.5, 50)
    assert greedy.estimate.value == 0.5
    assert sampled.verdict() == "45.0 points off CPU"
