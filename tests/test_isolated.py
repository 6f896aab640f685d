"""`safedata.isolated`: what crosses, what comes back, and how a process that dies is told."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.isolation.call import IsolatedTimeoutError, RemoteTraceback

ROOT = Path(__file__).parent.parent


class WithTwoArguments(Exception):
    """An exception that its own `args` cannot make again."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(f"{name} is {number}")
        self.number = number


class Unpicklable(Exception):
    """An exception with a part that cannot be pickled."""

    def __init__(self) -> None:
        super().__init__("locked")
        self.lock = threading.Lock()
        self.number = 3


class Unreadable:
    """A value that can be pickled, and not read again."""

    def __reduce__(self) -> tuple[Any, ...]:
        return int, ("no number",)


def add(one: Any, *, two: Any = 2) -> Any:
    return one + two


def where() -> tuple[int, bool]:
    return os.getpid(), "tensorflow" in sys.modules


def fail(error: type[BaseException], *args: Any) -> None:
    raise error(*args)


def fail_local() -> None:
    class Local(Exception):
        pass

    raise Local("here")


def die(number: int, held: int = 0) -> None:
    kept = bytearray(held)
    kept[::4096] = b"x" * len(kept[::4096])
    time.sleep(0.4 if held else 0)
    os.kill(os.getpid(), number)


def leave(status: int) -> None:
    os._exit(status)


def wait(path: str) -> None:
    Path(path).write_text(str(os.getpid()))
    try:
        time.sleep(60)
    finally:
        Path(path).write_text("tidied up")


def speak() -> None:
    print("out of the child")  # noqa: T201
    print("beside it", file=sys.stderr)  # noqa: T201


def a_lambda() -> Any:
    return lambda: 1


def nested(number: int) -> int:
    return int(safedata.isolated(add, number, two=1)) + 1


def elements(spec: str) -> int:
    with safedata.open(spec) as pipeline:
        return sum(1 for _ in pipeline.dataset)


def script(tmp_path: Path, text: str, *args: str) -> subprocess.CompletedProcess[str]:
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(text))
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *(args or [str(path)])]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=tmp_path, env=environ, timeout=100
    )


def test_the_result_comes_back() -> None:
    """Arguments and results cross, also large ones, and in a fresh process without TensorFlow."""
    assert safedata.isolated(add, 1, two=5) == 6
    assert safedata.isolated(functools.partial(add, two=7), 1) == 8
    large = b"x" * 5_000_000
    assert safedata.isolated(add, large, two=large) == large + large
    process, loaded = safedata.isolated(where)
    assert process != os.getpid()
    assert not loaded
    assert safedata.isolated(nested, 1) == 3
    assert safedata.isolated(add, 1, timeout=60) == 3


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
def test_exceptions_come_back(error: type[BaseException]) -> None:
    """What the function raises is raised here, of its type, with the traceback of there as its cause."""
    with pytest.raises(error, match="why") as caught:
        safedata.isolated(fail, error, "why")
    assert isinstance(caught.value.__cause__, RemoteTraceback)
    assert f'test_isolated.py", line {fail.__code__.co_firstlineno + 1}, in fail' in str(
        caught.value.__cause__
    )
    assert "child.py" not in str(caught.value.__cause__)


def test_odd_exceptions_come_back() -> None:
    """An exception that pickles badly comes back with its type, its text and what of it can cross."""
    with pytest.raises(WithTwoArguments, match=r"^x is 3$") as two:
        safedata.isolated(fail, WithTwoArguments, "x", 3)
    assert two.value.number == 3
    with pytest.raises(Unpicklable, match=r"^locked$") as locked:
        safedata.isolated(fail, Unpicklable)
    assert (locked.value.number, hasattr(locked.value, "lock")) == (3, False)
    with pytest.raises(safedata.IsolatedError, match=r"SD507.*`fail_local` raised `.*Local`: here"):
        safedata.isolated(fail_local)
    with pytest.raises(safedata.SpecError, match=r"SD106.*`rang`") as spec:
        safedata.isolated(safedata.load, "safedata: 1\nsource: {rang: 1}\n")
    assert spec.value.problems[0].code == "SD106"


