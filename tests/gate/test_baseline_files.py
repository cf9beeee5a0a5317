from __future__ import annotations

import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import structs

from pytest_flyteperf import gate
from pytest_flyteperf.errors import BaselineError
from pytest_flyteperf.gate import (
    Accepted,
    BaselineStore,
    Session,
    Tolerance,
    baseline,
    environment,
    store,
)
from pytest_flyteperf.gate.strict_yaml import StrictYamlError
from pytest_flyteperf.gate.strict_yaml import dumps as write_yaml
from pytest_flyteperf.gate.strict_yaml import loads as read_yaml
from pytest_flyteperf.model import AdminKind, Size
from tests.gate.gate_examples import HERE, MACHINE, MS, RELEASE, accepted, noisy, repeats

CHAIN = accepted(
    [{"pods": [5, 5, 5], "handle_ns": [500 * MS, 510 * MS, None]}],
    tolerances={"handle_ns": Tolerance(share=0.05, source="marker")},
)

TEXT = """\
schema: 2
case: chain
sizes:
  default:
    digest: d1
    recorded: '2026-11-20T08:00:00Z'
    tool: 0.1.0
    commit: 1a2b3c4d5e6f7a8b
    accepted:
      by: a reviewer
      reason: first recording
    subject:
      flyte: v1.16.8
      digest: 4f1d0a77c2b19e55
      config_digest: null
      config: null
    environment:
      cluster_kind: local
      admin_kind: stand-in
      distribution: kube-apiserver v1.34.1
      blob_store: versitygw v1.8.0
      database: stand-in
      chart: null
      machine:
        engine_digest: e1
        cpu_model: Xeon 8481C
        cpu_count: 2
        memory_class: 8GiB
        kernel: 6.1.0
      kubelet_slots: 8
      python: null
      flytekit: null
    tolerances:
      handle_ns:
        share: 0.05
        source: marker
    sessions:
    - id: s0
      samples:
        handle_ns: [500000000, 510000000, null]
        pods: [5, 5, 5]
"""


def test_a_file_reads_as_expected_and_reads_back_the_same():
    text = baseline.dumps({Size.DEFAULT: CHAIN})

    assert text == TEXT
    assert baseline.loads(text, "f") == {Size.DEFAULT: structs.replace(CHAIN, file="f")}


@given(
    st.dictionaries(
        st.sampled_from(["handle_ns", "pods", "crd_writes"]),
        st.lists(st.none() | st.integers(-(10**13), 10**13), min_size=3, max_size=3),
        min_size=1,
    ),
    st.text(max_size=60),
    st.text(max_size=60),
)
def test_any_baseline_reads_back_the_same(samples, reason, commit):
    before = accepted([samples, samples], accepted=Accepted(by="x", reason=reason), commit=commit)

    text = baseline.dumps({Size.SHORT: structs.replace(before, size=Size.SHORT)})

    read = baseline.loads(text, "f")[Size.SHORT]
    assert structs.replace(read, file=None, size=Size.DEFAULT) == before


