"""What the model reads in each stage of training, and how much of it."""

import random
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from training import prepared
from training.conversation import Tokens, encode_conversation, encode_text

MOST_EPOCHS = 8


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of training. `shares` are the sources' parts of the stage's tokens; they sum to 1.

    With `learn_all` every token is learned (plain text, and both sides of dialogues); without it the assistant's alone.
    """

    name: str
    learn_all: bool
    shares: dict[str, float]

    def __post_init__(self) -> None:
        total = sum(self.shares.values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"stage {self.name}: the shares sum to {total:.3f}; they must sum to 1")


PRETRAIN = Stage(
    "pretrain",
    learn_all=True,
    shares={
        "sentences": 0.14,
        "stories": 0.04,
        "encyclopedia": 0.05,
        "dictionary": 0.02,
        "trivia": 0.01,
        "self_dialogue": 0.16,
        "topical_chat": 0.06,
        "persona_chat": 0.12,
        "instructions": 0.03,
        "reading": 0.06,
        "prose_questions": 0.05,
        "services": 0.05,
        "orders": 0.01,
        "requests": 0.02,
        "synthetic_passages": 0.10,
        "synthetic_tools": 0.05,
        "synthetic_talk": 0.03,
    },
)
CHAT = Stage(
    "chat",
    learn_all=False,
    shares={
        "synthetic_passages": 0.17,
        "synthetic_tools": 0.25,
        "requests": 0.07,
        "services": 0.01,
        "orders": 0.005,
        "synthetic_talk": 0.15,
        "reading": 0.12,
        "prose_questions": 0.17,
        "persona_chat": 0.02,
        "self_dialogue": 0.02,
        "topical_chat": 0.005,
        "instructions": 0.005,
        "greetings": 0.005,
    },
)
STAGES = (PRETRAIN, CHAT)


def draw(stage: Stage, prepared_folder: Path, tokenizer: Tokenizer, tokens: int, rng: random.Random) -> list[Tokens]:
    """Encodes about `tokens` tokens of the stage's sources, each its share, in random order.

    A source with less text than its share is read again, up to MOST_EPOCHS times.
    """
    drawn: list[Tokens] = []
    for source, share in stage.shares.items():
        examples = list(prepared.read(prepared_folder, source))
        wanted, epoch = share * tokens, 0
        while wanted > 0 and epoch < MOST_EPOCHS:
            rng.shuffle(examples)
            for example in examples:
                if example.messages:
                    encoded = encode_conversation(
                        example.messages, tokenizer, tools=example.tools, learn_all=stage.learn_all
                    )
                else:
                    encoded = encode_text(example.text, tokenizer)
                drawn.append(encoded)
                wanted -= len(encoded.ids)
                if wanted <= 0:
                    break
            epoch += 1
    rng.shuffle(drawn)
    return drawn
