import shutil
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.cli import main
from pytest_flyteperf.gate import CaseVerdict, Policy, Verdict
from pytest_flyteperf.model import Repeat, RunPlan, Size
from pytest_flyteperf.report import results as documents
from pytest_flyteperf.result import CaseResult, Measured
from tests.gate.gate_examples import HERE, RELEASE

CHAIN = Path(__file__).parents[1] / "data" / "recordings" / "chain" / "0"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The folder of a run of one case, one repeat."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").touch()
    folder = tmp_path / ".flyteperf" / "runs" / "r1"
    recording = folder / "chain" / "0"
    shutil.copytree(CHAIN, recording)
    measures = analyze_recording(recording)
    repeat = Repeat(
        case="chain",
        size=Size.DEFAULT,
        index=0,
        warmup=False,
        execution=measures.execution,
        recording=str(recording),
        phase_wait_ns=0,
        trace_wait_ns=0,
        client_ns=0,
    )
    result = CaseResult(
        case="chain",
        size=Size.DEFAULT,
        nodeid="test_chain.py::test_chain",
        plan=RunPlan(warmups=0, repeats=1, timeout_s=9, seed=1),
        policy=Policy(),
        subject=RELEASE,
        environment=HERE,
        folder=str(recording.parent),
        recorded="2026-11-22T08:00:00Z",
        repeats=(Measured(repeat=repeat, measures=measures),),
        verdict=CaseVerdict(
            case="chain", size=Size.DEFAULT, verdict=Verdict.NO_BASELINE, reason="new", repeats=1
        ),
    )
    (recording.parent / "case.json").write_bytes(msgspec.json.encode(result))
    return folder


def test_the_timeline_is_linked_to_its_trace_to_the_console_and_to_jaeger(run):
    assert main(["report", "--console", "http://flyte/console", "--jaeger", "http://j"]) == 0

    text = (run / "report.html").read_text()
    assert 'href="chain/0/trace.perfetto.json" rel="noreferrer">Perfetto' in text
    assert (run / "chain" / "0" / "trace.perfetto.json").stat().st_size > 10_000
    assert 'href="http://flyte/console/projects/flytesnacks/domains/development/exec' in text
    assert 'href="http://j/search?service=flytepropeller&amp;tags=' in text


def test_a_run_is_shown_with_its_timeline_wherever_its_folder_is(run, tmp_path):
    moved = tmp_path / "Downloads" / "artifact"
    moved.parent.mkdir()
    run.rename(moved)

    assert main(["report", str(moved)]) == 0

    text = (moved / "report.html").read_text()
    assert "the repeat nearest the median" in text
    assert 'href="chain/0/trace.perfetto.json"' in text


def test_a_recording_that_is_gone_leaves_the_page_without_its_timeline(run):
    shutil.rmtree(run / "chain" / "0")

    assert main(["report"]) == 0

    text = (run / "report.html").read_text()
    assert "the repeat nearest the median" not in text
    assert "Audit and repeats" in text


def test_what_is_no_url_is_refused(run, capsys):
    assert main(["report", "--console", "javascript:alert(1)"]) == 2

    assert "--flyteperf-console: 'javascript:alert(1)' is no URL" in capsys.readouterr().err
    assert not (run / "report.html").exists()


def test_a_run_is_measured_again_as_it_was_typed(run):
    sections = {("chain", Size.DEFAULT): documents.case(Size.DEFAULT, (), None)}
    sections = {k: structs.replace(v, again="pytest --as-it-was") for k, v in sections.items()}
    documents.write(
        run, "results", documents.results("1", "2026-11-22T08:00:00Z", RELEASE, HERE, sections)
    )

    assert main(["report"]) == 0

    text = (run / "report.html").read_text()
    assert "<code>pytest --as-it-was</code>" in text
    assert "2026-11-22 08:00 UTC" in text


@pytest.mark.parametrize("flags", [[], ["--traces"], ["--console", "http://flyte"]])
def test_what_the_page_is_made_with_measures_nothing(run, flags):
    assert main(["report", *flags]) == 0

    text = (run / "report.html").read_text()
    assert "<code>pytest &#34;test_chain.py::test_chain&#34; --flyteperf-baseline</code>" in text


def test_a_comparison_calls_its_sides_base_and_head(run):
    path = run / "chain" / "case.json"
    result = msgspec.json.decode(path.read_bytes(), type=CaseResult)
    both = structs.replace(result, base=result)
    path.write_bytes(msgspec.json.encode(both))

    assert main(["report"]) == 0

    text = (run / "report.html").read_text()
    assert '<th scope="col">base</th><th scope="col">head</th>' in text
