"""The corpus' readers, on a corpus of a few lines in each file's own format."""

import gzip
import json
from pathlib import Path

import pytest

from training import prepared
from training.corpus import CorpusError, Example, is_held_out, read_corpus, read_sentences, read_topics


def turns(*texts: str) -> list[dict]:
    return [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)]


FILES = {
    "tatoeba_en_sentences_ccby.txt.gz": ["Hi there, friend."] * 8,
    "common_voice_sentences_cc0.txt.gz": ["How big can elephants be?"] * 4,
    "african_storybook_ccby.txt.gz": ["Goats", "", "The goats", "went home.", "x" * 100, "<|endofstory|>"],
    "enwiki_core_leads.jsonl.gz": [{"id": "1", "title": "Albedo", "paras": ["One.", "Two."]}],
    "enwiki_core_leads_2015.jsonl.gz": [{"id": "2", "title": "Aa (river)", "paras": ["Small rivers."]}],
    "oewn_glosses.tsv.gz": ["adj\table\thaving the means\table to swim | able to get", "n\tant\tan insect\t"],
    "wordset_examples.tsv.gz": ["a cappella\tadverb\twithout music\tthey sang a cappella"],
    "self_dialogue.jsonl.gz": [{"topic": "star_wars", "messages": turns("Seen it?", " I have. ")}],
    "topical_chat.jsonl.gz": [{"messages": turns("Football?", "Yes.")}],
    "synthetic_persona_chat.jsonl.gz": [{"persona": "I am old.\nI fish.", "messages": turns("Hi!", "Hello!")}],
    "dolly15k.jsonl.gz": [{"messages": turns("Name a pet.", "A dog.")}, {"messages": turns("Write.", "long " * 200)}],
    "open_trivia_qa.jsonl.gz": [{"messages": turns("Which hibernates?", "Sloth")}],
    "greetings_and_seeds.jsonl.gz": [
        {"src": "chatterbot", "cat": "greetings", "messages": turns("Hello", "Hi")},
        {"src": "chatterbot", "cat": "trivia", "messages": turns("Predecessor of the UN?", "League of Nations")},
        {"src": "personality_chat_friendly", "cat": "Bot_WhoAreYou", "messages": turns("Who?", "An agent")},
    ],
    "squad_train.jsonl.gz": [
        {"src": "squad_dev", "title": "Oil", "answerable": True, "messages": turns("Oil. Where?", "There")},
        {"src": "squad_dev", "title": "Oil", "answerable": False, "messages": turns("Oil. When?", "n/a")},
    ],
    "reading_comp_misc.jsonl.gz": [{"src": "boolq_val", "context": "C", "messages": turns("C is it?", "yes")}],
}


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for name, lines in FILES.items():
        with gzip.open(tmp_path / name, "wt", encoding="utf-8") as file:
            file.writelines((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    return tmp_path


def by_source(examples: list[Example]) -> dict[str, list[Example]]:
    return {source: [e for e in examples if e.source == source] for source in {e.source for e in examples}}


def test_every_file_is_read_in_its_own_format(corpus: Path) -> None:
    found = by_source(list(read_corpus(corpus)))
    assert [e.text for e in found["sentences"]].count("How big can elephants be? " * 3 + "How big can elephants be?") == 1
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
    assert [e.messages[1].content for e in found["reading"]][::2] == ["There", "Yes."]
    assert found["reading"][1].messages[1].content != "n/a"


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
