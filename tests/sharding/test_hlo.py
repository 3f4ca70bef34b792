"""How often each part of a program runs."""

import re

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from sharding.hlo import Program

COUNTED_LOOP = """\
HloModule jit_f, is_scheduled=true, num_partitions=4, replica_count=2

%inner_body (p.1: (s32[], f32[8])) -> (s32[], f32[8]) {
  ROOT %t.1 = (s32[]{:T(128)}, f32[8]{0:T(256)}) tuple(%i, %x)
}

%inner_condition (p.2: (s32[], f32[8])) -> pred[] {
  %ten = s32[]{:T(128)} constant(10)
  %i.2 = s32[]{:T(128)} get-tuple-element(%p.2), index=0
  ROOT %less.2 = pred[]{:T(512)} compare(%i.2, %ten), direction=LT, metadata={op_name="while/cond/lt"}
}

%outer_body (p.3: (f32[8], s32[])) -> (f32[8], s32[]) {
  %seven = s32[]{:T(128)} constant(7)
  %copied = s32[]{:T(128)} copy(%seven), backend_config={"flag_configs":[]}
  %start.3 = (s32[]{:T(128)}, f32[8]{0:T(256)}) tuple(%copied, %x)
  ROOT %while.3 = (s32[]{:T(128)}, f32[8]{0}) while(%start.3), condition=%inner_condition, body=%inner_body
}

%outer_condition (p.4: (f32[8], s32[])) -> pred[] {
  %five = s32[]{:T(128)} constant(5)
  %i.4 = s32[]{:T(128)} get-tuple-element(%p.4), index=1
  ROOT %less.4 = pred[]{:T(512)} compare(%i.4, %five), direction=LT
}

ENTRY %main (x: f32[8]) -> f32[8] {
  %zero = s32[]{:T(128)} constant(0)
  %start = (f32[8]{0:T(256)}, s32[]{:T(128)}) tuple(%x, %zero)
  ROOT %while = (f32[8]{0}, s32[]) while(%start), condition=%outer_condition, body=%outer_body
}
"""


def test_loops_that_count_to_a_constant_multiply():
    program = Program.parse(COUNTED_LOOP)
    runs = program.runs()
    assert (runs["main"], runs["outer_body"], runs["inner_body"]) == (1, 5, 5 * 3)
    assert program.devices == 8


@pytest.mark.parametrize(
    ("known", "unknown"),
    [
        ("%zero = s32[]{:T(128)} constant(0)", "%zero = s32[]{:T(128)} parameter(1)"),
        ("%five = s32[]{:T(128)} constant(5)", "%five = s32[]{:T(128)} get-tuple-element(%p.4), index=2"),
        ("compare(%i.4, %five), direction=LT", "fusion(%i.4, %five), kind=kLoop, calls=%inner_condition"),
    ],
)
def test_a_loop_of_unknown_length_counts_once(known, unknown):
    assert known in COUNTED_LOOP
    assert Program.parse(COUNTED_LOOP.replace(known, unknown)).runs()["inner_body"] == 3


def test_what_the_compiler_here_prints_is_read():
    def f(x: jax.Array, steps: jax.Array) -> jax.Array:
        x = lax.fori_loop(2, 7, lambda i, y: jnp.sin(y) * i, x)
        return lax.fori_loop(0, steps, lambda i, y: jnp.cos(y) * i, x)

    program = Program.parse(jax.jit(f).lower(jnp.ones(64), 3).compile().as_text())
    loops = [text for each in program.computations.values() for text in each.instructions.values() if " while(" in text]
    bodies = [re.search(r"body=%([\w.\-]+)", text)[1] for text in loops]
    assert sorted(program.runs()[body] for body in bodies) == [1, 5]
