"""`python -m training prepare | tokenizer | pack | train | evaluate | export`: the embedded model, from text to folder."""

import random
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from training import prepared
from training.conversation import PAD
from training.corpus import CorpusError, Example, read_corpus, read_sentences, read_topics
from training.mixture import STAGES, SYNTHETIC, draw
from training.packing import cut, pack
from training.recipe import Recipe, RecipeError
from training.synthetic import Generator
from training.tokenizer import TOKENIZER_FILE, load_tokenizer, train_tokenizer

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
console = Console()

DataFolder = Annotated[Path, typer.Option("--data", help="Where prepared texts, the tokenizer and packed rows lie.")]
RunFolder = Annotated[Path, typer.Option("--run", help="Where checkpoints and the log lie.")]
RecipeFile = Annotated[Path, typer.Option("--recipe", exists=True, help="The run's settings, a TOML file.")]
DEFAULT_DATA = Path("runs/data")
DEFAULT_RUN = Path("runs/embedded")
DEFAULT_RECIPE = Path("training/recipes/cpu.toml")


@app.command()
def prepare(
    corpus: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The corpus folder.")],
    data: DataFolder = DEFAULT_DATA,
    synthetic: Annotated[int, typer.Option(min=100, help="How many synthetic conversations to write.")] = 60_000,
    seed: int = 1,
) -> None:
    """Reads the corpus, writes synthetic conversations, and sets the held-out part aside."""
    counts = prepared.write(data, read_corpus(corpus))
    topics, sentences = read_topics(corpus), read_sentences(corpus)

    def written() -> list[Example]:
        return [
            Example(SYNTHETIC, held_out, messages=tuple(messages))
            for held_out, count in ((False, synthetic), (True, synthetic // 50))
            for messages in Generator(topics, sentences, seed=seed, held_out=held_out).conversations(count)
        ]

    counts |= prepared.write(data, written())
    table = Table("source", "train", "held out", title=f"prepared in {data}")
    for source, (train_count, held_out_count) in counts.items():
        table.add_row(source, f"{train_count:,}", f"{held_out_count:,}")
    console.print(table)


@app.command()
def tokenizer(
    data: DataFolder = DEFAULT_DATA,
    recipe: RecipeFile = DEFAULT_RECIPE,
    sample_megabytes: Annotated[int, typer.Option(min=1, help="Of text, in the mixture's shares.")] = 20,
) -> None:
    """Trains the tokenizer on a sample of the prepared texts."""
    shape = Recipe.from_file(recipe).model
    trained = train_tokenizer(_sample(data, sample_megabytes * 1_000_000), shape.vocab_size)
    trained.save(str(data / TOKENIZER_FILE))
    console.print(f"{data / TOKENIZER_FILE}: {trained.get_vocab_size():,} tokens")


def _sample(data: Path, size: int) -> list[str]:
    """Texts of every stage's sources in their shares, about `size` characters."""
    texts: list[str] = []
    for stage in STAGES:
        for source, share in stage.shares.items():
            left = size * share / len(STAGES)
            for example in prepared.read(data, source):
                pieces = [message.content for message in example.messages] or [example.text]
                texts += pieces
                left -= sum(map(len, pieces))
                if left <= 0:
                    break
    return texts


@app.command("pack")
def pack_rows(data: DataFolder = DEFAULT_DATA, recipe: RecipeFile = DEFAULT_RECIPE) -> None:
    """Draws the recipe's tokens from the mixture and packs them into rows."""
    from training.feed import packed_path

    settings = Recipe.from_file(recipe)
    words = load_tokenizer(data)
    pad = words.token_to_id(PAD)
    table = Table("stage", "row length", "rows", "tokens", "learned", "filled", title=f"packed in {data}")
    parts = (settings.pretrain_share, 1 - settings.pretrain_share)
    for index, (stage, part) in enumerate(zip(STAGES, parts, strict=True)):
        seed = settings.seed + index
        drawn = draw(stage, data, words, round(settings.tokens * part), random.Random(seed))
        drawn = list(cut(drawn, max(settings.row_lengths)))
        shortest = 0
        for length in sorted(settings.row_lengths):
            fitting = [tokens for tokens in drawn if shortest < len(tokens.ids) <= length]
            rows = pack(fitting, length, pad, np.random.default_rng(seed))
            rows.save(packed_path(data, stage.name, length))
            used, learned = int((rows.segments > 0).sum()), int(rows.learned.sum())
            filled = used / max(1, rows.tokens.size)
            table.add_row(stage.name, str(length), f"{len(rows):,}", f"{used:,}", f"{learned:,}", f"{filled:.1%}")
            shortest = length
    console.print(table)


@app.command("train")
def train_model(
    data: DataFolder = DEFAULT_DATA,
    run: RunFolder = DEFAULT_RUN,
    recipe: RecipeFile = DEFAULT_RECIPE,
    steps: Annotated[int | None, typer.Option(min=1, help="End earlier than the packed rows would; the decay moves along.")] = None,
) -> None:
    """Trains, or goes on from RUN's last checkpoint. Stop it with Ctrl-C or SIGTERM at any time."""
    from training.feed import Feed
    from training.train import train

    settings = Recipe.from_file(recipe)
    feed = Feed.from_folder(data, settings, steps)
    state = train(feed, settings, run, console=console)
    console.print(f"{run}: step {int(state.step):,} of {feed.steps:,}")


def main() -> None:
    """Runs a subcommand; what the user can mend is printed as one line."""
    try:
        app()
    except (CorpusError, RecipeError, FileNotFoundError) as error:
        console.print(f"[red]error:[/] {error}")
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
