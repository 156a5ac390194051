#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Build every variant and run every test; the last line is "N passed, N failed, N skipped".

Steps run in the order of STEPS below; what a step needs and lacks is installed first
(tools/deps.sh), and a step that cannot run counts as failed, never as passed. Logs are kept in
.run/test/. Exit status 1 if anything failed.

usage: tools/run-tests.py [--list] [--only STEP[,STEP...]] [--no-deps]
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOTES_MAX = 25  # failures of a step that are shown
LOGS = os.path.join(ROOT, ".run", "test")
PYTHON = sys.executable
JOBS = str(os.cpu_count() or 1)

# build directory: compiler, meson options
BUILDS = {
    "build-asan": ("gcc", ["-Db_sanitize=address,undefined", "-Db_lundef=false"]),
    "build-fuzz": ("clang", ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dfuzz=true",
                             "-Dc_args=-fsanitize=fuzzer-no-link"]),
    "build-tsan": ("gcc", ["-Db_sanitize=thread", "-Db_lundef=false"]),
    "build-release": ("gcc", ["-Dbuildtype=release"]),
}

SANITIZERS = {
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:allocator_may_return_null=1",
    "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1",
}

# a busy machine is no failure: limits of waiting are multiplied; slow tests are for a run by hand
PATIENT = {"ULIO_TEST_QUICK": "1", "ULIO_TEST_TIMEOUT_SCALE": os.environ.get("ULIO_TEST_TIMEOUT_SCALE", "4")}


class Tally:
    """Counts of a step, what to show of its failures, and what it measured."""

    def __init__(self, passed=0, failed=0, skipped=0, notes=(), figures=()):
        self.passed, self.failed, self.skipped = passed, failed, skipped
        self.notes, self.figures = list(notes), list(figures)

    @classmethod
    def one(cls, good, note=""):
        return cls(passed=1) if good else cls(failed=1, notes=[note] if note else [])

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.notes += other.notes
        self.figures += other.figures


def run(step, cmd, seconds, env=None):
    """Run a command with its output in the step's log: (status, output); None on a timeout."""
    path = os.path.join(LOGS, step + ".log")
    with open(path, "ab") as log:
        start = log.tell()
        log.write(f"$ {' '.join(cmd)}\n".encode())
        log.flush()
        proc = subprocess.Popen(cmd, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                env={**os.environ, **SANITIZERS, **(env or {})}, start_new_session=True)
        try:
            status = proc.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
            log.write(f"\ntimeout after {seconds} s\n".encode())
        except BaseException:
            os.killpg(proc.pid, signal.SIGKILL)
            proc.wait()
            raise
        if status is None:
            os.killpg(proc.pid, signal.SIGKILL)
            proc.wait()
    with open(path, "rb") as log:
        log.seek(start)
        return status, log.read().decode("utf-8", "replace")


def tail(text, lines=40):
    return "\n".join(text.rstrip().split("\n")[-lines:])


def errors_of(text):
    """The lines of a build log that tell what is wrong."""
    found = re.findall(r"^.*(?:error|undefined reference|FAILED|ERROR).*$(?:\n.*){0,3}", text, re.M)
    return "\n".join(found[:20]) or tail(text)


# --- builds

_built = {}


def build(directory):
    """Set up and compile once in this run. True if it succeeded."""
    if directory not in _built:
        _built[directory] = compile_build(directory)
    return _built[directory].failed == 0


def compile_build(directory):
    compiler, options = BUILDS[directory]
    step, path = directory, os.path.join(ROOT, directory)
    fresh = not os.path.exists(os.path.join(path, "build.ninja"))
    cc = "ccache " + compiler if shutil.which("ccache") else compiler
    if fresh:
        # what an interrupted set-up leaves cannot be set up again
        shutil.rmtree(path, ignore_errors=True)
        status, out = run(step, ["meson", "setup", directory, *options], 120, {"CC": cc})
    else:
        status, out = run(step, ["meson", "configure", directory, *options], 120)
    if status == 0:
        status, out = run(step, ["ninja", "-C", directory, "-j", JOBS], 1500)
    return Tally.one(status == 0, f"{directory} does not build:\n{errors_of(out)}")


def step_build(directory):
    def step(_name):
        build(directory)
        return _built[directory]
    return step


def needs(directory):
    """Decorator: the step needs a build; without it it counts as failed."""
    def wrap(func):
        def step(name):
            if not build(directory):
                return Tally.one(False, f"not run, {directory} does not build")
            return func(name)
        return step
    return wrap


# --- unit tests

