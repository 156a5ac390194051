# SPDX-License-Identifier: BSD-3-Clause
"""The checkers find what they are for: each case is a small tree with one fault, or none."""

import importlib.util
import json
import os
import re
import subprocess
import sys

import pytest

TOOLS = os.path.dirname(os.path.abspath(__file__))
SPDX = "/* SPDX-License-Identifier: BSD-3-Clause */\n/* x: for a test. */\n"


def load(name):
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), os.path.join(TOOLS, name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


layers, lint, run_tests = load("layers"), load("lint"), load("run-tests")


def write(root, files):
    for path, text in files.items():
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)


HEADERS = {p: "" for p in ("src/base/b.h", "src/scsi/s.h", "src/engine/e.h", "src/engine/e_priv.h", "src/block/k.h",
                           "src/fabric/iscsi/i.h", "src/fabric/loopback/l.h", "src/backstore/limits.h",
                           "src/backstore/ram/r.h", "src/backstore/file/f.h", "src/tree/t.h", "src/block/testkit.h")}


@pytest.mark.parametrize("path, line, wanted", [
    ("src/engine/x.c", '#include "base/b.h"', None),
    ("src/engine/spc/x.c", '#include "scsi/s.h"', None),
    ("src/engine/x.c", '#include "engine/e_priv.h"', None),
    ("src/engine/x.c", "#include <stdio.h>", None),
    ("src/block/x.c", "#include <ulio/backstore.h>", None),
    ("src/backstore/ram/x.c", '#include "backstore/limits.h"', None),
    ("src/daemon/x.c", '#include "fabric/iscsi/i.h"', None),
    ("src/base/x_test.c", '#include "engine/e.h"', None),
    ("src/base/x_testkit.h", '#include "engine/e.h"', None),
    ("src/engine/x_test.c", '#include "block/testkit.h"', None),
    ("src/engine/testkit.h", '#include "block/testkit.h"', None),
    ("src/engine/x.c", '#include "block/testkit.h"', "for tests only"),
    ("src/base/x.c", '#include "scsi/s.h"', "must not include"),
    ("src/scsi/x.c", '#include "engine/e.h"', "must not include"),
    ("src/fabric/iscsi/x.c", '#include "block/k.h"', "must not include"),
    ("src/fabric/iscsi/x.c", '#include "fabric/loopback/l.h"', "must not include"),
    ("src/backstore/ram/x.c", '#include "backstore/file/f.h"', "must not include"),
    ("src/backstore/ram/x.c", '#include "scsi/s.h"', "must not include"),
    ("src/control/x.c", '#include "engine/e.h"', "must not include"),
    ("src/cli/x.c", '#include "tree/t.h"', "must not include"),
    ("src/engine/spc/x.c", '#include "engine/e_priv.h"', "private"),
    ("src/engine/x.c", '#include "e.h"', "relative to src/"),
    ("src/engine/x.c", '# include  "../base/b.h"', "relative to src/"),
    ("src/engine/x.c", "#include <liburing.h>", "not for engine"),
    ("src/engine/x.c", "#include <ulio/control.h>", "not for engine"),
    ("src/cli/x.c", "#include <ulio/none.h>", "no such public header"),
    ("src/other/x.c", "", "no layer"),
    ("examples/x.c", '#include "base/b.h"', "public headers only"),
    ("examples/x.c", "#include <ulio/control.h>", "public headers only"),
    ("include/ulio/x.h", '#include "base/b.h"', "public ones only"),
])
def test_layers_includes(tmp_path, path, line, wanted):
    write(tmp_path, {**HEADERS, path: line + "\n"})
    breaches = layers.check_includes(str(tmp_path))
    if wanted is None:
        assert not breaches
    else:
        assert len(breaches) == 1 and wanted in breaches[0]


def test_layers_headers_compile_alone(tmp_path):
    guard = "#ifndef {0}\n#define {0}\n{1}\n#endif\n"
    write(tmp_path, {
        "src/base/good.h": guard.format("G", "#include <stdbool.h>\nbool g(void);"),
        "src/base/needs.h": guard.format("N", "bool g(void);"),
        "src/base/twice.h": "struct s { int i; };\n",
        "src/base/rows.tbl.h": "ROW(1)\n",
        "include/ulio/gnu.h": guard.format("U", "#include <sys/types.h>\nstatic int f(int a) { return a ?: 1; }"),
    })
    count, breaches = layers.check_headers(str(tmp_path))
    assert count == 4
    assert sorted(b.split(":")[0] for b in breaches) == ["include/ulio/gnu.h", "src/base/needs.h", "src/base/twice.h"]


def function(lines, name="f"):
    return f"int {name}(int a,\n\tint b)\n{{\n" + "\ta++;\n" * (lines - 4) + "}\n"


