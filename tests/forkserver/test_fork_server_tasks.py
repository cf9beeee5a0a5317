"""flytekit's entry points in a forked process, on tasks of a project folder."""

from __future__ import annotations

import itertools
import json
import textwrap
from pathlib import Path

import msgspec
import pytest
from flyteidl.core import errors_pb2, literals_pb2
from flytekit.models.core.errors import ErrorDocument
from flytekit.models.literals import Literal, LiteralMap, Primitive, Scalar

from pytest_flyteperf.engine.forkserver import protocol

_modules = itertools.count()


@pytest.fixture
def run_task(client, project, tmp_path):
    """A function that runs a task, a: int -> int, whose body is a text."""

    def run(text, module=None, **env):
        module = module or f"module{next(_modules)}"
        source = "from flytekit import task\n\n@task\ndef t(a: int) -> int:\n"
        (project / f"{module}.py").write_text(source + textwrap.indent(text, "    "))
        inputs = LiteralMap({"a": Literal(Scalar(Primitive(integer=20)))})
        (tmp_path / "inputs.pb").write_bytes(inputs.to_flyte_idl().SerializeToString())
        out = tmp_path / f"out{next(_modules)}"
        end, log = client.run(
            *("pyflyte-execute", "--inputs", str(tmp_path / "inputs.pb")),
            *("--output-prefix", str(out), "--raw-output-data-prefix", str(tmp_path / "raw")),
            *("--checkpoint-path", str(tmp_path / "cp"), "--prev-checkpoint", '""'),
            *("--resolver", "flytekit.core.python_auto_container.default_task_resolver"),
            *("--", "task-module", module, "task-name", "t"),
            env={"FLYTE_INTERNAL_EXECUTION_ID": "e", **env},
        )
        return end, out, log

    return run


def output(out):
    literals = literals_pb2.LiteralMap()
    literals.ParseFromString((out / "outputs.pb").read_bytes())
    return literals.literals["o0"].scalar.primitive.integer


def test_a_task_of_the_project_runs(run_task):
    end, out, _ = run_task("return a + 1")

    assert end.exit_code == 0
    assert output(out) == 21


def steps(client, end):
    file = client.log(end.key).with_suffix(".steps.json")
    return msgspec.json.decode(file.read_bytes(), type=protocol.Steps)


def test_flytekits_own_timers_are_left_beside_the_log(run_task, client):
    end, *_ = run_task("import time; time.sleep(0.05); return a")
    told = steps(client, end)
    times = {step.name: step for step in told.steps}

    load, user = times["Load task"], times["Execute user level code"]
    whole = times.get("dispatch execute", user)
    assert told.started_ns == end.started_ns
    assert end.started_ns < load.start_ns <= load.end_ns < user.start_ns
    assert user.end_ns - user.start_ns > 50_000_000
    assert max(user.end_ns, whole.end_ns) < told.returned_ns < end.finished_ns


def test_timers_of_a_task_that_fails_are_told_too(run_task, client):
    end, *_ = run_task("raise ValueError('planted')")

    assert "Execute user level code" in {step.name for step in steps(client, end).steps}


def test_timers_are_capped(run_task, client):
    text = "from flytekit.core.utils import timeit\nfor i in range(1500):\n"
    end, *_ = run_task(text + "    with timeit('x'):\n        pass\nreturn a")

    assert len(steps(client, end).steps) == 1000


def test_a_process_that_the_task_forked_tells_no_timers(run_task, client):
    text = (
        "import os, sys, time\npid = os.fork()\n"
        "if pid == 0:\n    sys.exit(0)\nos.waitpid(pid, 0)\nreturn a"
    )
    end, *_ = run_task(text)

    assert steps(client, end).steps


def test_an_edit_is_seen_by_the_next_run(run_task):
    _, first, _ = run_task("return a + 1", module="edited")
    _, second, _ = run_task("return a + 1000", module="edited")

    assert [output(first), output(second)] == [21, 1020]


def test_an_error_of_the_user_is_stored_and_the_process_succeeds(run_task):
    end, out, _ = run_task("raise ValueError('planted')")

    document = errors_pb2.ErrorDocument()
    document.ParseFromString((out / "error.pb").read_bytes())
    assert end.exit_code == 0
    assert "planted" in ErrorDocument.from_flyte_idl(document).error.message


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("import os; os._exit(3)", 3),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("import ctypes; ctypes.string_at(0)", 139),
    ],
)
def test_a_task_that_dies_harms_nobody_else(run_task, text, code):
    assert run_task(text)[0].exit_code == code
    assert run_task("return a")[0].exit_code == 0


def test_a_task_may_thread_and_fork(run_task):
    text = """\
        import concurrent.futures as cf, multiprocessing as mp, os, subprocess, sys, threading
        thread = threading.Thread(target=lambda: None); thread.start(); thread.join()
        with cf.ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(int, "1234")) == 10
        with mp.get_context("fork").Pool(2) as pool:
            assert pool.map(abs, [-1, 2]) == [1, 2]
        assert subprocess.run([sys.executable, "-c", "print(1)"], check=True)
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        return a
    """
    end, out, log = run_task(textwrap.dedent(text))

    assert end.exit_code == 0, log
    assert output(out) == 20


def test_a_task_may_spawn(run_task):
    """
    A spawned process runs the main module anew, which must be flytekit's script.
    """
    text = """\
        import concurrent.futures as cf, multiprocessing as mp
        with cf.ProcessPoolExecutor(1, mp_context=mp.get_context("spawn")) as pool:
            return pool.submit(abs, -a).result()
    """
    end, out, log = run_task(textwrap.dedent(text))

    assert end.exit_code == 0, log
    assert output(out) == 20


