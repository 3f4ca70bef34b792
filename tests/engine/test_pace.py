"""Several decode steps in one dispatch, as long as they are quick."""

from serving.engine.pace import Pace


def test_quick_steps_go_together_and_slow_ones_alone():
    pace = Pace(most=4)
    assert pace.steps == 1  # nothing is known yet
    pace.observe(1, 0.001)
    assert pace.steps == 4
    pace.observe(4, 0.016)
    assert pace.steps == 2
    pace.observe(2, 0.180)
    assert pace.steps == 1
    pace.observe(1, 0.0)
    assert pace.steps == 4
