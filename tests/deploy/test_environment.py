"""The machine, as far as it sets absolute times."""

import pytest

from pytest_flyteperf.deploy.environment import gather_machine, memory_class

GIB = 2**30


@pytest.mark.parametrize(
    ("size", "name"),
    [
        (16 * GIB, "16GiB"),
        (int(15.4 * GIB), "16GiB"),
        (int(62.7 * GIB), "64GiB"),
        (int(23.4 * GIB), "32GiB"),
        (int(22.6 * GIB), "16GiB"),
        (1 * GIB, "1GiB"),
        (500 * 2**20, "512MiB"),
        (1, "1MiB"),
    ],
)
def test_memory_is_classed_by_the_nearest_power_of_two(size, name):
    assert memory_class(size) == name


@pytest.mark.parametrize(
    ("cpuinfo", "model"),
    [
        ("processor\t: 0\nmodel name\t: AMD  EPYC 7B13\nmodel name\t: other\n", "AMD EPYC 7B13"),
        ("processor : 0\nCPU implementer : 0x41\nCPU part : 0xd0c\n", " 0x41:0xd0c"),
    ],
)
def test_the_cpu_has_the_name_that_its_kernel_gives_it(tmp_path, cpuinfo, model):
    (tmp_path / "cpuinfo").write_text(cpuinfo)
    (tmp_path / "meminfo").write_text("MemTotal:       16303428 kB\n")

    machine = gather_machine("abc", cpuinfo=tmp_path / "cpuinfo", meminfo=tmp_path / "meminfo")

    assert machine.cpu_model.endswith(model)
    assert machine.memory_class == "16GiB"
    assert machine.engine_digest == "abc"


def test_this_machine_is_described():
    machine = gather_machine(None)

    assert machine.cpu_count >= 1
    assert machine.cpu_model
    assert machine.kernel
