"""A tiny tokenizer, recipe and packed rows, made on the spot: no corpus is needed."""

import gzip
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
from tokenizers import Tokenizer

from training.conversation import PAD, encode_conversation
from training.feed import Feed
from training.packing import by_length, cut, pack
from training.recipe import ModelShape, Recipe
from training.synthetic import Generator
from training.tokenizer import train_tokenizer


@pytest.fixture(scope="session", autouse=True)
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Several tests train the same tiny model; its programs are compiled once for all of them."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = [getattr(jax.config, name) for name in names]
    for name, value in zip(names, (str(tmp_path_factory.mktemp("compiled")), 0.0), strict=True):
        jax.config.update(name, value)
    yield
    for name, value in zip(names, before, strict=True):
        jax.config.update(name, value)


@pytest.fixture(scope="session")
def conversations() -> list:
    return list(Generator(["Ada Lovelace"], ["I like tea."], seed=3).conversations(120))


@pytest.fixture(scope="session")
def tokenizer(conversations: list) -> Tokenizer:
    texts = [message.content for messages in conversations for message in messages]
    return train_tokenizer(texts, 400, progress=False)


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    model = ModelShape(400, hidden_size=16, layers=1, heads=2, kv_heads=1, mlp_size=24, max_position=128)
    return Recipe(
        model,
        tokens=4096,
        pretrain_share=0.5,
        row_lengths=(64, 128),
        batch_tokens=256,
        micro_batch_tokens=128,
        muon_learning_rate=0.02,
        adam_learning_rate=0.01,
        warmup_share=0.1,
        decay_share=0.4,
        seed=5,
    )


@pytest.fixture(scope="session")
def make_feed(conversations: list, tokenizer: Tokenizer, recipe: Recipe) -> Callable[..., Feed]:
    """make_feed(steps) over both stages and both row lengths."""
    pad = tokenizer.token_to_id(PAD)
    stages = []
    for learn_all in (True, False):
        encoded = [encode_conversation(messages, tokenizer, learn_all=learn_all) for messages in conversations]
        random.Random(1).shuffle(encoded)
        sequences = by_length(cut(encoded, 128), recipe.row_lengths)
        stages.append([pack(fitting, length, pad, np.random.default_rng(2)) for length, fitting in sequences.items()])
    return lambda steps=None: Feed(stages, recipe, steps)


def turns(*texts: str) -> list[dict]:
    return [{"role": ("user", "assistant")[index % 2], "content": text} for index, text in enumerate(texts)]


CORPUS_FILES = {
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
    """A corpus folder of a few lines in each file's own format."""
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, lines in CORPUS_FILES.items():
        with gzip.open(folder / name, "wt", encoding="utf-8") as file:
            file.writelines((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
    return folder