@pytest.mark.parametrize(
    ("sentence", "old", "new", "message"),
    [
        (
            "a newer schema",
            "schema: 2",
            "schema: 4",
            "f: schema 4 is newer than 2, the latest known here; upgrade pytest-flyteperf",
        ),
        (
            "a schema that is no number",
            "schema: 2",
            "schema: true",
            "f: schema True is no version; restore the file, or record it anew",
        ),
        (
            "a repeated key",
            "    tool: 0.1.0\n",
            "    tool: 0.1.0\n    tool: 0.2.0\n",
            "f: line 8: key 'tool' stands twice; restore the file, or record it anew",
        ),
        (
            "an alias",
            "[5, 5, 5]",
            "*a",
            "f: line 41: aliases are not accepted; restore the file, or record it anew",
        ),
        (
            "an anchor",
            "[5, 5, 5]",
            "&a [5, 5, 5]",
            "f: line 41: anchors are not accepted; restore the file, or record it anew",
        ),
        (
            "a tag",
            "[5, 5, 5]",
            "!!python/object/apply:os.system [5, 5, 5]",
            "f: line 41: tags are not accepted; restore the file, or record it anew",
        ),
        (
            "a merge conflict",
            "    tool: 0.1.0\n",
            "<<<<<<< HEAD\n    tool: 0.1.0\n",
            "f: line 8: could not find expected ':'; restore the file, or record it anew",
        ),
        (
            "a word for a number",
            "[5, 5, 5]",
            "[5, five, 5]",
            (
                "f: sizes.default: Expected `int | null`, got `str` - at "
                "`$.sessions[0].samples[...][1]`; restore the file, or record it anew"
            ),
        ),
        (
            "a fraction for a count",
            "[5, 5, 5]",
            "[5, 5.5, 5]",
            (
                "f: sizes.default: Expected `int | null`, got `float` - at "
                "`$.sessions[0].samples[...][1]`; restore the file, or record it anew"
            ),
        ),
        (
            "columns of different length",
            "[5, 5, 5]",
            "[5, 5]",
            (
                "f: sizes.default: session s0: metrics have [2, 3] repeats - at `$.sessions[0]`; "
                "restore the file, or record it anew"
            ),
        ),
        (
            "a number as large as a file",
            "[5, 5, 5]",
            f"[5, {'9' * 5000}, 5]",
            "f: line 41: a number of 5000 digits; restore the file, or record it anew",
        ),
        (
            "an unknown field",
            "    tool: 0.1.0\n",
            "    tool: 0.1.0\n    tolerence: 3\n",
            (
                "f: sizes.default: Object contains unknown field `tolerence`; "
                "restore the file, or record it anew"
            ),
        ),
        (
            "an unknown size",
            "  default:",
            "  huge:",
            (
                "f: sizes.huge: Invalid enum value 'huge' - at `$.size`; "
                "restore the file, or record it anew"
            ),
        ),
        (
            "an unknown key at the top",
            "case: chain\n",
            "case: chain\nowner: me\n",
            "f: unknown key 'owner'; restore the file, or record it anew",
        ),
        (
            "no sizes",
            "sizes:\n",
            "sizes: {}\nrest:\n",
            "f: unknown key 'rest'; restore the file, or record it anew",
        ),
        (
            "a size that is no mapping",
            "  default:\n",
            "  full: 5\n  default:\n",
            "f: sizes.full is no mapping; record it anew",
        ),
        (
            "a missing field",
            "    tool: 0.1.0\n",
            "",
            (
                "f: sizes.default: Object missing required field `tool`; "
                "restore the file, or record it anew"
            ),
        ),
        (
            "two documents",
            "schema: 2",
            "--- {}\n---\nschema: 1",
            "f: more than one document; restore the file, or record it anew",
        ),
    ],
)
def test_a_damaged_file_is_refused_in_one_line(sentence, old, new, message):
    assert TEXT.count(old) == 1, sentence

    with pytest.raises(BaselineError) as refused:
        baseline.loads(TEXT.replace(old, new), "f")

    assert str(refused.value) == message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\x00",
        "[" * 100_000,
        "- " * 5_000 + "x",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]",
        "? [a]\n: b",
        "{",
        "\ud800",
        "%YAML 9.9\n--- a",
        "<<: {a: 1}\n<<: {b: 2}",
    ],
)
def test_hostile_yaml_is_refused(text):
    with pytest.raises(StrictYamlError):
        read_yaml(text)


def test_sizes_that_are_a_list_or_nothing_are_refused():
    for sizes in ("[]", "{}", "5", "[default]"):
        with pytest.raises(BaselineError) as refused:
            baseline.loads(f"schema: 1\ncase: chain\nsizes: {sizes}\n", "f")

        assert str(refused.value) == "f: no sizes; restore the file, or record it anew"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 25 + "x" + "]" * 25, "line 1: nested deeper than 24"),
        ("{a: " * 25 + "x" + "}" * 25, "line 1: nested deeper than 24"),
        ("&a b: 1", "line 1: tags and anchors are not accepted"),
        ("!!str b: 1", "line 1: tags and anchors are not accepted"),
        ("9" * 33, "line 1: a number of 33 digits"),
    ],
)
def test_what_yaml_allows_and_we_do_not_is_named(text, message):
    with pytest.raises(StrictYamlError) as refused:
        read_yaml(text)

    assert str(refused.value) == message


def test_depth_and_digits_up_to_the_limit_are_read():
    assert read_yaml("[" * 24 + "x" + "]" * 24)
    assert read_yaml("9" * 32) == int("9" * 32)
    assert read_yaml("1." + "5" * 30) == float("1." + "5" * 30)


def test_more_repeats_than_any_run_has_are_refused():
    with pytest.raises(ValueError, match="session s: more than 10000 repeats"):
        Session(id="s", samples={"pods": (1,) * 10_001})

    assert Session(id="s", samples={"pods": (1,) * 10_000}).repeats == 10_000


