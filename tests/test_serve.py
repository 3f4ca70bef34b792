"""`tradewind serve` as a process: what it prints, how it ends, what it leaves behind."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from serving.serve import address, listen, public_name
from serving.settings import ServerSettings, SettingsError

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": 64,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 64,
    "eos_token_id": 0,
}
SMALL = ("--max-rows", "1", "--step-tokens", "16", "--decode-steps", "1")
COMPLETION = {"model": "tiny-llama", "prompt": "QZXJQ", "max_tokens": 4, "ignore_eos": True}


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model folder with random weights."""
    import jax.numpy as jnp
    from flax import nnx
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    from serving.models import checkpoint
    from serving.models.config import DecoderConfig
    from serving.models.decoder import Decoder

    folder = tmp_path_factory.mktemp("models") / "tiny-llama"
    config = DecoderConfig.from_json(CONFIG)
    checkpoint.save(Decoder(config, dtype=jnp.float32, rngs=nnx.Rngs(0)), folder)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())[:64]
    backend = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    backend.save(str(folder / "tokenizer.json"))
    return folder


def test_it_says_what_it_does_serves_and_ends_with_its_engine(tiny_model, start_server):
    server = start_server("--model", str(tiny_model), *SMALL)
    engine = psutil.Process(server.engine_pid())
    models = httpx.get(f"{server.url}/v1/models").json()
    assert [model["id"] for model in models["data"]] == ["tiny-llama"]
    answer = httpx.post(f"{server.url}/v1/completions", json=COMPLETION, timeout=60).json()
    assert answer["usage"]["completion_tokens"] == 4

    assert server.stop(signal.SIGTERM) == -signal.SIGTERM
    assert not engine.is_running()
    printed = "".join(server.lines)
    assert printed.index("Loading · tiny-llama") < printed.index("Compiling") < printed.index("Ready in")
    assert "Stopped." not in printed
    assert "Traceback" not in printed
    assert "QZXJQ" not in printed  # prompts stay out of logs


def test_it_uses_an_engine_that_runs_already_and_ends_without_it(tiny_model, server_data, start_server, tmp_path):
    address = f"unix:{tmp_path / 'engine.sock'}"
    command = [sys.executable, "-m", "serving.cli", "engine", "--model", str(tiny_model), "--listen", address]
    command += ["--data-dir", str(server_data), "--exit-with-parent", *SMALL]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as engine:
        server = start_server("--model", str(tiny_model), "--engine-address", address)
        with pytest.raises(LookupError):
            server.engine_pid()  # it has no engine of its own
        answer = httpx.post(f"{server.url}/v1/completions", json=COMPLETION, timeout=60).json()
        assert answer["usage"]["completion_tokens"] == 4
        assert server.stop() == 0
        printed = "".join(server.lines)
        assert "Stopped." in printed
        assert "Traceback" not in printed
        assert "QZXJQ" not in printed
        assert engine.poll() is None  # somebody else keeps it
        engine.stdin.close()


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("", "tradewind"),
        ("somebody/some-model", "somebody/some-model"),
        ("./models/some-model", "some-model"),
        ("/models/some-model/", "some-model"),
        ("~/some-model", "some-model"),
        ("some-model", "some-model"),
    ],
)
def test_clients_call_a_hub_s_model_by_its_id_and_a_folder_by_its_name(model, name):
    assert public_name(model) == name


def test_port_0_takes_a_free_one():
    with listen(ServerSettings(port=0)) as listener:
        assert address(listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_an_address_that_stands_for_all_is_shown_as_this_machine():
    with listen(ServerSettings(host="0.0.0.0", port=0)) as listener:
        assert address(listener) == f"http://localhost:{listener.getsockname()[1]}"


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
def test_an_ipv6_address_is_written_in_brackets():
    with listen(ServerSettings(host="::1", port=0)) as listener:
        assert address(listener) == f"http://[::1]:{listener.getsockname()[1]}"


def test_a_host_that_does_not_exist_is_named():
    with pytest.raises(SettingsError, match=r"cannot listen at no\.such\.host\.invalid:0: "):
        listen(ServerSettings(host="no.such.host.invalid", port=0))
