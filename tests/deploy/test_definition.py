"""Propeller is waited for on its own account, however long what came before it took."""

from __future__ import annotations

import itertools

import pytest

from pytest_flyteperf.deploy import definition
from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.progress import Beat, silent
from tests.doubles.flyte import FakeFlyte

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
ESTABLISHED = {"conditions": [{"type": "Established", "status": "True"}]}


@pytest.fixture
def old_beat():
    """Of a phase that has taken hours already: images were pulled."""
    return Beat(silent, "deploying", clock=itertools.count(0, 3600).__next__)


def test_a_definition_that_is_there_is_found_late_in_a_long_start(tmp_path, old_beat):
    with FakeFlyte(tmp_path) as flyte:
        made = {"metadata": {"name": definition.CRD}, "status": ESTABLISHED}
        flyte.kube.put(DEFINITIONS, made)

        definition.await_definition(flyte.deployment().cluster, old_beat)


def test_a_propeller_that_makes_none_is_told(tmp_path, old_beat, monkeypatch):
    monkeypatch.setattr(definition, "READY_S", 0.1)
    with FakeFlyte(tmp_path) as flyte:
        cluster = flyte.deployment().cluster

        with pytest.raises(DeploymentError, match="FlytePropeller made no flyteworkflows"):
            definition.await_definition(cluster, old_beat)
