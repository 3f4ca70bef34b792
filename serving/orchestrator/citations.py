"""Which of the passages that it was given a reply cites."""

import re
from collections.abc import Sequence

_MARK = re.compile(r"\[(\d{1,3})\]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"\w+(?:[.,:'\u2019-]\w+)*")
# The commonest words of English, which say nothing about where a sentence comes from.
_COMMON = frozenset(
    "a about after all also am an and any are as at be because been before but by can could did do does for from had "
    "has have he her him his how i if in into is it its just may me more most my no not of on one only or other our "
    "out over she so some such than that the their them then there these they this to up us very was we were what "
    "when where which who why will with would yes you your".split()
)


def cited(reply: str, question: str, passages: Sequence[str]) -> list[int]:
    """The places of the passages that a reply cites, in their order.

    They are those whose number (from 1) the reply writes as [1]. Where it writes none, each of its sentences cites the
    passage that holds most of its words, if that is more than half of them. Common words do not count, nor do the
    question's, unless a sentence has no others. So a citation says where a reply's words can be read, not where the
    model had them from.
    """
    numbers = {int(number) for number in _MARK.findall(reply)}
    if marked := [place for place in range(len(passages)) if place + 1 in numbers]:
        return marked
    asked, held = _words(question), [_words(passage) for passage in passages]
    found = set()
    for sentence in _SENTENCE.split(reply):
        said = _words(sentence)
        said = said - asked or said
        shares = [len(said & words) / len(said) for words in held] if said else []
        if shares and max(shares) > 0.5:
            found.add(shares.index(max(shares)))
    return sorted(found)


def _words(text: str) -> set[str]:
    return {word.casefold() for word in _WORD.findall(text)} - _COMMON
