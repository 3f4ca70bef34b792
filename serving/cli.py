"""The command `tradewind`: parses, calls, prints. What a command needs is imported inside it, so that help is quick."""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.logging import RichHandler

from serving import __version__
from serving.bench.errors import BenchError
from serving.bench.options import BenchOptions
from serving.flags import takes_options, takes_settings
from serving.plan.errors import PlanError
from serving.plan.options import PlanOptions
from serving.settings import LoadedSettings, SettingsError

USER_ERROR = 2

app = typer.Typer(
    name="tradewind",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run the command line. A mistake of the user's ends in one message and status 2."""
    # Children are started by fork and exec; gRPC's own handlers of forks crash them now and then (SIGSEGV).
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

    from serving.engine.member import ProcessGroupError
    from serving.models.folder import ModelFolderError

    try:
        app()
    except (SettingsError, ModelFolderError, ProcessGroupError, BenchError, PlanError) as error:
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(USER_ERROR)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"tradewind {__version__}")
        raise typer.Exit


@app.callback()
def tradewind(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it and exit.")
    ] = False,
) -> None:
    """A ChatGPT-style LLM service: an OpenAI-compatible API and a chat page in front of its own JAX engine.

    \b
    Chat in the browser, with the model that comes along:
      [cyan]tradewind serve[/]
    Serve a Hugging Face folder or hub id of your own, on another port:
      [cyan]tradewind serve --model ./my-llama --port 9000[/]
    Chat in the terminal with what runs there:
      [cyan]tradewind chat --url http://127.0.0.1:9000[/]
    Let it answer from documents of your own:
      [cyan]tradewind ingest ./handbook --collection handbook[/]
    Measure it, or any other server, under load:
      [cyan]tradewind bench --concurrency 16[/]
    Find out what a model needs before a slice of TPUs is rented for it:
      [cyan]tradewind plan --model llama3-70b --topology v6e:2x4[/]
    See every setting in force and where it came from:
      [cyan]tradewind config[/]
    """


@app.command()
@takes_settings("", "server", "engine", "encoder", "retriever")
def serve(loaded: LoadedSettings) -> None:
    """Serve a model: chat page, OpenAI-compatible API, and the engine behind them.

    \b
    The model that comes along, at http://127.0.0.1:8000:
      [cyan]tradewind serve[/]
    A model of the Llama family, for other machines too:
      [cyan]tradewind serve --model ./Llama-3.2-1B-Instruct --host 0.0.0.0[/]
    A small machine: eight replies at once, 2,048 tokens each, 500 MB for their cache:
      [cyan]tradewind serve --max-rows 8 --max-context 2048 --kv-memory 500e6[/]
    Then, from anywhere that speaks OpenAI's protocol:
      [cyan]curl -N http://127.0.0.1:8000/v1/chat/completions \\
        -H 'Content-Type: application/json' \\
        -d '{"messages": [{"role": "user", "content": "Hello"}], "stream": true}'[/]
    """
    from serving.serve import serve as run

    console = Console(stderr=True)
    _log_to(console, loaded.settings.log_level)
    if not run(loaded.settings, console):
        raise typer.Exit(1)


