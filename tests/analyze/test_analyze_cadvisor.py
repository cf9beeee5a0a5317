"""Use of containers from cAdvisor's pages, as kubelets with containerd write them."""

from pytest_flyteperf.analyze import analyze_recording
from pytest_flyteperf.analyze.cadvisor import container_uses

PAGE = """\
container_cpu_usage_seconds_total{container="flyte",cpu="total",POD} CPU STAMP
container_cpu_usage_seconds_total{container="",cpu="total",POD} 99 STAMP
container_memory_working_set_bytes{container="flyte",POD} 3e+07 STAMP
container_fs_writes_bytes_total{container="flyte",device="/dev/sda",POD} 5 STAMP
container_fs_writes_bytes_total{container="flyte",device="/dev/sdb",POD} STAMP STAMP
container_network_receive_bytes_total{container="",interface="eth0",POD} RECEIVED STAMP
container_network_receive_bytes_total{container="",interface="lo",POD} STAMP STAMP
container_network_receive_bytes_total{container="",id="/",namespace="",pod=""} 7 1
container_file_descriptors{container="flyte",POD} 12 STAMP
"""


def page(stamp, *, cpu, received):
    text = PAGE.replace("POD", 'namespace="flyte",pod="flyte-binary-0"')
    for name, value in (("STAMP", stamp), ("CPU", cpu), ("RECEIVED", received)):
        text = text.replace(name, str(value))
    return text.encode().splitlines(keepends=True)


def test_containers_have_differences_and_their_pods_network():
    before, after = page(1000, cpu=1.5, received=100), page(2000, cpu=2.0, received=140)

    (use,) = container_uses(before, after)
    assert use.component == "flyte/flyte-binary-0/flyte"
    assert (use.cpu_ns, use.resident_bytes, use.descriptors) == (500_000_000, 30_000_000, 12)
    assert (use.received_bytes, use.sent_bytes) == (40, None)
    assert (use.written_bytes, use.read_bytes) == (1000, None)
    assert (use.mean_bytes, use.peak_bytes) == (None, None)


def test_the_same_sample_twice_says_nothing():
    look = page(1000, cpu=1.5, received=100)

    assert container_uses(look, look) == ()


def test_a_container_that_began_anew_says_nothing():
    before, after = page(1000, cpu=9.0, received=100), page(2000, cpu=0.1, received=100)

    assert container_uses(before, after) == ()


def test_what_only_one_look_shows_is_left_out():
    assert container_uses([], page(1000, cpu=1.0, received=1)) == ()


def test_nonsense_is_skipped():
    assert container_uses([b"\xff{ 1\n"], [b"container_cpu_usage_seconds_total{} NaN\n"]) == ()


def test_a_recording_has_the_containers_of_all_nodes(copied):
    folder = copied("echo_wide/1")
    for node in ("ip-10-0-0-1.ec2.internal", "b"):
        for when, lines in (
            ("before", page(1000, cpu=1.5, received=1)),
            ("after", page(2000, cpu=2.0, received=2)),
        ):
            (folder / f"metrics.cadvisor-{node}.{when}.prom").write_bytes(b"".join(lines))

    assert len(analyze_recording(folder).components) == 2
