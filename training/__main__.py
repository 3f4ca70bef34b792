"""`python -m training prepare | tokenizer | pack | train | evaluate | export`: the embedded model from its texts."""

import logging
import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from serving.models.folder import ModelFolderError
from serving.process.libtpu import keep_quiet_without_a_tpu
from training import prepared
from training.conversation import PAD
from training.corpus import CorpusError, Example, read_corpus, read_nouns, read_sentences, read_topics
from training.mixture import STAGES, draw
from training.packing import by_length, cut, pack
from training.recipe import Recipe, RecipeError
from training.synthetic import Generator
from training.tokenizer import TOKENIZER_FILE, load_tokenizer, train_tokenizer

if TYPE_CHECKING:
    from training.evaluation.model import Model
    from training.evaluation.report import Report

app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
console = Console()

DataFolder = Annotated[Path, typer.Option("--data", help="Where prepared texts, the tokenizer and packed rows lie.")]
RunFolder = Annotated[Path, typer.Option("--run", help="Where checkpoints and the log lie.")]
RecipeFile = Annotated[Path, typer.Option("--recipe", exists=True, help="The run's settings, a TOML file.")]
HELD_OUT_SYNTHETIC = 3000
DEFAULT_DATA = Path("runs/data")
DEFAULT_RUN = Path("runs/embedded")
DEFAULT_RECIPE = Path("training/recipes/cpu.toml")
REPORT_FILE = "evaluation.json"


@app.command()
def prepare(
    corpus: Annotated[Path, typer.Option(exists=True, file_okay=False, help="The corpus folder.")],
    data: DataFolder = DEFAULT_DATA,
    synthetic: Annotated[int, typer.Option(min=100, help="How many synthetic conversations to write.")] = 60_000,
    seed: int = 1,
) -> None:
    """Reads the corpus, writes synthetic conversations, and sets the held-out part aside."""
    counts = prepared.write(data, read_corpus(corpus))
    topics, sentences, nouns = read_topics(corpus), read_sentences(corpus), read_nouns(corpus)

    def written() -> list[Example]:
        return [
            example
            for held_out, count in ((False, synthetic), (True, HELD_OUT_SYNTHETIC))
            for example in Generator(topics, sentences, nouns, seed=seed, held_out=held_out).examples(count)
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
                pieces = example.pieces()
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
        sequences = by_length(cut(drawn, max(settings.row_lengths)), settings.row_lengths)
        for length, fitting in sequences.items():
            rows = pack(fitting, length, pad, np.random.default_rng(seed))
            rows.save(packed_path(data, stage.name, length))
            used, learned = int((rows.segments > 0).sum()), int((rows.weights > 0).sum())
            filled = used / max(1, rows.tokens.size)
            table.add_row(stage.name, str(length), f"{len(rows):,}", f"{used:,}", f"{learned:,}", f"{filled:.1%}")
    console.print(table)


@app.command("train")
def train_model(
    data: DataFolder = DEFAULT_DATA,
    run: RunFolder = DEFAULT_RUN,
    recipe: RecipeFile = DEFAULT_RECIPE,
    steps: Annotated[
        int | None, typer.Option(min=1, help="End before the packed rows do; the decay moves along.")
    ] = None,
    begin_from: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="Begin with what this run ended with."),
    ] = None,
) -> None:
    """Trains, or goes on from RUN's last checkpoint. Stop it with Ctrl-C or SIGTERM at any time."""
    from training.feed import Feed
    from training.train import inherited, train

    keep_quiet_without_a_tpu()
    settings = Recipe.from_file(recipe)
    feed = Feed.from_folder(data, settings, steps)
    params = inherited(begin_from, run, settings) if begin_from else None
    state = train(feed, settings, run, params=params, console=console)
    console.print(f"{run}: step {int(state.step):,} of {feed.steps:,}")


