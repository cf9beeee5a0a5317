import pytest

from pytest_flyteperf import portfolios
from pytest_flyteperf.cli.parser import parse
from pytest_flyteperf.cli.portfolio import pytest_arguments, sound
from pytest_flyteperf.errors import UsageError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """An empty working folder, far from any checkout."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(values, *given):
    always = ("-W", "ignore:", "--continue-on")
    return [a for a in pytest_arguments(values, given) if not a.startswith(always)]


def test_without_a_path_it_is_the_portfolio_of_flyte(elsewhere):
    folder = portfolios.folder(portfolios.OWN)

    assert paths({}) == [f"--rootdir={elsewhere}", str(folder)]
    assert paths({}, "-k", "chain") == [f"--rootdir={elsewhere}", str(folder), "-k", "chain"]


def test_the_folder_benchmarks_comes_before_it(elsewhere):
    (elsewhere / "benchmarks").mkdir()

    assert paths({}) == ["benchmarks"]


def test_a_name_is_no_portfolio_where_a_path_is_called_so(elsewhere):
    (elsewhere / "flyte").mkdir()

    assert paths({}, "flyte") == ["flyte"]


def test_what_follows_an_option_is_no_name(elsewhere):
    folder = portfolios.folder("ray")

    assert paths({}, "ray", "-k", "flyte") == [
        f"--rootdir={elsewhere}",
        str(folder),
        "-k",
        "flyte",
    ]


def test_a_portfolio_brings_its_baselines_where_the_folder_has_none(elsewhere, monkeypatch):
    shop = elsewhere / "shop"
    (shop / "baselines").mkdir(parents=True)
    monkeypatch.setattr(portfolios, "folder", lambda _: shop)

    lent = f"--flyteperf-baseline-dir={shop / 'baselines'}"

    assert lent in paths({}, "goods")
    assert lent not in paths({"baseline-dir": "mine"}, "goods")
    assert lent not in paths({"update": "all"}, "goods")
    (elsewhere / "baselines").mkdir()
    assert lent not in paths({}, "goods")


def break_shop(monkeypatch):
    def folder(name):
        if name == "shop":
            raise portfolios.BrokenPortfolioError("portfolio shop: does not import")
        return known(name)

    known = portfolios.folder
    monkeypatch.setattr(portfolios, "folder", folder)


def test_a_portfolio_that_cannot_be_loaded_keeps_no_other_from_running(monkeypatch):
    break_shop(monkeypatch)

    kept, broken = sound(["shop", "flyte", "-k", "shop"])

    assert kept == ["flyte", "-k", "shop"]
    assert [str(error) for error in broken] == ["portfolio shop: does not import"]


def test_a_portfolio_that_cannot_be_loaded_is_refused_where_it_is_the_only_one(monkeypatch):
    break_shop(monkeypatch)

    with pytest.raises(portfolios.BrokenPortfolioError, match="does not import"):
        sound(["shop", "-x"])


def test_a_name_that_nobody_offers_is_refused_before_anything_runs():
    with pytest.raises(UsageError, match="nobodys: neither a path nor a portfolio"):
        sound(["flyte", "nobodys"])


@pytest.mark.parametrize(
    ("typed", "handed"),
    [
        (["a.py", "--short", "--", "-k", "x"], ["a.py", "-k", "x"]),
        (["--short", "--", "-k", "x"], ["-k", "x"]),
        (["--", "--", "-x"], ["--", "-x"]),
        (["a.py", "--short"], ["a.py"]),
    ],
)
def test_what_follows_two_dashes_is_for_pytest(typed, handed):
    _, given = parse(["run", *typed])

    assert given.pytest == handed
