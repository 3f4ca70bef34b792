"""A bench whose model says what the test wants, and the small model of the training tests."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from rich.progress import Progress
from tokenizers import Tokenizer

from training.evaluation.bench import Bench
from training.evaluation.model import Model, Prompt
from training.generate import Allowed, Sampling
from training.step import initial_params


class ScriptedBench(Bench):
    """Everything of a bench but the model's own words: `script(prompt)` gives them."""

    __slots__ = ("script",)
    script: Callable[[Prompt], str]

    def ask(
        self, label: str, prompts: Sequence[Prompt], *, greedy: int = 0, allowed: Allowed | None = None
    ) -> list[str]:
        return [self.script(prompt) for prompt in prompts]


@pytest.fixture(scope="session")
def model(recipe, tokenizer: Tokenizer) -> Model:
    """Random parameters."""
    config = recipe.model.decoder_config()
    return Model(initial_params(config, 3), config, tokenizer)


@pytest.fixture
def bench(model: Model, tmp_path: Path) -> Bench:
    return Bench(model, tmp_path, Sampling(max_new_tokens=16), 50, Progress(disable=True))


@pytest.fixture
def scripted(bench: Bench) -> Callable[[Callable[[Prompt], str]], Bench]:
    """scripted(script) -> a bench whose model answers as the script says."""

    def make(script: Callable[[Prompt], str]) -> Bench:
        made = ScriptedBench(bench.model, bench.data, bench.sampling, bench.examples, bench.progress)
        object.__setattr__(made, "script", script)
        return made

    return make
