"""The commands, one after the other, from a tiny corpus to a checkpoint."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from training.__main__ import app, main
from training.packing import Rows
from training.recipe import Recipe
from training.tokenizer import load_tokenizer
from training.train import checkpoints

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
    assert pretrain.learned.mean() > 0.75 > chat.learned.mean() > 0.1
    with checkpoints(run) as manager:
        assert manager.latest_step() == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pack", "--data", "nowhere"], "python -m training tokenizer"),
        (["evaluate", "--run", "nowhere", "--data", "nowhere"], "python -m training train"),
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


def test_the_shipped_recipe_is_whole() -> None:
    recipe = Recipe.from_file(Path(__file__).parents[2] / "training/recipes/cpu.toml")
    assert max(recipe.row_lengths) == recipe.model.max_position == 1024
