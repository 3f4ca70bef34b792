"""The accelerator's benchmark, end to end on a CPU; and that it would notice wrong attention."""

import dataclasses
import re

import jax.numpy as jnp
import pytest
import typer

from benchmarks.accelerator import TINY, main
from benchmarks.attention_error import LIMITS, errors
from serving.engine.attention.reference import ReferenceAttention

TINY_RUN = {"batch": [2], "tokens": 512, "reply": 24, "prompt": 32, "attention": "auto", "mesh": "tensor=1"}


def test_it_runs_on_a_cpu(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "250")
    main(shape=["tiny"], **TINY_RUN)
    said = capsys.readouterr().out
    for kind in ("plain", "window", "soft cap", "sinks"):
        found = re.search(rf"gpu, interpreted +. tiny +. {kind} +. (\S+) +. (\S+) ", said)
        assert all(0 <= float(part) < LIMITS["float32"] for part in found.groups()), kind
    assert re.search(r"tiny +. 2 x 256 +. [\d,.]+ +. [\d,.]+ +. [\d.]+ +. [\d,]+ +. \d+% +. \d+, \d+ ", said)


def test_streams_that_would_not_decode_together_are_refused():
    with pytest.raises(typer.BadParameter, match="has drawn 4 tokens when the last one's prompt is read"):
        main(shape=["tiny"], **TINY_RUN | {"tokens": 160, "reply": 4, "prompt": 64})


class Wrong(ReferenceAttention):
    """Attention that forgets to scale its scores."""

    def mix(self, q, cache, view, spec, sinks):
        return super().mix(q, cache, view, dataclasses.replace(spec, scale=1.0), sinks)


def test_attention_that_is_wrong_is_noticed():
    assert min(map(min, errors(Wrong(), TINY, jnp.float32, 64).values())) > 100 * LIMITS["float32"]