def test_a_case_with_a_baseline_of_its_own_is_not_taken_for_a_renamed_one(tmp_path):
    kept = BaselineStore(tmp_path)
    kept.put(CHAIN)
    kept.put(structs.replace(CHAIN, case="twin"))

    unused = kept.unused(HERE, {("twin", Size.DEFAULT): "d1", ("bare", Size.DEFAULT): None})

    assert [(u.case, u.renamed_to) for u in unused] == [("chain", None)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**18), 10**18) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(JSON | st.from_regex(r"[-+]?[0-9.eE_+-]{1,8}", fullmatch=True))
@example("12e34")
@example("0E0")
@example("08")
@example("1_000")
@example("2026-11-22")
def test_written_yaml_reads_back_the_same(value):
    assert read_yaml(write_yaml(value)) == value


def test_the_store_keeps_other_sizes_and_other_cases(tmp_path):
    kept = BaselineStore(tmp_path)
    short = structs.replace(CHAIN, size=Size.SHORT)
    kept.put(short)
    kept.put(structs.replace(CHAIN, case="wide"))

    path = kept.put(CHAIN)

    assert path == tmp_path / environment.key(HERE) / "chain.yaml"
    assert kept.find("chain", Size.SHORT, HERE).size is Size.SHORT
    assert kept.find("wide", Size.DEFAULT, HERE).case == "wide"
    assert kept.find("chain", Size.FULL, HERE) is None
    assert sorted(p.name for p in path.parent.iterdir()) == ["chain.yaml", "wide.yaml"]


def test_a_failing_write_leaves_the_old_file(tmp_path, monkeypatch):
    kept = BaselineStore(tmp_path)
    path = kept.put(CHAIN)

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BaselineError) as refused:
        kept.put(structs.replace(CHAIN, tool="9.9.9"))

    assert str(refused.value) == (
        f"{path}: No space left on device; free the disk or mend the folder's rights, "
        "and update again"
    )
    assert path.read_text(encoding="utf-8") == TEXT
    assert [p.name for p in path.parent.iterdir()] == ["chain.yaml"]


def machine(**changes):
    return structs.replace(HERE, machine=structs.replace(MACHINE, **changes))


def test_the_nearest_has_the_same_engine_then_as_many_cpus_then_is_newest(tmp_path):
    kept = BaselineStore(tmp_path)
    candidates = {
        "other admin": structs.replace(HERE, admin_kind=AdminKind.FLYTEADMIN),
        "newest": machine(engine_digest="e2", cpu_count=8, kernel="5"),
        "as many CPUs": machine(engine_digest="e2", kernel="5"),
        "same engine": machine(cpu_count=8),
    }
    dates = iter(["2026-11-20", "2026-11-19", "2026-11-18", "2026-11-17"])
    for name, where in candidates.items():
        date = f"{next(dates)}T00:00:00Z"
        kept.put(structs.replace(CHAIN, environment=where, recorded=date, commit=name))

    found = []
    for name in ("same engine", "as many CPUs", "newest"):
        found.append(kept.find("chain", Size.DEFAULT, HERE).commit)
        (tmp_path / environment.key(candidates[name]) / "chain.yaml").unlink()

    assert found == ["same engine", "as many CPUs", "newest"]
    assert kept.find("chain", Size.DEFAULT, HERE) is None


def test_unused_and_renamed_baselines_are_told(tmp_path):
    kept = BaselineStore(tmp_path)
    kept.put(CHAIN)
    kept.put(structs.replace(CHAIN, case="gone", digest="d9"))
    kept.put(structs.replace(CHAIN, case="used", digest="d3"))
    folder = tmp_path / environment.key(HERE)

    unused = kept.unused(HERE, {("used", Size.DEFAULT): "d3", ("long_chain", Size.DEFAULT): "d1"})

    assert [str(u) for u in unused] == [
        (
            f"{folder}/chain.yaml: chain (default) looks renamed to long_chain; "
            "rename the file and its case"
        ),
        f"{folder}/gone.yaml: no case gone (default) ran; delete it if it is gone",
    ]


