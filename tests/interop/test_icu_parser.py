# SPDX-License-Identifier: BSD-3-Clause
"""The parser of iscsi-test-cu's output and the comparison with expected.toml are tested themselves."""

import pytest

from icu import Expected, parse

OUTPUT = """
     CUnit - A unit testing framework for C - Version 2.1-3

Suite: Inquiry
  Test: Standard ...passed
  Test: EVPD ...    [WARNING] odd but fine
passed
Suite: Read10
  Test: Simple ...    [SKIPPED] READ10 is not implemented.
    [SKIPPED] READ10 is not implemented.
passed
  Test: BeyondEol ...    [FAILED] READ10 failed with status 2
FAILED
    1. test_read10_beyondeol.c:47  - CU_ASSERT_EQUAL(_r,0)
    2. test_read10_beyondeol.c:53  - CU_ASSERT_EQUAL(_r,0)
  Test: Residuals ...passed    [FAILED] noise after the verdict
    [SKIPPED] PERSISTENT RESERVE IN is not implemented.

Run Summary:    Type  Total    Ran Passed Failed Inactive
              suites      2      2    n/a      0        0
               tests      5      5      4      1        0
             asserts     10     10      8      2      n/a
"""


def test_parse():
    got = {k: v.state for k, v in parse(OUTPUT).items()}
    assert got == {"Inquiry.Standard": "passed", "Inquiry.EVPD": "passed", "Read10.Simple": "skipped",
                   "Read10.BeyondEol": "failed", "Read10.Residuals": "passed"}


@pytest.mark.parametrize("cut", ["Run Summary", "  Test: Residuals", "FAILED\n", "tests      5"])
def test_parse_refuses_what_does_not_add_up(cut):
    """A run that crashed, or output that the parser does not understand, is no success."""
    text = OUTPUT.split(cut)[0]
    if cut != "Run Summary":
        text = OUTPUT.replace("\nFAILED\n", "\n") if cut == "FAILED\n" else "\n".join(
            x for x in OUTPUT.splitlines() if cut not in x)
    with pytest.raises(AssertionError):
        parse(text)


def expected(tmp_path, text):
    path = tmp_path / "e.toml"
    path.write_text(text)
    return Expected(path)


def test_compare(tmp_path):
    e = expected(tmp_path, """
[[skip]]
tests = ["Read10.Simple"]
reason = "a reason that is long enough"
[[fail]]
tests = ["Read10.BeyondEol"]
disks = ["ram"]
reason = "a reason that is long enough"
""")
    out = parse(OUTPUT)
    assert e.compare("ram", out) == []
    assert len(e.compare("file", out)) == 1
    assert len(expected(tmp_path, "").compare("ram", out)) == 2


def test_compare_notices_what_passes_now(tmp_path):
    e = expected(tmp_path, '[[skip]]\ntests = ["Inquiry.EVPD", "Gone.Test"]\nreason = "long enough reason"\n')
    bad = e.compare("ram", parse(OUTPUT))
    assert any("take it off" in b for b in bad) and any("not in the suite" in b for b in bad)


def test_reason_is_demanded(tmp_path):
    with pytest.raises(AssertionError):
        expected(tmp_path, '[[skip]]\ntests = ["A.B"]\nreason = ""\n')


def test_expected_names_known_disks():
    from test_libiscsi import DISKS
    assert Expected().disks() <= set(DISKS)
