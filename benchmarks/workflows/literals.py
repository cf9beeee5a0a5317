"""Values too large to be passed on for nothing."""

from flytekit import workflow
from flytekit.core.task import Echo
from flytekit.core.workflow import WorkflowBase

echo_text = Echo(name="echo_text", inputs={"text": str})
"""Copies its input inside FlytePropeller: a node without a pod."""


def texts_through(length: int) -> WorkflowBase:
    @workflow
    def large_literals(text: str) -> str:
        for _ in range(length):
            text = echo_text(text=text)
        return text

    return large_literals