def test_a_file_of_another_case_is_refused(tmp_path):
    kept = BaselineStore(tmp_path)
    path = kept.put(CHAIN)
    path.rename(path.with_name("wide.yaml"))

    with pytest.raises(BaselineError) as refused:
        kept.find("wide", Size.DEFAULT, HERE)

    assert str(refused.value) == (
        f"{path.with_name('wide.yaml')}: holds case 'chain' instead of 'wide'; "
        "rename the file to chain.yaml, or its case"
    )


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"a" * (baseline.MAX_BYTES + 1), "larger than 8 MiB, which no baseline is"),
        (b"\xff\xfe\x00", "no UTF-8"),
        (b"", "the file is empty"),
        (b"- 1", "no mapping"),
    ],
)
def test_a_file_that_is_no_baseline_is_refused(tmp_path, content, what):
    kept = BaselineStore(tmp_path)
    path = kept.path("chain", HERE)
    path.parent.mkdir()
    path.write_bytes(content)

    with pytest.raises(BaselineError) as refused:
        kept.find("chain", Size.DEFAULT, HERE)

    assert str(refused.value) == f"{path}: {what}; restore the file, or record it anew"


@given(st.text(min_size=1))
def test_a_file_name_stays_in_its_folder(case):
    name = store.file_name(case)

    assert name.endswith(".yaml")
    assert not set(name) & set("/\\\0\n :*?")
    assert not name.startswith(".")
    assert len(name.encode()) <= 100


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_cases_have_two_files(one, other):
    if one != other:
        assert store.file_name(one) != store.file_name(other)


def test_the_key_names_cluster_admin_and_cpus():
    assert environment.key(HERE).startswith("local-stand-in-2cpu-")
    assert environment.key(machine(kernel="6.2")) != environment.key(HERE)
    assert environment.key(structs.replace(HERE)) == environment.key(HERE)


def test_a_key_stays_what_it_is():
    """Another one would lose every baseline that is stored."""
    more = structs.replace(HERE, python="3.11", flytekit="1.16.26", chart="flyte-binary v1.16.8")

    assert environment.key(HERE) == "local-stand-in-2cpu-3c8d30"
    assert environment.key(more) == "local-stand-in-2cpu-06250a"


@pytest.mark.parametrize(
    ("cluster", "start"),
    [
        ("command:./my prog", "command_._my_prog-"),
        ("Kind", "Kind-"),
        ("", "_-"),
        ("k" * 40, "k" * 32 + "-"),
    ],
)
def test_a_key_is_a_folders_name(cluster, start):
    assert environment.key(structs.replace(HERE, cluster_kind=cluster)).startswith(start)


def test_differences_are_told_by_name_identity_first():
    now = structs.replace(
        HERE,
        cluster_kind="kind",
        admin_kind=AdminKind.FLYTEADMIN,
        distribution="kind v1.34.1",
        blob_store="minio",
        database="postgres",
        chart="flyte-binary",
        kubelet_slots=None,
        python="3.12",
        flytekit="1.17",
        machine=structs.replace(
            MACHINE, engine_digest="e2", cpu_model="M", cpu_count=8, memory_class="1GiB", kernel="7"
        ),
    )

    told = [str(difference) for difference in environment.differences(HERE, now)]

    assert told == [
        "cluster local -> kind",
        f"admin stand-in -> {AdminKind.FLYTEADMIN.value}",
        "distribution kube-apiserver v1.34.1 -> kind v1.34.1",
        "blob store versitygw v1.8.0 -> minio",
        "database stand-in -> postgres",
        "chart none -> flyte-binary",
        "engine e1 -> e2",
        "CPU Xeon 8481C -> M",
        "CPUs 2 -> 8",
        "memory 8GiB -> 1GiB",
        "kernel 6.1.0 -> 7",
        "kubelet slots 8 -> none",
        "Python none -> 3.12",
        "flytekit none -> 1.17",
    ]
    assert environment.differences(HERE, HERE) == ()


def test_the_subject_is_no_key(tmp_path):
    kept = BaselineStore(tmp_path)
    first = kept.put(CHAIN)
    subject = structs.replace(RELEASE, flyte="../flyte", digest="other")

    assert kept.put(structs.replace(CHAIN, subject=subject)) == first


def test_a_session_leaves_out_what_nothing_shows():
    measured = gate.session(
        "s", repeats(handle_ns=noisy(1, 3), pods=[5, None, 5], rounds=[None] * 3)
    )

    assert list(measured.samples) == ["handle_ns", "pods"]
    assert measured.samples["pods"] == (5, None, 5)
    assert measured.repeats == 3


