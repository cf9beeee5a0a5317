from datetime import timedelta

import pytest
from flytekit.types.file import FlyteFile

from pytest_flyteperf.execute.literals import _is_plain


@pytest.mark.parametrize("kind", [int, str, timedelta, list[int], dict[str, list[float]]], ids=str)
def test_plain_values_need_no_object_store(kind):
    assert _is_plain(kind)


@pytest.mark.parametrize("kind", [FlyteFile, list[FlyteFile], object, list, dict], ids=str)
def test_whatever_may_be_a_file_has_one(kind):
    assert not _is_plain(kind)
