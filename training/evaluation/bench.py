"""The bench that a model is measured on: held-out examples, sampling, and a progress bar."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rich.progress import Progress

from training import prepared
from training.corpus import Example
from training.evaluation.model import Model, Prompt
from training.generate import Allowed, Sampling
from training.mixture import CHAT

GREEDY = Sampling(temperature=0.0, top_p=1.0, repetition_penalty=1.0)


@dataclass(frozen=True, slots=True)
class Bench:
    """A model with what it is measured on.

    `examples` bounds every row; `sampling` is the one that the model is served with.
    """

    model: Model
    data: Path
    sampling: Sampling
    examples: int
    progress: Progress

    def pick(self, held_out: Sequence[Example], count: int | None = None) -> list[Example]:
        """At most `examples` (or `count`) of the held-out ones, the same at every run, none twice."""
        distinct = list({_words(example): example for example in held_out}.values())
        random.Random(0).shuffle(distinct)
        return distinct[: count or self.examples]

    def ask(
        self, label: str, prompts: Sequence[Prompt], *, greedy: int = 0, allowed: Allowed | None = None
    ) -> list[str]:
        """The model's reply to every prompt: `greedy` tokens of the likeliest, or as it is served where that is 0.

        A prompt that leaves no room for the longest reply gets none, which is an empty text.
        """
        if not prompts:
            return []
        sampling = replace(GREEDY, max_new_tokens=greedy) if greedy else self.sampling
        with_room = [index for index, prompt in enumerate(prompts) if self.model.has_room(prompt, sampling)]
        task = self.progress.add_task(label, total=len(with_room))
        replies = self.model.replies(
            [prompts[index] for index in with_room],
            sampling,
            allowed=allowed and (lambda index, reply: allowed(with_room[index], reply)),
            advance=lambda done: self.progress.advance(task, done),
        )
        texts = [""] * len(prompts)
        for index, reply in zip(with_room, replies, strict=True):
            texts[index] = reply
        return texts


@dataclass(frozen=True, slots=True)
class HeldOut:
    """The held-out examples of the chat stage's sources."""

    by_source: dict[str, list[Example]]

    @classmethod
    def from_folder(cls, data: Path) -> "HeldOut":
        """Reads what `prepare` set aside under DATA. Raises FileNotFoundError where there is nothing."""
        found = {source: list(_read(data, source, held_out=True)) for source in CHAT.shares}
        if not any(found.values()):
            raise FileNotFoundError(f"{data} has no held-out examples; `python -m training prepare` writes them")
        return cls(found)

    def of_kind(self, kind: str) -> list[Example]:
        """Every example of a kind."""
        return [example for examples in self.by_source.values() for example in examples if example.kind == kind]

    def sizes(self) -> dict[str, int]:
        """How many examples there are, by source and kind."""
        counts = Counter(
            f"{source}: {example.kind}" if example.kind else source
            for source, examples in self.by_source.items()
            for example in examples
        )
        return dict(sorted(counts.items()))


def before_reply(example: Example) -> Prompt:
    """The conversation up to its last message, the assistant's."""
    return Prompt(example.messages[:-1], example.tools)


def opening(example: Example) -> Prompt:
    """The conversation up to the assistant's first message."""
    first = next(index for index, message in enumerate(example.messages) if message.role == "assistant")
    return Prompt(example.messages[:first], example.tools)


def training_messages(data: Path) -> Iterator[str]:
    """Every message of the conversations that the chat stage trains on."""
    for source in CHAT.shares:
        for example in _read(data, source, held_out=False):
            yield from (message.content for message in example.messages)


def _read(data: Path, source: str, *, held_out: bool) -> Iterator[Example]:
    """A source's examples; none where `prepare` found none and wrote no file."""
    with suppress(FileNotFoundError):
        yield from prepared.read(data, source, held_out=held_out)


def _words(example: Example) -> tuple[str, ...]:
    return tuple(message.content for message in example.messages)
