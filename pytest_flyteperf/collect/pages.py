"""Metrics pages of a deployment's components, read before and after a repeat."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import NamedTuple, Self

import urllib3

from pytest_flyteperf.errors import DeploymentError
from pytest_flyteperf.kubeapi import KubeApi, KubeError
from pytest_flyteperf.model import FEDERATE, Deployment

MAIN_COMPONENTS = ("propeller", "flyte")
"""The component whose log and metrics a recording holds without a name of their own."""
KUBE_APISERVER = "kube-apiserver"
CADVISOR = "cadvisor-"
"""Begins the names of the pages of nodes' kubelets, which the node's name ends."""
TIMEOUT_S = 30.0
SCRAPE_S = 150.0
"""Longest that a Prometheus may take from scrape to scrape: its default is a minute."""
SCRAPE_POLL_S = 1.0
LOCAL = "local"

APISERVER_FAMILIES = tuple(
    f"{name}{{".encode()
    for name in (
        "apiserver_request_total",
        "apiserver_request_duration_seconds_sum",
        "apiserver_request_duration_seconds_count",
        "etcd_request_duration_seconds_sum",
        "etcd_request_duration_seconds_count",
    )
)
"""What is kept of the API server's page: it has a megabyte, most of it buckets."""
CADVISOR_FAMILIES = tuple(
    f"{name}{{".encode()
    for name in (
        "container_cpu_usage_seconds_total",
        "container_memory_working_set_bytes",
        "container_memory_max_usage_bytes",
        "container_fs_reads_bytes_total",
        "container_fs_writes_bytes_total",
        "container_network_receive_bytes_total",
        "container_network_transmit_bytes_total",
        "container_file_descriptors",
    )
)


class Pages(NamedTuple):
    """The pages of one moment."""

    texts: dict[str, bytes]
    """By component."""
    absent: dict[str, str]
    """Components that have none, and why."""


class Scraper:
    """Reads the pages of a deployment, its API server and its nodes."""

    def __init__(self, deployment: Deployment, api: KubeApi) -> None:
        self._urls = deployment.metrics
        self._local = deployment.cluster.kind == LOCAL
        self._api = api
        self._http = urllib3.PoolManager(retries=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.clear()

    def read(self) -> Pages:
        """Read all pages.

        Raises:
            DeploymentError: a component of the deployment does not serve its own.
        """
        pages = Pages({name: self._pages(name, urls) for name, urls in self._urls.items()}, {})
        self._add(pages, KUBE_APISERVER, "/metrics", APISERVER_FAMILIES)
        if self._local:
            # The process kubelet serves none: its pods' use stands in their annotations.
            return pages
        for node in self._nodes(pages.absent):
            path = f"/api/v1/nodes/{node}/proxy/metrics/cadvisor"
            self._add(pages, CADVISOR + node, path, CADVISOR_FAMILIES)
        return pages

    def _pages(self, component: str, urls: tuple[str, ...]) -> bytes:
        """The pages of a component's shards, one after another: who reads them adds up."""
        return b"".join(self._page(component, url).rstrip(b"\n") + b"\n" for url in urls)

    def _page(self, component: str, url: str) -> bytes:
        if url.startswith("/"):
            return self._proxied(component, url)
        if FEDERATE in url:
            return self._scraped(component, url)
        return self._served(component, url)

    def _scraped(self, component: str, url: str) -> bytes:
        """Read a Prometheus' page once it has scraped after now: it does so every few seconds."""
        asked_ms = time.time_ns() // 1_000_000
        deadline = time.monotonic() + SCRAPE_S
        while not is_scraped_after(text := self._served(component, url), asked_ms):
            if time.monotonic() > deadline:
                raise DeploymentError(
                    f"{url}: holds no metrics of {component} scraped within {SCRAPE_S:.0f} s; "
                    "see the Prometheus' targets"
                )
            time.sleep(SCRAPE_POLL_S)
        return text

    def _served(self, component: str, url: str) -> bytes:
        try:
            answer = self._http.request("GET", url, timeout=TIMEOUT_S)
        except urllib3.exceptions.HTTPError as error:
            reason = str(error).splitlines()[0]
            raise DeploymentError(f"{url}: no metrics of {component} ({reason})") from None
        if answer.status != HTTPStatus.OK:
            raise DeploymentError(f"{url}: metrics of {component}: HTTP status {answer.status}")
        return answer.data

    def _proxied(self, component: str, path: str) -> bytes:
        """Read a page within the cluster, through its API server."""
        try:
            return self._api.raw(path)
        except KubeError as error:
            raise DeploymentError(f"{path}: no metrics of {component} ({error})") from None

    def _add(self, pages: Pages, name: str, path: str, families: tuple[bytes, ...]) -> None:
        try:
            text = self._api.raw(path)
        except KubeError as error:
            pages.absent[name] = str(error)
            return
        kept = (line for line in text.splitlines(keepends=True) if line.startswith(families))
        pages.texts[name] = b"".join(kept)

    def _nodes(self, absent: dict[str, str]) -> list[str]:
        try:
            listed = self._api.list("/api/v1/nodes")
        except KubeError as error:
            absent["cadvisor"] = str(error)
            return []
        return [node["metadata"]["name"] for node in listed["items"]]


def is_scraped_after(page: bytes, unix_ms: int) -> bool:
    r"""Tell whether every sample of a federated page was scraped after an instant.

    >>> is_scraped_after(b"# TYPE a counter\na{b=\"c\"} 7 1700\n", 1699), is_scraped_after(b"", 0)
    (True, False)
    """
    samples = [line.rsplit(b" ", 1)[-1] for line in page.splitlines() if not line.startswith(b"#")]
    return bool(samples) and all(int(stamp) > unix_ms for stamp in samples)


def page_name(component: str, when: str) -> str:
    """File of a component's page in a recording."""
    middle = "" if component in MAIN_COMPONENTS else f".{component}"
    return f"metrics{middle}.{when}.prom"
