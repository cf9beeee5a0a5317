import pytest


@pytest.fixture
def shown(pytester):
    """A run whose test reports progress; at a terminal or in a log."""

    def run(*, tty):
        pytester.makepyfile(
            f"""
        from pytest_flyteperf.screen import Screen

        def test_slow(request):
            reporter = request.config.pluginmanager.getplugin("terminalreporter")
            reporter.isatty = lambda: {tty}
            screen = Screen(request.config, clock=iter(range(0, 100, 10)).__next__)
            for step in ("one", "two", "three"):
                screen(step)
            screen.clear()
        """
        )
        return pytester.runpytest_inprocess()

    return run


def test_a_log_gets_a_line_now_and_then(shown):
    outcome = shown(tty=False)

    outcome.assert_outcomes(passed=1)
    outcome.stdout.fnmatch_lines(["flyteperf: one", "flyteperf: three"])
    outcome.stdout.no_fnmatch_line("flyteperf: two")


def test_a_terminal_shows_one_line_that_goes_away(shown):
    text = shown(tty=True).stdout.str()

    assert "\x1b[2Kflyteperf: one" in text
    assert "\x1b[2K\x1b[1A\x1b[" in text