@app.command()
@takes_settings("", "engine")
def engine(
    loaded: LoadedSettings,
    *,
    listen: Annotated[str, typer.Option(metavar="ADDRESS", help="host:port, or unix:/path for this machine alone.")],
    coordinator: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="For a replica over several hosts: the host of process 0, and a port that is free there.",
            show_default=False,
        ),
    ] = "",
    process: Annotated[
        str,
        typer.Option(
            metavar="I/N",
            help="For a replica over several hosts: which of its N processes this is, from 0 to N-1.",
            show_default=False,
        ),
    ] = "",
    exit_with_parent: Annotated[
        bool, typer.Option("--exit-with-parent", help="End when standard input ends, as a child process does.")
    ] = False,
) -> None:
    """Run an engine alone, for gateways to reach by gRPC. [cyan]tradewind serve[/] starts one by itself.

    \b
    On this machine, through a socket file:
      [cyan]tradewind engine --model ./my-llama --listen unix:/tmp/engine.sock[/]
    For gateways on other machines of a private network; there is no authentication:
      [cyan]tradewind engine --model ./my-llama --listen 0.0.0.0:9100[/]
    One model over two hosts, the same but for the number on each; gateways reach it at the first, host0:9100:
      [cyan]tradewind engine --model ./my-llama --listen 0.0.0.0:9100 --coordinator host0:8482 --process 0/2[/]
      [cyan]tradewind engine --model ./my-llama --listen 0.0.0.0:9100 --coordinator host0:8482 --process 1/2[/]
    """
    from serving.engine import follower, server
    from serving.engine.member import ProcessGroup
    from serving.models.folder import find_model

    _log_to(Console(stderr=True), loaded.settings.log_level)
    group = ProcessGroup.parse(coordinator, process, listen) if coordinator or process else None
    model, options = find_model(loaded.settings.model), loaded.settings.engine
    if group is not None and group.process > 0:
        follower.run(model, options, group, exit_with_parent=exit_with_parent)
    server.run(listen, model, options, group=group, exit_with_parent=exit_with_parent)


@app.command()
@takes_settings("data_dir", "log_level", "encoder")
def encoder(
    loaded: LoadedSettings,
    *,
    listen: Annotated[str, typer.Option(metavar="ADDRESS", help="host:port, or unix:/path for this machine alone.")],
    exit_with_parent: Annotated[
        bool, typer.Option("--exit-with-parent", help="End when standard input ends, as a child process does.")
    ] = False,
) -> None:
    """Run a text encoder alone, for gateways to reach by gRPC. [cyan]tradewind serve[/] starts one by itself.

    \b
    The one that comes along, through a socket file:
      [cyan]tradewind encoder --listen unix:/tmp/encoder.sock[/]
    Another one of the BERT family, for gateways on other machines of a private network; there is no authentication:
      [cyan]tradewind encoder --encoder-model ./bge-small-en-v1.5 --listen 0.0.0.0:9200[/]
    """
    from serving.encoder.server import run
    from serving.models.encoder_folder import find_encoder

    _log_to(Console(stderr=True), loaded.settings.log_level)
    options = loaded.settings.encoder
    run(listen, find_encoder(options.model), options, exit_with_parent=exit_with_parent)


@app.command()
@takes_settings("data_dir", "log_level", "server.encoder_address", "encoder.model", "retriever")
def retriever(
    loaded: LoadedSettings,
    *,
    listen: Annotated[str, typer.Option(metavar="ADDRESS", help="host:port, or unix:/path for this machine alone.")],
    exit_with_parent: Annotated[
        bool, typer.Option("--exit-with-parent", help="End when standard input ends, as a child process does.")
    ] = False,
) -> None:
    """Run a retriever alone, for gateways to reach by gRPC. [cyan]tradewind serve[/] starts one by itself.

    \b
    Beside an encoder on this machine, through a socket file:
      [cyan]tradewind retriever --encoder-address unix:/tmp/encoder.sock --listen unix:/tmp/retriever.sock[/]
    Documents in a database, for gateways on other machines of a private network; there is no authentication:
      [cyan]tradewind retriever --encoder-address encoder:9200 --listen 0.0.0.0:9300 \\
        --database-url postgresql://tradewind@database/documents[/]
    The encoder's tokenizer has to be here, too: --encoder-model names the same folder or hub id that it has.
    """
    from serving.models.encoder_folder import find_encoder
    from serving.retriever.server import run

    settings = loaded.settings
    if not settings.server.encoder_address:
        raise SettingsError("--encoder-address is missing: a retriever needs an encoder, at host:port or unix:/path")
    _log_to(Console(stderr=True), settings.log_level)
    run(
        listen,
        settings.data_dir / "retrieval",
        settings.server.encoder_address,
        find_encoder(settings.encoder.model),
        settings.retriever,
        exit_with_parent=exit_with_parent,
    )


