import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_flyteperf.execute.names import LENGTH, execution_name


@given(st.text(), st.integers(0, 9999), st.booleans())
def test_every_name_is_valid_and_equally_long(case, index, warmup):
    name = execution_name(case, index, warmup=warmup)

    assert re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", name)
    assert len(name) == LENGTH


def test_a_name_says_case_and_repeat():
    first = execution_name("chain", 3, warmup=False, choose=lambda _: "k")

    assert first == "chain-r03-kkkkkkkkkk"


def test_a_warm_up_is_named_so():
    assert execution_name("test_chain", 0, warmup=True).startswith("chain-w00-")


def test_two_names_of_one_repeat_differ():
    assert execution_name("chain", 0, warmup=False) != execution_name("chain", 0, warmup=False)


def test_a_repeat_beyond_what_a_name_can_say_is_refused():
    with pytest.raises(ValueError, match="no name of 20 characters"):
        execution_name("chain", 10**12, warmup=False)
