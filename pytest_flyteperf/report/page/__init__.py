"""The HTML report: one self-contained file, for looking from a red check down to its cause.

`render` is the door. Nothing in the page reaches for a network: style and script are inlined from
files beside this one and named by hash in its content security policy; every text from outside is
escaped by the template, every figure is drawn here or from the JSON that the page carries.
"""

from pytest_flyteperf.report.page.content import CaseContent, Links, RepeatContent
from pytest_flyteperf.report.page.render import render

__all__ = ["CaseContent", "Links", "RepeatContent", "render"]