@app.command()
def chat(
    url: Annotated[
        str, typer.Option(help="Address of a server that speaks OpenAI's protocol.")
    ] = "http://127.0.0.1:8000",
    model: Annotated[
        str | None, typer.Option(help="Model to talk to; by default the first that the server lists.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="System prompt.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, help="0 always says the likeliest; 1 is lively.")] = None,
    top_p: Annotated[
        float | None, typer.Option(min=0, max=1, help="Keep the likeliest words up to this share.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=0, help="Keep so many of the likeliest words; 0 keeps all.")] = None,
    min_p: Annotated[
        float | None, typer.Option(min=0, max=1, help="Drop words less likely than this share of the likeliest.")
    ] = None,
    repetition_penalty: Annotated[
        float | None, typer.Option(min=0.01, help="Above 1 avoids words that were said before.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Longest reply, in tokens.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same reply again.")] = None,
) -> None:
    """Chat in the terminal with a running server. Ctrl-C stops a reply, Ctrl-D leaves, /help shows more.

    \b
    With the server on this machine:
      [cyan]tradewind chat[/]
    As somebody, and not too wild:
      [cyan]tradewind chat --system "You are a pirate." --temperature 0.5[/]
    One question from a script, the reply on standard output:
      [cyan]echo "Name three winds." | tradewind chat > winds.txt[/]
    """
    from serving.chat import chat as run

    sampling = {
        "temperature": temperature,
        "top_p": top_p,
        "top_k": top_k,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "max_tokens": max_tokens,
        "seed": seed,
    }
    raise typer.Exit(run(url, model, system, sampling))


@app.command()
def ingest(
    path: Annotated[str, typer.Argument(metavar="PATH", help="Folder or file, or gs:// address of one.")],
    *,
    collection: Annotated[
        str, typer.Option(metavar="NAME", help="Collection of the server's, which is made where there is none.")
    ],
    url: Annotated[str, typer.Option(help="Address of a running tradewind serve.")] = "http://127.0.0.1:8000",
    api_key: Annotated[
        str,
        typer.Option(
            metavar="KEY",
            envvar="OPENAI_API_KEY",
            show_default=False,
            help="Sent as bearer token; a collection is seen with the key that it was made with.",
        ),
    ] = "",
) -> None:
    """Bring documents into a collection of a running server: text, Markdown, HTML, PDF, CSV, source code.

    \b
    A folder, for the server on this machine:
      [cyan]tradewind ingest ./handbook --collection handbook[/]
    From a bucket (pip install 'tradewind\\[gcs]'):
      [cyan]tradewind ingest gs://papers/2026 --collection papers[/]
    Then chats of a server that is told so look things up there:
      [cyan]tradewind serve --collection handbook[/]
    What is there unchanged is skipped, so the same command again goes on where Ctrl-C or a fault has ended it.
    Status 1 means that something could not be read; the rest is there.
    """
    from serving.ingest.run import ingest as run

    raise typer.Exit(run(path, collection, url, api_key, Console(stderr=True)))


@app.command()
@takes_options(BenchOptions)
def bench(options: BenchOptions) -> None:
    """Measure a server under load: latencies, throughput, errors, cached tokens.

    \b
    Eight conversations at once with the server on this machine:
      [cyan]tradewind bench[/]
    Four new ones a second, of mixed lengths, and how many of them were served well:
      [cyan]tradewind bench --rate 4 --input-tokens 32-256,768 --slo-ttft 200 --slo-itl 50[/]
    Chats of three turns that share a system prompt:
      [cyan]tradewind bench --turns 3 --prefix-tokens 256 --concurrency 4[/]
    What a trace recorded, ten times slower and shorter, as JSON and a picture too:
      [cyan]tradewind bench --trace azure.csv.gz --time-scale 10 --length-scale 0.1 --output run.json --plot run.png[/]
    Any other server of OpenAI's protocol, here one that knows no ignore_eos:
      [cyan]tradewind bench --url https://api.example.com/v1 --model some-model --body '{}'[/]
    LENGTHS are 128, or 64-512 (anything between), or 32,128,1024-2048 (any of these).
    """
    from serving.bench.run import bench as run

    if not run(options, Console(), Console(stderr=True)):
        raise typer.Exit(1)


@app.command()
@takes_options(PlanOptions)
def plan(options: PlanOptions) -> None:
    """Say whether a model fits an accelerator, how fast it can be there at most, and what would do for the least money.

    \b
    A model of 70 billion parameters on eight chips, 16 streams of 8,192 tokens:
      [cyan]tradewind plan --model llama3-70b --topology v6e:2x4[/]
    The same in eight bits on a smaller slice, in two pipeline stages:
      [cyan]tradewind plan --model llama3-70b --weights int8 --topology v5e:2x4 --mesh tensor=4,pipeline=2[/]
    A model of your own, wherever 64 streams get 30 tokens a second each at 70% of the roofline:
      [cyan]tradewind plan --model ./my-llama --streams 64 --tokens-per-second 30 --efficiency 0.7[/]
    What can be named:
      [cyan]tradewind plan --list[/]
    No weights are read and no accelerator is needed. Where libtpu is installed (pip install 'tradewind\\[tpu]') the TPU
    compiler itself says what a step needs beside the weights, and what it sends.
    Status 1 means that it does not fit, or that nothing meets the target.
    """
    os.environ["JAX_PLATFORMS"] = "cpu"  # a plan takes no device
    from serving.plan.run import plan as run

    if not run(options, Console(), Console(stderr=True)):
        raise typer.Exit(1)


@app.command()
def convert(
    model: Annotated[str, typer.Argument(metavar="FOLDER", help="Model folder, gs:// address or hub id.")],
    out: Annotated[str, typer.Argument(metavar="OUT", help="Folder or gs:// address that holds nothing yet.")],
    *,
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        typer.Option(help="Type of the weights; auto keeps that of the stored embeddings."),
    ] = "auto",
    quantise: Annotated[
        Literal["int8", "fp8"] | None, typer.Option(help="Keep the weights of linear layers in eight bits.")
    ] = None,
    text: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Text on which quantised and original logits are compared."),
    ] = None,
) -> None:
    """Write a model's weights as an Orbax checkpoint, which any mesh restores and every command here reads.

    \b
    A Hugging Face folder, with configuration, tokenizer and templates beside the checkpoint:
      [cyan]tradewind convert ./my-llama ./my-llama-orbax[/]
    In eight bits; prints the bytes that this saves and how far the logits are from the original's:
      [cyan]tradewind convert ./my-llama ./my-llama-int8 --quantise int8[/]
    From one bucket to another (pip install 'tradewind\\[gcs]'):
      [cyan]tradewind convert gs://weights/my-llama gs://weights/my-llama-orbax[/]
    The first device holds the whole model meanwhile; JAX_PLATFORMS=cpu takes this machine's own memory.
    """
    from serving.convert import convert as run

    run(model, out, dtype=dtype, quantise=quantise, text=text, console=Console())


