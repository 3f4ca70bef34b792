"""`tradewind convert`: a model's weights as an Orbax checkpoint, in eight bits where that is wanted."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from rich.console import Console

from serving.models import checkpoint
from serving.models.config import DecoderConfig, Quantisation
from serving.models.decoder import Decoder
from serving.models.families import QUANT_METHOD, QUANTISATION
from serving.models.folder import ModelFolderError, find_model, read_json
from serving.models.logit_error import logit_error
from serving.models.storage import (
    BUCKET_SCHEME,
    CONFIG_FILE,
    ORBAX_FOLDER,
    is_companion,
    open_storage,
    read,
    storage_at,
)
from serving.models.tokenizer import Tokenizer
from serving.process.libtpu import keep_quiet_without_a_tpu

DType = Literal["auto", "float32", "bfloat16", "float16"]

LONGEST_TEXT = 512  # tokens that are compared

SAMPLE = """\
The trade winds blow towards the equator all year round, from the northeast in the one half of the world and from the \
southeast in the other. For four hundred years they decided where ships could go: a captain who left Lisbon in autumn \
let them carry him past Madeira and the Cape Verde Islands, and was in the Caribbean within 40 days.

User: Write a function that converts knots to metres per second.
Assistant: One knot is 1,852 metres an hour, so:

```python
def metres_per_second(knots: float) -> float:
    return knots * 1852 / 3600
```

At 15 knots that gives 7.72 m/s. "And what," she asked, "if there is no wind at all?" Then one waits; the doldrums, \
between the two belts, could hold a ship for weeks. Step 1: furl the sails. Step 2: count the water casks (12 of them, \
60 litres each). Step 3: divide by 31 men - about 23 litres a head, less than two weeks at 1.8 litres a day.
"""
"""A text of several kinds, on which a quantised model is compared with the original."""


def convert(
    source: str, out: str, *, dtype: DType, quantise: Quantisation | None, text: Path | None, console: Console
) -> None:
    """Writes OUT/orbax and, beside it, config.json, tokenizer and templates; says what was saved and lost.

    Args:
        source: folder, gs:// address or hub id of a model.
        out: folder or gs:// address that holds nothing yet.
        dtype: of the weights; auto keeps that of the stored embeddings.
        quantise: type of the linear layers' weights, if not `dtype`.
        text: what is compared on, instead of SAMPLE.

    Raises ModelFolderError, with a message for people.
    """
    folder = find_model(source)
    try:
        _convert(folder, out, dtype, quantise, text, console)
    except (OSError, ValueError) as error:
        raise ModelFolderError(str(error)) from None


def _convert(
    folder: Path, out: str, dtype: DType, quantise: Quantisation | None, text: Path | None, console: Console
) -> None:
    keep_quiet_without_a_tpu()
    destination = storage_at(out if out.startswith(BUCKET_SCHEME) else str(Path(out).expanduser().absolute()))
    if destination.sizes:
        raise ModelFolderError(f"{destination.location('')} holds files already; accepted is an empty folder")
    config = DecoderConfig.from_folder(folder)
    held = checkpoint.stored_dtype(folder, config) if dtype == "auto" else jnp.dtype(dtype)
    decoder = checkpoint.load(folder, config, held)
    console.print(f"{_parameters(decoder):,} parameters, {_bytes(decoder):,} bytes with weights of {_types(decoder)}")
    if quantise:
        config, original = _quantised(folder, config, quantise), decoder
        tokens = _tokens(folder, config, text)
        decoder = checkpoint.load(folder, config, held)
        less = _bytes(original) - _bytes(decoder)
        console.print(
            f"{_bytes(decoder):,} bytes with {quantise} weights: {less:,} or {less / _bytes(original):.0%} saved"
        )
        console.print(str(logit_error(original, decoder, tokens)))
    checkpoint.save_orbax(decoder, destination.location(""))
    files = open_storage(folder)
    for name in filter(is_companion, files.sizes):
        destination.write(name, read(files, name))
    destination.write(CONFIG_FILE, _described(read_json(folder / CONFIG_FILE), config))
    console.print(f"written to {destination.location(ORBAX_FOLDER)}", soft_wrap=True)


def _quantised(folder: Path, config: DecoderConfig, quantise: Quantisation) -> DecoderConfig:
    if config.quantised:
        raise ModelFolderError(f"{folder}: the weights are {config.quantised} already; quantise the original")
    return dataclasses.replace(config, quantised=quantise)


def _tokens(folder: Path, config: DecoderConfig, text: Path | None) -> np.ndarray:
    """What both models read, as far as they can."""
    sample = text.read_text(encoding="utf-8") if text else SAMPLE
    tokens = Tokenizer.from_folder(folder).encode(sample)[: min(LONGEST_TEXT, config.max_position)]
    if not tokens:
        raise ModelFolderError(f"{text}: there is no text to compare on")
    return np.array(tokens, np.int32)


def _described(config: dict[str, Any], decoder: DecoderConfig) -> bytes:
    """config.json of what was written: MXFP4 weights have been widened, and quantised ones say so."""
    described = {key: value for key, value in config.items() if key != QUANTISATION}
    if decoder.quantised:
        described[QUANTISATION] = {"quant_method": QUANT_METHOD, "weights": decoder.quantised}
    return (json.dumps(described, indent=2) + "\n").encode()


def _parameters(decoder: Decoder) -> int:
    return sum(array.size for array in jax.tree.leaves(nnx.state(decoder)))


def _bytes(decoder: Decoder) -> int:
    return sum(array.nbytes for array in jax.tree.leaves(nnx.state(decoder)))


def _types(decoder: Decoder) -> str:
    return ", ".join(sorted({array.dtype.name for array in jax.tree.leaves(nnx.state(decoder))}))
