"""What the model reads in each stage of training, and how much of it."""

from dataclasses import dataclass

SYNTHETIC = "synthetic"


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
        "stories": 0.03,
        "encyclopedia": 0.15,
        "dictionary": 0.08,
        "self_dialogue": 0.18,
        "topical_chat": 0.07,
        "persona_chat": 0.12,
        "instructions": 0.04,
        "reading": 0.06,
        SYNTHETIC: 0.13,
    },
)
CHAT = Stage(
    "chat",
    learn_all=False,
    shares={
        SYNTHETIC: 0.60,
        "persona_chat": 0.10,
        "self_dialogue": 0.11,
        "topical_chat": 0.04,
        "instructions": 0.06,
        "reading": 0.08,
        "greetings": 0.01,
    },
)
STAGES = (PRETRAIN, CHAT)
