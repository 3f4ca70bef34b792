"""JetStream's Engine API on the embedded model: its tokens are those of the engine that serves."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from benchmarks.offline import replies
from serving.engine.engine import Engine
from serving.engine.jetstream import JetStreamEngine, Params, Prefix
from serving.engine.loading import Loaded, load
from serving.engine.options import EngineOptions
from serving.engine.pages import PoolExhausted
from serving.engine.request import GenerationRequest, SamplingParams
from serving.models.chat_template import ChatTemplate
from serving.models.folder import EMBEDDED_MODEL
from serving.models.tokenizer import Tokenizer
from tests.engine.offline import Offline, Reply

NEAR = 1e-4
LENGTH = 40
PAGE = 16
OPTIONS = EngineOptions(max_rows=4, max_context=256, page_size=PAGE, pages=64, step_tokens=32, decode_steps=4)
GREEDY = SamplingParams(max_tokens=LENGTH, temperature=0)
DRAWN = SamplingParams(max_tokens=LENGTH, temperature=0.8, top_p=0.9, repetition_penalty=1.2, seed=7, ignore_eos=True)
SYSTEM = {"role": "system", "content": "You answer in short and friendly sentences. " * 8}
QUESTIONS = [
    "Hello, who are you?",
    "What is the capital of France?",
    "Tell me a short story about a sailor and the wind.",
    "I feel a bit tired today. What should I do?",
    "Do you like music? Which kind?",
    "Thank you, goodbye!",
]
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "engine-api.md"


@pytest.fixture(scope="module")
def loaded() -> Iterator[Loaded]:
    model = load(EMBEDDED_MODEL, OPTIONS, lambda _: None)
    yield model
    model.runner.programs.cancel()


@pytest.fixture(scope="module")
def prompts() -> list[list[int]]:
    """Some of a page or two, and every other one after a system message of several chunks."""
    tokenizer, template = Tokenizer.from_folder(EMBEDDED_MODEL), ChatTemplate.from_folder(EMBEDDED_MODEL)
    found = []
    for index, question in enumerate(QUESTIONS):
        messages = [SYSTEM] * (index % 2) + [{"role": "user", "content": question}]
        found.append(tokenizer.encode(template.render(messages), add_special_tokens=False))
    return found


@pytest.fixture(scope="module")
def served(loaded, prompts) -> dict[str, list[Reply]]:
    """What the engine that serves replies to each prompt, alone: greedily, and drawn with a seed."""
    engine = Engine(loaded, OPTIONS)
    offline = Offline(engine)
    found = {}
    for name, sampling in (("greedy", replace(GREEDY, logprobs=2)), ("drawn", DRAWN)):
        requests = [GenerationRequest(f"{name} {n}", tuple(prompt), sampling) for n, prompt in enumerate(prompts)]
        found[name] = [offline.generate([request])[0] for request in requests]
    engine.stop()
    return found


@pytest.fixture
def engine(loaded, served) -> JetStreamEngine:
    """One token a call, every page free. It shares the device with `served`, which is over."""
    return JetStreamEngine(loaded, replace(OPTIONS, decode_steps=1), EMBEDDED_MODEL, GREEDY)


@pytest.fixture
def params(engine) -> Params:
    return engine.load_params()


def read(engine: JetStreamEngine, tokens: list[int], **arguments) -> Prefix:
    """A prefix of these tokens."""
    arguments = {"params": engine.load_params(), "padded_tokens": tokens, "true_length": len(tokens)} | arguments
    return engine.prefill(**arguments)[0]


def continued(engine: JetStreamEngine, prefix: Prefix, slot: int = 0, length: int = LENGTH) -> list[int]:
    """The reply to a prefix, up to so many tokens, in an engine without other work."""
    params, state = engine.load_params(), engine.init_decode_state()
    state = engine.insert(prefix, state, slot)
    reply = [prefix.first_token]
    while len(reply) < length:
        state, result = engine.generate(params, state)
        drawn = result.get_result_at_slot(slot)
        reply += np.asarray(drawn.tokens)[np.asarray(drawn.valid) > 0].tolist()
    engine.free_resource(slot)
    return reply


def same(reply: list[int], expected: Reply) -> bool:
    """Whether a greedy reply is the expected one, up to where that ended or the two best tokens lay within 1e-4."""
    for token, entry in zip(reply, expected.logprobs, strict=False):
        if token != entry.token:
            (_, best), (_, second) = entry.top
            print(f"a near tie, {best - second:g} apart")
            return best - second <= NEAR
    return len(reply) >= len(expected.tokens)


class TestTokens:
    def test_more_prompts_than_slots_with_ends_between_inserts(self, engine, params, prompts, served):
        stop = engine.build_tokenizer(engine.get_tokenizer()).stop_tokens
        found = replies(engine, params, prompts, stop=stop)
        assert len({len(reply) for reply in found}) > 1
        for reply, expected in zip(found, served["greedy"], strict=True):
            assert same(reply, expected)
            assert len(reply) == len(expected.tokens)
        assert engine.available_pages == OPTIONS.pages

    def test_seeds_and_penalties(self, engine, params, prompts, served):
        found = replies(engine, params, prompts, stop=(), sampler=DRAWN)
        assert found == [reply.tokens for reply in served["drawn"]]
        assert all(len(reply) == LENGTH for reply in found)

    def test_several_tokens_a_call(self, loaded, prompts, served):
        engine = JetStreamEngine(loaded, OPTIONS, EMBEDDED_MODEL, replace(GREEDY, max_tokens=8))
        params, state = engine.load_params(), engine.init_decode_state()
        state = engine.insert(read(engine, prompts[0]), state, slot=1)
        shapes, reply = [], []
        for _ in range(4):
            state, result = engine.generate(params, state)
            drawn = result.convert_to_numpy().get_result_at_slot(1)
            shapes.append((drawn.tokens.shape, drawn.valid.sum(), drawn.lengths.tolist()))
            reply += drawn.tokens[drawn.valid > 0].tolist()
        # The first step reads the rest of the text; after eight tokens the reply may not grow.
        assert shapes == [((1, 1), 1, [2]), ((1, 4), 4, [6]), ((1, 2), 2, [8]), ((1, 1), 0, [8])]
        assert same(reply, part(served["greedy"][0], 1, 8))

    def test_a_text_in_chunks_of_the_engine_s_or_of_the_caller_s(self, engine, prompts, served):
        prompt = prompts[3]
        assert len(prompt) > 2 * engine.prefill_chunk_size
        assert same(continued(engine, read(engine, prompt)), served["greedy"][3])
        prefix = None
        for start in range(0, len(prompt), 21):  # chunks that no page ends with
            prefix = read(engine, prompt[start : start + 21], existing_prefix=prefix)
        assert prefix.tokens == tuple(prompt)
        assert same(continued(engine, prefix), served["greedy"][3])

    def test_a_text_that_fills_its_pages(self, engine, params, prompts):
        text = prompts[1][: 2 * PAGE]
        whole = continued(engine, read(engine, text), length=8)
        assert len(read(engine, text).pages) == 2
        longer = read(engine, [*text, whole[0]])
        assert [whole[0], *continued(engine, longer, length=7)] == whole

    def test_padding_is_not_read(self, engine, prompts, served):
        tokens = jax.numpy.asarray([*prompts[0], *[3] * 40])
        prefix = read(engine, tokens, true_length=len(prompts[0]))
        assert same(continued(engine, prefix), served["greedy"][0])


def part(reply: Reply, start: int, end: int) -> Reply:
    """A part of a reply."""
    return Reply(tokens=reply.tokens[start:end], logprobs=reply.logprobs[start:end])


class TestPages:
    def test_a_shared_prefix_is_in_the_pool_once(self, engine, params, prompts, served):
        shared_length = next(
            n for n, pair in enumerate(zip(prompts[1], prompts[3], strict=False)) if len(set(pair)) > 1
        )
        shared = read(engine, prompts[1][:shared_length])
        assert len(shared.pages) == shared_length // PAGE > 2
        ours = [read(engine, prompts[n][shared_length:], existing_prefix=shared) for n in (1, 3)]
        own = {page for prefix in ours for page in prefix.pages[len(shared.pages) :]}
        assert all(prefix.pages[: len(shared.pages)] == shared.pages for prefix in ours)
        assert engine.available_pages == OPTIONS.pages - len(shared.pages) - len(own)

        state = engine.init_decode_state()
        state = engine.insert(ours[0], state, slot=0)
        state = engine.insert(ours[1], state, slot=3)
        found = {0: [ours[0].first_token], 3: [ours[1].first_token]}
        del shared, ours
        for _ in range(12):
            state, result = engine.generate(params, state)
            for slot, reply in found.items():
                reply.append(result.get_result_at_slot(slot).tokens.item())
        assert same(found[0], part(served["greedy"][1], 0, 13))
        engine.free_resource(0)
        assert engine.available_pages < OPTIONS.pages
        state, result = engine.generate(params, state)
        found[3].append(result.get_result_at_slot(3).tokens.item())
        assert same(found[3], part(served["greedy"][3], 0, 14))
        engine.free_resource(3)
        assert engine.available_pages == OPTIONS.pages

    def test_one_prefix_in_several_slots(self, engine, params, prompts, served):
        prefix = read(engine, prompts[3])
        before, state = engine.available_pages, engine.init_decode_state()
        for slot in range(3):
            state = engine.insert(prefix, state, slot)
        longest = len(prompts[3]) + LENGTH - 1
        assert before - engine.available_pages == 3 * (-(-longest // PAGE) - len(prefix.pages))
        found = [[prefix.first_token] for _ in range(3)]
        for _ in range(10):
            state, result = engine.generate(params, state)
            for slot, reply in enumerate(found):
                reply.append(result.get_result_at_slot(slot).tokens.item())
        assert all(same(reply, part(served["greedy"][3], 0, 11)) for reply in found)

    def test_a_new_decode_state_gives_back_what_the_last_one_held(self, engine, prompts):
        engine.insert(read(engine, prompts[0]), engine.init_decode_state(), slot=0)
        assert engine.available_pages < OPTIONS.pages
        engine.init_decode_state()
        assert engine.available_pages == OPTIONS.pages

    def test_a_full_pool_changes_nothing(self, loaded, prompts, served):
        few = replace(loaded, description=replace(loaded.description, pages=12))
        engine = JetStreamEngine(few, OPTIONS, EMBEDDED_MODEL, GREEDY)
        params, state, prefix = engine.load_params(), engine.init_decode_state(), read(engine, prompts[0])
        needed = -(-(len(prompts[0]) + LENGTH - 1) // PAGE) - len(prefix.pages)
        slot = 0
        while engine.available_pages >= needed:
            state = engine.insert(prefix, state, slot)
            slot += 1
        left = engine.available_pages
        with pytest.raises(PoolExhausted, match=f"needs {needed} more pages of 16 tokens, {left} of 12 are available"):
            engine.insert(prefix, state, slot)
        with pytest.raises(PoolExhausted, match=r"request long needs"):
            read(engine, [5] * PAGE * (left + 1), request_id="long")
        assert engine.available_pages == left
        engine.free_resource(0)
        state = engine.insert(prefix, state, slot)
        state, result = engine.generate(params, state)
        reply = [prefix.first_token, result.get_result_at_slot(slot).tokens.item()]
        assert same(reply, part(served["greedy"][0], 0, 2))


class TestResults:
    def test_valid_slots_lengths_and_log_probabilities(self, engine, params, prompts, served):
        state = engine.init_decode_state()
        state = engine.insert(read(engine, prompts[0], sampler=replace(GREEDY, logprobs=0)), state, slot=1)
        state = engine.insert(read(engine, prompts[1]), state, slot=2)
        for _ in range(3):
            state, result = engine.generate(params, state)
            result.copy_to_host_async()
        result = result.convert_to_numpy()
        assert isinstance(result.data, np.ndarray) and result.data.shape == (4, 3)
        assert result.data[:, slice(*result.valid_idx)].ravel().tolist() == [0, 1, 1, 0]
        assert result.data[:, slice(*result.length_idx)].ravel().tolist() == [0, 4, 4, 0]
        one, other = result.get_result_at_slot(1), result.get_result_at_slot(2)
        expected = served["greedy"][0].logprobs[3]
        assert one.tokens.tolist() == [[expected.token]]
        assert one.log_prob.item() == pytest.approx(expected.logprob, abs=1e-4)
        assert np.isnan(other.log_prob).all()
        with pytest.raises(IndexError, match="slot 4 is given; this result has the slots 0 to 3"):
            result.get_result_at_slot(4)

    def test_the_first_token_has_slot_0_of_its_own_result(self, engine, params, prompts, served):
        _, first = engine.prefill(
            params=params, padded_tokens=prompts[2], true_length=len(prompts[2]), sampler=replace(GREEDY, logprobs=0)
        )
        drawn = jax.device_get(first).get_result_at_slot(0)
        expected = served["greedy"][2].logprobs[0]
        assert (drawn.tokens.tolist(), drawn.valid.tolist(), drawn.lengths.tolist()) == ([[expected.token]], [[1]], [1])
        assert drawn.log_prob.item() == pytest.approx(expected.logprob, abs=1e-4)

    def test_no_slot_holds_anything(self, engine, params):
        _, result = engine.generate(params, engine.init_decode_state())
        assert not np.asarray(result.data).any()


class TestRefusals:
    def test_slots(self, engine, params, prompts):
        prefix, state = read(engine, prompts[0], request_id="mine"), engine.init_decode_state()
        state = engine.insert(prefix, state, slot=1)
        with pytest.raises(ValueError, match=r"slot 1 is taken by request mine; free are: 0, 2, 3\. free_resource"):
            engine.insert(prefix, state, slot=1)
        for slot in (-1, 4):
            with pytest.raises(IndexError, match=f"slot {slot} is given; slots are 0 to 3"):
                engine.insert(prefix, state, slot)
            with pytest.raises(IndexError, match=f"slot {slot} is given; slots are 0 to 3"):
                engine.free_resource(slot)
        engine.generate(params, state)  # what was refused has not used the state up

    def test_a_state_that_was_passed_on(self, engine, params, prompts):
        with pytest.raises(ValueError, match=r"no decode state yet; init_decode_state\(\) makes it"):
            engine.generate(params, None)
        first = engine.init_decode_state()
        second = engine.insert(read(engine, prompts[0]), first, slot=0)
        with pytest.raises(ValueError, match=r"call='init_decode_state'.*was passed on.*call='insert'"):
            engine.generate(params, first)
        third, _ = engine.generate(params, second)
        with pytest.raises(ValueError, match=r"call='insert'.*call='generate'"):
            engine.insert(read(engine, prompts[0]), second, slot=1)
        with pytest.raises(ValueError, match=r"given, a tuple, was passed on or is not this engine's"):
            engine.generate(params, (third, None))

    def test_what_belongs_to_another_engine(self, loaded, engine, params, prompts):
        other = JetStreamEngine(loaded, OPTIONS, EMBEDDED_MODEL)
        with pytest.raises(ValueError, match=r"params is a foreign Params; accepted is what load_params\(\) returned"):
            read(engine, prompts[0], params=other.load_params())
        with pytest.raises(ValueError, match="the prefix is of another engine"):
            engine.insert(read(other, prompts[0]), engine.init_decode_state(), slot=0)
        with pytest.raises(TypeError, match="a list is given; accepted is a Prefix"):
            read(engine, prompts[0], existing_prefix=[1, 2])

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"padded_tokens": [5] * 256, "true_length": 256}, "the text has 256 tokens; at most 255 are accepted"),
            ({"padded_tokens": [5, 6], "true_length": 3}, "true_length is 3; accepted is 1 to 2, the tokens given"),
            ({"padded_tokens": [5, 6], "true_length": 0}, "true_length is 0; accepted is 1 to 2, the tokens given"),
            (
                {"padded_tokens": [[5, 6]], "true_length": 1},
                r"is int64 of shape \[1, 2\]; accepted are integers",
            ),
            ({"padded_tokens": [0.5], "true_length": 1}, "padded_tokens is float64 of shape"),
            ({"padded_tokens": [5, 4096], "true_length": 2}, "holds 4096; this model's tokens are 0 to 4095"),
            ({"sampler": replace(GREEDY, max_tokens=0)}, "max_tokens is 0; at least 1 is needed"),
            ({"sampler": replace(GREEDY, logprobs=3)}, "logprobs is 3 and prompt_logprobs None; accepted are None and"),
            ({"sampler": replace(GREEDY, prompt_logprobs=0)}, "logprobs is None and prompt_logprobs 0"),
            ({"sampler": replace(GREEDY, logit_bias={-1: 1.0})}, "logit_bias holds -1"),
            ({"sampler": replace(GREEDY, min_tokens=2, stop_token_ids=tuple(range(9, 40)))}, "back 16 stop tokens"),
        ],
    )
    def test_texts_and_samplers(self, engine, arguments, message):
        with pytest.raises(ValueError, match=message):
            read(engine, [5, 6], **arguments)
        assert engine.available_pages == OPTIONS.pages

    def test_a_function_of_the_logits(self, engine):
        with pytest.raises(TypeError, match="sampler is a function; accepted are SamplingParams"):
            read(engine, [5, 6], sampler=lambda logits: logits)

    def test_a_continuation_beyond_the_context(self, engine):
        prefix = read(engine, [5] * 200)
        with pytest.raises(ValueError, match="the text has 260 tokens; at most 255 are accepted"):
            read(engine, [6] * 60, existing_prefix=prefix)


def test_the_longest_text_gets_one_token(engine, params):
    prefix, state = read(engine, [5] * 255), engine.init_decode_state()
    state = engine.insert(prefix, state, slot=0)
    _, result = engine.generate(params, state)
    assert result.convert_to_numpy().get_result_at_slot(0).valid.tolist() == [[0]]


def test_what_an_engine_says_of_itself(engine):
    assert engine.max_concurrent_decodes == 4
    assert engine.samples_per_slot == 1
    assert engine.max_prefill_length == 255
    assert engine.use_chunked_prefill
    assert engine.prefill_chunk_size == 32
    assert engine.mesh.devices.ravel().tolist() == jax.devices()
    assert engine.colocated_cpus == jax.devices("cpu")
    assert engine.get_tokenizer().path == str(EMBEDDED_MODEL)


def test_the_document_s_examples(served, prompts):
    names: dict = {}
    for example in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL):
        exec(compile(example, DOCUMENT.name, "exec"), names)
    assert same(names["reply"], served["greedy"][0])
    assert len(names["shared"].pages) > 2
    assert names["question"].tokens[: len(names["shared"].tokens)] == names["shared"].tokens
    names["engine"].stop()
