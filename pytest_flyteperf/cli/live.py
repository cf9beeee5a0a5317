"""Executions of a live Flyte, as commands name them."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_flyteperf.cli.output import ProgressLine

if TYPE_CHECKING:
    from pytest_flyteperf.collect import Reference


def add_execution(parser: argparse.ArgumentParser, metavar: str, what: str) -> None:
    """Add which execution, and where to ask for it."""
    parser.add_argument("execution", metavar=metavar, help=what)
    parser.add_argument("-p", "--project", help="for a NAME alone; default flytesnacks")
    parser.add_argument("-d", "--domain", help="for a NAME alone; default development")
    parser.add_argument(
        "--endpoint",
        metavar="HOST:PORT",
        help="FlyteAdmin's gRPC; default the URL's host, else flytekit's configuration",
    )
    parser.add_argument("--insecure", action="store_true", default=None, help="without TLS")
    parser.add_argument(
        "--traces", metavar="URL|FILE", help="a Jaeger, or a file: OTLP JSON lines or Jaeger's JSON"
    )
    parser.add_argument(
        "--kubeconfig", metavar="FILE", help="read pods and FlyteWorkflow objects that are left"
    )


def reference(given: argparse.Namespace) -> Reference:
    """Which execution was named."""
    from pytest_flyteperf.collect import parse_reference  # grpc, and not for help

    return parse_reference(given.execution, given.project, given.domain)


def record_into(given: argparse.Namespace, folder: Path) -> None:
    """Record the execution that was named."""
    # What the errors say in one line, gRPC's library would print as well.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from pytest_flyteperf.collect import Sources, record

    sources = Sources(
        endpoint=given.endpoint,
        insecure=given.insecure,
        traces=given.traces,
        kubeconfig=given.kubeconfig,
    )
    # Flytekit warns, and asks people to log in, on standard output: that is for the result.
    with redirect_stdout(sys.stderr), ProgressLine() as progress:
        record(reference(given), sources, folder, progress)
