import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from pytest_flyteperf.cli import main
from pytest_flyteperf.errors import FlyteperfError, UsageError
from pytest_flyteperf.gate import CaseVerdict, Kind, MetricVerdict, Verdict, session
from pytest_flyteperf.gate import baseline as baselines
from pytest_flyteperf.model import Size
from pytest_flyteperf.report import differences, results, sides
from tests.gate.gate_examples import HERE, MS, RELEASE, accepted, repeats

COLUMN = {
    "handle_ns": [x * MS for x in (500, 501, 502, 499, 500, 501, 500, 500)],
    "node_events": [18] * 8,
    "crd_writes": [12, 13, 12, 12, 13, 12, 12, 12],
}
SLOW = {"handle_ns": [x * 10 for x in COLUMN["handle_ns"]]}


def document(**columns):
    cases = {
        (name, Size.DEFAULT): results.case(Size.DEFAULT, repeats(**{**COLUMN, **moved}))
        for name, moved in columns.items()
    }
    return results.results("1.2.3", "2026-11-22T20:00:00Z", RELEASE, HERE, cases)


@pytest.fixture
def written(tmp_path):
    def write(name, **columns):
        folder = tmp_path / name
        folder.mkdir()
        results.write(folder, "results", document(**columns))
        return folder

    return write


