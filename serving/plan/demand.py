"""What a person asks of a plan: what it is to serve, and how well."""

import dataclasses
from dataclasses import dataclass

from serving.engine.attention.choice import usual_page_size
from sharding.chips import Chip


@dataclass(frozen=True, slots=True)
class Demand:
    """What is to be served, and how the engine is set.

    Attributes:
        streams: that run at once.
        context: tokens of prompt and reply of each.
        prompt: tokens of the prompt whose time to first token is asked for.
        step_tokens: prompt tokens that one step reads.
        page_size: tokens in a page of the cache; 0 for what an engine takes, see `on`.
    """

    streams: int
    context: int
    prompt: int
    step_tokens: int
    page_size: int

    def on(self, chip: Chip) -> "Demand":
        """The same with the page size that an engine takes on this chip, where none was asked for."""
        return dataclasses.replace(self, page_size=self.page_size or usual_page_size(chip.platform))

    @property
    def pages(self) -> int:
        """Pages of one stream at its longest."""
        return -(-self.context // self.page_size)

    @property
    def blocks(self) -> int:
        """Pages of prompts that one step reads, as an engine has them."""
        return max(1, min(self.step_tokens, self.context) // self.page_size)


@dataclass(frozen=True, slots=True)
class Target:
    """What a plan has to reach to be good enough.

    Attributes:
        tokens_per_second: of each stream, at least.
        first_token: seconds, at most.
        efficiency: share of the roofline that is counted on.
    """

    tokens_per_second: float = 0.0
    first_token: float = float("inf")
    efficiency: float = 1.0
