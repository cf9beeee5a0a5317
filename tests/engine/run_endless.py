"""Run a workflow that never ends, until somebody ends this process."""

import sys
from pathlib import Path

import fault_workflows

from pytest_flyteperf.execute import CaseSpec, run_case
from pytest_flyteperf.model import RunPlan
from pytest_flyteperf.progress import silent
from pytest_flyteperf.settings import resolve
from pytest_flyteperf.stack import Stack


def say(line):
    print(line, flush=True)


stack = Stack(resolve({"wait": 600}, {}, lambda _key: None, Path(sys.argv[1])), silent)
with stack.cluster("endless") as cluster, stack.deployment(cluster) as deployment:
    run = run_case(
        CaseSpec(name="endless", entity=fault_workflows.endless),
        deployment,
        RunPlan(warmups=0, repeats=1, timeout_s=600, seed=1),
        out_dir=Path(sys.argv[2]),
        progress=say,
        lock=stack.machine_lock("endless"),
        control=stack.control,
    )
    list(run)