@pytest.mark.parametrize("path, text, wanted", [
    ("src/base/a.c", SPDX + "int a;\n", None),
    ("src/base/a.c", SPDX + "/*" + "x" * 96 + "*/\n", None),
    ("src/base/a.c", SPDX + "/*" + "x" * 97 + "*/\n", "101 columns"),
    ("src/base/a.c", SPDX + "\t" * 12 + "abcde\n", "101 columns"),
    ("src/base/a.tbl.h", SPDX + "ROW(" + "x" * 200 + ")\n", None),
    ("src/base/a.c", "/* a: for a test. */\n/* more */\n", "first line has to be"),
    ("src/base/a.c", SPDX.split("\n", maxsplit=1)[0] + "\nint a;\nint b;\n", "no header comment"),
    ("src/base/a.c", SPDX + "int a; \n", "white space at the end"),
    ("src/base/a.c", SPDX + "int a;", "no newline"),
    ("src/base/a.c", SPDX + "/* TO" + "DO: more */\n", "promises later work"),
    ("src/base/a.c", SPDX + "int a;\n" * 798, None),
    ("src/base/a.c", SPDX + "int a;\n" * 799, "801 lines"),
    ("src/base/a.c", SPDX + function(70), None),
    ("src/base/a.c", SPDX + function(71), "f() has 71 lines"),
    ("src/base/a.c", SPDX + "\n" + function(30, "g") + "\n/* more */\n" + function(71), "f() has 71 lines"),
    ("src/base/a.c", SPDX + "int f(void)\n{\n\tstatic const int t[] = {\n" + "\t\t1,\n" * 90 + "\t};\n}\n", None),
    ("src/base/a_test.c", SPDX + "\tusleep" + "(1);\n", "sleeps"),
    ("src/base/a.c", SPDX + "\tusleep" + "(1);\n", None),
    ("tests/e2e/a.py", "# SPDX-License-Identifier: BSD-3-Clause\ntime.sleep" + "(1)\n", "sleeps"),
    ("tests/e2e/a.py", "import os\n", "no line # SPDX"),
])
def test_lint_files(tmp_path, path, text, wanted):
    write(tmp_path, {path: text})
    findings = lint.check_file(str(tmp_path), path)
    if wanted is None:
        assert not findings
    else:
        assert len(findings) == 1 and wanted in findings[0]


def test_lint_symbols(tmp_path):
    write(tmp_path, {"a.c": """
        int iscsi_global(void) { return 0; }
        static int scsi_local(void) { return 0; }
        int counter;
        static int hidden = 1;
        int f(void) { static int once; return ++once + ++hidden + scsi_local(); }
        _Thread_local int per_thread;
        const int constant = 1;
        static const char *const names[] = { "a", "b" };
        const char *name(int i) { return names[i]; }
        int log_state;
    """})
    subprocess.run(["gcc", "-fPIC", "-c", "a.c", "-o", "a.o"], cwd=tmp_path, check=True)
    subprocess.run(["ar", "rcs", "liba.a", "a.o"], cwd=tmp_path, check=True)
    findings = list(lint.check_library(str(tmp_path / "liba.a")))
    said = {n: sum(bool(re.search(rf" {n}(\.\d+)?(:| is)", f)) for f in findings) for n in
            ("iscsi_global", "scsi_local", "counter", "hidden", "once", "per_thread", "constant", "names", "log_state")}
    assert said == {"iscsi_global": 1, "scsi_local": 0, "counter": 1, "hidden": 1, "once": 1, "per_thread": 1,
                    "constant": 0, "names": 0, "log_state": 0}, findings


def cmocka(passed, failed=0):
    text = f"[==========] {passed + failed} test(s) run.\n[  PASSED  ] {passed} test(s).\n"
    return text + (f"[  FAILED  ] {failed} test(s), listed below:\n[  FAILED  ] name\n" if failed else "")


@pytest.mark.parametrize("entry, wanted", [
    ({"result": "OK", "stderr": cmocka(5)}, (5, 0, 0)),
    ({"result": "OK", "stdout": "12 inputs"}, (1, 0, 0)),
    ({"result": "FAIL", "stderr": cmocka(3, 2)}, (3, 2, 0)),
    ({"result": "FAIL", "stderr": "Assertion failed"}, (0, 1, 0)),
    # all cases passed, then the leak checker spoke
    ({"result": "FAIL", "stderr": cmocka(3)}, (3, 1, 0)),
    ({"result": "TIMEOUT"}, (0, 1, 0)),
    ({"result": "SKIP"}, (0, 0, 1)),
])
def test_counts_of_unit_tests(entry, wanted):
    tally = run_tests.tally_of_meson_test({"name": "x", **entry})
    assert (tally.passed, tally.failed, tally.skipped) == wanted


def test_counts_of_pytest(tmp_path):
    write(tmp_path, {"x.xml": """<testsuites><testsuite>
        <testcase classname="a" name="good"><properties><property name="figures" value="7 ms"/>
            <property name="other" value="x"/></properties></testcase>
        <testcase classname="a" name="bad"><failure message="no">assert</failure></testcase>
        <testcase classname="a" name="broken"><error message="no">fixture</error></testcase>
        <testcase classname="a" name="out"><skipped message="why"/></testcase>
        </testsuite></testsuites>"""})
    tally = run_tests.tally_of_junit(str(tmp_path / "x.xml"))
    assert (tally.passed, tally.failed, tally.skipped) == (1, 2, 1)
    assert tally.figures == ["7 ms"]


