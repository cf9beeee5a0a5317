"""`python -m pytest_flyteperf.cli` is `flyteperf`."""

from pytest_flyteperf.cli import main

raise SystemExit(main())
