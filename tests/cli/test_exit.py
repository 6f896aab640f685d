from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from safedata.cli.parser import COMMANDS, make_parser
from safedata.cli.status import status_of
from safedata.problem import Problem

if TYPE_CHECKING:
    from tests.cli.conftest import Command

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ((), "usage: safedata"),
        (("chek", "a.yaml"), "invalid choice: 'chek'"),
        (("check",), "required: SPEC"),
        (("check", "a.yaml", "--gpu", "24"), "`24` is not a size"),
        (("check", "a.yaml", "--gpu", "24GiB,"), "`` is not a size"),
        (("check", "a.yaml", "--host", "24Gb2"), "is not a size"),
        (("check", "a.yaml", "--set", "batch"), "`batch` sets nothing"),
        (("check", "a.yaml", "--form", "json"), "unrecognized arguments: --form"),
        (("head", "a.yaml", "-n", "0"), "`0` is not a whole number of 1 or more"),
        (("head", "a.yaml", "--image", "out.tiff"), "`out.tiff` is no name for a picture"),
    ],
)
def test_a_wrong_command_line_has_status_2(run: Command, argv: tuple[str, ...], message: str) -> None:
    """A wrong command line says what is wrong on stderr, and nothing on stdout."""
    ran = run(*argv)
    assert (ran.status, ran.out) == (2, "")
    assert message in ran.err


def test_version_and_help(run: Command) -> None:
    """What is asked for goes to stdout, with status 0."""
    assert run("--version").out == "safedata 0.1.0\n"
    listed = run("--help")
    assert listed.status == 0
    for command in COMMANDS:
        assert command in listed.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run: Command, command: str) -> None:
    """Each command describes itself and every flag it takes."""
    ran = run(command, "--help")
    assert ran.status == 0
    assert f"usage: safedata {command}" in ran.out
    groups = make_parser()._subparsers
    assert groups is not None
    parser = groups._group_actions[0].choices[command]  # type: ignore[index]  # a mapping of parsers
    assert all(action.help for action in parser._actions)


def test_a_bug_has_status_3(run: Command, counting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception that nobody meant shows versions and a trace, and asks to be reported."""

    def broken(*_: object) -> object:
        raise ZeroDivisionError("one over nothing")

    monkeypatch.setattr("safedata.request.check_request", broken)
    ran = run("check", counting)
    assert (ran.status, ran.out) == (3, "")
    assert "ZeroDivisionError: one over nothing" in ran.err
    assert "safedata 0.1.0, Python " in ran.err
    assert "please report" in ran.err


def test_an_interrupt_has_status_130(run: Command, counting: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends in one line."""

    def interrupted(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr("safedata.request.check_request", interrupted)
    assert run("check", counting) == (130, "", "safedata: interrupted\n")


@pytest.mark.parametrize(
    ("codes", "status"),
    [((), 0), (("SD301",), 1), (("SD401", "SD404"), 4), (("SD401", "SD201"), 1), (("SD501",), 4)],
)
def test_status_of_problems(codes: tuple[str, ...], status: int) -> None:
    """Only where every error is one of data is the data to blame."""
    assert status_of([Problem(code, "wrong") for code in codes]) == status


def test_warnings_do_not_count() -> None:
    """A warning leaves the status at 0."""
    assert status_of([Problem("SD310", "an estimate", severity="warning")]) == 0


def test_check_imports_no_library_of_numbers_or_pictures(fresh: Command, counting: Path) -> None:
    """A check needs neither TensorFlow nor NumPy nor Pillow; `--version` not even pydantic."""
    code = """
import sys
from safedata.__main__ import main
main(["--version"])
early = {"pydantic", "yaml", "shutil", "json"} & sys.modules.keys()
main(["check", "counting.yaml", "--target", "small"])
print("LOADED", sorted(early | {"tensorflow", "numpy", "PIL", "keras"} & sys.modules.keys()))
"""
    ran = fresh(code)
    assert "counting.yaml: fits" in ran.out
    assert ran.out.splitlines()[-1] == "LOADED []"


def test_a_closed_pipe_is_quiet(counting: Path) -> None:
    """A reader that has seen enough changes neither the status nor stderr."""
    command = f"{sys.executable} -m safedata schema | head -c 10; echo ${{PIPESTATUS[0]}}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split("\n")[-2].endswith("0")
    assert done.stderr == ""


@pytest.mark.parametrize("buffered", [True, False])
def test_a_full_disk_is_told(counting: Path, buffered: bool) -> None:
    """Output that cannot be written is an error of its own, with status 4."""
    command = f"{sys.executable} -m safedata check counting.yaml --target small > /dev/full"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if buffered:  # then Python writes once more when it ends
        environment.pop("PYTHONUNBUFFERED", None)
    else:
        environment["PYTHONUNBUFFERED"] = "1"
    done = subprocess.run(
        ["bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 4
    assert "error[SD408]: cannot write the output" in done.stderr


LOSING = """
import os, signal, sys, threading, time
from safedata.cli.guard import guarded


class Losing:
    def __del__(self):
        time.sleep(0.002)


def destroyed():
    Losing()
    time.sleep(0.001)


def swallowed():
    try:
        time.sleep(0.01)
    except KeyboardInterrupt:
        pass
    time.sleep(0.01)


def work():
    lose = {"destroyed": destroyed, "swallowed": swallowed}[sys.argv[1]]
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    end = time.monotonic() + 30
    while time.monotonic() < end:
        lose()
    return 0


def ends():
    try:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)
    except KeyboardInterrupt:
        pass
    return 0


signal.signal(signal.SIGINT, signal.default_int_handler)
status = guarded(ends if sys.argv[1] == "ends" else work)
time.sleep(0.1)
sys.exit(status)
"""


INTERRUPTED = (130, "safedata: interrupted\n")


@pytest.mark.parametrize(
    ("way", "said"), [("destroyed", INTERRUPTED), ("swallowed", INTERRUPTED), ("ends", (0, ""))]
)
def test_an_interrupt_that_is_lost_comes_again(tmp_path: Path, way: str, said: tuple[int, str]) -> None:
    """Ctrl-C counts where a destructor, or a library that asks and forgets, was running; nothing else is said of it.

    It does not come when all is done by then.
    """
    done = subprocess.run(
        [sys.executable, "-c", LOSING, way],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == said


SLOW = """\
safedata: 1
source: {range: 9_000_000_000}
steps: [{batch: 2}]
"""


@pytest.mark.tf
def test_an_interrupted_build_leaves_nothing(tmp_path: Path) -> None:
    """SIGINT in the middle of a pass ends with 130, and neither a manifest nor a temporary file is left."""
    (tmp_path / "slow.yaml").write_text(SLOW, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "safedata", "build", "slow.yaml"],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "slow.yaml: fits\n"
    time.sleep(8)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert err.splitlines()[-1] == "safedata: interrupted"
    assert os.listdir(tmp_path) == ["slow.yaml"]
