import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest_project import (  # noqa: F401 # fixtures
    engine,
    flyte,
    project,
    shared_project,
    standing,
    standing_project,
)
