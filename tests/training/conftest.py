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
    return [
        example.messages for example in Generator(["Ada Lovelace"], ["I like tea."], ["lantern"], seed=3).examples(120)
    ]


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


def calling(name: str, **arguments: object) -> dict:
    return {"role": "assistant", "content": None, "tool_calls": [{"name": name, "arguments": arguments}]}


def back(result: object) -> dict:
    return {"role": "tool", "content": json.dumps(result)}


SERVICE_DIALOGUE = {
    "id": "1_0",
    "tools": [
        {
            "name": "BookTable",
            "description": "Book a table",
            "required": ["city", "date", "time"],
            "optional": ["seats"],
        }
    ],
    "messages": [
        *turns("A table in oslo, please.", "For when?", "March 9th, at 2 in the afternoon."),
        calling("BookTable", city="Oslo", date="2019-03-09", time="14:00", seats="dontcare"),
        back([{"city": "Oslo", "price": "20"}, {"city": "Oslo", "price": "30"}]),
        {"role": "assistant", "content": "It is booked for 20 dollars."},
        *turns("And one for three of us in Rome, same time."),
        calling("BookTable", city="Rome", date="2019-03-10", time="14:00", seats="3"),
        back([]),
        {"role": "assistant", "content": "Done."},
    ],
}
COFFEE_ORDER = {
    "id": "a",
    "messages": [
        *turns("A Mocha with oat milk."),
        calling("get_menu_items", query="Mocha"),
        back({"menu_items": [{"menu_item_id": "mocha-1", "milk": "milk-options"}]}),
        calling(
            "add_order_item",
            menu_item_id="mocha-1",
            quantity="1",
            attributes=[{"attribute_id": "milk-options", "option": "Oat Milk"}],
        ),
        back({"order_id": "12345"}),
        {"role": "assistant", "content": "Your Mocha is coming, that is 1 coffee."},
    ],
}
CORPUS_FILES = {
    "tatoeba_en_sentences_ccby.txt.gz": ["Hi there, friend."] * 8,
    "common_voice_sentences_cc0.txt.gz": ["How big can elephants be?"] * 4,
    "african_storybook_ccby.txt.gz": ["Goats", "", "The goats", "went home.", "x" * 100, "<|endofstory|>"],
    "enwiki_core_leads.jsonl.gz": [{"id": "1", "title": "Albedo", "paras": ["One.", "Two."]}],
    "enwiki_core_leads_2015.jsonl.gz": [
        {"id": "2", "title": "Aa (river)", "paras": ["The Aa is a river of France. " + "Small boats pass it. " * 10]}
    ],
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
        {
            "src": "squad_dev",
            "title": "Oil",
            "answers": ["There", "there", "There"],
            "messages": turns("Oil is there.\n\nWhere?", "x"),
        },
        {
            "src": "squad_dev",
            "title": "Oil",
            "answers": [],
            "answerable": False,
            "messages": turns("Oil is there.\n\nWhen?", "n/a"),
        },
        {"src": "squad_dev", "title": "Oil", "answers": ["far"], "messages": turns("Oil. " * 400, "too long")},
    ],
    "reading_comp_misc.jsonl.gz": [
        {"src": "boolq_val", "context": "C", "answers": ["Yes."], "messages": turns("C is it?", "Yes.")}
    ],
    "sgd.jsonl.gz": [SERVICE_DIALOGUE],
    "taskmaster4.jsonl.gz": [COFFEE_ORDER],
    "intents_tool_calls.jsonl.gz": [
        {"src": "snips", "messages": [*turns(words), calling(name, **arguments)]}
        for words, name, arguments in (
            ("play Jazz", "PlayMusic", {"genre": "Jazz"}),
            ("play the album Blue", "PlayMusic", {"album": "Blue"}),
            ("weather in Oslo", "GetWeather", {"city": "Oslo"}),
            ("so funny", "general_praise", {}),
        )
    ],
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