def test_a_replaced_baseline_stays_as_the_anchor_of_all_that_follow(tmp_path):
    kept = BaselineStore(tmp_path)
    kept.put(CHAIN)
    for step in range(3):
        subject = structs.replace(RELEASE, digest=f"d{step}")
        kept.put(structs.replace(CHAIN, subject=subject, recorded=f"2026-11-2{step + 1}T00:00:00Z"))

    found = kept.find("chain", Size.DEFAULT, HERE)

    assert found.recorded == "2026-11-23T00:00:00Z"
    assert found.anchor.recorded == CHAIN.recorded
    assert found.anchor.commit == CHAIN.commit
    assert found.anchor.sessions == CHAIN.sessions


def test_an_anchor_keeps_what_tells_its_pace(tmp_path):
    kept = BaselineStore(tmp_path)
    kept.put(accepted([{"handle_ns": [500 * MS] * 3, "cpu_ns": [45 * MS] * 3}]))
    subject = structs.replace(RELEASE, digest="d2")
    kept.put(accepted([{"handle_ns": [600 * MS] * 3}], subject=subject))

    (session,) = kept.find("chain", Size.DEFAULT, HERE).anchor.sessions

    assert session.canaries == {"cpu_ns": (45 * MS,) * 3}


def test_another_form_of_the_case_begins_a_new_anchor(tmp_path):
    kept = BaselineStore(tmp_path)
    kept.put(CHAIN)
    kept.put(structs.replace(CHAIN, digest="d2", subject=structs.replace(RELEASE, digest="x")))

    assert kept.find("chain", Size.DEFAULT, HERE).anchor is None


def second(name, **given):
    session = structs.replace(CHAIN.sessions[0], id=name)
    return structs.replace(CHAIN, sessions=(session,), **given)


def test_sessions_of_one_subject_join_when_asked(tmp_path):
    kept = BaselineStore(tmp_path)
    kept.put(CHAIN)
    kept.put(second("s1"), join=True)

    found = kept.find("chain", Size.DEFAULT, HERE)

    assert [s.id for s in found.sessions] == ["s0", "s1"]
    assert found.anchor is None
    assert found.repeats == 6


def test_sessions_do_not_join_unasked_or_across_subjects(tmp_path):
    kept = BaselineStore(tmp_path)
    other = structs.replace(RELEASE, digest="other")
    kept.put(CHAIN)
    kept.put(second("s1"))
    alone = kept.find("chain", Size.DEFAULT, HERE)
    kept.put(second("s2", subject=other), join=True)
    across = kept.find("chain", Size.DEFAULT, HERE)

    assert [s.id for s in alone.sessions] == ["s1"]
    assert [s.id for s in across.sessions] == ["s2"]


def test_only_the_latest_sessions_are_kept(tmp_path):
    kept = BaselineStore(tmp_path)
    for number in range(baseline.MAX_SESSIONS + 3):
        kept.put(second(f"s{number}"), join=True)

    found = kept.find("chain", Size.DEFAULT, HERE)

    assert len(found.sessions) == baseline.MAX_SESSIONS
    assert found.sessions[-1].id == f"s{baseline.MAX_SESSIONS + 2}"


def test_a_baseline_of_the_first_schema_is_read_without_the_canaries_it_had():
    older = TEXT.replace("schema: 2", "schema: 1").replace(
        "    tolerances:", "    canaries:\n      cpu_ns: 45000000\n    tolerances:"
    )

    assert baseline.loads(older, "f") == baseline.loads(TEXT, "f")
    with pytest.raises(BaselineError, match="canaries"):
        baseline.loads(older.replace("schema: 1", "schema: 2"), "f")


@pytest.mark.parametrize(
    ("case", "start"),
    [("Chain of 15", "Chain_of_15-"), ("..hidden", "hidden-"), ("...", "case-"), ("a/b", "a_b-")],
)
def test_a_file_is_named_after_its_case(case, start):
    assert store.file_name(case).startswith(start)
    assert len(store.file_name("x" * 200)) == 80 + len("-123456.yaml")


def test_a_case_keeps_its_own_baseline_though_another_environments_is_newer(tmp_path):
    kept = BaselineStore(tmp_path)
    elsewhere = structs.replace(HERE, machine=structs.replace(MACHINE, cpu_count=8))
    kept.put(CHAIN)
    kept.put(
        structs.replace(CHAIN, environment=elsewhere, recorded="2026-11-25T08:00:00Z", digest="d9")
    )

    assert kept.find("chain", Size.DEFAULT, HERE).digest == "d1"
    assert kept.find("chain", Size.DEFAULT, elsewhere).digest == "d9"
    assert kept.find("chain", Size.SHORT, HERE) is None
