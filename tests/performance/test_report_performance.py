"""Costs of what people look at: a portfolio's page, a page of 10,000 nodes, a comparison."""

from pytest_flyteperf.model import Size
from pytest_flyteperf.report import differences, results, sides
from pytest_flyteperf.report.page import render
from tests.gate.gate_examples import HERE, RELEASE
from tests.report import page_examples as examples


def page(contents):
    return render(contents, recorded="2026-11-22 20:00 UTC", tool="1.2.3", run="r1")


def test_page_of_a_portfolio(benchmark):
    contents = examples.portfolio(25)

    assert len(benchmark(page, contents)) < 2_000_000


def test_page_of_ten_thousand_nodes(benchmark):
    contents = [examples.large()]

    assert benchmark(page, contents).endswith("</html>")


def test_comparison_of_two_portfolios(benchmark, tmp_path):
    measures = list(examples.case().valid)
    cases = {(f"case_{i}", Size.DEFAULT): results.case(Size.DEFAULT, measures) for i in range(25)}
    document = results.results("1.2.3", "2026-11-22T20:00:00Z", RELEASE, HERE, cases)
    results.write(tmp_path, "results", document)

    found = benchmark(lambda: differences.compare(sides.read(tmp_path), sides.read(tmp_path)))

    assert len(found.cases) == 25
