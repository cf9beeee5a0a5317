"""Generated workflows on the embedded engine, against what Flyte's rules say of any workflow."""

import pytest
from faithful_facts import facts
from generated_workflows import Step, build, observed, predict, steps
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from pytest_flyteperf.analyze import analyze_recording

pytestmark = pytest.mark.engine

NESTED = Step("sub", (0,), 0, (Step("branch", (0,)), Step("sub", (1,), 0, (Step("echo", (0,)),))))


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
@given(steps(), st.integers(-3, 3))
@example((Step("branch", (0,)),), -1)
@example((NESTED, Step("dynamic", (1,), 2), Step("map", (0,), 3), Step("add", (2, 3))), 2)
def test_any_execution_leaves_the_rows_that_flytes_rules_say(execute, plan, value):
    expected, output = predict(plan, value)
    (folder,) = execute("generated", build(plan), inputs={"a": value}, expected=output)

    nodes, tasks, phases = observed(facts(folder))
    assert expected.nodes == nodes
    assert expected.tasks == tasks
    assert phases == {"SUCCEEDED"}
    measured = analyze_recording(folder).metrics
    counts = {"workflow_events": 3, "node_events": expected.node_events, "pods": expected.pods}
    assert counts == {name: measured[name] for name in counts}
