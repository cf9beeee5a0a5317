"""What servers counted, as the engine's API server, stand-in and S3 gateway write it."""

from pytest_flyteperf.analyze.served import ADMIN, API_SERVER, gateway, timed

POD = 'component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource='
FLYTE = (
    "owner my-s3-bucket [22/November/2026:22:04:32 +0000] 127.0.0.1 key ID s3_HeadObject k /b/k "
    "200 - 0 0 0 0 - aws-sdk-go/1.55.5 (go1.26.8; linux; amd64) - h SigV4\n"
)
TASK = FLYTE.replace("aws-sdk-go/1.55.5", "aiobotocore/3.10.0 md/Botocore#1.43.117")


def pages(*lines):
    """Two looks: the first has half of the second's counts."""
    after = [line.encode() + b"\n" for line in lines]
    split = [line.rpartition(" ") for line in lines]
    before = [f"{name} {float(value) / 2}\n".encode() for name, _, value in split]
    return before, after


def test_requests_are_told_by_verb_resource_and_part():
    found = timed(
        API_SERVER,
        *pages(
            f'apiserver_request_duration_seconds_count{{{POD}"",verb="POST",version="v1"}} 6',
            f'apiserver_request_duration_seconds_sum{{{POD}"",verb="POST",version="v1"}} 0.04',
            f'apiserver_request_duration_seconds_count{{{POD}"status",verb="PATCH"}} 12',
            f'apiserver_request_duration_seconds_sum{{{POD}"status",verb="PATCH"}} 0.1',
            f'apiserver_request_duration_seconds_count{{{POD}"",verb="WATCH"}} 4',
            'etcd_request_duration_seconds_count{group="",operation="create",resource="pods"} 6',
            'etcd_request_duration_seconds_sum{group="",operation="create",resource="pods"} 0.02',
            'apiserver_request_duration_seconds_bucket{le="1"} 6',
        ),
    )

    assert [(one.name, one.count, one.sum_ns) for one in found] == [
        ("API server: PATCH pods/status", 6, 50_000_000),
        ("API server: POST pods", 3, 20_000_000),
        ("etcd: create pods", 3, 10_000_000),
    ]


def test_requests_to_the_same_end_are_added_up_over_other_labels():
    lines = [
        f'grpc_server_handling_seconds_count{{grpc_method="CreateNodeEvent",x="{x}"}} 2'
        for x in ("a", "b")
    ]

    (found,) = timed(ADMIN, *pages(*lines))
    assert (found.name, found.count) == ("admin: CreateNodeEvent", 2)


def test_flyteadmins_own_stopwatches_are_milliseconds():
    (found,) = timed(
        ADMIN,
        *pages(
            "flyte:admin:admin:create_node_execution_event:duration_ms_count 8",
            "flyte:admin:admin:create_node_execution_event:duration_ms_sum 20",
            "flyte:admin:admin:database:executions:get_ms_count 8",
        ),
    )

    assert (found.name, found.count, found.sum_ns) == (
        "admin: create_node_execution_event",
        4,
        10_000_000,
    )


def test_a_server_that_was_replaced_counted_nothing():
    before, after = pages('grpc_server_handling_seconds_count{grpc_method="A"} 2')

    assert timed(ADMIN, after, before) == ()


def test_lines_that_are_none_are_skipped():
    lines = [b"etcd_request_duration_seconds_count{operation=\xff\n", b"grpc_server_handling_\n"]

    assert timed((*API_SERVER, *ADMIN), [], lines) == ()


def test_the_gateway_tells_flyte_and_tasks_apart():
    lines = [line.encode() for line in (FLYTE, TASK, FLYTE, "log starts 2026\n")]

    assert [(one.name, one.count) for one in gateway(lines)] == [
        ("S3 gateway: HeadObject by Flyte", 2),
        ("S3 gateway: HeadObject by tasks", 1),
    ]
