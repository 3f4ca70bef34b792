"""Questions made from an encyclopedia's sentences."""

import gzip
import json
from pathlib import Path

import pytest

from training.corpus import Example, is_held_out
from training.corpus.prose_questions import prose_questions
from training.corpus.reading import HELD_OUT_PERCENT, NO_ANSWER

BRIDGE = (
    "The Old Bridge was built in 1841 by Anna Berg in Oslo. It has three arches of local stone. The Town Council "
    "closed the bridge for repairs in spring (the second ones). The Old Bridge is known as the Lady. Traffic often "
    "uses it. Anna Berg invented a crane that nobody knew."
)
RIVER = (
    "The Silver River is a tributary of the Golden River. The river was dammed on 3 May 1920. Most of its water "
    "comes from Norway. The Silver River was first crossed by Thomas Hill near Bergen. He is said to have gone on to "
    "Finland, where all trace of him is lost among the lakes."
)
ASKED = {
    "What was built in 1841 by Anna Berg in Oslo?": "The Old Bridge",
    "When was the Old Bridge built?": "1841",
    "Where was the Old Bridge built in 1841 by Anna Berg?": "Oslo",
    "Who was the Old Bridge built in 1841 by?": "Anna Berg",
    "How many arches has Old Bridge of local stone?": "three",
    "What has three arches of local stone?": "Old Bridge",
    "What closed the bridge for repairs in spring?": "The Town Council",
    "What is the Old Bridge known as?": "the Lady",
    "What is a tributary of the Golden River?": "The Silver River",
    "What is the Silver River?": "a tributary of the Golden River",
    "What is the Silver River a tributary of?": "the Golden River",
    "What was dammed on 3 May 1920?": "The river",
    "When was the river dammed?": "3 May 1920",
    "Where was the Silver River first crossed by Thomas Hill?": "Bergen",
    "Who was the Silver River first crossed by?": "Thomas Hill",
}


@pytest.fixture
def examples(tmp_path: Path) -> list[Example]:
    held_out = next(title for title in map(str, range(100)) if is_held_out(title, HELD_OUT_PERCENT))
    rows = [
        {"title": "Old Bridge", "paras": [BRIDGE, RIVER, "Too short to be asked about."]},
        {"title": held_out, "paras": [BRIDGE]},
    ]
    articles, glossary = tmp_path / "articles.jsonl.gz", tmp_path / "glossary.tsv.gz"
    with gzip.open(articles, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    with gzip.open(glossary, "wt", encoding="utf-8") as file:
        file.write("verb\tclose, shut\tmove so that an opening is obstructed\t\n")
    return list(prose_questions(articles, glossary))


def asked(example: Example) -> dict[str, str]:
    """Questions, without the passage that stands before the first, and their answers."""
    contents = [message.content.split("\n\n")[-1] for message in example.messages]
    return dict(zip(contents[::2], contents[1::2], strict=True))


def test_sentences_become_questions(examples: list[Example]):
    for example in examples:
        assert 3 <= len(asked(example)) <= 5
        for question, answer in asked(example).items():
            assert answer == ASKED[question] or answer in NO_ANSWER


def test_what_the_passage_does_not_answer_is_said(examples: list[Example]):
    for example, text in zip(examples, (BRIDGE, RIVER), strict=True):
        passage = example.messages[0].content.split("\n\n")[0]
        assert passage == text.replace(" (the second ones)", "")
        for question, answer in asked(example).items():
            assert (answer in NO_ANSWER) == (ASKED[question] not in passage)


def test_articles_that_reading_holds_out_are_left_alone(examples: list[Example]):
    assert [example.held_out for example in examples] == [False, False]
