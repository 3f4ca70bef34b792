"""Text to ids and back: byte-level BPE, sentencepiece-style BPE, and streams of either."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend

from serving.models.folder import ModelFolderError
from serving.models.tokenizer import TextStream, Tokenizer

CORPUS = ["the trade wind blows over the sea", "naïve café — 你好世界 🌬️", "  two  spaces\n\tand a tab"] * 4
SPECIALS = ["<s>", "</s>", "<|im_end|>"]


def byte_level() -> Backend:
    backend = Backend(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=SPECIALS, initial_alphabet=alphabet, show_progress=False
    )
    backend.train_from_iterator(CORPUS, trainer)
    backend.add_tokens([AddedToken("    ", normalized=False), AddedToken("<café>", normalized=False)])
    return backend


def sentencepiece() -> Backend:
    """As `tokenizer.json` of Llama 2: spaces as ▁, unknown characters as <0xXX>, a dummy space before the text."""
    trained = Backend(models.BPE())
    trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<unk>", *SPECIALS, *(f"<0x{byte:02X}>" for byte in range(256))],
        show_progress=False,
    )
    trained.train_from_iterator(["the trade wind blows over the sea"] * 4, trainer)
    model = json.loads(trained.to_str())["model"]
    merges = [tuple(merge) for merge in model["merges"]]
    backend = Backend(models.BPE(model["vocab"], merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    backend.add_special_tokens(["<unk>", *SPECIALS])
    backend.normalizer = trained.normalizer
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", backend.token_to_id("<s>"))]
    )
    return backend


def metaspace() -> Backend:
    backend = Backend(models.Unigram())
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=60, special_tokens=["<unk>", *SPECIALS], unk_token="<unk>", show_progress=False
    )
    backend.train_from_iterator(["the trade wind blows over the sea"] * 4, trainer)
    return backend


BACKENDS = {"byte_level": byte_level(), "sentencepiece": sentencepiece(), "metaspace": metaspace()}


def wrap(name: str) -> Tokenizer:
    backend = BACKENDS[name]
    return Tokenizer(backend, json.loads(backend.to_str())["decoder"], bos_token="<s>", eos_token="</s>")


TOKENIZERS = {name: wrap(name) for name in BACKENDS}


every_family = pytest.mark.parametrize("family", TOKENIZERS)
families_with_bytes = pytest.mark.parametrize("family", ["byte_level", "sentencepiece"])


def ids_and_cuts() -> st.SearchStrategy[tuple[list[int], list[int]]]:
    ids = st.lists(st.integers(0, 420), max_size=40)
    return st.tuples(ids, st.lists(st.integers(1, 5), min_size=40, max_size=40))


@every_family
@settings(deadline=None)
@given(ids_and_cuts(), st.booleans())
def test_any_split_of_any_ids_streams_the_text_of_decoding_at_once(family, ids_and_cuts, skip_special_tokens):
    ids, cuts = ids_and_cuts
    tokenizer = TOKENIZERS[family]
    stream, text, rest = TextStream(tokenizer, skip_special_tokens), "", ids
    for cut in cuts:
        text += stream.push(rest[:cut])
        rest = rest[cut:]
    assert not rest
    assert text + stream.flush() == tokenizer.decode(ids, skip_special_tokens)


@every_family
@settings(deadline=None)
@given(st.lists(st.integers(0, 420), max_size=40), st.booleans())
def test_decoding_agrees_with_the_tokenizers_library(family, ids, skip_special_tokens):
    """Where every byte is part of a character. Elsewhere the library writes one U+FFFD per byte token of a run."""
    backend, tokenizer = BACKENDS[family], TOKENIZERS[family]
    theirs = backend.decode(ids, skip_special_tokens=skip_special_tokens)
    ours = tokenizer.decode(ids, skip_special_tokens)
    if family == "metaspace":  # the library drops all spaces of the first token, also real ones
        theirs, ours = theirs.lstrip(" "), ours.lstrip(" ")
    if "\ufffd" not in theirs and "\ufffd" not in ours:
        assert ours == theirs


@families_with_bytes
@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="▁"), max_size=60))
def test_text_survives_the_round_trip(family, text):
    tokenizer = TOKENIZERS[family]
    ids = tokenizer.encode(text, add_special_tokens=False)
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


@families_with_bytes
def test_a_stream_never_gives_half_a_character(family):
    tokenizer = TOKENIZERS[family]
    ids = tokenizer.encode("a 🐟 ж", add_special_tokens=False)
    stream = TextStream(tokenizer)
    pieces = [stream.push([token]) for token in ids]
    assert "".join(pieces) + stream.flush() == "a 🐟 ж"
    assert not any("\ufffd" in piece for piece in pieces)
    assert "" in pieces  # some token alone was not a whole character


def test_a_character_that_is_never_finished_reads_as_one_replacement_character():
    tokenizer = TOKENIZERS["sentencepiece"]
    first, second = tokenizer.encode("世", add_special_tokens=False)[-3:-1]
    stream = TextStream(tokenizer)
    assert stream.push([first, second]) == ""
    assert stream.flush() == "\ufffd"


def test_the_space_before_a_word_goes_at_a_text_s_start_and_stays_where_a_text_goes_on():
    tokenizer = TOKENIZERS["sentencepiece"]
    ids = tokenizer.encode("the wind", add_special_tokens=False)
    assert tokenizer.decode(ids) == "the wind"
    assert TextStream(tokenizer).push(ids) == "the wind"
    assert TextStream(tokenizer, continuing=True).push(ids) == " the wind"


def test_special_tokens_are_added_and_skipped_on_request():
    tokenizer = TOKENIZERS["sentencepiece"]
    bos, eos = BACKENDS["sentencepiece"].token_to_id("<s>"), BACKENDS["sentencepiece"].token_to_id("</s>")
    plain = tokenizer.encode("the sea", add_special_tokens=False)
    assert tokenizer.encode("the sea") == [bos, *plain]
    assert tokenizer.decode([bos, *plain, eos]) == "the sea"
    assert tokenizer.decode([bos, *plain, eos], skip_special_tokens=False) == "<s> the sea</s>"
    assert {bos, eos} <= tokenizer.special_ids


@every_family
def test_added_tokens_are_those_that_text_is_searched_for(family):
    tokenizer = TOKENIZERS[family]
    added = {i for token in tokenizer.added_tokens for i in tokenizer.encode(f"a{token}b", add_special_tokens=False)}
    assert set(SPECIALS) <= set(tokenizer.added_tokens)
    assert tokenizer.special_ids - added <= {BACKENDS[family].token_to_id("<unk>")}


@every_family
def test_one_token_alone_is_its_bytes_and_its_text(family):
    backend, tokenizer = BACKENDS[family], TOKENIZERS[family]
    token = tokenizer.encode("over the", add_special_tokens=False)[-1]
    assert tokenizer.token_bytes(token) == tokenizer.token_text(token).encode()
    assert tokenizer.token_text(token).strip() in "over the"
    assert tokenizer.token_text(backend.token_to_id("</s>")) == "</s>"
    assert tokenizer.token_bytes(10**6) == b""


@families_with_bytes
def test_a_part_of_a_character_has_bytes_and_a_replacement_character_for_text(family):
    tokenizer = TOKENIZERS[family]
    ids = tokenizer.encode("🦜", add_special_tokens=False)
    assert b"".join(tokenizer.token_bytes(token) for token in ids).lstrip() == "🦜".encode()
    assert tokenizer.token_text(ids[-1]) == "\ufffd"


def test_added_tokens_read_as_they_are_written():
    tokenizer = TOKENIZERS["byte_level"]
    ids = tokenizer.encode("<café>    x")
    assert [tokenizer.token_text(token) for token in ids] == ["<café>", "    ", "x"]


def test_text_that_is_no_text_is_refused_with_its_place():
    with pytest.raises(ValueError, match="character 2"):
        TOKENIZERS["byte_level"].encode("ab\ud800")


# --- folders ---


def write_folder(folder: Path, name: str = "sentencepiece", **files: dict) -> Path:
    BACKENDS[name].save(str(folder / "tokenizer.json"))
    for file, content in files.items():
        (folder / f"{file}.json").write_text(json.dumps(content))
    return folder


def test_a_folder_names_its_special_tokens_as_strings_or_objects(tmp_path):
    folder = write_folder(
        tmp_path,
        special_tokens_map={"bos_token": "<unk>", "eos_token": {"content": "</s>"}},
        tokenizer_config={"bos_token": {"content": "<s>", "lstrip": False}, "add_bos_token": True},
    )
    tokenizer = Tokenizer.from_folder(folder)
    assert (tokenizer.bos_token, tokenizer.eos_token) == ("<s>", "</s>")
    assert tokenizer.vocab_size == BACKENDS["sentencepiece"].get_vocab_size()


def test_what_ends_a_reply_is_read_with_the_tokenizer(tmp_path):
    eos = BACKENDS["sentencepiece"].token_to_id("</s>")
    folder = write_folder(tmp_path, tokenizer_config={"eos_token": "</s>"}, config={"eos_token_id": 9})
    assert Tokenizer.from_folder(folder).eos_token_ids == (9, eos)


def test_truncation_written_into_a_folder_does_not_cut_prompts(tmp_path):
    BACKENDS["sentencepiece"].save(str(tmp_path / "tokenizer.json"))
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    content["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    text = "the trade wind blows over the sea"
    assert Tokenizer.from_folder(tmp_path).encode(text) == TOKENIZERS["sentencepiece"].encode(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "tokenizer.json: cannot be read as JSON"),
        ('{"model": 3}', "tokenizer.json: "),
    ],
)
def test_a_damaged_tokenizer_is_named(tmp_path, content, message):
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(ModelFolderError, match=message):
        Tokenizer.from_folder(tmp_path)


def test_an_unknown_decoder_is_named_with_those_that_are_supported(tmp_path):
    backend = Backend(models.WordLevel({"a": 0}, unk_token="a"))
    backend.decoder = decoders.WordPiece()
    backend.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(ModelFolderError, match="decoder WordPiece is not supported; supported are ByteLevel"):
        Tokenizer.from_folder(tmp_path)
