"""Which step programs there are, and which one a step gets."""

import threading

import pytest

from serving.engine.programs import StepPrograms, step_shapes
from serving.engine.step import StepShape

SHAPES = step_shapes(max_rows=12, max_blocks=32)


def test_the_first_shapes_serve_anything():
    essential = SHAPES[: StepPrograms.ESSENTIAL]
    assert StepShape(12, 0) in essential and StepShape(12, 32) in essential


def test_shapes_grow_up_to_the_limits():
    assert sorted({shape.rows for shape in SHAPES if not shape.blocks}) == [1, 2, 4, 8, 12]
    assert sorted({shape.rows for shape in SHAPES if shape.blocks}) == [1, 4, 12]
    assert sorted({shape.blocks for shape in SHAPES}) == [0, 2, 8, 32]
    assert len(set(SHAPES)) == len(SHAPES)


def test_a_step_gets_the_smallest_program_that_is_compiled():
    held, others_done = threading.Event(), threading.Event()

    def compile_shape(shape: StepShape):
        if shape == StepShape(4, 0):
            held.wait(10)
        return lambda: shape

    programs = StepPrograms(SHAPES, compile_shape, threads=len(SHAPES))
    programs.start(lambda done, total: others_done.set() if done == total - 1 else None)
    programs.wait_essential()
    assert others_done.wait(10) and not programs.warm
    assert programs.choose(3, 0)[0] == StepShape(8, 0)
    held.set()
    programs.wait_all()
    assert programs.warm
    assert programs.choose(3, 0)[0] == StepShape(4, 0)
    assert programs.choose(3, 1)[0] == StepShape(4, 2)
    assert programs.choose(1, 5)[0] == StepShape(1, 8)
    shape, program = programs.choose(12, 32)
    assert program() == shape == StepShape(12, 32)


def test_a_compiler_s_error_reaches_the_one_who_waits():
    def compile_shape(shape: StepShape):
        raise MemoryError("too large")

    programs = StepPrograms(SHAPES, compile_shape, threads=1)
    programs.start(lambda done, total: None)
    with pytest.raises(MemoryError, match="too large"):
        programs.wait_essential()
