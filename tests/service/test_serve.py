"""`safedata serve`: servers that say where they listen and end when they are told to."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from safedata.__main__ import main
from safedata.problem import DataError
from safedata.service.servers import Dispatcher, dispatcher, local_address
from safedata.stages._address import parse_address
from tests.serving import ROOT, free_port

from .conftest import Serve


def test_servers_tell_their_address_and_end_on_signals(serve: Serve, tmp_path: Path) -> None:
    """A dispatcher keeps a journal, a worker finds it, and both end with status 0 on SIGTERM and SIGINT."""
    journal = tmp_path / "journal"
    head = serve("dispatcher", "--host", "127.0.0.1", "--journal", str(journal))
    assert re.fullmatch(r"grpc://127\.0\.0\.1:\d+", head.address)
    hand = serve("worker", "--dispatcher", head.address, "--heartbeat", "0.5")
    assert re.fullmatch(r"grpc://127\.0\.0\.1:\d+", hand.address)
    assert [name for _, _, files in os.walk(journal) for name in files]
    status, said = hand.end(signal.SIGTERM)
    assert (status, "Traceback" in said) == (0, False)
    status, said = head.end(signal.SIGINT)
    assert (status, "Traceback" in said) == (0, False)


def test_a_port_that_is_taken_is_named() -> None:
    """A dispatcher that cannot listen says on which port, and why."""
    import tensorflow as tf

    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DataError, match=rf"SD551.*cannot start on port {port}: address already in use"):
            dispatcher(tf, Dispatcher(port))


def test_a_journal_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A journal whose folder cannot be made is refused before anything listens."""
    import tensorflow as tf

    (tmp_path / "file").write_text("")
    with pytest.raises(
        DataError, match=r"SD551.*cannot write its journal to .*file/journal: not a directory"
    ):
        dispatcher(tf, Dispatcher(journal=str(tmp_path / "file" / "journal")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dispatcher", "not the address of a service; write `grpc://host:5050`"),
        ("http://dispatcher:80", "`http` is not a protocol of tf.data service"),
        ("grpc://dispatcher:70000", "`70000` is not a port"),
        ("grpc://a..b:5050", "`a..b` is not the name of a machine"),
    ],
)
def test_what_is_no_address_is_refused(text: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A worker's `--dispatcher` says what an address looks like."""
    assert main(["serve", "worker", "--dispatcher", text]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("dispatcher", "--port", "70000"), "`70000` is not a port"),
        (("dispatcher", "--worker-timeout", "0"), "`0` is not a number of seconds above 0"),
        (("dispatcher", "--host", "grpc://train"), "`grpc://train` is not the name or number of a machine"),
        (("dispatcher", "--host", "train:5050"), "`train:5050` is not the name or number of a machine"),
        (("worker",), "the following arguments are required: --dispatcher"),
    ],
)
def test_flags_are_held_to_what_they_take(
    argv: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A flag that says nothing useful is a wrong command line."""
    assert main(["serve", *argv]) == 2
    assert message in capsys.readouterr().err


def test_addresses_are_read_with_and_without_a_protocol() -> None:
    """`host:port` is what `grpc://host:port` is, brackets of IPv6 included."""
    assert str(parse_address("data:5050")) == "grpc://data:5050"
    assert parse_address("grpc://[::1]:5050").target == "[::1]:5050"


@pytest.mark.parametrize(("host", "shown"), [("::1", "[::1]"), ("[::1]", "[::1]"), ("train-1", "train-1")])
def test_a_number_of_ipv6_stands_in_brackets(serve: Serve, host: str, shown: str) -> None:
    """The printed address is one that `--dispatcher` and a spec take."""
    found = serve("dispatcher", "--host", host).address
    assert found.startswith(f"grpc://{shown}:")
    assert str(parse_address(found)) == found


def test_a_worker_is_reached_where_it_reaches_its_dispatcher() -> None:
    """A worker whose dispatcher is on the loopback interface is there too."""
    assert local_address(parse_address("127.0.0.1:5050")) == "127.0.0.1"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_that_waits_for_its_dispatcher_can_be_ended(how: int) -> None:
    """A worker whose dispatcher is not there says so, and ends at once on a signal."""
    argv = [sys.executable, "-m", "safedata", "serve", "worker", "--dispatcher", f"127.0.0.1:{free_port()}"]
    waiting = subprocess.Popen(
        argv, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert waiting.stderr is not None
    try:
        said = next(line for line in waiting.stderr if line.startswith("safedata: "))
        assert "waiting for the dispatcher at grpc://127.0.0.1" in said
        time.sleep(1.0)  # TensorFlow begins to wait
        waiting.send_signal(how)
        assert waiting.wait(20) == -how
    finally:
        waiting.kill()
        waiting.communicate()


@pytest.mark.slow
def test_a_dispatcher_goes_on_from_its_journal(serve: Serve, tmp_path: Path) -> None:
    """A dispatcher that is killed and started again with its journal and address ends a pass with every element."""
    import safedata

    flags = (
        "dispatcher",
        "--host",
        "127.0.0.1",
        "--port",
        str(free_port()),
        "--journal",
        str(tmp_path / "journal"),
    )
    head = serve(*flags)
    for _ in "12":
        serve("worker", "--dispatcher", head.address, "--heartbeat", "0.2")
    text = f"""\
safedata: 1
source: {{range: 600}}
steps:
  - distribute: {{service: "{head.address}", max_outstanding: 2}}
"""
    seen: list[int] = []
    for number, element in enumerate(safedata.load(text)):
        seen.append(int(element["value"]))
        if number == 100:
            head.end(signal.SIGKILL)
            assert serve(*flags).address == head.address
    assert sorted(seen) == list(range(600))
