"""Prompt text of a wanted length in tokens, the same from the same seed."""

from dataclasses import dataclass
from random import Random

from serving.bench.workload import Segment

# Short and common, so that nearly every tokenizer has a token for each.
WORDS = """
the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not what
all were we when your can said there use an each which she do how their if will up other about out many then them these
so some her would make like him into time has look two more write go see number no way could people my than first water
been call who oil its now find long down day did get come made may part over new sound take only little work know place
year live me back give most very after thing our just name good man think say great where help through much before line
right too mean old any same tell boy follow came want show also around form three small set put end does another well
large must big even such because turn here why ask went men read need land different home us move try kind hand picture
again change off play spell air away animal house point page letter mother answer found study still learn should world
""".split()


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a server's tokenizer makes of our words: tokens = overhead + words * tokens_per_word."""

    tokens_per_word: float = 1.0
    overhead: int = 0  # a chat template's, a begin-of-sequence token's


def words(segment: Segment, seed: int, calibration: Calibration) -> str:
    """Text of about `segment.tokens` tokens, at least one word."""
    count = max(1, round(segment.tokens / calibration.tokens_per_word))
    return " ".join(Random(f"{seed}:{segment.key}").choices(WORDS, k=count))