def _trained(data: Path, run: Path, settings: Recipe) -> tuple["Model", int]:
    """The run's last checkpoint as `export` ships it, in bfloat16's values, and the tokens it was trained on."""
    import jax
    import jax.numpy as jnp

    from training.evaluation.model import Model
    from training.train import last_state, trained_tokens

    keep_quiet_without_a_tpu()
    state = last_state(run, settings)
    shipped = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16).astype(jnp.float32), state.params)
    model = Model(shipped, settings.model.decoder_config(), load_tokenizer(data))
    return model, trained_tokens(run, settings)


@app.command("evaluate")
def evaluate_model(
    data: DataFolder = DEFAULT_DATA,
    run: RunFolder = DEFAULT_RUN,
    recipe: RecipeFile = DEFAULT_RECIPE,
    model: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Measure this model folder, not RUN's checkpoint.")
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Where the figures go as JSON.  [default: RUN/evaluation.json; none for --model]"),
    ] = None,
    examples: Annotated[int, typer.Option(min=1, help="At most so many a row.")] = 300,
    temperature: Annotated[float | None, typer.Option(min=0, help="Instead of the model's own.")] = None,
    top_p: Annotated[float | None, typer.Option(min=0, max=1, help="Instead of the model's own.")] = None,
    repetition_penalty: Annotated[float | None, typer.Option(min=0.1, help="Instead of the model's own.")] = None,
) -> None:
    """Measures RUN's last checkpoint, or a model folder, on held-out examples; lets it answer forty fixed prompts."""
    from training.evaluation.model import Model
    from training.evaluation.suite import evaluate
    from training.export import SERVING_DEFAULTS, served_sampling

    if model:
        subject, trained_tokens, sampling = Model.from_folder(model), None, served_sampling(model)
    else:
        subject, trained_tokens = _trained(data, run, Recipe.from_file(recipe))
        sampling, report = SERVING_DEFAULTS, report or run / REPORT_FILE
    chosen = {"temperature": temperature, "top_p": top_p, "repetition_penalty": repetition_penalty}
    sampling = replace(sampling, **{name: value for name, value in chosen.items() if value is not None})
    found = evaluate(
        subject,
        data,
        sampling,
        name=(model or run).name,
        trained_tokens=trained_tokens,
        examples=examples,
        console=console,
    )
    _print_report(found)
    if report:
        found.save(report)
        console.print(f"written to {report}")


def _print_report(report: "Report") -> None:
    from training.evaluation.report import HEADINGS

    for reply in report.replies:
        console.print(f"[bold]{escape(reply.prompt)}[/]", highlight=False)
        console.print(f"  {reply.reply}", highlight=False, markup=False)
    split = Table("held out: source and kind", "examples")
    for name, count in report.split.items():
        split.add_row(name, f"{count:,}")
    console.print(split)
    table = Table(*HEADINGS, title=report.title())
    for row in report.rows:
        table.add_row(*row.cells())
    console.print(table)


@app.command("export")
def export_model(
    out: Annotated[Path, typer.Option(help="The model folder to write.")] = Path("serving/models/embedded"),
    data: DataFolder = DEFAULT_DATA,
    run: RunFolder = DEFAULT_RUN,
    recipe: RecipeFile = DEFAULT_RECIPE,
) -> None:
    """Writes RUN's last checkpoint as a Hugging Face folder; its model card holds what `evaluate` measured."""
    import jax

    from training.evaluation.report import Report
    from training.export import SERVING_DEFAULTS, export
    from training.model_card import write_model_card

    model, trained_tokens = _trained(data, run, Recipe.from_file(recipe))
    report = Report.load(run / REPORT_FILE, trained_tokens, SERVING_DEFAULTS)
    export(model.params, model.config, model.tokenizer, out)
    parameters = sum(leaf.size for leaf in jax.tree.leaves(model.params))
    write_model_card(out, model.config, parameters, report)
    console.print(f"{out}: {parameters:,} parameters after {trained_tokens:,} tokens")


def main() -> None:
    """Runs a subcommand; what the user can mend is printed as one line."""
    logging.getLogger("absl").setLevel(logging.ERROR)  # orbax' notes would tear the progress bar apart
    try:
        app()
    except (CorpusError, RecipeError, ModelFolderError, FileNotFoundError) as error:
        console.print(f"[red]error:[/] {error}")
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
