"""Values of the chart flyte-core: Flyte as a pod for each of its parts, as many platforms run it.

Its own timings stand, which are not Flyte's defaults: the two charts are different regimes. Its
configuration lies in a configmap for each part; `--flyteperf-config` is spread over them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_flyteperf.deploy import manifests
from pytest_flyteperf.deploy.values import flyte_variables, store_variables, tracing
from pytest_flyteperf.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_flyteperf.deploy.config import Config
    from pytest_flyteperf.deploy.yamlfile import Document, Value
    from pytest_flyteperf.model import Cluster

NAME = "flyte-core"
COMPONENTS = ("flyteadmin", "flytepropeller", "datacatalog")
"""Those with an image of Flyte's own; webhook and scheduler take Propeller's and FlyteAdmin's."""
IMAGES = "cr.flyte.org/flyteorg/{component}"
MAPS = {
    "propeller": "core",
    "webhook": "core",
    "manager": "core",
    "admin": "admin",
    "event": "admin",
    "catalog-cache": "catalog",
    "plugins": "k8s",
    "tasks": "enabled_plugins",
    "otel": "otel",
    "logger": "logger",
    "task_resources": "task_resource_defaults",
    "flyteadmin": "adminServer",
    "server": "adminServer",
    "auth": "adminServer",
    "remotedata": "remoteData",
    "datacatalog": "datacatalogServer",
    "domains": "domain",
}
"""Section of Flyte's configuration, lower case, to the chart's `configmap` that holds it."""
_SPELT = {"remotedata": "remoteData"}
_PASSWORD = "flyteperf-database-password"  # noqa: S105 # a secret's name
_PASSWORD_FILE = "pass.txt"  # noqa: S105 # likewise


def images_of(flyte: str) -> dict[str, tuple[str, str]]:
    """Repository and tag of each component's image of a release.

    >>> images_of("v1.16.8")["datacatalog"]
    ('cr.flyte.org/flyteorg/datacatalog', 'v1.16.8')

    Raises:
        UsageError: the reference is no release.
    """
    if not flyte.startswith("v") or "/" in flyte:
        raise UsageError(
            f"--flyteperf-flyte {flyte}: {NAME} runs several images; give a release (v1.16.8), and "
            f"--flyteperf-images {COMPONENTS[1]}=REPOSITORY:TAG"
        )
    release = flyte
    return {name: (IMAGES.format(component=name), release) for name in COMPONENTS}


def core_values(  # noqa: PLR0913 # each says where one thing is
    cluster: Cluster,
    *,
    images: Mapping[str, tuple[str, str]],
    start: str,
    database_password: str,
    traces_token: str | None,
    ports: tuple[int, int] | None,
) -> Config:
    """Our values; `ports` are the node ports of FlyteAdmin's gRPC and HTTP, if it has any."""
    variables = flyte_variables(start, traces_token)
    image: dict[str, Value] = {
        name: {"repository": repository, "tag": tag, "pullPolicy": "IfNotPresent"}
        for name, (repository, tag) in images.items()
    }
    return {
        "flyteadmin": {
            "image": image["flyteadmin"],
            "env": variables,
            "initialProjects": ["flytesnacks"],
            "service": _service(ports),
        },
        "flytepropeller": {"image": image["flytepropeller"], "podEnv": variables},
        "datacatalog": {"image": image["datacatalog"], "podEnv": variables},
        "flyteconsole": {"enabled": False},
        "common": {"ingress": {"enabled": False}, "databaseSecret": _secret(database_password)},
        "db": {
            name: {
                "database": {
                    "host": f"{manifests.DATABASE}.{manifests.NAMESPACE}",
                    "port": manifests.POSTGRES_PORT,
                    "username": manifests.DATABASE_USER,
                    "dbname": database,
                    "passwordPath": f"/etc/db/{_PASSWORD_FILE}",
                }
            }
            for name, database in (("admin", "flyteadmin"), ("datacatalog", "datacatalog"))
        },
        "storage": {
            "type": "custom",
            "bucketName": cluster.store.bucket,
            "custom": _storage(cluster),
        },
        "configmap": {
            "otel": tracing(cluster),
            "k8s": {"plugins": {"k8s": {"default-env-vars": store_variables(cluster)}}},
            "logger": {"logger": {"level": 4, "show-source": True}},
            "task_resource_defaults": {
                "task_resources": {
                    "defaults": {"cpu": "500m", "memory": "500Mi"},
                    "limits": {"cpu": "4", "memory": "4Gi", "gpu": "1"},
                }
            },
        },
    }


def check_sections(overrides: Document) -> None:
    """Refuse what the chart has no place for.

    Raises:
        UsageError: it has no configmap for a section.
    """
    for section in overrides.content:
        if section.lower() not in MAPS:
            raise UsageError(
                f"{overrides.where(section)}: {NAME} has no configmap for {section}; "
                "give it in --flyteperf-values"
            )


def core_config(cluster: Cluster, overrides: Document) -> Config:
    """The user's Flyte configuration as values: each section in its configmap.

    Helm replaces lists, so the variables by which tasks find the store are added to the user's.
    """
    maps: dict[str, dict[str, Value]] = {}
    for section, content in overrides.content.items():
        key = _SPELT.get(section.lower(), section.lower())
        maps.setdefault(MAPS[section.lower()], {})[key] = content
    plugins = maps.get("k8s", {}).get("plugins")
    k8s = plugins.get("k8s") if isinstance(plugins, dict) else None
    theirs = k8s.get("default-env-vars") if isinstance(k8s, dict) else None
    if isinstance(plugins, dict) and isinstance(k8s, dict) and isinstance(theirs, list):
        both: list[Value] = [*store_variables(cluster), *theirs]
        maps["k8s"]["plugins"] = plugins | {"k8s": k8s | {"default-env-vars": both}}
    configmap: dict[str, Value] = dict(maps)
    return {"configmap": configmap}


def _service(ports: tuple[int, int] | None) -> Value:
    if ports is None:
        return {"type": "ClusterIP"}
    return {
        "type": "NodePort",
        # The chart's own ports take no number: these lead to the same.
        "additionalPorts": [
            _port("flyteperf-grpc", 8189, 8089, ports[0]),
            _port("flyteperf-http", 8188, 8088, ports[1]),
        ],
    }


def _port(name: str, port: int, target: int, node_port: int) -> Value:
    return {
        "name": name,
        "port": port,
        "targetPort": target,
        "nodePort": node_port,
        "protocol": "TCP",
    }


def _secret(password: str) -> Value:
    return {
        "name": _PASSWORD,
        "secretManifest": {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": _PASSWORD, "namespace": manifests.NAMESPACE},
            "stringData": {_PASSWORD_FILE: password},
        },
    }


def _storage(cluster: Cluster) -> Value:
    store = cluster.store
    return {
        "type": "stow",
        "container": store.bucket,
        "stow": {
            "kind": "s3",
            "config": {
                "auth_type": "accesskey",
                "access_key_id": store.access_key,
                "secret_key": store.secret_key,
                "region": store.region,
                "endpoint": store.inside or store.endpoint,
                "disable_ssl": True,
                "v2_signing": False,
            },
        },
        # Signed addresses are for this machine.
        "signedURL": {"stowConfigOverride": {"endpoint": store.endpoint}},
    }
