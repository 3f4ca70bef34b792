"""Which part of a step an operation of a compiled program belongs to."""

import jax
import jax.numpy as jnp

from benchmarks.step_profile import operation_scopes

PROGRAM = """
%fused.1 (p: f32[4]) -> f32[4] {
  ROOT %add.1 = f32[4]{0} add(%p, %p), metadata={op_name="jit(step)/draw/add"}
}

%body (p: f32[4]) -> f32[4] {
  %exp.1 = f32[4]{0} exponential(%p), metadata={op_name="jit(step)/layers/attention/while/body/exp"}
  ROOT %dot.2 = f32[4]{0} dot(%exp.1, %exp.1)
}

ENTRY %main (p: f32[4]) -> f32[4] {
  %mul.3 = f32[4]{0} multiply(%p, %p), metadata={op_name="jit(step)/layers/mul"}
  %dot.4 = f32[4]{0} dot(%mul.3, %mul.3)
  %fusion.5 = f32[4]{0} fusion(%dot.4), kind=kLoop, calls=%fused.1
  ROOT %while.6 = (s32[], f32[4]{0}) while(%t), body=%body, metadata={op_name="jit(step)/layers/attention/while"}
}
"""


def test_operations_that_lost_their_names_are_told_by_their_company():
    assert operation_scopes(PROGRAM) == {
        "add.1": "jit(step)/draw/add",
        "exp.1": "jit(step)/layers/attention/while/body/exp",
        "dot.2": "/layers/attention/dot_general",
        "mul.3": "jit(step)/layers/mul",
        "dot.4": "/layers/dot_general",
        "fusion.5": "jit(step)/draw/add",
    }


def test_a_real_program_s_scopes_are_found():
    def step(x):
        with jax.named_scope("head"):
            return jnp.tanh(x @ x)

    program = jax.jit(step).lower(jax.ShapeDtypeStruct((64, 64), jnp.float32)).compile().as_text()
    assert any("/head/" in scope for scope in operation_scopes(program).values())
