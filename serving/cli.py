"""The command `tradewind`: parses, calls, prints. What a command needs is imported inside it, so that help is quick."""

import logging
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler

from serving import __version__
from serving.flags import takes_settings
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
    from serving.models.folder import ModelFolderError

    try:
        app()
    except (SettingsError, ModelFolderError) as error:
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
    See every setting in force and where it came from:
      [cyan]tradewind config[/]
    """


@app.command()
@takes_settings("", "server", "engine")
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
    """
    from serving.engine.server import run
    from serving.models.folder import find_model

    _log_to(Console(stderr=True), loaded.settings.log_level)
    run(listen, find_model(loaded.settings.model), loaded.settings.engine, exit_with_parent=exit_with_parent)


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

    sampling = {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens, "seed": seed}
    raise typer.Exit(run(url, model, system, sampling))


@app.command()
@takes_settings("", "server", "engine")
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
