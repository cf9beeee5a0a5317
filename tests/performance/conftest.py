import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))

from conftest_project import engine, project  # noqa: F401 # fixtures
