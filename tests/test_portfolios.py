import sys

import pytest

from pytest_flyteperf import portfolios
from pytest_flyteperf.errors import UsageError


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Makes packages that offer portfolios, as an installer leaves them."""

    def install(distribution, entries, files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        info = tmp_path / f"{distribution}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\n")
        lines = "".join(f"{name} = {value}\n" for name, value in entries.items())
        (info / "entry_points.txt").write_text(f"[{portfolios.GROUP}]\n{lines}")

    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield install
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_the_portfolio_of_flyte_is_there(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    assert portfolios.OWN in portfolios.names()
    assert (portfolios.folder(portfolios.OWN) / "test_chain.py").is_file()


def test_a_package_brings_a_portfolio_along(installed, tmp_path):
    installed("shop", {"shop": "shop.perf"}, {"shop/__init__.py": "", "shop/perf/test_a.py": ""})

    assert portfolios.folder("shop") == tmp_path / "shop/perf"
    assert "shop" in portfolios.names()


@pytest.mark.parametrize(
    ("value", "files", "said"),
    [
        ("shop.perf", {"shop/__init__.py": "1/0"}, "does not import: division by zero"),
        (
            "shop.perf",
            {"shop/__init__.py": "", "shop/perf/__init__.py": "import nowhere"},
            "does not import: No module named 'nowhere'",
        ),
        ("gone.perf", {}, "does not import: No module named 'gone'"),
        ("shop", {"shop.py": ""}, "is no package"),
    ],
)
def test_a_broken_portfolio_is_named_with_its_package(installed, value, files, said):
    installed("shop-tests", {"shop": value}, files)

    with pytest.raises(UsageError, match=f"portfolio shop of shop-tests: {value} {said}"):
        portfolios.folder("shop")


def test_two_portfolios_of_one_name_are_refused(installed):
    installed("first", {"shop": "a"}, {})
    installed("second", {"shop": "b"}, {})

    with pytest.raises(UsageError, match="portfolio shop: both first and second offer it"):
        portfolios.folder("shop")
