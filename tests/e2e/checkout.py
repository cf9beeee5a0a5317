"""A checkout of Flyte as a contributor has it, with a delay where a test wants one.

Flyte's repository cannot be cloned everywhere; its four modules of the pinned release lie in Go's
module cache, where the engine was built from them. They are copied into the repository's layout.
"""

from __future__ import annotations

import shutil
import stat
from pathlib import Path
from typing import Any, NamedTuple

from pytest_flyteperf.engine.build import MODULES as SOURCES
from pytest_flyteperf.engine.flyte import MODULES
from pytest_flyteperf.engine.golang import find_go, go_directive

RELEASE = "v1.16.8"


class Place(NamedTuple):
    """A span of Flyte's in which it can be made to wait."""

    operation: str
    """What the analysis calls it."""
    file: str
    span: str

    def calls(self, case: dict[str, Any]) -> float:
        """How often a repeat of a case enters it, as its results tell."""
        return sum(
            one["calls"]["median"]
            for one in case["operations"]
            if one["operation"] == self.operation
        )


CRD_WRITE = Place("crd write", "flytepropeller/pkg/controller/handler.go", "WorkflowStore.Update")
ROUND = Place("round", "flytepropeller/pkg/controller/handler.go", "Propeller/streak")
EVALUATE = Place(
    "evaluate node", "flytepropeller/pkg/controller/nodes/executor.go", "NodeExecutor/handleNode"
)
BLOB_WRITE = Place(
    "blob write", "flytestdlib/storage/protobuf_store.go", "DefaultProtobufStore/WriteProtobuf"
)


class Checkout:
    """The four modules that FlytePropeller is built from, in a folder."""

    def __init__(self, folder: Path, module_cache: str, version: str) -> None:
        self.folder = folder
        for module in MODULES:
            source = Path(module_cache) / "github.com/flyteorg/flyte" / f"{module}@{version}"
            shutil.copytree(source, folder / module, copy_function=_copy)
            for path in (folder / module, *(folder / module).rglob("*/")):
                path.chmod(0o755)

    def __str__(self) -> str:
        return str(self.folder)

    def copy(self, folder: Path) -> Checkout:
        """A second checkout like this one."""
        shutil.copytree(self.folder, folder)
        twin = object.__new__(Checkout)
        twin.folder = folder
        return twin

    @classmethod
    def released(cls, folder: Path) -> Checkout:
        """The release, unchanged."""
        go = find_go(go_directive(SOURCES / "flyte" / "go.mod"))
        return cls(folder, go.module_cache, RELEASE)

    def slow_down(self, place: Place, share: float, case: dict[str, Any]) -> None:
        """Let a case's working time, as its results tell it, grow by a share."""
        self.delay(place, round(share * case["working"]["median"] / place.calls(case)))

    def delay(self, place: Place, ns: int) -> None:
        """Let Flyte spend so long whenever it enters a span.

        It looks at the clock instead of sleeping: a sleeping program wakes at its own whole
        milliseconds, and the delay would not be of the size that was planted.
        """
        self._plant(place, f"for from := time.Now(); time.Since(from) < {ns}; {{\n\t}}")

    def allocate(self, place: Place, objects: int) -> None:
        """Let Flyte put so many objects on its heap whenever it enters a span.

        Each is kept until the next: what nobody can reach, the compiler puts on the stack.
        """
        each = "allocated = time.Duration(i).String()"
        self._plant(
            place,
            f"for i := 1; i <= {objects}; i++ {{\n\t\t{each}\n\t}}",
            declaration="var allocated string",
        )

    def _plant(self, place: Place, statement: str, declaration: str = "") -> None:
        path = self.folder / place.file
        lines = path.read_text().splitlines(keepends=True)
        (entry,) = [i for i, line in enumerate(lines) if f'{place.span}")' in line]
        lines.insert(entry + 1, f"\t{statement}\n")
        path.write_text("".join([*lines, declaration, "\n"]))


def _copy(source: str, target: str) -> None:
    """Copy a file of the module cache, where all is read-only."""
    shutil.copyfile(source, target)
    Path(target).chmod(stat.S_IRUSR | stat.S_IWUSR)
