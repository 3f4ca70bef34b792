"""The commands, one after the other, from a tiny corpus to a checkpoint."""

import io
import json
from dataclasses import asdict
from pathlib import Path

import jax
import pytest
from rich.console import Console
from typer.testing import CliRunner

from training import prepared
from training.__main__ import app, main
from training.conversation import assistant, user
from training.corpus import Example
from training.export import SERVING_DEFAULTS
from training.packing import Rows
from training.recipe import Recipe
from training.step import initial_params
from training.tokenizer import TOKENIZER_FILE, load_tokenizer
from training.train import checkpoints, train

RECIPE = """
tokens = 6000
pretrain_share = 0.5
row_lengths = [64, 128]
batch_tokens = 256
micro_batch_tokens = 128
muon_learning_rate = 0.02
adam_learning_rate = 0.01
warmup_share = 0.1
decay_share = 0.4
seed = 5

[model]
vocab_size = 400
hidden_size = 16
layers = 1
heads = 2
kv_heads = 1
mlp_size = 24
max_position = 128
"""


def test_from_texts_to_a_checkpoint(corpus: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    data, run = tmp_path / "data", tmp_path / "run"
    for command in (
        ["prepare", "--corpus", corpus, "--data", data, "--synthetic", "200"],
        ["tokenizer", "--data", data, "--recipe", recipe, "--sample-megabytes", "1"],
        ["pack", "--data", data, "--recipe", recipe],
        ["train", "--data", data, "--recipe", recipe, "--run", run, "--steps", "4"],
    ):
        result = CliRunner().invoke(app, list(map(str, command)), catch_exceptions=False)
        assert result.exit_code == 0, result.output
    assert "step 4 of 4" in result.output
    assert load_tokenizer(data).get_vocab_size() == 400
    pretrain, chat = (Rows.load(data / f"{stage}-64.npz") for stage in ("pretrain", "chat"))
    learned = [(rows.weights > 0).sum() / (rows.segments > 0).sum() for rows in (pretrain, chat)]
    assert learned[0] > 0.9 > 0.75 > learned[1] > 0.1, "of pretraining all but the first token, of chats the replies"
    with checkpoints(run) as manager:
        assert manager.latest_step() == 4


def test_what_was_measured_is_in_the_exported_model_card(make_feed, recipe, tokenizer, tmp_path: Path) -> None:
    settings, data, run, out = (tmp_path / name for name in ("recipe.toml", "data", "run", "model"))
    settings.write_text(RECIPE)
    train(make_feed(2), recipe, run, console=Console(file=io.StringIO()))
    held_out = [Example("greetings", True, messages=(user(f"Hi {name}"), assistant("Hello!"))) for name in "ABC"]
    prepared.write(data, held_out)
    tokenizer.save(str(data / TOKENIZER_FILE))
    common = ["--data", data, "--run", run, "--recipe", settings]

    def invoke(*arguments) -> str:
        result = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    with pytest.raises(FileNotFoundError, match="python -m training evaluate"):
        invoke("export", *common, "--out", out)
    assert "no examples" in invoke("evaluate", *common, "--examples", 2)
    measured = json.loads((run / "evaluation.json").read_text())
    assert measured["trained_tokens"] == 2 * recipe.batch_tokens
    invoke("export", *common, "--out", out)
    card = (out / "README.md").read_text()
    (bits,) = (row["estimate"]["value"] for row in measured["rows"] if row["name"] == "bits per byte, chat replies")
    assert f"| bits per byte, chat replies | {bits:.3f} |" in card
    again = tmp_path / "again.json"
    invoke("evaluate", "--model", out, "--data", data, "--examples", 2, "--report", again, "--temperature", 0.7)
    of_folder = json.loads(again.read_text())
    assert of_folder["sampling"] == measured["sampling"] | {"temperature": 0.7}
    assert measured["sampling"] == asdict(SERVING_DEFAULTS)
    assert of_folder["rows"][0]["estimate"]["value"] == pytest.approx(bits, rel=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pack", "--data", "nowhere"], "python -m training tokenizer"),
        (["evaluate", "--run", "nowhere", "--data", "nowhere"], "python -m training train"),
        (["evaluate", "--model", "."], "config.json"),
    ],
)
def test_a_step_that_was_left_out_is_named(monkeypatch, capsys, tmp_path, arguments, message) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["training", *arguments, "--recipe", str(recipe)])
    with pytest.raises(SystemExit, match="2"):
        main()
    assert message in capsys.readouterr().out.replace("\n", " ")


RECIPES = Path(__file__).parents[2] / "training/recipes"


@pytest.mark.parametrize(("name", "context"), [("cpu", 1024), ("cpu-continued", 1024), ("gpu", 2048)])
def test_a_shipped_recipe_is_whole_and_its_model_small_enough(name, context) -> None:
    recipe = Recipe.from_file(RECIPES / f"{name}.toml")
    assert max(recipe.row_lengths) == recipe.model.max_position == context
    shapes = jax.eval_shape(lambda: initial_params(recipe.model.decoder_config(), seed=0))
    assert 2 * sum(leaf.size for leaf in jax.tree.leaves(shapes)) < 40e6  # bytes in bfloat16
