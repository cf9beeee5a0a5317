"""Values of the chart flyte-binary: where things are in the cluster, and what the user asked for.

Timings are left to Flyte's own defaults. Precedence: ours, then the user's values file, then
`--flyteperf-config` as `configuration.inline`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from pytest_flyteperf.deploy import manifests
from pytest_flyteperf.deploy.config import TRACE_DELAY_MS, TRACE_QUEUE
from pytest_flyteperf.errors import UsageError

if TYPE_CHECKING:
    from pytest_flyteperf.deploy.config import Config
    from pytest_flyteperf.deploy.yamlfile import Document, Value
    from pytest_flyteperf.model import Cluster

IMAGE = "image:"
"""How an image is named to `--flyteperf-flyte`."""
BINARY = "flyte"
"""The only component of flyte-binary."""
RELEASES = "cr.flyte.org/flyteorg/flyte-binary-release"
"""Where Flyte's releases are published; the tag is the release."""


def image_of(flyte: str) -> tuple[str, str]:
    """Repository and tag of the image that a reference to Flyte stands for.

    >>> image_of("v1.16.8"), image_of("image:registry:5000/flyte:mine")
    (('cr.flyte.org/flyteorg/flyte-binary-release', 'v1.16.8'), ('registry:5000/flyte', 'mine'))

    Raises:
        UsageError: it stands for none.
    """
    if flyte.startswith(IMAGE):
        repository, colon, tag = flyte.removeprefix(IMAGE).rpartition(":")
        if not colon or "/" in tag or not repository:
            raise UsageError(f"--flyteperf-flyte {flyte}: give the image with its tag")
        return repository, tag
    if flyte.startswith("v") and "/" not in flyte:
        return RELEASES, flyte
    raise UsageError(
        f"--flyteperf-flyte {flyte}: a cluster runs images; give a release (v1.16.8), "
        "image:REPOSITORY:TAG or a checkout's folder"
    )


def images_given(text: str | None) -> dict[str, tuple[str, str]]:
    """Images by component, as the user names them.

    >>> images_given("flytepropeller=registry:5000/propeller:mine")
    {'flytepropeller': ('registry:5000/propeller', 'mine')}

    Raises:
        UsageError: it is no such list.
    """
    found = {}
    for part in (text or "").split(",") if text else ():
        component, equals, image = part.strip().partition("=")
        repository, colon, tag = image.rpartition(":")
        if not (equals and component and colon and repository) or "/" in tag:
            raise UsageError(
                f"--flyteperf-images {part}: give COMPONENT=REPOSITORY:TAG, with commas between"
            )
        found[component] = (repository, tag)
    return found


def values(  # noqa: PLR0913 # each says where one thing is
    cluster: Cluster,
    *,
    image: tuple[str, str],
    start: str,
    database_image: str,
    database_password: str,
    traces_token: str | None,
    ports: tuple[int, int] | None,
) -> Config:
    """Our values; `ports` are the node ports of FlyteAdmin's gRPC and HTTP, if it has any.

    `start` stands among Flyte's variables: where it is another, Flyte's pods start anew.
    """
    store = cluster.store
    inside = store.inside or store.endpoint
    postgres, _, postgres_tag = database_image.rpartition(":")
    inline: Config = {
        **tracing(cluster),
        "plugins": {"k8s": {"default-env-vars": store_variables(cluster)}},
        # Signed addresses are for this machine.
        "storage": {"signedURL": {"stowConfigOverride": {"endpoint": store.endpoint}}},
        "task_resources": {
            # A container's limits are its requests where a task names neither.
            "defaults": {"cpu": "500m", "memory": "500Mi"},
            "limits": {"cpu": "4", "memory": "4Gi", "gpu": "1"},
        },
    }
    return {
        "configuration": {
            "database": {
                "username": manifests.DATABASE_USER,
                "password": database_password,
                "host": f"{manifests.DATABASE}.{manifests.NAMESPACE}",
                "port": manifests.POSTGRES_PORT,
                "dbname": manifests.DATABASE_NAME,
            },
            "storage": {
                "metadataContainer": store.bucket,
                "userDataContainer": store.bucket,
                "provider": "s3",
                "providerConfig": {
                    "s3": {
                        "region": store.region,
                        "disableSSL": True,
                        "v2Signing": False,
                        "endpoint": inside,
                        "authType": "accesskey",
                        "accessKey": store.access_key,
                        "secretKey": store.secret_key,
                    },
                },
            },
            "logging": {"level": 4},
            "inline": inline,
        },
        "deployment": {
            "image": {"repository": image[0], "tag": image[1], "pullPolicy": "IfNotPresent"},
            "extraEnvVars": flyte_variables(start, traces_token),
            "waitForDB": {"image": {"repository": postgres, "tag": postgres_tag}},
        },
        "service": {
            "type": "NodePort",
            "nodePorts": {"grpc": str(ports[0]), "http": str(ports[1])},
        }
        if ports
        else {"type": "ClusterIP"},
    }


def tracing(cluster: Cluster) -> Config:
    """Flyte's section `otel`; none where nobody takes its traces."""
    if cluster.otlp_endpoint is None:
        return {}
    return {
        "otel": {
            "type": "otlpgrpc",
            "otlpgrpc": {"endpoint": cluster.otlp_endpoint},
            "sampler": {"parentSampler": "always"},
        }
    }


def flyte_variables(start: str, traces_token: str | None) -> list[Value]:
    """Environment variables of Flyte's own pods."""
    variables = {
        "FLYTEPERF_START": start,
        "OTEL_BSP_MAX_QUEUE_SIZE": str(TRACE_QUEUE),
        "OTEL_BSP_SCHEDULE_DELAY": str(TRACE_DELAY_MS),
    }
    if traces_token is not None:
        bearer = quote(traces_token, safe="")
        variables["OTEL_EXPORTER_OTLP_HEADERS"] = f"authorization=Bearer%20{bearer}"
    return [{"name": name, "value": value} for name, value in variables.items()]


def inline_values(cluster: Cluster, overrides: Document) -> Config:
    """The user's Flyte configuration as values: `configuration.inline`.

    Helm replaces lists, so the variables by which tasks find the store are added to the user's.
    """
    content = dict(overrides.content)
    plugins = content.get("plugins")
    k8s = plugins.get("k8s") if isinstance(plugins, dict) else None
    theirs = k8s.get("default-env-vars") if isinstance(k8s, dict) else None
    if isinstance(plugins, dict) and isinstance(k8s, dict) and isinstance(theirs, list):
        both: list[Value] = [*store_variables(cluster), *theirs]
        content["plugins"] = plugins | {"k8s": k8s | {"default-env-vars": both}}
    return {"configuration": {"inline": content}}


def store_variables(cluster: Cluster) -> list[Value]:
    """Environment variables by which tasks find the object store."""
    store = cluster.store
    return [
        {"FLYTE_AWS_ENDPOINT": store.inside or store.endpoint},
        {"FLYTE_AWS_ACCESS_KEY_ID": store.access_key},
        {"FLYTE_AWS_SECRET_ACCESS_KEY": store.secret_key},
    ]
