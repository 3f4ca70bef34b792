"""Answers from a passage: the official SQuAD scores, and refusals.

Scores as in SQuAD's evaluation script (arXiv 1606.05250): lower case, no punctuation, no articles; the best of the
accepted answers counts.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

from training.corpus import Example
from training.corpus.reading import passage_of
from training.evaluation.bench import Bench, HeldOut, before_reply
from training.evaluation.estimate import balanced, mean, proportion
from training.evaluation.report import Bar, Row
from training.evaluation.spans import Spans
from training.generate import Allowed

_REPLY_TOKENS = 48

_REFUSAL = re.compile(
    r"""(does|do|did)\ not\ (\w+\ )?(say|mention|tell|state|answer|give|contain|specify)
    | (does|do|did)n't\ (\w+\ )?(say|mention|tell|state|answer|give|contain|specify)
    | not\ (said|mentioned|given|stated|told|in\ (the|this|your))
    | (no|nothing)\ (\w+\ )?(information|answer|word|mention|about)
    | (cannot|can't|can\ not|could\ not)\ (tell|find|say|know|answer)
    | (do|does)(\ not|n't)\ know | leaves\ (it|that)\ open""",
    re.VERBOSE | re.IGNORECASE,
)
_ARTICLE = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised(text: str) -> str:
    """The text without what SQuAD's scores overlook."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(reply: str, answers: Sequence[str]) -> bool:
    """Whether the reply is one of the answers, but for case, punctuation and articles."""
    return normalised(reply) in map(normalised, answers)


def f1(reply: str, answers: Sequence[str]) -> float:
    """The words that reply and answer share: harmonic mean of precision and recall, for the best of the answers."""
    return max(_f1(normalised(reply).split(), normalised(answer).split()) for answer in answers)


def _f1(said: list[str], wanted: list[str]) -> float:
    shared = (Counter(said) & Counter(wanted)).total()
    return 2 * shared / (len(said) + len(wanted)) if shared else 0.0


def refuses(reply: str) -> bool:
    """Whether the reply says that nothing in the passage answers."""
    return bool(_REFUSAL.search(reply))


def rows(bench: Bench, held_out: HeldOut) -> list[Row]:
    """SQuAD's articles and synthetic passages, read and answered; what no passage says, refused."""
    found: list[Row] = []
    squad = held_out.of_kind("squad")
    answerable = bench.pick([example for example in squad if example.answerable])
    free = _answers(bench, "SQuAD", answerable)
    spans = [Spans(passage_of(example.messages[-2].content), bench.model.tokenizer) for example in answerable]
    limited = _answers(bench, "SQuAD, spans", answerable, lambda index, reply: spans[index].allowed(reply))
    found += _scores("SQuAD, unseen articles, spans", answerable, limited, Bar(0.14, 0.22), Bar(0.20, 0.32))
    found += _scores("SQuAD, unseen articles, free", answerable, free)
    passages = held_out.of_kind("passage")
    stated = bench.pick([example for example in passages if example.answerable])
    replies = _answers(bench, "synthetic passages", stated)
    found += _scores("synthetic passages", stated, replies, Bar(0.45, 0.70))
    found += _refusals(bench, "SQuAD", squad, free, Bar(None, 0.58))
    found += _refusals(bench, "synthetic passages", passages, replies)
    return found


def _answers(bench: Bench, label: str, examples: Sequence[Example], allowed: Allowed | None = None) -> list[str]:
    return bench.ask(label, [before_reply(example) for example in examples], greedy=_REPLY_TOKENS, allowed=allowed)


def _scores(
    name: str, examples: Sequence[Example], replies: Sequence[str], em: Bar | None = None, f1_bar: Bar | None = None
) -> list[Row]:
    pairs = [(reply, example.answers) for reply, example in zip(replies, examples, strict=True)]
    return [
        Row(f"{name}: EM", proportion([exact_match(*pair) for pair in pairs]), em),
        Row(f"{name}: F1", mean([f1(*pair) for pair in pairs]), f1_bar),
    ]


def _refusals(
    bench: Bench, name: str, examples: Sequence[Example], to_answerable: Sequence[str], bar: Bar | None = None
) -> list[Row]:
    """Balanced accuracy of refusing what the passage does not say, and the two parts it is made of."""
    unanswerable = bench.pick([example for example in examples if not example.answerable])
    refused = [refuses(reply) for reply in _answers(bench, f"{name}, not answerable", unanswerable)]
    answered = [not refuses(reply) for reply in to_answerable]
    return [
        Row(f"answerable or not, {name}", balanced(refused, answered), bar),
        Row("- says so where the passage does not say", proportion(refused)),
        Row("- answers where it does", proportion(answered)),
    ]