@app.command()
@takes_settings("", "server", "engine", "encoder", "retriever")
def config(
    loaded: LoadedSettings,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show every setting in force and where it came from: a default, the file, the environment or a flag.

    \b
    What [cyan]tradewind serve[/] would run with:
      [cyan]tradewind config[/]
    What a file and a flag make of it, for a script:
      [cyan]tradewind config --config ./tradewind.toml --max-rows 8 --json[/]
    A setting has one name everywhere; engine.max_rows, for one, is
      [cyan]max_rows = 8[/] under [cyan]\\[engine][/] in the file,
      [cyan]TRADEWIND_ENGINE__MAX_ROWS=8[/] in the environment, and
      [cyan]--max-rows 8[/] as a flag
    """
    from serving.config_report import as_json, as_table

    if json:
        print(as_json(loaded))
    else:
        Console().print(as_table(loaded))


def _log_to(console: Console, level: str) -> None:
    """Log the house's own messages from `level` on, and warnings of everybody else."""
    if console.is_terminal:
        handler, form = RichHandler(console=console, show_path=False), "%(message)s"
    else:
        handler, form = logging.StreamHandler(), "%(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.WARNING, format=form, handlers=[handler])
    logging.getLogger("serving").setLevel(level.upper())
    logging.getLogger("uvicorn.access").setLevel(logging.INFO)


if __name__ == "__main__":
    main()
