"""Request fields to the orchestrator's values; what a field leaves out, the model's generation defaults say."""

from collections.abc import Iterable

from serving.api.wire.sampling import SamplingFields
from serving.engine.request import MAX_HELD_STOPS, EngineDescription, SamplingParams
from serving.orchestrator.failures import InvalidRequest
from serving.orchestrator.prompt import check_token_ids
from serving.orchestrator.reply_text import TextOptions
from serving.orchestrator.served_model import ServedModel

GREEDY_BELOW = 1e-5  # temperatures below mean 0, before logits divided by them overflow
LEAST_TOP_P = 1e-6  # OpenAI accepts top_p 0, which keeps the most likely token alone
BANNED = -1e9  # logit bias of a bad word


def sampling_params(
    body: SamplingFields,
    model: ServedModel,
    engine: EngineDescription,
    *,
    max_tokens: int,
    logprobs: int | None,
    prompt_logprobs: int | None,
) -> SamplingParams:
    """How to sample. Raises InvalidRequest for what only the model's vocabulary can tell."""
    defaults, vocab_size = model.defaults, engine.vocab_size
    min_tokens = body.min_tokens or 0
    if min_tokens > max_tokens:
        raise InvalidRequest(f"min_tokens is {min_tokens}, more than the reply's {max_tokens} tokens", "min_tokens")
    logit_bias, stop_ids, allowed = body.logit_bias or {}, body.stop_token_ids or [], body.allowed_token_ids or []
    check_token_ids(list(logit_bias), vocab_size, field="logit_bias")
    check_token_ids(stop_ids, vocab_size, field="stop_token_ids")
    check_token_ids(allowed, vocab_size, field="allowed_token_ids")
    most_stops = MAX_HELD_STOPS - len(engine.eos_token_ids)
    if min_tokens and len(set(stop_ids)) > most_stops:
        raise InvalidRequest(
            f"{len(set(stop_ids))} stop tokens were given; together with min_tokens at most {most_stops} are accepted",
            "stop_token_ids",
        )
    temperature = _first(body.temperature, defaults.temperature)
    return SamplingParams(
        max_tokens=max_tokens,
        min_tokens=min_tokens,
        temperature=0.0 if temperature < GREEDY_BELOW else temperature,
        top_k=max(_first(body.top_k, defaults.top_k), 0),
        top_p=max(_first(body.top_p, defaults.top_p), LEAST_TOP_P),
        min_p=_first(body.min_p, defaults.min_p),
        repetition_penalty=_first(body.repetition_penalty, defaults.repetition_penalty),
        presence_penalty=_first(body.presence_penalty, 0.0),
        frequency_penalty=_first(body.frequency_penalty, 0.0),
        logit_bias=logit_bias | dict.fromkeys(_banned_ids(body.bad_words or (), model), BANNED),
        allowed_token_ids=tuple(allowed),
        stop_token_ids=tuple(stop_ids),
        ignore_eos=bool(body.ignore_eos),
        logprobs=logprobs,
        prompt_logprobs=prompt_logprobs,
    )


def text_options(body: SamplingFields, *, continuing: bool) -> TextOptions:
    """How the reply's tokens become text."""
    return TextOptions(
        stop=tuple(body.stop or ()),
        include_stop_str_in_output=bool(body.include_stop_str_in_output),
        skip_special_tokens=body.skip_special_tokens is not False,
        min_tokens=body.min_tokens or 0,
        continuing=continuing,
    )


def _first(given: float | None, default: float) -> float:
    return default if given is None else given


def _banned_ids(words: Iterable[str], model: ServedModel) -> set[int]:
    """The tokens of bad words, at a text's beginning and after a space. Raises InvalidRequest for longer words."""
    banned: set[int] = set()
    for word in words:
        alone, after_space = (model.tokenizer.encode(prefix + word.lstrip(), False) for prefix in ("", " "))
        if len(alone) != 1 or (len(after_space) != 1 and after_space[-1:] != alone):
            raise InvalidRequest(f"{word[:40]!r} is more than one token; only words of one are supported", "bad_words")
        banned.add(alone[0])
        if len(after_space) == 1:
            banned.add(after_space[0])
    return banned
