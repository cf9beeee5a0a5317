"""PostgreSQL and an S3 store beside Flyte, for a cluster that brings neither.

Small manifests of our own, one pod each, with storage that ends with the pod: what a run leaves in
them is worth nothing to the next. Applied server-side, so that doing it again changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_flyteperf.kubeapi import KubeApi
    from pytest_flyteperf.model import ObjectStore

NAMESPACE = "flyte"
"""Of Flyte, database and store."""
STORE = "flyteperf-store"
DATABASE = "flyteperf-postgres"
DATABASE_NAME = "flyte"
DATABASE_USER = "flyte"
STORE_PORT = 9000
POSTGRES_PORT = 5432
JAEGER = "flyteperf-jaeger"
JAEGER_OTLP = 4317
JAEGER_QUERY = 16686
LABEL = "app.kubernetes.io/managed-by"
INSTANCE = "app.kubernetes.io/instance"
MANAGER = "pytest-flyteperf"
_APPLY = "application/apply-patch+yaml"
_PATHS = {
    "Namespace": "/api/v1/namespaces/{name}",
    "Secret": "/api/v1/namespaces/{namespace}/secrets/{name}",
    "Service": "/api/v1/namespaces/{namespace}/services/{name}",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
}

Manifest = dict[str, Any]


def namespace(name: str, owner: str | None = None) -> Manifest:
    """A namespace, with who made it as its instance."""
    labels = {LABEL: MANAGER, INSTANCE: owner} if owner else {}
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": labels},
    }


def store(image: str, s3: ObjectStore, node_port: int | None) -> tuple[Manifest, ...]:
    """The S3 store (versitygw) and its service, also on a port of the node where one is given."""
    environment = {"ROOT_ACCESS_KEY": s3.access_key, "ROOT_SECRET_KEY": s3.secret_key}
    container = {
        "image": image,
        "args": ["--port", f":{STORE_PORT}", "--health", "/health", "--quiet", "posix", "/blobs"],
        "readinessProbe": {
            "httpGet": {"path": "/health", "port": STORE_PORT},
            "periodSeconds": 1,
        },
        # A folder of its root is a bucket: the volume's mount makes it.
        "volumeMounts": [
            {"name": "root", "mountPath": "/blobs"},
            {"name": "data", "mountPath": f"/blobs/{s3.bucket}"},
        ],
    }
    volumes = [{"name": "root", "emptyDir": {}}, {"name": "data", "emptyDir": {}}]
    return (
        _secret(STORE, environment),
        _deployment(STORE, container, volumes),
        _service(STORE, {"s3": STORE_PORT}, node_port),
    )


def database(image: str, password: str) -> tuple[Manifest, ...]:
    """PostgreSQL and its service."""
    environment = {
        "POSTGRES_USER": DATABASE_USER,
        "POSTGRES_PASSWORD": password,
        "POSTGRES_DB": DATABASE_NAME,
        "PGDATA": "/var/lib/postgresql/data/pg",
    }
    container = {
        "image": image,
        "readinessProbe": {
            "exec": {"command": ["pg_isready", "-h", "127.0.0.1", "-U", DATABASE_USER]},
            "periodSeconds": 1,
        },
        "volumeMounts": [{"name": "data", "mountPath": "/var/lib/postgresql/data"}],
    }
    return (
        _secret(DATABASE, environment),
        _deployment(DATABASE, container, [{"name": "data", "emptyDir": {}}]),
        _service(DATABASE, {"postgres": POSTGRES_PORT}),
    )


def jaeger(image: str) -> tuple[Manifest, ...]:
    """A Jaeger that keeps Flyte's traces in memory, and its service."""
    environment = {"COLLECTOR_OTLP_ENABLED": "true", "MEMORY_MAX_TRACES": "200000"}
    container = {
        "image": image,
        "readinessProbe": {"httpGet": {"path": "/", "port": 14269}, "periodSeconds": 1},
    }
    return (
        _secret(JAEGER, environment),
        _deployment(JAEGER, container, []),
        _service(JAEGER, {"otlp": JAEGER_OTLP, "query": JAEGER_QUERY}),
    )


def apply(api: KubeApi, manifests: tuple[Manifest, ...], *, dry_run: bool = False) -> None:
    """Create or update objects, as their only manager.

    Raises:
        KubeError: the API server refused one.
    """
    query = {"fieldManager": MANAGER, "force": "true"} | ({"dryRun": "All"} if dry_run else {})
    for each in manifests:
        path = _PATHS[each["kind"]].format(**each["metadata"])
        api.request("PATCH", path, query=query, body=each, content_type=_APPLY)


def _secret(name: str, content: dict[str, str]) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(name),
        "stringData": content,
    }


def _deployment(name: str, container: Manifest, volumes: list[Manifest]) -> Manifest:
    labels = {"app": name}
    full = {
        "name": "main",
        "imagePullPolicy": "IfNotPresent",
        "envFrom": [{"secretRef": {"name": name}}],
        **container,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(name),
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [full], "volumes": volumes, "enableServiceLinks": False},
            },
        },
    }


def _service(name: str, ports: dict[str, int], node_port: int | None = None) -> Manifest:
    exposed: list[Manifest] = [
        {"name": called, "port": port, "targetPort": port, "protocol": "TCP"}
        for called, port in ports.items()
    ]
    if node_port is not None:
        exposed[0]["nodePort"] = node_port
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(name),
        "spec": {
            "type": "ClusterIP" if node_port is None else "NodePort",
            "selector": {"app": name},
            "ports": exposed,
        },
    }


def _metadata(name: str) -> Manifest:
    return {"name": name, "namespace": NAMESPACE, "labels": {LABEL: MANAGER}}
