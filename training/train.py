"""The training loop: steps, checkpoints, progress."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from training.feed import Feed
from training.optimiser import make_optimiser
from training.recipe import Recipe
from training.step import Params, TrainState, initial_params, make_train_step

CHECKPOINT_SECONDS = 60.0
LOG_FILE = "log.jsonl"
CHECKPOINTS = "checkpoints"
ORIGIN_FILE = "origin.json"
"""Of a run that began with another's parameters: the tokens that those had learned from."""


def initial_state(recipe: Recipe, steps: int, params: Params | None = None) -> TrainState:
    """The state before the first step, from given parameters or random ones; the same seed gives the same."""
    if params is None:
        params = initial_params(recipe.model.decoder_config(), recipe.seed)
    else:
        params = jax.tree.map(jnp.copy, params)  # a step donates its state
    return TrainState(params, make_optimiser(recipe, steps).init(params), jnp.zeros((), jnp.int32))


def checkpoints(run: Path) -> ocp.CheckpointManager:
    """RUN/checkpoints, of which the last two are kept."""
    options = ocp.CheckpointManagerOptions(max_to_keep=2, create=True)
    return ocp.CheckpointManager((run / CHECKPOINTS).resolve(), options=options)


def restore(manager: ocp.CheckpointManager, recipe: Recipe) -> TrainState:
    """The state of the manager's last checkpoint, of which there must be one."""
    like = jax.eval_shape(lambda: initial_state(recipe, steps=1))
    return manager.restore(manager.latest_step(), args=ocp.args.StandardRestore(like))


def last_state(run: Path, recipe: Recipe) -> TrainState:
    """The state that RUN's training stopped with. Raises FileNotFoundError where nothing was trained."""
    if not any((run / CHECKPOINTS).glob("*")):
        raise FileNotFoundError(f"{run / CHECKPOINTS} holds no checkpoint; `python -m training train` writes them")
    with checkpoints(run) as manager:
        return restore(manager, recipe)


def trained_tokens(run: Path, recipe: Recipe) -> int:
    """Tokens that RUN's last parameters learned from, those of the run that it began from included."""
    origin = run / ORIGIN_FILE
    before = json.loads(origin.read_text(encoding="utf-8"))["tokens"] if origin.is_file() else 0
    with checkpoints(run) as manager:
        return before + (manager.latest_step() or 0) * recipe.batch_tokens


def inherited(origin: Path, run: Path, recipe: Recipe) -> Params:
    """The parameters that ORIGIN's training stopped with; RUN remembers what they had learned from."""
    params = last_state(origin, recipe).params
    run.mkdir(parents=True, exist_ok=True)
    (run / ORIGIN_FILE).write_text(json.dumps({"tokens": trained_tokens(origin, recipe)}) + "\n", encoding="utf-8")
    return params


def train(
    feed: Feed,
    recipe: Recipe,
    run: Path,
    *,
    params: Params | None = None,
    stop_at: int | None = None,
    console: Console | None = None,
) -> TrainState:
    """Trains from RUN's last checkpoint, or from the start, to the feed's end (or to step `stop_at`).

    A run starts from random parameters, or from `params`, such as those that another run ended with.

    Saves a checkpoint every minute, at the end, and on SIGTERM or Ctrl-C; the same call then goes on where it was.
    """
    train_step = make_train_step(recipe.model.decoder_config(), make_optimiser(recipe, feed.steps))
    end = min(feed.steps, stop_at or feed.steps)
    run.mkdir(parents=True, exist_ok=True)
    with checkpoints(run) as manager, _stop_signals() as stopped, _progress(console) as progress:
        state = initial_state(recipe, feed.steps, params) if manager.latest_step() is None else restore(manager, recipe)
        first = int(state.step)
        bar = progress.add_task("train", total=end, completed=first, loss="", speed="", stage="compiling")
        with (run / LOG_FILE).open("a", encoding="utf-8") as log:
            saved_at = started = time.monotonic()
            smooth = None
            for step in range(first, end):
                batch = feed.batch(step)
                state, loss = train_step(state, batch.tokens, batch.segments, batch.weights)
                loss = float(loss)  # waits for the step, so the times below are true
                now = time.monotonic()
                smooth = loss if smooth is None else 0.95 * smooth + 0.05 * loss
                speed = recipe.batch_tokens / (now - started)
                started = now
                stage = feed.stage_name(step)
                entry = {"step": step + 1, "stage": stage, "loss": round(loss, 4), "tokens_per_s": round(speed)}
                log.write(json.dumps(entry) + "\n")
                log.flush()
                shown = {"loss": f"{smooth:.3f}", "speed": f"{speed:,.0f}", "stage": stage}
                progress.update(bar, completed=step + 1, **shown)
                if stopped or now - saved_at > CHECKPOINT_SECONDS:
                    manager.save(step + 1, args=ocp.args.StandardSave(state))
                    manager.wait_until_finished()  # the next step donates the state's memory
                    saved_at = now
                if stopped:
                    break
        if manager.latest_step() != int(state.step):
            manager.save(int(state.step), args=ocp.args.StandardSave(state), force=True)
    return state


@contextmanager
def _stop_signals() -> Iterator[list[int]]:
    """Collects SIGTERM and SIGINT in a list instead of dying of them."""
    received: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    before = {number: signal.signal(number, lambda got, _: received.append(got)) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _progress(console: Console | None) -> Progress:
    return Progress(
        TextColumn("{task.fields[stage]}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TextColumn("{task.fields[speed]} tokens/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
