"""What a user's YAML file may hold: anything else ends in one line that says where."""

import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_flyteperf.deploy import yamlfile
from pytest_flyteperf.deploy.yamlfile import MAX_BYTES, read_yaml
from pytest_flyteperf.errors import UsageError

BOMB = "a: &a [x, x]\nb: &b [*a, *a, *a, *a]\nc: &c [*b, *b, *b, *b]\n"


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True)
def loader(request, monkeypatch):
    """With libyaml and without: the same is refused."""
    if not hasattr(yaml, request.param):
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(yamlfile, "_LOADER", getattr(yaml, request.param))


def write(folder, text):
    path = folder / "flyte.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_mapping_is_read_with_the_line_of_each_key(tmp_path):
    path = write(
        tmp_path, "# mine\npropeller:\n  workers: 3\n\n  Queue: {batch-size: 2}\nlist: [a]\n"
    )

    document = read_yaml(path)

    assert document.content == {
        "propeller": {"workers": 3, "Queue": {"batch-size": 2}},
        "list": ["a"],
    }
    assert document.where("propeller", "workers") == f"{path}:3"
    assert document.where("propeller", "queue", "Batch-Size") == f"{path}:5"
    assert document.where("absent") == str(path)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_a_file_without_content_changes_nothing(tmp_path, text):
    assert read_yaml(write(tmp_path, text)).content == {}


def test_dates_stay_as_they_are_written(tmp_path):
    assert read_yaml(write(tmp_path, "a: 2026-11-22\n")).content == {"a": "2026-11-22"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", ":3: a is said before, in line 1"),
        ("x:\n  Workers: 1\n  workers: 2\n", ":3: workers is said before, in line 2"),
        (BOMB, ":1: anchors and aliases are not taken"),
        ("a: *nowhere\n", ":1: anchors and aliases are not taken"),
        ("- a\n- b\n", ":1: holds no sections"),
        ("just words\n", ":1: holds no sections"),
        ("a: [1, 2\nb: 3\n", "not YAML: "),
        ("a: 1\n---\nb: 2\n", "not YAML: "),
        ("a: !!python/object/apply:os.system [ls]\n", ":1: tag "),
        ("a: !!binary aGVsbG8=\n", ":1: tag "),
        ("a: !!int words\n", ":1: "),
        ("? [a, b]\n: c\n", ":1: a key is a word"),
        ("a: \x01\n", "not YAML: "),
        ("a: " + "[" * 60 + "]" * 60 + "\n", "nested deeper than 50 levels"),
        ("a: " + "[" * 5000 + "\n", "nested deeper than 50 levels"),
        (b"a: \xff\xfe\n", "byte 3 is not UTF-8"),
        ("a: 1" + " " * MAX_BYTES, "larger than 64 KiB"),
        ("a: " + "9" * 5000 + "\n", ":1: "),
    ],
)
def test_what_is_not_plain_yaml_is_refused_with_its_place(tmp_path, text, said):
    path = write(tmp_path, text)

    with pytest.raises(UsageError, match=re.escape(said)) as error:
        read_yaml(path)

    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UsageError, match="absent: No such file or directory; give a readable"):
        read_yaml(tmp_path / "absent")


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UsageError, match="Is a directory"):
        read_yaml(tmp_path)


def refusal(path):
    """Why a file is refused; nothing if it is not."""
    try:
        read_yaml(path)
    except UsageError as error:
        return str(error)
    return ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet="ab:-[]{}&*!|>?#'\"% \n\t01", max_size=60))
def test_any_text_is_read_or_refused_in_one_line(tmp_path_factory, text):
    path = write(tmp_path_factory.mktemp("yaml"), text)

    assert "\n" not in refusal(path)
