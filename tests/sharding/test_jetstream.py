"""The engine API on a mesh: what it packs is gathered from replicated rows, and is what one device says."""

from pathlib import Path

import numpy as np

from serving.engine.jetstream import JetStreamEngine
from serving.engine.options import EngineOptions

FOLDER = Path(__file__).parent.parent / "oracles" / "golden" / "grouped_tied"
REFERENCE = np.load(FOLDER / "reference.npz")
LENGTH = 12


def test_a_reply_through_a_slot_of_two_devices():
    prompt = REFERENCE["prompt"]
    options = EngineOptions(mesh="tensor=2", max_rows=1, max_context=256, pages=32, step_tokens=16, decode_steps=1)
    engine = JetStreamEngine.load(FOLDER, options)
    params, state = engine.load_params(), engine.init_decode_state()
    prefix, _ = engine.prefill(params=params, padded_tokens=prompt, true_length=len(prompt))
    state = engine.insert(prefix, state, slot=0)
    reply = [prefix.first_token]
    while len(reply) < LENGTH:
        state, result = engine.generate(params, state)
        reply.append(result.get_result_at_slot(0).tokens.item())
    engine.stop()
    assert reply == REFERENCE["reply"][:LENGTH].tolist()
    assert engine.mesh.shape["tensor"] == 2
    assert result.data.sharding.is_fully_replicated and len(result.data.sharding.device_set) == 2