def test_what_cannot_be_sent_is_named() -> None:
    """Lambdas, inner functions, arguments and results that cannot cross are each named, with a way out."""

    def inner() -> None: ...

    with pytest.raises(
        safedata.IsolatedError, match=r"SD507.*`.*<lambda>`.*it is a lambda.*top level of a module"
    ):
        safedata.isolated(lambda: 1)
    with pytest.raises(safedata.IsolatedError, match=r"`.*inner` cannot.*defined inside another function"):
        safedata.isolated(inner)
    with pytest.raises(safedata.IsolatedError, match=r"argument 2, a `lock`, of `add` cannot be sent"):
        safedata.isolated(add, 1, threading.Lock())
    with pytest.raises(safedata.IsolatedError, match=r"the argument `two`, a `lock`, of `add`"):
        safedata.isolated(add, 1, two=threading.Lock())
    with pytest.raises(
        safedata.IsolatedError, match=r"the result of `a_lambda`, a `function`, cannot be sent back"
    ):
        safedata.isolated(a_lambda)
    with pytest.raises(
        safedata.IsolatedError, match=r"what `Unreadable` sent back cannot be read here: ValueError"
    ):
        safedata.isolated(Unreadable)
    with pytest.raises(TypeError, match="takes a function and its arguments, not a `int`"):
        safedata.isolated(3)  # type: ignore[arg-type]  # the mistake that is tested


def test_a_killed_process_is_told() -> None:
    """A signal, its meaning, and the peak are in the error: SIGKILL means that memory ran out."""
    with pytest.raises(
        safedata.IsolatedError, match=r"SD508.*killed by the system, most likely because memory ran out"
    ) as caught:
        safedata.isolated(die, signal.SIGKILL, 64 << 20)
    assert caught.value.signal == signal.SIGKILL
    assert caught.value.peak is not None
    assert caught.value.peak > 64 << 20
    with pytest.raises(safedata.IsolatedError, match=r"crashed in a library \(SIGSEGV\)"):
        safedata.isolated(die, signal.SIGSEGV)
    with pytest.raises(safedata.IsolatedError, match=r"was ended by a signal \(signal 10\)"):
        safedata.isolated(die, 10)
    with pytest.raises(
        safedata.IsolatedError, match=r"ended with status 4 before the function returned"
    ) as left:
        safedata.isolated(leave, 4)
    assert left.value.signal is None


def test_a_timeout_ends_the_process(tmp_path: Path) -> None:
    """When the time is over the function is interrupted, so that it can tidy up, and its process is gone."""
    note = tmp_path / "note"
    with pytest.raises(IsolatedTimeoutError, match=r"`wait` did not return within 4 s"):
        safedata.isolated(wait, str(note), timeout=4)
    assert note.read_text() == "tidied up"
    with pytest.raises(TimeoutError):
        safedata.isolated(time.sleep, 60, timeout=0.1)


def test_nothing_is_left_over() -> None:
    """No child, no zombie and no open file stay behind, however the call ended."""
    safedata.isolated(add, 1)
    files, processes = sorted(os.listdir("/proc/self/fd")), _children()
    for call in ((add, 1), (leave, 3), (fail, ValueError), (die, signal.SIGKILL)):
        with contextlib.suppress(safedata.IsolatedError, ValueError):
            safedata.isolated(*call)
    assert sorted(os.listdir("/proc/self/fd")) == files
    assert _children() == processes


def _children() -> set[str]:
    """Return this process' children, zombies too."""
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    parents = {stat.split()[0]: stat.rpartition(")")[2].split()[1] for stat in stats}
    return {process for process, parent in parents.items() if parent == str(os.getpid())}


