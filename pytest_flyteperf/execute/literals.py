"""Python values to Flyte's literals and back, by the types in a workflow's interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime, timedelta
from typing import Any, get_args, get_origin

from pytest_flyteperf.errors import ExecutionError, RegistrationError
from pytest_flyteperf.model import Deployment

PLAIN = (int, float, str, bool, date, datetime, timedelta)


def to_literals(entity: Any, inputs: Mapping[str, Any], deployment: Deployment) -> Any:
    """Convert inputs to a `flyteidl.core.LiteralMap`.

    Files, data frames and pickles are uploaded to the deployment's object store.

    Raises:
        RegistrationError: the workflow has no such input, or a value does not fit its type.
    """
    from flytekit.core.type_engine import TypeEngine

    types = entity.python_interface.inputs
    for name in inputs:
        if name not in types:
            known = ", ".join(types) or "none"
            raise RegistrationError(f"{entity.name}: has no input {name}; its inputs: {known}")
    try:
        with _context(types.values(), deployment) as context:
            literals = TypeEngine.dict_to_literal_map(context, dict(inputs), types)
    except Exception as error:
        raise RegistrationError(
            f"{entity.name}: inputs do not fit: {' '.join(str(error).split())}"
        ) from error
    return literals.to_flyte_idl()


def to_python(entity: Any, outputs: Any, deployment: Deployment) -> Any:
    """Convert the outputs of an execution to what a call of the workflow would have returned.

    Raises:
        ExecutionError: an output is absent or does not fit its type.
    """
    from flytekit.core.type_engine import TypeEngine
    from flytekit.models.literals import LiteralMap

    types = entity.python_interface.outputs
    # FlyteAdmin answers with no outputs if it could not read them from the object store.
    missing = [name for name in types if name not in outputs.literals]
    if missing:
        raise ExecutionError(f"outputs {', '.join(missing)} are absent")
    try:
        with _context(types.values(), deployment) as context:
            values = TypeEngine.literal_map_to_kwargs(
                context, LiteralMap.from_flyte_idl(outputs), types
            )
    except Exception as error:
        raise ExecutionError(f"outputs do not fit: {' '.join(str(error).split())}") from error
    ordered = tuple(values[name] for name in types)
    return ordered[0] if len(ordered) == 1 else ordered or None


def file_access(deployment: Deployment) -> Any:
    """Flytekit's access to files in the deployment's object store, from this machine."""
    from flytekit.configuration import DataConfig, S3Config
    from flytekit.core.context_manager import FlyteContextManager
    from flytekit.core.data_persistence import FileAccessProvider

    store = deployment.cluster.store
    context = FlyteContextManager.current_context()
    return FileAccessProvider(
        local_sandbox_dir=context.user_space_params.working_directory,
        raw_output_prefix=f"s3://{store.bucket}/flyteperf-inputs",
        data_config=DataConfig(
            s3=S3Config(
                endpoint=store.endpoint,
                access_key_id=store.access_key,
                secret_access_key=store.secret_key,
            )
        ),
    )


def _context(types: Iterable[Any], deployment: Deployment) -> AbstractContextManager[Any]:
    """Flytekit context whose files lie in the deployment's object store, if there may be any."""
    from flytekit.core.context_manager import FlyteContextManager

    context = FlyteContextManager.current_context()
    if all(map(_is_plain, types)):
        return nullcontext(context)
    manager: AbstractContextManager[Any] = FlyteContextManager.with_context(
        context.with_file_access(file_access(deployment))
    )
    return manager


def _is_plain(kind: Any) -> bool:
    """Tell whether values of a type travel in the literal itself.

    Others may need the object store, whose client takes 0.1 s to import.
    """
    return kind in PLAIN or (
        get_origin(kind) in (list, dict) and all(map(_is_plain, get_args(kind)))
    )
