from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.engine.kubelet.command import ConfigError, container_environment, expand
from pytest_flyteperf.engine.kubelet.pods import (
    Container,
    EnvSource,
    EnvVar,
    FieldRef,
    Metadata,
    Pod,
)

POD = Pod(Metadata("p", "u", "ns", labels={"tier": "one"}, annotations={"a/b": "two"}))


def test_variables_come_from_configuration_then_pod(api, start_kubelet, log_dir):
    start_kubelet(environment={"A": "config", "B": "config"})
    env = [
        {"name": "B", "value": "pod"},
        {"name": "C", "value": "$(B)-$(NONE)-$$(B)"},
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "TIER", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['tier']"}}},
    ]
    uid = api.create(
        "p",
        ["sh", "-c", "printf '%s\\n' $A $B '$(C)' $NAME $TIER $FLYTEPERF_POD $HOSTNAME"],
        container={"env": env},
        metadata={"labels": {"tier": "one"}},
    )
    api.wait_phase("p", "Succeeded")

    lines = (log_dir / "ns_p_main.log").read_text().split("\n")
    assert lines == ["config", "pod", "pod-$(NONE)-$(B)", "p", "one", uid, "p", ""]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metadata.namespace", "ns"),
        ("metadata.uid", "u"),
        ("metadata.annotations['a/b']", "two"),
        ("metadata.labels['none']", ""),
        ("spec.nodeName", "node"),
        ("status.podIP", "127.0.0.1"),
    ],
)
def test_fields_of_the_pod_become_variables(field, value):
    variable = EnvVar("X", value_from=EnvSource(FieldRef(field)))

    assert {"X": value} == container_environment(POD, Container("c", env=(variable,)), "node")


def test_an_unknown_field_is_refused_by_name():
    variable = EnvVar("X", value_from=EnvSource(FieldRef("spec.shoeSize")))

    with pytest.raises(ConfigError, match=r"^variable X: no field spec\.shoeSize$"):
        container_environment(POD, Container("c", env=(variable,)), "node")


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)", "1"),
        ("$(B)", "$(B)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("a$", "a$"),
        ("$A ${A} $(A", "$A ${A} $(A"),
        ("", ""),
    ],
)
def test_references_expand_as_in_kubernetes(text, expanded):
    assert expanded == expand(text, {"A": "1"})


@given(st.text())
def test_an_escaped_text_expands_to_itself(text):
    assert text == expand(text.replace("$", "$$"), {"A": "1"})
