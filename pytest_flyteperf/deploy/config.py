"""Flyte's configuration on a local cluster: ours, and the user's `--flyteperf-config` over it.

Ours says where things are and leaves every timing to Flyte's own defaults, those of the
flyte-binary chart. Of the user's file, what nothing would obey is refused by name: to measure it
would be worth nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from pytest_flyteperf.errors import UsageError
from pytest_flyteperf.model import Frozen, ObjectStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_flyteperf.deploy.yamlfile import Document, Value

    Config = dict[str, Value]

LOOPBACK = "127.0.0.1"
EVENT_DELAY = "2ms"
"""What the stand-in waits in each event call, so that one takes the 2.7 to 3.7 ms that FlyteAdmin
takes. An admin that answers at once makes Propeller see more pods pending: two rounds more in five
tasks one after another (48 against 46 in the median of ten; 42 recorded)."""
TRACE_DELAY_MS = 200
"""How long a finished span waits for its batch."""
TRACE_QUEUE = 262_144
"""Spans; the exporter drops silently what does not fit (the SDK's default is 2,048)."""

_PROPELLER_SECTIONS = (
    *("admin", "catalog-cache", "event", "logger", "plugins", "propeller"),
    *("secrets", "storage", "tasks"),
)
_STANDIN_SECTIONS = ("flyteadmin", "logger", "standin", "storage", "task_resources")
_STANDIN_KEYS = {
    "flyteadmin": ("maxParallelism", "useOffloadedInputs", "useOffloadedWorkflowClosure"),
    "standin": ("eventDelay",),
}
_OURS = (
    ("admin", "endpoint"),
    ("application",),
    ("catalog-cache", "endpoint"),
    ("database",),
    ("event", "type"),
    ("flyte",),
    ("namespace_mapping",),
    ("otel",),
    ("propeller", "kube-config"),
    ("propeller", "master"),
    ("propeller", "metrics-prefix"),
    ("propeller", "prof-port"),
    ("server", "grpc"),
    ("server", "httpPort"),
    ("server", "kube-config"),
    ("server", "security"),
)
"""Keys that say where things are: a deployment's own."""
_ADDED = ("plugins", "k8s", "default-env-vars")
"""A list that the user's is added to: tasks find the object store by ours."""


class Wiring(Frozen, frozen=True):
    """Where things are, for one deployment."""

    kubeconfig: str
    store: ObjectStore
    otlp_endpoint: str
    directory: str
    """Of this deployment: databases lie here."""
    admin_port: int
    metrics_port: int
    """Of Propeller, or of a full Flyte."""
    extra_port: int
    """The stand-in's metrics, or a full Flyte's HTTP."""
    catalog_ports: tuple[int, int] = (0, 0)
    """gRPC and HTTP of a full Flyte's DataCatalog."""


def propeller_config(wiring: Wiring, overrides: Document | None) -> Config:
    """Configuration of flyteperf-propeller."""
    config = _shared(wiring) | _propeller(wiring, catalog_port=wiring.admin_port)
    if overrides is None:
        return config
    return merge(config, _pick(overrides, _PROPELLER_SECTIONS))


def standin_config(wiring: Wiring, overrides: Document | None) -> Config:
    """Configuration of flyteperf-admin."""
    config: Config = _shared(wiring) | {
        "task_resources": _task_resources(),
        "standin": {
            "listen": f"{LOOPBACK}:{wiring.admin_port}",
            "metricsListen": f"{LOOPBACK}:{wiring.extra_port}",
            "database": f"{wiring.directory}/standin.db",
            "kubeconfig": wiring.kubeconfig,
            "eventDelay": EVENT_DELAY,
        },
    }
    if overrides is None:
        return config
    return merge(config, _pick(overrides, _STANDIN_SECTIONS))


def full_config(wiring: Wiring, database: str, overrides: Document | None) -> Config:
    """Configuration of a `flyte` program: FlyteAdmin, DataCatalog and FlytePropeller in one."""
    catalog_port, catalog_http = wiring.catalog_ports
    config: Config = _shared(wiring) | _propeller(wiring, catalog_port=catalog_port)
    config |= {
        "flyte": {
            # The cluster has its namespace, and no webhook could be called from it.
            "admin": {"disableClusterResourceManager": True},
            "propeller": {"disableWebhook": True},
        },
        "server": {
            "httpPort": wiring.extra_port,
            "grpc": {"port": wiring.admin_port},
            "kube-config": wiring.kubeconfig,
            "security": {"useAuth": False},
        },
        "application": {
            "grpcPort": catalog_port,
            "grpcServerReflection": True,
            "httpPort": catalog_http,
        },
        "database": _postgres(database),
        "task_resources": _task_resources(),
    }
    return config if overrides is None else merge(config, overrides.content)


def check_overrides(overrides: Document, *, full: bool) -> None:
    """Refuse what a deployment would not obey, or could not do without.

    Raises:
        UsageError: names the key, its line and what is allowed.
    """
    for keys in _OURS:
        found = _find(overrides.content, keys)
        if found is not None:
            raise UsageError(
                f"{overrides.where(*keys)}: {'.'.join(found)} is set by the deployment; remove it"
            )
    if full:
        return
    allowed = dict.fromkeys((*_PROPELLER_SECTIONS, *_STANDIN_SECTIONS))
    for section, content in overrides.content.items():
        if section.lower() not in allowed:
            raise UsageError(
                f"{overrides.where(section)}: section {section} is honoured neither by "
                f"FlytePropeller nor by the stand-in for FlyteAdmin, which take "
                f"{', '.join(sorted(allowed))}; for others give a `flyte` program to "
                "--flyteperf-flyte"
            )
        if not isinstance(content, dict):
            raise UsageError(f"{overrides.where(section)}: {section} holds no keys; give some")
        known = _STANDIN_KEYS.get(section.lower())
        for key in content if known else ():
            if known and key.lower() not in {name.lower() for name in known}:
                raise UsageError(
                    f"{overrides.where(section, key)}: {section}.{key} is not honoured by the "
                    f"stand-in for FlyteAdmin, which takes {', '.join(known)}; for others give a "
                    "`flyte` program to --flyteperf-flyte"
                )


def check_database(dsn: str) -> None:
    """Refuse a database that is no PostgreSQL URL.

    Raises:
        UsageError: with what is wrong, never with the password.
    """
    _postgres(dsn)


def merge(ours: Mapping[str, Value], theirs: Mapping[str, Value]) -> Config:
    """Lay `theirs` over `ours`: mappings key by key, all else as a whole.

    Keys are the same when they differ in case only: Flyte's reader folds it.
    """
    return _merge(ours, theirs, ())


def _merge(ours: Mapping[str, Value], theirs: Mapping[str, Value], path: tuple[str, ...]) -> Config:
    merged = dict(ours)
    names = {key.lower(): key for key in ours}
    for key, value in theirs.items():
        name = names.get(key.lower(), key)
        here = (*path, key.lower())
        present = merged.get(name)
        if isinstance(present, dict) and isinstance(value, dict):
            merged[name] = _merge(present, value, here)
        elif here == _ADDED and isinstance(present, list) and isinstance(value, list):
            merged[name] = [*present, *value]
        else:
            merged[name] = value
    return merged


def _find(content: Mapping[str, Value], keys: tuple[str, ...]) -> tuple[str, ...] | None:
    """The keys as written, if they are there."""
    written: list[str] = []
    value: Value = dict(content)
    for key in keys:
        if not isinstance(value, dict):
            return None
        name = next((name for name in value if name.lower() == key.lower()), None)
        if name is None:
            return None
        written.append(name)
        value = value[name]
    return tuple(written)


def _pick(overrides: Document, sections: tuple[str, ...]) -> Config:
    return {name: v for name, v in overrides.content.items() if name.lower() in sections}


def _shared(wiring: Wiring) -> Config:
    """Sections that all of Flyte's programs read alike."""
    return {
        "logger": {"level": 4, "show-source": True, "formatter": {"type": "json"}},
        "otel": {
            "type": "otlpgrpc",
            "otlpgrpc": {"endpoint": wiring.otlp_endpoint},
            "sampler": {"parentSampler": "always"},
        },
        "storage": {
            "type": "stow",
            "container": wiring.store.bucket,
            "stow": {
                "kind": "s3",
                "config": {
                    "auth_type": "accesskey",
                    "access_key_id": wiring.store.access_key,
                    "secret_key": wiring.store.secret_key,
                    "region": wiring.store.region,
                    "endpoint": wiring.store.endpoint,
                    "disable_ssl": "true",
                    "v2_signing": "false",
                },
            },
        },
    }


def _propeller(wiring: Wiring, *, catalog_port: int) -> Config:
    """FlytePropeller's sections, alike in its own process and in a full Flyte's."""
    return {
        "admin": {"endpoint": f"localhost:{wiring.admin_port}", "insecure": True},
        "catalog-cache": {
            "type": "datacatalog",
            "endpoint": f"localhost:{catalog_port}",
            "insecure": True,
        },
        "event": {"type": "admin"},
        "propeller": {
            "create-flyteworkflow-crd": True,
            "kube-config": wiring.kubeconfig,
            "prof-port": wiring.metrics_port,
            "metadata-prefix": "metadata/propeller",
            "rawoutput-prefix": f"s3://{wiring.store.bucket}/data",
        },
        "tasks": {
            "task-plugins": {
                "enabled-plugins": [
                    *("container", "sidecar", "k8s-array", "connector-service", "echo"),
                ],
                "default-for-task-types": {
                    "container": "container",
                    "sidecar": "sidecar",
                    "container_array": "k8s-array",
                },
            },
        },
        "plugins": {
            "k8s": {
                # A list, because Flyte's reader would fold the case of a mapping's keys.
                "default-env-vars": [
                    {"FLYTE_AWS_ENDPOINT": wiring.store.endpoint},
                    {"FLYTE_AWS_ACCESS_KEY_ID": wiring.store.access_key},
                    {"FLYTE_AWS_SECRET_ACCESS_KEY": wiring.store.secret_key},
                ],
            },
        },
    }


def _task_resources() -> Config:
    """Small requests, so that waiting for room on the node is not what is measured."""
    return {
        "defaults": {"cpu": "10m", "memory": "10Mi"},
        "limits": {"cpu": "4", "memory": "4Gi", "gpu": "1"},
    }


def _postgres(dsn: str) -> Config:
    try:
        url = urlsplit(dsn)
        port = url.port or 5432
    except ValueError as error:
        raise UsageError(f"--flyteperf-database: {error}") from None
    name = url.path.removeprefix("/")
    if url.scheme not in {"postgres", "postgresql"} or not url.hostname or not name:
        raise UsageError(
            "--flyteperf-database: not of the form postgres://USER:PASSWORD@HOST:PORT/NAME"
        )
    return {
        "postgres": {
            "host": url.hostname,
            "readReplicaHost": url.hostname,
            "port": port,
            "dbname": unquote(name),
            "username": unquote(url.username or "postgres"),
            "password": unquote(url.password or ""),
            "options": url.query.replace("&", " ") or "sslmode=disable",
        },
    }