def test_what_regressed_comes_first_with_both_sides_and_its_interval(written, capsys):
    before, now = written("a", calm={}, slow={}), written("b", calm={}, slow=SLOW, new={})

    assert main(["compare", str(before), str(now)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "1 regressed of 2 cases"
    assert said[4].split() == ["case", "verdict", "working", "n", "change"]
    assert [line.split()[:2] for line in said[5:7]] == [["slow", "regressed"], ["calm", "pass"]]
    moved = r"slow +working +500 ms +5\.00 s +\+900 % \[\+\d+, \+\d+\] +regressed"
    assert re.fullmatch(moved, said[9])
    assert said[-1] == "only B: new"


def test_json_has_both_sides_at_each_figure(written, capsys):
    main(["compare", str(written("a", slow={})), str(written("b", slow=SLOW)), "--json"])
    figures = json.loads(capsys.readouterr().out)["cases"]["flyte.benchmark.slow"]["figures"]

    working = figures["working"]
    assert (working["base"], working["head"]) == (500 * MS, 5000 * MS)
    assert working["difference"] == 4500 * MS
    assert working["ratio"] == pytest.approx(10)
    assert working["interval"][0] < 10 < working["interval"][1]
    assert working["verdict"] == "regressed"
    assert figures["events.node.count"]["difference"] == 0


def test_baselines_are_a_side_too(written, tmp_path, capsys):
    stored = accepted([{"pods": (0,)}], case="slow")
    stored = structs.replace(stored, sessions=(session("s0", repeats(**COLUMN)),))
    folder = tmp_path / "local"
    folder.mkdir()
    (folder / "slow.yaml").write_text(baselines.dumps({Size.DEFAULT: stored}))

    assert main(["compare", str(folder), str(written("b", slow=SLOW))]) == 1
    assert main(["compare", str(folder / "slow.yaml"), str(written("c", slow={}))]) == 0
    assert "regressed" in capsys.readouterr().out


def test_yaml_results_are_read_like_json(written):
    folder = written("a", slow={})

    assert sides.read(folder / "results.yaml").results == sides.read(folder).results


def test_an_undecided_case_fails_under_strict_alone(written, tmp_path):
    before = written("a", slow={})
    elsewhere = structs.replace(document(slow={}), environment=structs.replace(HERE, chart="2"))
    (tmp_path / "b.json").write_text(results.to_json(elsewhere))

    assert main(["compare", str(before), str(tmp_path / "b.json")]) == 0
    assert main(["compare", str(before), str(tmp_path / "b.json"), "--strict"]) == 3


def judged(verdict, *, gated=(), **columns):
    """A document whose run said this of its case."""
    metrics = tuple(
        MetricVerdict(metric=name, kind=Kind.RANGED, verdict=verdict, gated=True, reason="so")
        for name in gated
    )
    said = CaseVerdict(
        case="slow", size=Size.DEFAULT, verdict=verdict, reason="because", metrics=metrics
    )
    case = results.case(Size.DEFAULT, repeats(**{**COLUMN, **columns}), said)
    cases = {("slow", Size.DEFAULT): case}
    return results.results("1.2.3", "2026-11-22T20:00:00Z", RELEASE, HERE, cases)


def test_what_a_run_gated_is_gated_between_runs_too():
    handles = {"handles": [8, 8, 9, 8, 8, 9, 8, 8]}
    more = {"handles": [36, 36, 37, 36, 36, 36, 37, 36]}
    plain = differences.compare(
        sides._of_results(document(slow=handles)), sides._of_results(document(slow=more))
    )
    asked = differences.compare(
        sides._of_results(judged(Verdict.PASS, gated=["handles"], **handles)),
        sides._of_results(judged(Verdict.PASS, gated=["handles"], **more)),
    )

    assert [v.verdict for v in plain.verdicts] == [Verdict.PASS]
    assert [v.verdict for v in asked.verdicts] == [Verdict.REGRESSED]


@pytest.mark.parametrize(
    ("before", "now", "said", "code"),
    [
        (Verdict.PASS, Verdict.INVALID, "B: because", 5),
        (Verdict.INVALID, Verdict.PASS, "A: because", 5),
        (Verdict.PASS, Verdict.FAILED, "B: because", 1),
    ],
)
def test_a_case_that_broke_on_either_side_did_not_hold(tmp_path, before, now, said, code):
    for name, verdict in (("a.json", before), ("b.json", now)):
        (tmp_path / name).write_text(results.to_json(judged(verdict)))
    found = differences.compare(*(sides.read(tmp_path / name) for name in ("a.json", "b.json")))

    assert [v.reason for v in found.verdicts] == [said]
    assert main(["compare", str(tmp_path / "a.json"), str(tmp_path / "b.json")]) == code


def test_an_unchanged_run_is_quiet_and_fine(written, capsys):
    assert main(["compare", str(written("a", calm={})), str(written("b", calm={}))]) == 0
    assert capsys.readouterr().out.startswith("1 case, no regression\n")


def test_markdown_shows_hostile_names_as_they_are():
    name = "<b>|@all"
    side = sides._of_results(document(**{name: {}}))
    slow = sides._of_results(document(**{name: SLOW}))

    text = differences.markdown(differences.compare(side, slow))

    assert r"\<b\>\|&#64;all" in text
    assert "### flyteperf: 1 regressed of 1 case" in text


def test_runs_without_a_common_case_are_refused(written, capsys):
    assert main(["compare", str(written("a", one={})), str(written("b", two={}))]) == 2
    assert "no case in common" in capsys.readouterr().err


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[1, 2", b'{"schemaVersion": 99}', b'{"benchmarks": []}', b"[]", b"null"],
)
@pytest.mark.parametrize("name", ["results.json", "results.yaml"])
def test_a_damaged_foreign_or_newer_file_is_one_line(tmp_path, capsys, content, name):
    file = tmp_path / name
    file.write_bytes(content)

    assert main(["compare", str(file), str(file)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("flyteperf: ")
    assert len(said.splitlines()) == 1
    assert name in said


@given(st.binary(max_size=200))
def test_no_file_makes_a_traceback(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("any") / "results.yaml"
    file.write_bytes(content)

    with pytest.raises(FlyteperfError):
        sides.read(file)


def test_what_is_absent_is_said(tmp_path):
    with pytest.raises(UsageError, match=r"No such file.*give results\.json"):
        sides.read(tmp_path / "nothing")
    with pytest.raises(UsageError, match="holds neither"):
        sides.read(tmp_path)
