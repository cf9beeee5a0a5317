"""The commands that a verdict offers measure the same, and accept only what can be accepted."""

import msgspec
import pytest

from pytest_flyteperf import again
from pytest_flyteperf.gate import CaseVerdict, Policy, Verdict
from pytest_flyteperf.model import Repeat, RunPlan, Size, Subject
from pytest_flyteperf.result import CaseResult, Measured
from pytest_flyteperf.settings import resolve
from tests.gate.gate_examples import HERE, RELEASE, repeats


def result(verdict=Verdict.REGRESSED, **given):
    (measures,) = repeats(rounds=[9])
    repeat = Repeat(
        case="chain",
        size=Size.SHORT,
        index=0,
        warmup=False,
        execution="e",
        recording="nowhere",
        phase_wait_ns=0,
        trace_wait_ns=0,
        client_ns=0,
    )
    fields = {
        "case": "chain",
        "size": Size.SHORT,
        "nodeid": "benchmarks/test_chain.py::test_chain",
        "plan": RunPlan(warmups=0, repeats=1, timeout_s=1, seed=0),
        "policy": Policy(),
        "subject": RELEASE,
        "environment": HERE,
        "folder": "nowhere",
        "recorded": "2026-11-22T18:40:00Z",
        "repeats": (Measured(repeat=repeat, measures=measures),),
        "verdict": CaseVerdict(case="chain", size=Size.SHORT, verdict=verdict, reason="so"),
    }
    return CaseResult(**{**fields, **given})


@pytest.fixture
def settings(tmp_path):
    (tmp_path / "my config.yaml").write_text("")

    def make(environ=None, **flags):
        flags = {name.replace("_", "-"): value for name, value in flags.items()}
        return resolve(flags, environ or {}, lambda _: None, tmp_path)

    return make


PLAIN = 'pytest "benchmarks/test_chain.py::test_chain" --flyteperf-baseline'


def test_a_case_is_measured_again_in_its_size(settings):
    assert again.measure(result(), settings(short=True)) == f"{PLAIN} --flyteperf-short"
    assert again.measure(result(size=Size.DEFAULT), settings()) == PLAIN


def test_what_was_typed_is_typed_again_and_no_more(settings):
    typed = settings(
        {"FLYTEPERF_STRICT": "1"},
        config="my config.yaml",
        repeats="7",
        update="all",
        keep=True,
        out="elsewhere",
    )

    assert again.measure(result(), typed) == (
        f"{PLAIN} --flyteperf-short --flyteperf-strict --flyteperf-repeats 7 "
        "--flyteperf-config 'my config.yaml'"
    )


def test_a_password_is_not_told(settings):
    typed = settings(database="postgres://me:secret@127.0.0.1/flyte", flyte="./flyte")

    command = again.measure(result(), typed)

    assert "secret" not in command
    assert command.endswith("--flyteperf-flyte ./flyte --flyteperf-database ...")


def test_two_flytes_are_compared_again(settings):
    base = result(subject=Subject(flyte="../my flyte", digest="b"))
    both = msgspec.structs.replace(result(), base=base)

    assert again.measure(both, settings(base="../my flyte", short=True)) == (
        "flyteperf ab --base '../my flyte' --head v1.16.8 "
        '"benchmarks/test_chain.py::test_chain" --short'
    )
    assert again.accept(both, settings(base="../my flyte")) is None


def test_two_flytes_are_compared_again_where_they_were(settings):
    both = msgspec.structs.replace(result(), base=result())
    typed = settings(base="v1.16.8", cluster="kind", chart="flyte-core", keep=True, short=True)

    assert again.measure(both, typed) == (
        "flyteperf ab --base v1.16.8 --head v1.16.8 "
        '"benchmarks/test_chain.py::test_chain" --cluster kind --chart flyte-core --short'
    )


def test_a_regression_can_be_accepted_where_its_baseline_lies(settings):
    assert again.accept(result(), settings()) == 'flyteperf accept chain --reason "..."'
    assert again.accept(result(), settings(baseline_dir="mine")) == (
        'flyteperf accept chain --reason "..." --baseline-dir mine'
    )


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.INVALID])
def test_what_accept_would_refuse_is_not_offered(settings, verdict):
    assert again.accept(result(verdict), settings()) is None
    assert again.accept(result(repeats=()), settings()) is None
