"""Training learns, and a run that was interrupted ends where an uninterrupted one does."""

import io
import json
import os
import signal

import jax
import numpy as np
import pytest
from rich.console import Console

from training.recipe import Recipe, RecipeError
from training.train import LOG_FILE, checkpoints, inherited, last_state, train, trained_tokens

STEPS = 8


def quiet() -> Console:
    return Console(file=io.StringIO())


@pytest.fixture(scope="module")
def uninterrupted(make_feed, recipe, tmp_path_factory):
    run = tmp_path_factory.mktemp("uninterrupted")
    return train(make_feed(STEPS), recipe, run, console=quiet()), run


def test_resuming_gives_the_parameters_of_an_uninterrupted_run(uninterrupted, make_feed, recipe, tmp_path) -> None:
    state, _ = uninterrupted
    assert int(train(make_feed(STEPS), recipe, tmp_path, stop_at=3, console=quiet()).step) == 3
    resumed = train(make_feed(STEPS), recipe, tmp_path, console=quiet())
    for expected, found in zip(jax.tree.leaves(state), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(expected, found)


def test_a_run_may_begin_where_another_ended(uninterrupted, make_feed, recipe, tmp_path) -> None:
    _, run = uninterrupted
    log = [json.loads(line) for line in (run / LOG_FILE).read_text().splitlines()]
    params = inherited(run, tmp_path, recipe)
    begun = train(make_feed(STEPS), recipe, tmp_path, params=params, stop_at=1, console=quiet())
    first = json.loads((tmp_path / LOG_FILE).read_text())
    assert int(begun.step) == first["step"] == 1  # with a schedule of its own
    assert first["loss"] < log[0]["loss"] - 0.1
    assert trained_tokens(run, recipe) == STEPS * recipe.batch_tokens
    assert trained_tokens(tmp_path, recipe) == (STEPS + 1) * recipe.batch_tokens


def test_the_loss_falls_and_is_logged(uninterrupted) -> None:
    _, run = uninterrupted
    entries = [json.loads(line) for line in (run / LOG_FILE).read_text().splitlines()]
    assert [entry["step"] for entry in entries] == list(range(1, STEPS + 1))
    assert {entry["stage"] for entry in entries} == {"pretrain", "chat"}
    assert entries[-1]["loss"] < entries[0]["loss"]


def test_the_last_checkpoint_is_the_end_of_the_run(uninterrupted, recipe) -> None:
    state, run = uninterrupted
    restored = last_state(run, recipe)
    assert int(restored.step) == STEPS
    np.testing.assert_array_equal(restored.params["embed"]["embedding"], state.params["embed"]["embedding"])


def test_a_shortened_run_visits_both_stages_in_their_shares(make_feed) -> None:
    whole, short = make_feed(), make_feed(STEPS)
    assert short.steps == STEPS < whole.steps
    share = [feed.stage_name(int(feed.steps * 0.9)) for feed in (whole, short)]
    assert share == ["chat", "chat"]
    assert short.stage_name(0) == "pretrain"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_with_a_checkpoint(make_feed, recipe, tmp_path, number) -> None:
    feed = make_feed(STEPS)
    batch = feed.batch

    def interrupted(step: int):
        if step == 2:
            os.kill(os.getpid(), number)
        return batch(step)

    feed.batch = interrupted
    assert int(train(feed, recipe, tmp_path, console=quiet()).step) == 3
    with checkpoints(tmp_path) as manager:
        assert manager.latest_step() == 3


def test_a_recipe_names_its_unknown_key(tmp_path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("learning_rate = 1\n")
    with pytest.raises(RecipeError, match="vocab_size"):
        Recipe.from_file(path)
