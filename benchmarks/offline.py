"""Offline batch evaluation through the engine API: many questions through few slots, in tokens a second.

python -m benchmarks.offline [--model FOLDER] [--questions 64] [--slots 16]

Every question is a sum after the same instructions, asked greedily, and right answers are counted. All are asked twice
in turn, by one engine: with the instructions read again for each, and as continuations of one prefix that holds them.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from benchmarks import display, machine
from serving.engine.jetstream import JetStreamEngine, Params, Prefix
from serving.engine.options import EngineOptions
from serving.engine.request import SamplingParams
from serving.engine.result_tokens import ResultTokens
from serving.models.chat_template import ChatTemplate
from serving.models.folder import EMBEDDED_MODEL, find_model

INSTRUCTIONS = (
    "You are asked for the sum of two numbers. Add the first number to the second one, and take your time. "
    "Answer in one short sentence that names the result in digits, such as: the sum of 2 and 3 is 5. "
    "Give no other numbers than these three, do not ask anything, and do not say how you came to your answer. "
    "Where you are not certain, give the number that seems most likely to you."
)


@dataclass(frozen=True)
class Question:
    """What is asked, as tokens, and the digits of the right answer."""

    prompt: list[int]
    answer: str


@dataclass(frozen=True)
class Run:
    """One way through all questions: replies, prompt tokens that were read for them, and seconds."""

    way: str
    replies: list[list[int]]
    read: int
    seconds: float


def replies(
    engine: JetStreamEngine,
    params: Params,
    prompts: Sequence[Sequence[int]],
    *,
    stop: Collection[int],
    sampler: SamplingParams | None = None,
    shared: Prefix | None = None,
    advance: Callable[[], None] = lambda: None,
) -> list[list[int]]:
    """The replies to many prompts, in their order, each with the token that stopped it.

    A slot takes the next prompt when its reply has ended. A step's tokens are read while the next step runs, so every
    slot runs a step too long, whose tokens are left out.

    Args:
        stop: tokens that end a reply; `sampler.max_tokens` ends it else.
        shared: a prefix that all prompts continue.
        advance: is called after every reply.
    """
    found: list[list[int]] = [[] for _ in prompts]
    waiting = deque(enumerate(prompts))
    taken: dict[int, int] = {}  # by slot, the prompt's number
    in_flight: deque[tuple[dict[int, int], ResultTokens]] = deque()
    state = engine.init_decode_state()

    def collect(numbers: dict[int, int], result: ResultTokens) -> None:
        result = result.convert_to_numpy()
        for slot, number in numbers.items():
            if taken.get(slot) != number:
                continue
            reply, drawn = found[number], result.get_result_at_slot(slot)
            tokens = drawn.tokens[drawn.valid > 0].tolist()
            for token in tokens:
                if reply[-1] not in stop:
                    reply.append(token)
            if not tokens or reply[-1] in stop:
                engine.free_resource(slot)
                del taken[slot]
                advance()

    while waiting or taken:
        for slot in range(engine.max_concurrent_decodes):
            if waiting and slot not in taken:
                number, prompt = waiting.popleft()
                prefix, _ = engine.prefill(
                    params=params,
                    existing_prefix=shared,
                    padded_tokens=prompt,
                    true_length=len(prompt),
                    sampler=sampler,
                )
                state = engine.insert(prefix, state, slot)
                taken[slot] = number
                found[number].append(prefix.first_token)
        state, result = engine.generate(params, state)
        result.copy_to_host_async()
        in_flight.append((dict(taken), result))
        if len(in_flight) > 1:
            collect(*in_flight.popleft())
    return found


def questions(engine: JetStreamEngine, folder: Path, count: int) -> list[Question]:
    """Sums of numbers below a hundred, the same at every run."""
    tokenizer = engine.build_tokenizer(engine.get_tokenizer())
    template = ChatTemplate.from_folder(folder)
    draw = random.Random(0)
    asked = []
    for _ in range(count):
        first, second = draw.randrange(100), draw.randrange(100)
        text = f"What is {first} plus {second}?"
        if template is not None:
            messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": text}]
            text = template.render(messages)
        else:
            text = f"{INSTRUCTIONS}\n\n{text}\n"
        tokens, length = tokenizer.encode(text, is_bos=template is None, jax_padding=False)
        asked.append(Question(tokens[:length].tolist(), str(first + second)))
    return asked


def measure(
    engine: JetStreamEngine, params: Params, asked: Sequence[Question], tokens: int, advance: Callable[[], None]
) -> list[Run]:
    """Both ways through all questions, after a few that are not measured."""
    tokenizer = engine.build_tokenizer(engine.get_tokenizer())
    sampler = SamplingParams(max_tokens=tokens, temperature=0)
    prompts = [question.prompt for question in asked]
    # A prompt may be the beginning of the others, and something of each must be left to read.
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*(prompt[:-1] for prompt in prompts), strict=False))
    start = [column[0] for column in columns]
    runs = []
    for way, beginning in (("instructions with every question", []), ("instructions once", start)):
        rest = [prompt[len(beginning) :] for prompt in prompts]
        for measured in (rest[: engine.max_concurrent_decodes], rest):  # the first round is a warm-up
            began = time.perf_counter()
            shared = None
            if beginning:
                shared, _ = engine.prefill(params=params, padded_tokens=beginning, true_length=len(beginning))
            answered = replies(
                engine,
                params,
                measured,
                stop=tokenizer.stop_tokens,
                sampler=sampler,
                shared=shared,
                advance=advance if measured is rest else lambda: None,
            )
            seconds = time.perf_counter() - began
        runs.append(Run(way, answered, len(beginning) + sum(map(len, rest)), seconds))
    return runs


def table(engine: JetStreamEngine, asked: Sequence[Question], runs: Sequence[Run]) -> Table:
    """A line for each way; the ratio is to the first one's."""
    tokenizer = engine.build_tokenizer(engine.get_tokenizer())
    shown = Table(
        title=f"{len(asked)} questions through {engine.max_concurrent_decodes} slots",
        caption=machine.title(machine.describe()),
    )
    for heading in ("", "prompt tokens read", "reply tokens", "seconds", "reply tokens/s", "ratio", "right"):
        shown.add_column(heading, justify="right" if heading else "left")
    rates = [sum(map(len, run.replies)) / run.seconds for run in runs]
    for run, rate in zip(runs, rates, strict=True):
        texts = [tokenizer.decode(reply) for reply in run.replies]
        right = sum(question.answer in text for question, text in zip(asked, texts, strict=True))
        shown.add_row(
            run.way,
            f"{run.read:,}",
            f"{sum(map(len, run.replies)):,}",
            f"{run.seconds:.2f}",
            f"{rate:,.0f}",
            f"{rate / rates[0]:.2f}",
            f"{right} of {len(asked)}",
        )
    return shown


def main(
    model: Annotated[str, typer.Option(help="A model's folder or hub id; empty takes the embedded one.")] = "",
    count: Annotated[int, typer.Option("--questions", min=1, help="How many.")] = 64,
    slots: Annotated[int, typer.Option(min=1, help="Replies at once.")] = 16,
    tokens: Annotated[int, typer.Option(min=1, help="Of a reply at most.")] = 32,
    context: Annotated[int, typer.Option(min=64, help="Tokens of prompt and reply together.")] = 512,
) -> None:
    """Print tokens a second, and how many answers were right."""
    folder = find_model(model) if model else EMBEDDED_MODEL
    with display.progress() as progress:
        task = progress.add_task("compiling", total=2 * count)
        engine = JetStreamEngine.load(folder, EngineOptions(max_rows=slots, max_context=context))
        engine.wait_warm()
        progress.update(task, description="asking")
        asked = questions(engine, folder, count)
        runs = measure(engine, engine.load_params(), asked, tokens, lambda: progress.advance(task))
    display.console().print(table(engine, asked, runs))


if __name__ == "__main__":
    typer.run(main)
