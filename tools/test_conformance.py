# SPDX-License-Identifier: BSD-3-Clause
"""tools/conformance.py finds what it is for, and nothing in this tree."""

import importlib.util
import os

import pytest

TOOLS = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("conformance", os.path.join(TOOLS, "conformance.py"))
conformance = importlib.util.module_from_spec(spec)
spec.loader.exec_module(conformance)

HEAD = "| clause | level | requirement | held by |\n|---|---|---|---|\n"
GOOD = "| 6.2 | MUST | one thing | `wire/test_a.py::test_x`, `fabric/iscsi/b_test.c::test_y` |\n"


@pytest.fixture
def tree(tmp_path):
    for path, text in {
            "tests/wire/test_a.py": 'def test_x():\n    """6.2: a thing."""\n',
            "tests/wire/test_lu_a.py": "def test_y():\n    pass\n",
            "src/fabric/iscsi/b_test.c": "static void test_y(void **state)\n{\n}\n"}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / "docs").mkdir()
    return tmp_path


def findings(tree, text):
    (tree / "docs" / "rfc7143.md").write_text(HEAD + text)
    return [*conformance.check_document(str(tree)), *conformance.check_tests(str(tree))]


@pytest.mark.parametrize("row", [GOOD, "| 12.1.1 | MAY | Kerberos | not offered: nobody asked |\n",
                                 GOOD + "| D | SHOULD | one | by design: it is so |\n"
                                 "| RFC 7144 4.2 | MUST | one | others: engine/tmf_test.c |\n"])
def test_good_document(tree, row):
    assert findings(tree, row) == []


@pytest.mark.parametrize("row, wanted", [
    ("", "no rows"),
    (GOOD.replace("test_x", "test_z"), "has no test test_z"),
    (GOOD.replace("test_y", "test_z"), "has no test test_z"),
    (GOOD.replace("test_a", "test_b"), "no file"),
    (GOOD.replace("MUST", "must"), "is none of"),
    (GOOD.replace("6.2", "six"), "is no clause"),
    ("| 6.2 | MUST | one thing | surely |\n", "neither a test nor a reason"),
    ("| 6.2 | MUST | one thing | not offered: |\n", "without a reason"),
    ("| 6.2 | MUST | one thing |\n", "3 cells"),
    (GOOD + GOOD.replace("6.2", "4.2.10") + GOOD.replace("6.2", "4.2.9"), "comes after"),
])
def test_bad_document(tree, row, wanted):
    assert any(wanted in f for f in findings(tree, row))


@pytest.mark.parametrize("doc, good", [("6.2: a thing.", True), ("A thing (11.3.1).", True), ("SAM-5 5.14: it.", True),
                                       ("RFC 1994 says so.", True), ("Appendix C, SendTargets.", True),
                                       ("A thing.", False), ("It takes 3 s.", False), ("In 1.", False),
                                       ("It takes 12 s.", False), ("Within 0.5 s.", False)])
def test_docstring(tree, doc, good):
    (tree / "tests/wire/test_a.py").write_text(f'def test_x():\n    """{doc}"""\n')
    assert (findings(tree, GOOD) == []) == good


def test_this_tree():
    """The document names only tests that exist; each iSCSI test of tests/wire names its clause."""
    root = os.path.dirname(TOOLS)
    assert [*conformance.check_document(root), *conformance.check_tests(root)] == []
