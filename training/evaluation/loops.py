"""Replies that go round in circles."""

from training.evaluation.bench import Bench, HeldOut, opening
from training.evaluation.estimate import proportion
from training.evaluation.report import Bar, Row

LOOP_WORDS = 6


def loops(text: str) -> bool:
    """Whether six words in a row occur twice."""
    words = text.split()
    runs = [tuple(words[index : index + LOOP_WORDS]) for index in range(len(words) - LOOP_WORDS + 1)]
    return len(set(runs)) < len(runs)


def rows(bench: Bench, held_out: HeldOut) -> list[Row]:
    """How many replies to the openings of held-out conversations loop, equally many of every source."""
    sources = [examples for examples in held_out.by_source.values() if examples]
    each = max(1, bench.examples // max(1, len(sources)))
    prompts = [opening(example) for examples in sources for example in bench.pick(examples, each)]
    prompts = [prompt for prompt in prompts if bench.model.has_room(prompt, bench.sampling)]
    sampled = bench.ask("loops, default sampling", prompts)
    greedy = bench.ask("loops, greedy", prompts, greedy=bench.sampling.max_new_tokens)
    return [
        Row(
            "replies that loop, default sampling",
            proportion(list(map(loops, sampled))),
            Bar(0.05, 0.02),
            lower_is_better=True,
        ),
        Row("replies that loop, greedy", proportion(list(map(loops, greedy))), lower_is_better=True),
    ]
