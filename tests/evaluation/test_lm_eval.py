"""lm-evaluation-harness itself, as its users start it, on tasks of ours and over `local-completions`."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluation.conftest import OwnEngine
from tests.evaluation.test_loglikelihood import EQUAL

TASKS = Path(__file__).parent / "tasks"
FACTS = json.loads((TASKS / "facts.json").read_text())


@pytest.fixture(scope="module")
def samples(server, tmp_path_factory) -> Callable[[str], list[dict]]:
    """What the harness logged of each sample of a task."""
    folder = tmp_path_factory.mktemp("lm-eval")
    model, *_ = server.get("/v1/models").json()["data"]
    options = {
        "--model": "local-completions",
        "--model_args": f"base_url={server.url}/v1/completions,model={model['id']},max_length={model['max_model_len']}",
        "--tasks": "plain_facts,plain_texts",
        "--include_path": TASKS,
        "--batch_size": 4,
        "--output_path": folder / "results",
    }
    command = [
        sys.executable,
        "-m",
        "lm_eval",
        "run",
        "--log_samples",
        *(str(x) for pair in options.items() for x in pair),
    ]
    offline = {"HF_HOME": str(folder), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    done = subprocess.run(command, cwd=TASKS, env=os.environ | offline, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

    def of(task: str) -> list[dict]:
        (file,) = folder.glob(f"results/*/samples_{task}_*.jsonl")
        return sorted(map(json.loads, file.read_text().splitlines()), key=lambda sample: sample["doc_id"])

    return of


def test_loglikelihoods_of_choices_are_the_engine_s_own(samples, own_engine):
    for fact, sample in zip(FACTS, samples("plain_facts"), strict=True):
        context = f"Question: {fact['question']}\nAnswer:"
        expected = [_of_continuation(own_engine, context, f" {choice}") for choice in fact["choices"]]
        answered = [(float(logprob), greedy == "True") for ((logprob, greedy),) in sample["resps"]]
        assert [logprob for logprob, _ in answered] == pytest.approx([logprob for logprob, _ in expected], abs=EQUAL)
        assert [greedy for _, greedy in answered] == [greedy for _, greedy in expected]
        best = max(range(len(expected)), key=lambda index: expected[index][0])
        assert sample["acc"] == float(best == fact["answer"])


def test_rolling_loglikelihoods_of_texts_are_the_engine_s_own(samples, own_engine):
    """The harness puts the tokenizer's end-of-sequence token before a text."""
    begin = own_engine.ids(own_engine.tokenizer.eos_token)
    for fact, sample in zip(FACTS, samples("plain_texts"), strict=True):
        expected, _ = own_engine.loglikelihood([*begin, *own_engine.ids(fact["question"])], 1)
        (((answered,),),) = [sample["resps"]]
        assert float(answered) == pytest.approx(expected, abs=EQUAL)


def _of_continuation(engine: OwnEngine, context: str, continuation: str) -> tuple[float, bool]:
    return engine.loglikelihood(engine.ids(context + continuation), len(engine.ids(context)))