def test_output_passes_through(capfd: pytest.CaptureFixture[str]) -> None:
    """What the function prints goes to this process' own stdout and stderr."""
    safedata.isolated(speak)
    assert capfd.readouterr() == ("out of the child\n", "beside it\n")


INTERRUPTED = """
    import _thread, os, signal, sys, threading, time
    from pathlib import Path
    import safedata

    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background process ignores it

    def wait(note):
        Path(note).write_text(str(os.getpid()))
        time.sleep(60)

    if __name__ == "__main__":
        def press():
            while not Path("note").exists() or not Path("note").read_text():
                time.sleep(0.05)
            {press}
        threading.Thread(target=press, daemon=True).start()
        try:
            safedata.isolated(wait, os.path.abspath("note"))
        except KeyboardInterrupt:
            print("interrupted")
"""


@pytest.mark.parametrize(
    ("press", "said"), [("_thread.interrupt_main()", "interrupted\n"), ("os.kill(os.getpid(), 9)", "")]
)
def test_a_child_does_not_outlive_its_parent(press: str, said: str, tmp_path: Path) -> None:
    """An interrupt in the parent, and its sudden death too, end the child within seconds."""
    done = script(tmp_path, INTERRUPTED.format(press=press))
    assert (done.stdout, done.stderr) == (said, "")
    child = int((tmp_path / "note").read_text())
    over = time.monotonic() + 10
    while _runs(child) and time.monotonic() < over:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(process: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


GUARDED = """
    import safedata

    class Pair:
        def __init__(self, one, two):
            self.one, self.two = one, two

    def swap(pair):
        return Pair(pair.two, pair.one)

    print("loaded as", __name__)
    if __name__ == "__main__":
        pair = safedata.isolated(swap, Pair(1, 2))
        print(type(pair) is Pair, pair.one, pair.two)
"""


@pytest.mark.parametrize("how", [(), ("-m", "script")])
def test_a_scripts_own_functions(how: tuple[str, ...], tmp_path: Path) -> None:
    """Functions and classes of a script cross both ways: the child loads it under another name."""
    done = script(tmp_path, GUARDED, *how)
    assert (done.stderr, done.stdout) == ("", "loaded as __main__\nloaded as __mp_main__\nTrue 2 1\n")


def test_a_script_without_a_guard(tmp_path: Path) -> None:
    """Without `if __name__` a script's own function gets an error that says so, and one of a module just runs."""
    own = """
        import safedata

        def one():
            return 1

        print(safedata.isolated(one))
    """
    done = script(tmp_path, own)
    assert done.returncode == 1
    assert "the script calls `isolated(one, ...)` again while the new process loads it" in done.stderr
    assert 'put the call under `if __name__ == "__main__":`' in done.stderr
    done = script(tmp_path, "import operator, safedata\nprint(safedata.isolated(operator.add, 1, 2))\n")
    assert (done.stderr, done.stdout) == ("", "3\n")


def test_an_interactive_function(tmp_path: Path) -> None:
    """A function that no file has is refused with a way out."""
    code = "import safedata\ndef one(): return 1\nsafedata.isolated(one)"
    done = script(tmp_path, "", "-c", code)
    assert (
        "`one` cannot be loaded in the new process: LookupError: it is defined in an interactive session"
        in done.stderr
    )
    assert "put it in a module that can be imported" in done.stderr


@pytest.mark.tf
@pytest.mark.slow
def test_a_pipeline_in_a_process_of_its_own() -> None:
    """A whole pipeline runs there, TensorFlow is loaded there, and this process grows by less than 8 MiB."""
    from safedata.machine import resident

    before = resident().now
    source = '{synthetic: {components: {x: "uint8[1024, 1024]"}, count: 50}}'
    spec = f"safedata: 1\nsource: {source}\nsteps: [{{cache: memory}}]\n"
    assert safedata.isolated(elements, spec) == 50
    after = resident().now
    assert before is not None
    assert after is not None
    assert after - before < 8 << 20
