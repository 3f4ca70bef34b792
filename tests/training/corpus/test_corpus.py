"""The corpus' readers, on a corpus of a few lines in each file's own format."""

from pathlib import Path

import pytest

from training import prepared
from training.corpus import CorpusError, Example, is_held_out, read_corpus, read_sentences, read_topics
from training.corpus.reading import NO_ANSWER


def by_source(examples: list[Example]) -> dict[str, list[Example]]:
    return {source: [e for e in examples if e.source == source] for source in {e.source for e in examples}}


def test_every_file_is_read_in_its_own_format(corpus: Path) -> None:
    found = by_source(list(read_corpus(corpus)))
    assert [e.text for e in found["sentences"]].count(
        "How big can elephants be? " * 3 + "How big can elephants be?"
    ) == 1
    assert found["stories"][0].text.startswith("Goats\n\nThe goats went home. xxx")
    assert found["encyclopedia"][0].text == "Albedo\n\nOne.\nTwo."
    assert [e.text for e in found["dictionary"]] == [
        'able (adj): having the means. "able to swim" "able to get"',
        "ant (n): an insect.",
        "a cappella (adverb): without music. they sang a cappella",
    ]
    assert [m.content for m in found["self_dialogue"][0].messages][1:] == ["Seen it?", "I have."]
    assert found["self_dialogue"][0].messages[0].role == "system"
    assert "star_wars" not in found["self_dialogue"][0].messages[0].content
    assert found["persona_chat"][0].messages[0].content.endswith("I am old. I fish.")
    assert len(found["instructions"]) == 1, "replies of more than 500 characters are left out"
    assert [e.messages[0].content for e in found["greetings"]] == ["Hello"]
    together, yes = found["reading"]
    assert yes.messages[1].content == "Yes."
    first, *others = [message.content for message in together.messages]
    assert {first.removeprefix("Oil is there.\n\n"), others[1]} == {"Where?", "When?"}, "the passage stands there once"
    assert {others[0], others[2]} - set(NO_ANSWER) == {"There"}


def test_a_missing_file_is_named(corpus: Path) -> None:
    (corpus / "dolly15k.jsonl.gz").unlink()
    with pytest.raises(CorpusError, match="missing dolly15k.jsonl.gz"):
        list(read_corpus(corpus))


def test_one_article_is_held_out_as_a_whole(corpus: Path) -> None:
    reading = [e for e in read_corpus(corpus) if e.source == "reading"]
    assert {e.held_out for e in reading[:2]} == {is_held_out("Oil")}


def test_two_in_a_hundred_keys_are_held_out() -> None:
    assert 150 < sum(is_held_out(f"key {number}") for number in range(10_000)) < 250


def test_topics_and_sentences(corpus: Path) -> None:
    assert read_topics(corpus) == ["Albedo"]
    assert set(read_sentences(corpus)) == {"Hi there, friend."}


def test_prepared_examples_survive_the_disk(corpus: Path, tmp_path: Path) -> None:
    examples = list(read_corpus(corpus))
    prepared.write(tmp_path / "data", examples)
    for source, expected in by_source(examples).items():
        found = []
        for held_out in sorted({example.held_out for example in expected}):
            found += prepared.read(tmp_path / "data", source, held_out=held_out)
        assert sorted(map(repr, found)) == sorted(map(repr, expected))
