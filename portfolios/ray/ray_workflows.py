"""A Ray job: KubeRay brings a cluster up for it, runs it there and takes the cluster down."""

import ray
from flytekit import Resources, task, workflow
from flytekitplugins.ray import HeadNodeConfig, RayJobConfig, WorkerNodeConfig

CLUSTER = RayJobConfig(
    head_node_config=HeadNodeConfig(ray_start_params={"num-cpus": "0"}),
    worker_node_config=[WorkerNodeConfig(group_name="workers", replicas=1)],
)


@ray.remote
def square(number: int) -> int:
    return number * number


@task(task_config=CLUSTER, requests=Resources(cpu="500m", mem="1Gi"))
def squares(count: int) -> list[int]:
    return ray.get([square.remote(number) for number in range(count)])


@workflow
def ray_job(count: int) -> list[int]:
    return squares(count=count)
