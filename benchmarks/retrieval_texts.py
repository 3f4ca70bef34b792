"""Texts of any kind, and vectors of them by our encoder in this process, or made."""

import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

_SENTENCE = re.compile(r"(?<=[.!?])\s+|[\t\n]+")
_WORDS = 4  # of a text at least
_AT_ONCE = 1024  # texts given to the encoder together


def other_texts(places: Sequence[Path], count: int, without: Path) -> list[str]:
    """At most `count` different sentences and paragraphs of files, one left out, in the order of the files' names."""
    found: dict[str, None] = {}
    for place in places:
        for file in sorted(place.iterdir()) if place.is_dir() else [place]:
            if file.samefile(without):
                continue
            for text in _texts(file):
                found[text] = None
                if len(found) == count:
                    return list(found)
    return list(found)


def embed(texts: Sequence[str], encoder: str, kept: Path | None, advance: Callable[[int], None]) -> np.ndarray:
    """A row for each text. What the folder `kept` has from an earlier run is taken from there."""
    encode, parts = None, []
    for start in range(0, len(texts), _AT_ONCE):
        some = texts[start : start + _AT_ONCE]
        name = hashlib.blake2b("\0".join([encoder, *some]).encode(), digest_size=12).hexdigest()
        file = kept / f"{name}.npy" if kept else None
        if file and file.exists():
            parts.append(np.load(file))
        else:
            encode = encode or _encoder(encoder)
            parts.append(encode(some))
            if file:
                file.parent.mkdir(parents=True, exist_ok=True)
                np.save(file, parts[-1])
        advance(len(some))
    return np.concatenate(parts) if parts else np.empty((0, 0), np.float32)


def mixed(vectors: np.ndarray, count: int) -> np.ndarray:
    """Unit vectors between two of the given ones, nearer to the first: as near to it as a paraphrase."""
    random = np.random.default_rng(0)
    rows = np.empty((count, vectors.shape[1]), np.float32)
    for start in range(0, count, 65_536):
        some = min(65_536, count - start)
        first, second = vectors[random.integers(len(vectors), size=(2, some))]
        rows[start : start + some] = first + random.uniform(0.3, 0.9, (some, 1)).astype(np.float32) * second
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _encoder(folder: str) -> Callable[[Sequence[str]], np.ndarray]:
    """Our encoder, on a thread that ends with this process."""
    from serving.encoder.loading import load  # JAX
    from serving.encoder.options import EncoderOptions
    from serving.models.encoder_folder import find_encoder

    embedder = load(find_encoder(folder), EncoderOptions(model=folder), lambda _: None)
    embedder.start(lambda _: None)

    def encode(texts: Sequence[str]) -> np.ndarray:
        return embedder.submit([text.ids for text in embedder.tokenizer.encode(texts)]).result()

    return encode


def _texts(file: Path) -> Iterator[str]:
    if file.suffix not in (".gz", ".txt", ".tsv", ".jsonl"):
        return
    with (gzip.open if file.suffix == ".gz" else open)(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            strings = _strings(json.loads(line)) if ".jsonl" in file.name else [line]
            for string in strings:
                for text in _SENTENCE.split(string):
                    if len(text.split()) >= _WORDS:
                        yield text.strip()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _strings(inner)
