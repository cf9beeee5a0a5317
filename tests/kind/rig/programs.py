"""kind, helm and Kubernetes' programs, built from Go modules."""

from __future__ import annotations

import shutil
from pathlib import Path

from pytest_flyteperf.engine.build import MODULES, Engine, ensure_engine
from pytest_flyteperf.engine.golang import Go, find_go, go_directive
from tests.kind.rig.cache import ROOT, obtain
from tests.kind.rig.command import run

KUBERNETES = "v1.34.1"
ETCD = "v3.6.4"
KIND = "v0.33.0"
HELM = "v3.22.0"
COREDNS = "v1.12.1"
KUBERNETES_PROGRAMS = (
    *("kubeadm", "kubelet", "kubectl"),
    *("kube-controller-manager", "kube-scheduler", "kube-proxy"),
)
INSTALLED = {
    "kind": ("sigs.k8s.io/kind", KIND),
    "helm": ("helm.sh/helm/v3/cmd/helm", HELM),
    "coredns": ("github.com/coredns/coredns", COREDNS),
}
VERSION_VARIABLES = (
    "k8s.io/component-base/version.gitVersion",
    "k8s.io/client-go/pkg/version.gitVersion",
)
"""kubeadm and the kubelet compare these."""


def engine() -> Engine:
    """kube-apiserver, etcd, S3 gateway, FlytePropeller and the stand-in: the product's own."""
    return ensure_engine(print)


def build() -> Path:
    """Folder of all other programs."""
    inputs = [KUBERNETES, INSTALLED, KUBERNETES_PROGRAMS, VERSION_VARIABLES]
    return obtain("programs", inputs, _build)


def kind_module() -> Path:
    """Source of kind: the files of its node image are in it."""
    cache = _go(_toolchain(), "env", "GOMODCACHE")
    return Path(cache, f"sigs.k8s.io/kind@{KIND}")


def _build(folder: Path) -> None:
    go = _toolchain()
    for name, (package, version) in INSTALLED.items():
        print(f"rig: building {name} {version}", flush=True)
        _go(go, "install", "-trimpath", "-ldflags=-s -w", f"{package}@{version}", out=folder)
    print(f"rig: building Kubernetes {KUBERNETES}", flush=True)
    # The engine's module: the same versions and flags, so that Go's build cache serves both.
    module = ROOT / "kubernetes-module"
    shutil.rmtree(module, ignore_errors=True)
    shutil.copytree(MODULES / "tools", module)
    stamps = " ".join(f"-X {name}={KUBERNETES}" for name in VERSION_VARIABLES)
    packages = (f"k8s.io/kubernetes/cmd/{name}" for name in KUBERNETES_PROGRAMS)
    flags = ("-mod=mod", "-trimpath", "-buildvcs=false", f"-ldflags=-s -w {stamps}")
    _go(go, "build", *flags, "-o", f"{folder}/", *packages, cwd=module)


def _toolchain() -> Go:
    return find_go(go_directive(MODULES / "tools/go.mod"))


def _go(go: Go, *arguments: str, out: Path | None = None, cwd: Path | None = None) -> str:
    environment = go.environment | {"CGO_ENABLED": "0"}
    if out is not None:
        environment["GOBIN"] = str(out)
    return run(go.path, *arguments, cwd=cwd, environment=environment).strip()