def test_a_command_that_hangs_counts_as_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(run_tests, "LOGS", str(tmp_path))
    status, out = run_tests.run("x", ["sh", "-c", "echo begun; sleep 1000"], 0.5)
    assert status is None and "begun" in out
    assert run_tests.tool("sh", "-c", "exec cat <&1", seconds=5)("y").failed == 1
    assert run_tests.tool("true")("z").passed == 1


def test_fuzz_status_lines():
    fuzz = load("fuzz")
    m = fuzz.STATUS.match("#1024\tNEW    cov: 77 ft: 99 corp: 5/10b")
    assert m.groups() == ("1024", "NEW", "77")


def test_deps_lists_and_refuses():
    deps = os.path.join(TOOLS, "deps.sh")
    listed = subprocess.run([deps, "--list", "build", "test"], capture_output=True, text=True, check=True)
    assert {"meson", "python3-pytest"} <= set(listed.stdout.split())
    assert subprocess.run([deps, "nonsense"], capture_output=True, check=False).returncode == 2
    assert subprocess.run([deps], capture_output=True, check=False).returncode == 2


def test_deps_on_another_system(tmp_path):
    """Without apt-get it names the packages and fails."""
    for program in ("sh", "sort", "printf", "id"):
        os.symlink(f"/bin/{program}" if os.path.exists(f"/bin/{program}") else f"/usr/bin/{program}",
                   tmp_path / program)
    done = subprocess.run(["/bin/sh", os.path.join(TOOLS, "deps.sh"), "build"], env={"PATH": str(tmp_path)},
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "not a Debian system" in done.stderr and "liburing-dev" in done.stderr


def test_tidy_reads_compile_commands(tmp_path, monkeypatch):
    tidy = load("tidy")
    monkeypatch.setattr(tidy, "ROOT", str(tmp_path))
    write(tmp_path, {"b/compile_commands.json": json.dumps([
        {"directory": str(tmp_path / "b"), "file": "../src/a.c", "command": "ccache clang -I.. -c ../src/a.c"},
        {"directory": str(tmp_path / "b"), "file": "../src/a_test.c", "command": "clang -c ../src/a_test.c"},
        {"directory": str(tmp_path / "b"), "file": "gen.c", "command": "clang -c gen.c"}])})
    assert tidy.commands(str(tmp_path / "b")) == {
        "src/a.c": (str(tmp_path / "b"), ["clang", "-I..", "-c", "../src/a.c"])}


def test_gendocs_is_up_to_date():
    """docs/scsi-support.md is what the tables say."""
    root = os.path.dirname(TOOLS)
    gendocs = load("gendocs")
    with open(os.path.join(root, gendocs.OUTPUT), encoding="utf-8") as f:
        assert f.read() == gendocs.scsi_support(root), "run tools/gendocs.py"


def test_gendocs_follows_the_tables(tmp_path):
    """A row more is a line more, and --check sees that the file is old."""
    gendocs = load("gendocs")
    for path in ("src/scsi/opcodes.h", "src/scsi/vpd.h", "src/scsi/modepage.tbl.h", "src/engine/lu.h",
                 "src/engine/optable.h", "src/engine/optable.c", "src/engine/optable.tbl.h", "src/engine/tmf.c",
                 "src/engine/spc/inquiry.c"):
        with open(os.path.join(os.path.dirname(TOOLS), path), encoding="utf-8") as f:
            write(tmp_path, {path: f.read()})
    os.makedirs(tmp_path / "docs")
    command = [os.path.join(TOOLS, "gendocs.py"), "--root", str(tmp_path)]
    assert subprocess.run([*command, "--check"], capture_output=True, check=False).returncode == 1
    subprocess.run(command, check=True)
    assert subprocess.run([*command, "--check"], capture_output=True, check=False).returncode == 0
    with open(tmp_path / "src/engine/optable.tbl.h", "a", encoding="utf-8") as f:
        f.write('OP("READ(32), a", OP_VARIABLE_LENGTH_CDB, SA_READ_32, 32,\n\tsbc_read, (READS | RULE_HOQ) '
                "& ~RULE_MEDIUM, 7, op_has_caw, U(0 /* , ) */, 1))\n")
    assert subprocess.run([*command, "--check"], capture_output=True, check=False).returncode == 1
    assert gendocs.rows('R("a, (b", f(1, 2),\n\t/* x, */ 3)\n', "R") == [['"a, (b"', "f(1, 2)", "3"]]
    line = "| 7Fh/09h | READ(32), a | 32 | `emulate_caw` | write exclusive, head | 7 |"
    assert line in gendocs.commands(str(tmp_path))


if __name__ == "__main__":
    sys.exit(pytest.main([__file__]))
