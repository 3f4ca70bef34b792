"""From an encoder's folder to an embedder that can serve: weights, tokenizer, compiled programs."""

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import jax

from serving.encoder.batcher import BatchShape, batch_shapes
from serving.encoder.embedder import Embedder
from serving.encoder.options import EncoderOptions
from serving.encoder.programs import Embed
from serving.encoder.request import EncoderDescription
from serving.models import encoder_checkpoint
from serving.models.checkpoint import fingerprint
from serving.models.encoder_config import EncoderConfig
from serving.models.encoder_folder import DEFAULT_NAME
from serving.models.encoder_recipe import EmbeddingRecipe
from serving.models.encoder_tokenizer import EncoderTokenizer
from serving.process.compiled_programs import CompiledPrograms, keep_compiled_in
from serving.process.libtpu import keep_quiet_without_a_tpu
from serving.process.progress import StartupProgress

ESSENTIAL = 1
"""Shapes that are compiled before serving begins: the first one of `batch_shapes` serves any text."""

Report = Callable[[StartupProgress], None]


def load(folder: Path, options: EncoderOptions, report: Report) -> Embedder:
    """Reads the model and compiles until any text can be served; the rest goes on behind.

    Raises OSError, UnsupportedModelError or CheckpointError, with a message for people.
    """
    keep_quiet_without_a_tpu()
    keep_compiled_in(options.compilation_cache_dir)
    name = options.model or DEFAULT_NAME
    report(StartupProgress("loading", message=name))
    config = EncoderConfig.from_folder(folder)
    recipe = EmbeddingRecipe.from_folder(folder, config)
    recipe = dataclasses.replace(recipe, max_tokens=min(recipe.max_tokens, options.max_tokens))
    embed = Embed(encoder_checkpoint.load(folder, config), recipe)
    shapes = batch_shapes(recipe.max_tokens, options.batch_tokens or _batch_tokens())
    programs = CompiledPrograms(shapes, embed.compile, options.compile_threads, essential=ESSENTIAL)
    _compile(programs, report)
    description = EncoderDescription(
        model=name,
        dimensions=config.hidden_size,
        max_tokens=recipe.max_tokens,
        vocab_size=config.vocab_size,
        normalised=recipe.normalised,
        platform=jax.default_backend(),
        fingerprint=fingerprint(folder, repr(recipe)),
    )
    return Embedder(description, EncoderTokenizer.from_folder(folder, recipe), programs)


def _batch_tokens() -> int:
    """What keeps a platform busy; on a CPU, more would only let the next question, and the start, take longer."""
    return 512 if jax.default_backend() == "cpu" else 16384


def _compile(programs: CompiledPrograms[BatchShape], report: Report) -> None:
    ready = threading.Event()
    message = f"{programs.total} programs in all"

    def progress(done: int, _: int) -> None:
        if not ready.is_set():
            report(StartupProgress("compiling", min(done, ESSENTIAL), ESSENTIAL, message))

    report(StartupProgress("compiling", 0, ESSENTIAL, message))
    programs.start(progress)
    programs.wait_essential()
    ready.set()