CMOCKA = re.compile(r"^\[  PASSED  \] (\d+) test", re.M)
CMOCKA_FAILED = re.compile(r"^\[  FAILED  \] (\d+) test", re.M)
CMOCKA_SKIPPED = re.compile(r"^\[  SKIPPED \] (\d+) test", re.M)


def count(pattern, text):
    return sum(int(n) for n in pattern.findall(text))


def tally_of_meson_test(entry):
    """One program; its cmocka cases are counted where it has some."""
    text = entry.get("stdout", "") + entry.get("stderr", "")
    passed, failed = count(CMOCKA, text), count(CMOCKA_FAILED, text)
    skipped = count(CMOCKA_SKIPPED, text)
    result = entry["result"]
    if result in ("OK", "EXPECTEDFAIL"):
        return Tally(passed=passed or 1, skipped=skipped)
    if result == "SKIP":
        return Tally(skipped=1)
    note = f"{entry['name']}: {result}\n{tail(text)}"
    return Tally(passed=passed, failed=failed or 1, skipped=skipped, notes=[note])


def meson_tests(name, directory, args, seconds, timeout_scale="1"):
    log = os.path.join(ROOT, directory, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    status, out = run(name, ["meson", "test", "-C", directory, "--no-rebuild", "--num-processes", JOBS,
                             "--timeout-multiplier", timeout_scale, *args], seconds)
    tally = Tally()
    if os.path.exists(log):
        with open(log, encoding="utf-8") as f:
            for line in f:
                tally.add(tally_of_meson_test(json.loads(line)))
    if status != 0 and tally.failed == 0:
        tally.add(Tally.one(False, f"meson test ended with {status}:\n{tail(out)}"))
    if tally.passed + tally.failed + tally.skipped == 0:
        tally.add(Tally.one(False, f"no test ran:\n{tail(out)}"))
    return tally


@needs("build-asan")
def step_unit(name):
    return meson_tests(name, "build-asan", ["--no-suite", "long"], 900, "4")


@needs("build-tsan")
def step_tsan(name):
    return meson_tests(name, "build-tsan", ["--suite", "tsan"], 900, "8")


# --- checks of the sources

def tool(*cmd, seconds=300):
    def step(name):
        status, out = run(name, list(cmd), seconds)
        return Tally.one(status == 0, tail(out))
    return step


def sources():
    out = subprocess.run(["git", "ls-files", "*.c", "*.h"], cwd=ROOT, capture_output=True, text=True, check=True)
    return out.stdout.split()


def step_format(name):
    status, out = run(name, ["clang-format", "--dry-run", "--Werror", *sources()], 120)
    files = sorted(set(re.findall(r"^(\S+?):\d+:\d+: error", out, re.M)))
    return Tally.one(status == 0, "not as clang-format lays it out (make format): " + " ".join(files) if files
                     else tail(out))


def manual_pages():
    folder = os.path.join(ROOT, "man")
    return [os.path.join("man", n) for n in sorted(os.listdir(folder)) if re.search(r"\.\d$", n)]


def step_man(name):
    pages = manual_pages()
    if not pages:
        return Tally()
    status, out = run(name, ["mandoc", "-T", "lint", "-W", "warning", *pages], 60)
    return Tally.one(status == 0, tail(out))


@needs("build-release")
def step_lint(name):
    return tool(PYTHON, "tools/lint.py", "--build", "build-release")(name)


@needs("build-fuzz")
def step_tidy(name):
    return tool(PYTHON, "tools/tidy.py", "--build", "build-fuzz", seconds=1200)(name)


@needs("build-fuzz")
def step_fuzz(name):
    status, out = run(name, [PYTHON, "tools/fuzz.py", "--build", "build-fuzz", "--seconds", "3"], 400)
    m = re.search(r"^fuzz: (\d+) targets, (\d+) failed$", out, re.M)
    if not m:
        return Tally.one(False, f"fuzz.py ended with {status}:\n{tail(out)}")
    total, failed = int(m.group(1)), int(m.group(2))
    return Tally(passed=total - failed, failed=failed, notes=[tail(out)] if failed else [])


# --- pytest

def reason(text):
    """What pytest says of a failure, without the source around it."""
    said = [line for line in text.split("\n") if line.startswith("E ")]
    return "\n".join(said[-15:]) if said else tail(text, 15)


def tally_of_junit(path):
    tally = Tally()
    for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        tally.figures += [x.get("value") for x in case.iter("property") if x.get("name") == "figures"]
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        if bad is not None:
            tally.add(Tally.one(False, f"{name}:\n{reason(bad.text or bad.get('message', ''))}"))
        elif case.find("skipped") is not None:
            tally.add(Tally(skipped=1))
        else:
            tally.add(Tally.one(True))
    return tally


def pytests(name, folder, seconds, env=None):
    if not os.path.isdir(os.path.join(ROOT, folder)):
        return Tally.one(False, f"{folder} is missing")
    report = os.path.join(LOGS, name + ".xml")
    if os.path.exists(report):
        os.unlink(report)
    status, out = run(name, [PYTHON, "-m", "pytest", "-q", folder, "--junitxml", report], seconds,
                      {**PATIENT, **(env or {})})
    tally = tally_of_junit(report) if os.path.exists(report) else Tally()
    if status != 0 and tally.failed == 0:
        tally.add(Tally.one(False, f"pytest {folder} ended with {status}:\n{tail(out)}"))
    return tally


def daemon_tests(directory, folder, seconds, env=None):
    """Tests with the daemon of a build directory."""
    @needs(directory)
    def step(name):
        path = os.path.join(ROOT, directory)
        if not os.path.exists(os.path.join(path, "src", "daemon", "uliod")):
            return Tally.one(False, f"not run, {directory} holds no uliod")
        return pytests(name, folder, seconds, {"ULIO_BUILD": path, **(env or {})})
    return step


# how long a login may take is what these tests are about: it is not multiplied
PROMPT = {"ULIO_TEST_QUICK": "", "ULIO_TEST_TIMEOUT_SCALE": os.environ.get("ULIO_TEST_TIMEOUT_SCALE", "1")}


# name, function, part of `make test`
STEPS = [
    ("layers", tool(PYTHON, "tools/layers.py"), True),
    ("format", step_format, True),
    ("tools", lambda name: pytests(name, "tools", 120), True),
    ("man", step_man, True),
    ("build-asan", step_build("build-asan"), True),
    ("unit", step_unit, True),
    ("build-fuzz", step_build("build-fuzz"), True),
    ("fuzz", step_fuzz, True),
    ("tidy", step_tidy, True),
    ("build-tsan", step_build("build-tsan"), True),
    ("tsan", step_tsan, True),
    ("build-release", step_build("build-release"), True),
    ("lint", step_lint, True),
    ("wire", daemon_tests("build-asan", "tests/wire", 900), True),
    ("e2e", daemon_tests("build-asan", "tests/e2e", 900), True),
    ("interop", daemon_tests("build-asan", "tests/interop", 900), True),
    ("chaos", daemon_tests("build-asan", "tests/chaos", 900), True),
    ("robust", daemon_tests("build-release", "tests/robust", 1500, PROMPT), True),
    ("vm", daemon_tests("build-release", "tests/vm", 3600), False),
]


def install_tools(only):
    sets = ["build", "test", "lint", "fuzz"] + (["vm"] if "vm" in only else [])
    status, out = run("deps", ["sh", "tools/deps.sh", *sets], 1800)
    if status != 0:
        print(tail(out), flush=True)
    return Tally() if status == 0 else Tally.one(False, "what the tests need could not be installed")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--list", action="store_true", help="print the steps")
    parser.add_argument("--only", default="", help="steps to run, separated by commas")
    parser.add_argument("--no-deps", action="store_true", help="install nothing")
    args = parser.parse_args()
    names = [n for n, _, _ in STEPS]
    if args.list:
        print("\n".join(names))
        return 0
    only = [n for n in args.only.split(",") if n]
    unknown = [n for n in only if n not in names]
    if unknown:
        parser.error(f"no step {', '.join(unknown)}; there are: {', '.join(names)}")
    # leave by an exception, which ends the children
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    shutil.rmtree(LOGS, ignore_errors=True)
    os.makedirs(LOGS)
    total = Tally()
    if not args.no_deps:
        total.add(install_tools(only))
    for name, func, in_test in STEPS:
        if not (name in only if only else in_test):
            continue
        started = time.monotonic()
        tally = func(name)
        total.add(tally)
        for note in tally.notes[:NOTES_MAX]:
            print(f"--- {name}: {note}")
        if len(tally.notes) > NOTES_MAX:
            print(f"--- {name}: {len(tally.notes) - NOTES_MAX} more failures, see .run/test/{name}.*")
        for line in tally.figures:
            print(f"    {line}")
        print(f"{name}: {tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped "
              f"({time.monotonic() - started:.0f} s)", flush=True)
    if total.passed == 0 and total.failed == 0:
        total.add(Tally.one(False))
    print(f"{total.passed} passed, {total.failed} failed, {total.skipped} skipped")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
