"""The engine's programs: built once, whole or not at all, and every failure one line."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from fake_go import FakeGo

from pytest_flyteperf.engine import build, compiling, golang
from pytest_flyteperf.engine.build import TOOLS, clean_engines, ensure_engine, is_program
from pytest_flyteperf.errors import BuildError, UsageError

BUILDER = """
import sys
from pathlib import Path
from pytest_flyteperf.engine import build
build.MODULES = Path(sys.argv[2])
build.ensure_engine(lambda line: print(line, flush=True), root=Path(sys.argv[1]))
"""


def until(condition, seconds=60.0):
    """Wait for another process."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.01)
    return value


@pytest.fixture
def go(tmp_path, monkeypatch):
    fake = FakeGo(tmp_path / "fakego")
    monkeypatch.setenv("PATH", f"{fake.folder}:/usr/bin:/bin")
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.delenv("GOTMPDIR", raising=False)
    return fake


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Our Go modules, free to be edited."""
    copy = tmp_path / "go"
    shutil.copytree(build.MODULES, copy)
    monkeypatch.setattr(build, "MODULES", copy)
    return copy


@pytest.fixture
def root(tmp_path, go, modules):  # noqa: ARG001 # nothing is built in earnest
    return tmp_path / "cache" / "engine"


@pytest.fixture
def told():
    return []


def left_over(root):
    return sorted(path.name for path in root.iterdir() if path.name != "build.lock")


class TestBuilding:
    def test_gives_every_program_and_what_it_is(self, root):
        engine = ensure_engine(root=root)

        programs = (engine.etcd, engine.kube_apiserver, engine.s3_gateway)
        for path in (*programs, engine.propeller, engine.admin):
            assert os.access(path, os.X_OK)
        assert engine.versions == {
            "kube-apiserver": "v1.34.1",
            "etcd": "v3.6.4",
            "versitygw": "v1.8.0",
            "flyte": "v1.16.8",
            "go": "go1.26.8",
        }
        assert engine.full_flyte is None

    def test_happens_once(self, go, root):
        first = ensure_engine(root=root)
        second = ensure_engine(root=root)

        assert first == second
        assert len(go.calls("build")) == 2
        assert left_over(root) == [f"flyte-{first.flyte_digest}", f"tools-{first.tools_digest}"]

    def test_of_an_edit_of_ours_leaves_the_tools_alone(self, go, modules, root):
        before = ensure_engine(root=root)
        main = modules / "flyte" / "cmd" / "propeller" / "main.go"
        main.write_text(main.read_text() + "// edited\n")
        after = ensure_engine(root=root)

        assert after.tools_digest == before.tools_digest
        assert after.flyte_digest != before.flyte_digest
        assert after.digest != before.digest
        assert len(go.calls("build")) == 3

    def test_with_another_go_or_its_flags_is_another_engine(self, go, root):
        first = ensure_engine(root=root)
        go.has_version("go1.26.9")
        second = ensure_engine(root=root)
        go.does(env=go.plan["env"] | {"GOFLAGS": "-race"})
        third = ensure_engine(root=root)

        assert len({first.tools_digest, second.tools_digest, third.tools_digest}) == 3
        assert len({first.flyte_digest, second.flyte_digest, third.flyte_digest}) == 3

    def test_keeps_go_from_what_it_may_find_around(self, go, root):
        ensure_engine(root=root)

        for call in go.calls("build"):
            assert "-mod=readonly" in call
            assert "-trimpath" in call
            assert "-buildvcs=false" in call

    def test_stamps_upstream_versions(self, go, root):
        ensure_engine(root=root)

        (tools,) = (call for call in go.calls("build") if TOOLS["etcd"][0] in call)
        flags = next(a for a in tools if a.startswith("-ldflags="))
        assert "-X k8s.io/component-base/version.gitVersion=v1.34.1" in flags
        assert "-X main.Version=v1.8.0" in flags

    def test_repairs_a_damaged_cache(self, root):
        engine = ensure_engine(root=root)
        Path(engine.etcd).unlink()

        assert ensure_engine(root=root) == engine
        assert Path(engine.etcd).exists()

    def test_tells_what_it_does_and_how_long(self, root, told):
        ensure_engine(told.append, root=root)

        names = "kube-apiserver, etcd, versitygw, flyteperf-propeller, flyteperf-admin"
        assert told[0] == f"engine: building {names}"
        assert re.fullmatch(rf"engine: built {names} in \d+ s", told[-1])


class TestFailures:
    def refused(self, root):
        with pytest.raises(BuildError) as error:
            ensure_engine(root=root)
        message = str(error.value)
        assert "\n" not in message
        return message

    def test_no_go_at_all(self, root, monkeypatch):
        monkeypatch.setattr(golang, "_candidates", lambda _: [])

        message = self.refused(root)

        assert "needs Go 1.26.0 or a later 1.26: none on PATH" in message
        assert "pip install 'pytest-flyteperf[go]'" in message

    @pytest.mark.parametrize("version", ["go1.22.1", "go1.27.3"])
    def test_a_go_of_another_minor_version(self, go, root, monkeypatch, version):
        monkeypatch.setattr(golang, "_candidates", lambda _: [str(go.path)])
        go.has_version(version)

        assert f"{go.path} is {version}" in self.refused(root)

    def test_without_a_home_go_is_told_the_users(self, go, monkeypatch):
        monkeypatch.setattr(golang, "_candidates", lambda _: [str(go.path)])

        assert golang.find_go("1.26.0", {}).environment["HOME"] == str(Path.home())
        assert "HOME" not in golang.find_go("1.26.0", {"HOME": "/h"}).environment

    def test_a_go_that_does_not_run(self, go, root, monkeypatch):
        monkeypatch.setattr(golang, "_candidates", lambda _: [str(go.path)])
        go.path.write_text("#!/no/such/interpreter\n")

        assert f"{go.path} does not run" in self.refused(root)

    def test_the_wheel_serves_where_path_is_too_old(self, go, root, monkeypatch, tmp_path):
        wheel = FakeGo(tmp_path / "wheel")
        wheel.has_version("go1.26.11")
        go.has_version("go1.22.1")
        monkeypatch.setattr(golang, "_wheel_go", lambda: str(wheel.path))

        assert ensure_engine(root=root).versions["go"] == "go1.26.11"

    @pytest.mark.usefixtures("go")
    def test_an_activated_environment_does_not_change_the_go(self, monkeypatch, tmp_path):
        wheel = FakeGo(tmp_path / "environment")
        wheel.has_version("go1.26.11")
        monkeypatch.setattr(golang.sys, "executable", str(wheel.folder / "python"))
        (wheel.folder / "python").symlink_to(sys.executable)
        plain = golang.find_go("1.26.0")
        monkeypatch.setenv("PATH", f"{wheel.folder}:{os.environ['PATH']}")

        assert golang.find_go("1.26.0") == plain

    def test_a_source_that_does_not_compile(self, go, root):
        go.does(
            exit=1,
            said=[
                "# example.org/ours",
                "cmd/propeller/main.go:9:2: undefined: nonsense",
                "x.go:1: y",
            ],
        )

        message = self.refused(root)

        assert (
            "does not compile: cmd/propeller/main.go:9:2: undefined: nonsense and 1 more" in message
        )
        log = Path(message.rpartition("all it said: ")[2].rstrip(")"))
        assert "undefined: nonsense" in log.read_text()
        assert log.name in left_over(root)
        assert set(left_over(root)) <= {"build-flyte.log", "build-tools.log"}

    @pytest.mark.parametrize(
        "line",
        [
            "go: example.org/x@v1.0.0: dial tcp: lookup proxy.example: no such host",
            "main.go:24:2: example.org/x@v1.0.9: reading https://x.example/x.zip: 403 Forbidden",
        ],
    )
    def test_a_module_that_cannot_be_fetched(self, go, root, line):
        go.does(exit=1, said=[line])

        message = self.refused(root)

        assert f"a module cannot be fetched: {line}" in message
        assert "GOPROXY, now https://proxy.example,direct" in message

    def test_a_disk_that_runs_full(self, go, root):
        go.does(exit=1, said=["link: write /x: no space left on device"])

        assert "the disk is full" in self.refused(root)

    def test_a_go_that_is_killed(self, go, root):
        go.does(exit=0, said=[], content="", hang=False)
        go.path.write_text(
            go.path.read_text().replace("sys.exit(plan", "os.kill(os.getpid(), 9)\n#")
        )

        assert "was ended by signal 9" in self.refused(root)

    def test_a_disk_without_room_is_refused_before_anything_is_compiled(
        self, go, root, monkeypatch
    ):
        usage = SimpleNamespace(free=3 << 30)
        monkeypatch.setattr(build.shutil, "disk_usage", lambda _: usage)

        assert "3.0 GiB free, a build needs 7 GiB" in self.refused(root)
        assert go.calls("list") == go.calls("build") == []

    def test_a_cache_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").write_text("")

        assert "set FLYTEPERF_CACHE to a folder of yours" in self.refused(tmp_path / "file" / "x")

    def test_a_build_that_leaves_out_a_program(self, go, root):
        go.path.write_text(
            go.path.read_text().replace("for name in names", "for name in names[:1]")
        )

        assert "left no" in self.refused(root)
        assert left_over(root) == []


class TestInterruption:
    def test_ends_go_and_leaves_nothing(self, go, root, monkeypatch):
        go.does(hang=True)

        def interrupt(*_):
            if len(go.hanging) == 2:
                raise KeyboardInterrupt

        monkeypatch.setattr(compiling.Beat, "tick", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ensure_engine(root=root)

        assert sorted(go.interrupted) == sorted(go.hanging)
        assert go.all_gone()
        assert left_over(root) == ["build-flyte.log", "build-tools.log"]

    @pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
    def test_of_the_builder_ends_go_too_and_the_next_cleans_up(self, go, modules, root, signum):
        go.does(hang=True)
        command = [sys.executable, "-c", BUILDER, str(root), str(modules)]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as builder:
            until(lambda: len(go.hanging) == 2)
            builder.send_signal(signum)
            builder.wait(timeout=60)
        until(go.all_gone)
        assert not [name for name in left_over(root) if name.startswith(("tools-", "flyte-"))]

        go.does(hang=False)
        engine = ensure_engine(root=root)

        assert left_over(root) == [f"flyte-{engine.flyte_digest}", f"tools-{engine.tools_digest}"]

    def test_a_second_builder_waits_and_builds_nothing_again(self, go, modules, root, told):
        go.does(hang=True)
        command = [sys.executable, "-c", BUILDER, str(root), str(modules)]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as builder:
            until(lambda: len(go.hanging) == 2)
            go.does(hang=False)
            second = threading.Thread(
                target=ensure_engine, args=(told.append,), kwargs={"root": root}
            )
            second.start()
            until(lambda: any("waiting for another build" in line for line in told))
            assert f"(process {builder.pid})" in told[-1]
            builder.kill()
            second.join(timeout=60)

        assert not second.is_alive()
        assert [name.split("-")[0] for name in left_over(root)] == ["flyte", "tools"]

    def test_builders_that_start_together_build_once(self, go, modules, root):
        command = [sys.executable, "-c", BUILDER, str(root), str(modules)]
        builders = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(3)]

        assert [builder.wait(timeout=60) for builder in builders] == [0, 0, 0]
        assert len(go.calls("build")) == 2


class TestSupplied:
    def supply(self, folder, name, version):
        folder.mkdir(exist_ok=True)
        program = folder / name
        program.write_text(f"#!/bin/sh\necho {name} version {version}\n")
        program.chmod(0o755)
        return str(program)

    def test_programs_of_envtest_are_used_and_not_built(self, go, root, monkeypatch, tmp_path):
        bare = ensure_engine(root=root)
        assets = tmp_path / "envtest"
        apiserver = self.supply(assets, "kube-apiserver", "v1.34.9")
        etcd = self.supply(assets, "etcd", "3.6.1")
        monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))

        engine = ensure_engine(root=root)

        assert (engine.kube_apiserver, engine.etcd) == (apiserver, etcd)
        assert engine.versions["kube-apiserver"] == "v1.34.9"
        assert engine.tools_digest != bare.tools_digest
        assert "k8s.io/kubernetes/cmd/kube-apiserver" not in go.calls("build")[-1]

    def test_another_minor_version_is_left_alone_and_said(self, root, monkeypatch, tmp_path, told):
        old = self.supply(tmp_path / "envtest", "kube-apiserver", "v1.29.0")
        monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "envtest"))

        engine = ensure_engine(told.append, root=root)

        assert engine.kube_apiserver != old
        assert told[0] == (
            f"engine: KUBEBUILDER_ASSETS: {old} is v1.29.0, not v1.34; "
            "kube-apiserver v1.34.1 is used"
        )


class TestCleaning:
    def test_frees_what_nothing_runs_from(self, root):
        engine = ensure_engine(root=root)
        size = sum(p.stat().st_size for p in root.rglob("*") if p.is_file())

        assert clean_engines(root=root) == size
        assert left_over(root) == []
        assert not Path(engine.etcd).exists()

    def test_leaves_an_engine_that_runs(self, root):
        engine = ensure_engine(root=root)
        shutil.copy("/bin/sleep", engine.etcd)
        with subprocess.Popen([engine.etcd, "60"]) as running:
            clean_engines(root=root)
            running.kill()

        assert left_over(root) == [f"tools-{engine.tools_digest}"]

    def test_of_no_cache_frees_nothing(self, root):
        assert clean_engines(root=root) == 0
        assert not root.exists()

    def test_keeps_the_builds_of_flyte_that_were_used_last(self, modules, root, monkeypatch):
        monkeypatch.setattr("pytest_flyteperf.engine.store.KEPT_FLYTES", 2)
        main = modules / "flyte" / "cmd" / "propeller" / "main.go"
        engines = []
        for edit in range(3):
            main.write_text(f"// edit {edit}\n")
            engines.append(ensure_engine(root=root))
            folder = Path(engines[-1].propeller).parent
            os.utime(folder, (edit, edit))

        kept = {name for name in left_over(root) if name.startswith("flyte-")}
        assert kept == {f"flyte-{engine.flyte_digest}" for engine in engines[1:]}


class TestReferences:
    @pytest.fixture
    def checkout(self, tmp_path):
        """A folder like a checkout of Flyte."""
        folder = tmp_path / "flyte"
        for name in ("flyteidl", "flyteplugins", "flytepropeller", "flytestdlib"):
            (folder / name).mkdir(parents=True)
            (folder / name / "go.mod").write_text(f"module github.com/flyteorg/flyte/{name}\n")
            (folder / name / "code.go").write_text("package code\n")
        (folder / "flytepropeller" / "go.sum").write_text("example.org/x v1.0.0 h1:abc=\n")
        return folder

    def test_another_release_replaces_flytes_modules(self, go, root):
        engine = ensure_engine(flyte="v1.17.0", root=root)

        (edit,) = go.calls("mod")
        module = "github.com/flyteorg/flyte/flytepropeller"
        assert f"-replace={module}={module}@v1.17.0" in edit
        (ours,) = (call for call in go.calls("build") if "./cmd/propeller" in call)
        assert "-mod=mod" in ours
        assert engine.versions["flyte"] == "v1.17.0"
        assert engine.flyte_digest != ensure_engine(root=root).flyte_digest

    def test_a_checkout_is_built_with_its_own_replaces(self, go, root, checkout):
        old, new = {"Path": "example.org/a"}, {"Path": "../a"}
        flytes = {"Path": "github.com/flyteorg/flyte/flyteidl"}
        replaces = [{"Old": old, "New": new}, {"Old": flytes, "New": {"Path": "../flyteidl"}}]
        go.does(mod={"Replace": replaces})

        ensure_engine(flyte=str(checkout), root=root)

        edit = go.calls("mod")[-1]
        assert f"-replace=example.org/a={checkout / 'a'}" in edit
        assert f"-replace=github.com/flyteorg/flyte/flyteidl={checkout / 'flyteidl'}" in edit
        assert "-replace=github.com/flyteorg/flyte/flyteidl=../flyteidl" not in edit

    def test_a_checkout_is_built_again_after_an_edit_that_counts(self, root, checkout):
        def digest():
            return ensure_engine(flyte=str(checkout), root=root).flyte_digest

        first = digest()
        (checkout / "flytepropeller" / "code_test.go").write_text("package code\n")
        (checkout / "flytepropeller" / "README.md").write_text("words\n")
        assert digest() == first
        (checkout / "flytestdlib" / "code.go").write_text("package code // edited\n")
        second = digest()
        assert second != first
        (checkout / "flyteidl" / "embed.go").write_text(
            "package a\n//go:embed data.json\nvar _ x\n"
        )
        (checkout / "flyteidl" / "data.json").write_text("1")
        third = digest()
        (checkout / "flyteidl" / "data.json").write_text("2")
        assert len({first, second, third, digest()}) == 4

    def test_a_flyte_program_stands_for_propeller_and_admin(self, go, root, tmp_path):
        program = tmp_path / "flyte"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)

        engine = ensure_engine(flyte=str(program), root=root)

        assert engine.full_flyte == str(program)
        assert (engine.propeller, engine.admin) == (None, None)
        assert is_program(str(program))
        assert len(go.calls("build")) == 1

    @pytest.mark.parametrize(
        ("reference", "message"),
        [
            ("v1.16.7", "before v1.16.8 was not published"),
            ("latest", "is no release like v1.16.8, no source checkout and no `flyte` program"),
            ("v1.16", "is no release like v1.16.8"),
            ("https://example.org", "is the endpoint of a Flyte that runs already"),
        ],
    )
    def test_what_names_no_flyte_is_refused_before_go_is_looked_for(
        self, go, root, reference, message
    ):
        with pytest.raises(UsageError, match=re.escape(message)):
            ensure_engine(flyte=reference, root=root)
        assert go.calls("env") == []

    def test_a_folder_that_is_no_checkout_is_refused(self, tmp_path):
        with pytest.raises(UsageError, match=r"has no flyteidl/go\.mod; give the root"):
            is_program(str(tmp_path))

    def test_a_file_that_cannot_run_is_refused(self, tmp_path):
        (tmp_path / "flyte").write_text("")

        with pytest.raises(UsageError, match="is not executable"):
            is_program(str(tmp_path / "flyte"))


@pytest.mark.engine
class TestRealEngine:
    def test_programs_say_the_versions_they_are_said_to_have(self):
        engine = ensure_engine()

        for program, version in (
            (engine.kube_apiserver, engine.versions["kube-apiserver"]),
            (engine.etcd, engine.versions["etcd"].removeprefix("v")),
            (engine.s3_gateway, engine.versions["versitygw"]),
        ):
            said = subprocess.run(
                [program, "--version"], check=True, capture_output=True, text=True
            ).stdout
            assert version in said

    def test_propeller_refuses_a_key_that_nothing_honours(self, tmp_path):
        config = tmp_path / "config.yaml"
        config.write_text("propeller: {wrokers: 3}\n")

        done = subprocess.run(
            [ensure_engine().propeller, "--check", "--config", str(config)],
            check=False,
            capture_output=True,
            text=True,
        )

        assert done.returncode == 1
        assert "invalid keys: wrokers" in done.stderr