def test_a_task_sees_a_fresh_process(run_task, project, tmp_path):
    text = """\
        import json, logging, os, random, sys, tempfile, threading, time
        from flytekit.configuration import Config
        from flytekit.core.context_manager import FlyteContextManager
        json.dump({
            "cwd": os.getcwd(), "argv": sys.argv[:2], "path": sys.path,
            "tmp": tempfile.gettempdir(), "x": os.environ.get("X"), "zone": time.tzname[0],
            "sandbox": str(FlyteContextManager.current_context().file_access.local_sandbox_dir),
            "default": Config.auto().local_sandbox_path,
            "level": logging.getLogger("flytekit").level, "random": random.random(),
            "preload": os.environ.get("FLYTE_INTERNAL_EXECUTION_ID"),
        }, open(os.environ["OUT"], "w"))
        return a
    """
    seen = []
    for turn in range(2):
        out = tmp_path / f"seen{turn}"
        env = {"OUT": str(out), "X": "1", "TZ": "UTC-3", "FLYTE_SDK_LOGGING_LEVEL": "10"}
        end, _, log = run_task(textwrap.dedent(text), PYTHONPATH="/one:/two", **env)
        assert end.exit_code == 0, log
        seen.append(json.loads(out.read_text()))
    one, two = seen

    assert one["cwd"] == str(project)
    assert Path(one["argv"][0]).name == "pyflyte-execute"
    assert Path(one["path"][0]) == Path(one["argv"][0]).parent
    assert one["path"][1:3] == ["/one", "/two"]
    assert one["path"].index(str(project)) == len(one["path"]) - 1
    assert (one["tmp"], one["x"], one["zone"]) == (str(tmp_path), "1", "UTC")
    assert one["sandbox"].startswith(str(tmp_path))
    assert one["default"].startswith(str(tmp_path))
    assert one["default"] != two["default"]
    assert one["level"] == 10
    assert one["random"] != two["random"]
    assert one["sandbox"] != two["sandbox"]


def test_flytekits_own_event_loop_works_in_a_task(run_task):
    end, out, log = run_task(
        "import asyncio\n"
        "from flytekit.extend.backend.base_connector import local_connector_loop\n"
        "local_connector_loop.run_until_complete(asyncio.sleep(0))\nreturn a"
    )

    assert end.exit_code == 0
    assert output(out) == 20, log


def test_exit_functions_run_and_output_is_whole(run_task):
    end, _, log = run_task(
        "import atexit, sys, threading\n"
        "atexit.register(lambda: print('at exit'))\n"
        "threading.Thread(target=lambda: (threading.Event().wait(0.1), print('thread'))).start()\n"
        "sys.stderr.write('err')\nprint('out')\nreturn a"
    )

    assert end.exit_code == 0
    assert [word for word in ("out", "err", "thread", "at exit") if word in log] == [
        *("out", "err", "thread", "at exit")
    ]


def test_a_broken_configuration_fails_the_task_alone(run_task):
    end, _, log = run_task("return a", FLYTE_SDK_LOGGING_LEVEL="loud")

    assert end.exit_code == 1
    assert log.endswith("invalid literal for int() with base 10: 'loud'\n")
    assert run_task("return a")[0].exit_code == 0


def test_a_killed_task_has_said_its_lines(run_task):
    end, _, log = run_task("print('said'); import os; os.kill(os.getpid(), 9)")

    assert end.exit_code == 137
    assert "said" in log


def test_an_exit_function_that_fails_changes_nothing(run_task):
    end, _, log = run_task("import atexit; atexit.register(lambda: 1 / 0)\nreturn a")

    assert end.exit_code == 0
    assert "ZeroDivisionError" in log


def test_output_that_cannot_be_written_shows_in_the_exit_code(run_task):
    text = "import sys; sys.stdout = open('/dev/full', 'w'); sys.stdout.write('x')\nreturn a"

    assert run_task(text)[0].exit_code == 120


def test_folders_of_the_session_come_before_libraries_and_behind_pythonpath(run_task, tmp_path):
    roots = tmp_path / "roots"
    roots.write_text("/roots/one\n/roots/two\n")
    text = f"import sys, json; json.dump(sys.path, open({str(tmp_path / 'seen')!r}, 'w'))\nreturn a"

    run_task(text, FLYTEPERF_IMPORT_ROOTS=str(roots), PYTHONPATH="/given")

    assert json.loads((tmp_path / "seen").read_text())[1:4] == [
        "/given",
        "/roots/one",
        "/roots/two",
    ]


def test_wrong_usage_exits_as_the_script_does(client):
    end, log = client.run("pyflyte-execute", "--no-such-option")

    assert end.exit_code == 2
    assert "No such option" in log


def test_the_other_entry_points_answer(client):
    for name in ("pyflyte-fast-execute", "pyflyte-map-execute", "/some/bin/pyflyte-execute"):
        end, log = client.run(name, "--help")
        assert end.exit_code == 0
        assert log.startswith(f"Usage: {name.rpartition('/')[2]} ")


def test_the_server_has_one_thread_no_sockets_but_its_own_and_nothing_of_the_users(
    server, project, run_task
):
    run_task("return a", module="of_the_user")
    proc = Path(f"/proc/{server.process.pid}")
    threads = list((proc / "task").iterdir())
    targets = [fd.readlink().name for fd in (proc / "fd").iterdir()]

    assert len(threads) == 1
    assert str(project) not in (proc / "maps").read_text()
    # Listener, wake-up pair, this test's connection.
    assert sum(target.startswith("socket:") for target in targets) == 4
