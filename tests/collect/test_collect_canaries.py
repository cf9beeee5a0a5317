from http import HTTPStatus

from pytest_flyteperf.collect import canary
from pytest_flyteperf.kubeapi import KubeError


class Api:
    """A Kubernetes API with one ConfigMap, or none, or no right to write one."""

    def __init__(self, *, present, refuse=None):
        self.present = present
        self.refuse = refuse
        self.calls = []

    def request(self, method, _path, *, body=None):
        self.calls.append(method)
        if method == self.refuse:
            raise KubeError("forbidden", HTTPStatus.FORBIDDEN)
        if method == "GET" and not self.present:
            raise KubeError("not found", HTTPStatus.NOT_FOUND)
        if body is not None:
            self.present = True

    def patch(self, _path, _body):
        self.calls.append("PATCH")
        if self.refuse == "PATCH":
            raise KubeError("forbidden", HTTPStatus.FORBIDDEN)


def test_a_canary_writes_its_own_object_and_makes_it_once():
    api = Api(present=False)

    first, second = (canary.sing(api, "n") for _ in range(2))

    assert api.calls.count("POST") == 1
    assert api.calls.count("PATCH") == 2 * canary.API_WRITES
    assert min(first.cpu_ns, second.cpu_ns, first.api_write_ns, second.api_write_ns) > 0


def test_between_two_repeats_they_sing_once():
    now = [0]
    api = Api(present=True)
    canaries = canary.Between(api, "n", lambda: now[0], canary.CPU_PIECES)

    first = canaries.before()
    after = canaries.after()
    now[0] += canary.SAME_NS
    assert canaries.before() is after
    assert first is not after
    assert api.calls.count("PATCH") == 2 * canary.API_WRITES

    now[0] += 1
    assert canaries.before() is not after


def test_as_many_pieces_are_sung_as_were_asked_for(monkeypatch):
    pieces = iter([44, 900, 45])
    monkeypatch.setattr(canary, "_cpu_ns", lambda: next(pieces))
    canaries = canary.Between(Api(present=True), "n", lambda: 0, canary.ONE_PIECE)

    assert [canaries.before().cpu_ns, canaries.after().cpu_ns] == [44, 900]


def test_where_writing_is_not_allowed_the_figure_is_unknown():
    for method in ("GET", "POST", "PATCH"):
        assert canary.sing(Api(present=method == "PATCH", refuse=method), "n").api_write_ns is None


def test_one_disturbed_piece_moves_no_figure(monkeypatch):
    pieces = iter([44, 900, 45])
    written = iter([3, 2, 4000, 2, 3, 3, 2, 3, 800, 3, 2])
    monkeypatch.setattr(canary, "_cpu_ns", lambda: next(pieces))
    monkeypatch.setattr(canary, "_written_ns", lambda *_: next(written))

    sung = canary.sing(Api(present=True), "n")

    assert (sung.cpu_ns, sung.api_write_ns) == (45, 3)
