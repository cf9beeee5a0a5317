"""What can go wrong, one class per kind; each message is one line: what, where, what to do."""


class FlyteperfError(Exception):
    """A failure with a message for the user; never shown with a traceback."""

    exit_code = 4
    """The exit code of the `flyteperf` command for this kind of failure."""


class UsageError(FlyteperfError):
    """An option, a setting or an input file is wrong; nothing was started."""

    exit_code = 2


class BuildError(FlyteperfError):
    """The engine's programs could not be built."""


class ClusterError(FlyteperfError):
    """The cluster could not be brought up, or one of its processes died."""


class DeploymentError(FlyteperfError):
    """Flyte could not be brought up, or one of its processes died."""


class BusyError(FlyteperfError):
    """Another run measures on this machine or cluster."""


class RegistrationError(FlyteperfError):
    """A workflow failed to serialize, to compile or to register."""

    exit_code = 1


class ExecutionError(FlyteperfError):
    """An execution failed, timed out, or gave wrong outputs or shape."""

    exit_code = 1


class RecordingError(FlyteperfError):
    """A recording is absent, incomplete or damaged."""

    exit_code = 5


class BaselineError(FlyteperfError):
    """A baseline file cannot be read or written."""

    exit_code = 2
