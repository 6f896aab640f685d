"""`safedata serve`: a dispatcher or a worker of tf.data service."""

from __future__ import annotations

import argparse
from typing import Any

from safedata.cli.console import Console
from safedata.cli.options import Commands, Formatter, add_command, address
from safedata.cli.status import FINE


def register(commands: Commands) -> None:
    """Declare the command."""
    parser = add_command(
        commands,
        "serve",
        run,
        "run a dispatcher or a worker of tf.data service",
        "Run a server of tf.data service, for specs with `distribute` and for `build --service`: one dispatcher, and "
        "on each machine that is to share the work a worker. Its address goes to stdout once it listens; SIGINT and "
        "SIGTERM end it.",
    )
    roles = parser.add_subparsers(dest="role", metavar="ROLE", required=True, help="which server")
    _add_dispatcher(_role(roles, "dispatcher", "hand work to workers, and tell trainers of them"))
    _add_worker(_role(roles, "worker", "run the steps that a dispatcher hands out"))


def _role(roles: Any, name: str, summary: str) -> argparse.ArgumentParser:
    text = f"{summary[0].upper()}{summary[1:]}."
    made: argparse.ArgumentParser = roles.add_parser(
        name, help=summary, description=text, allow_abbrev=False, formatter_class=Formatter
    )
    made.add_argument(
        "--port", type=_port, default=0, metavar="N", help="where to listen (default: a free port)"
    )
    made.add_argument("--quiet", action="store_true", help="only the address, and errors")
    return made


def _add_dispatcher(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", metavar="NAME", type=_host,
        help="the name that the printed address has (default: this machine's); it listens on all of them",
    )  # fmt: skip
    parser.add_argument(
        "--journal", metavar="FOLDER",
        help="where it keeps what it knows, so that another one with the same folder and address goes on after it",
    )  # fmt: skip
    parser.add_argument(
        "--worker", metavar="ADDRESS", action="append", default=[], type=_worker_address,
        help="the address of a worker, for `sharding: data` and `hint`, which need all of them; give it for each",
    )  # fmt: skip
    _add_seconds(parser, "--worker-timeout", "without a heartbeat after which a worker counts as missing")
    _add_seconds(parser, "--job-timeout", "without a reader after which a job is let go of")


def _add_worker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dispatcher", metavar="ADDRESS", required=True, type=address, help="grpc://host:port"
    )
    parser.add_argument(
        "--host", metavar="NAME", type=_host,
        help="the name by which trainers reach it (default: the address from which it reaches the dispatcher)",
    )  # fmt: skip
    _add_seconds(parser, "--heartbeat", "between two heartbeats")
    _add_seconds(parser, "--dispatcher-timeout", "for which it asks for a dispatcher that does not answer")


def _add_seconds(parser: argparse.ArgumentParser, flag: str, what: str) -> None:
    parser.add_argument(
        flag, metavar="SECONDS", type=_seconds, help=f"seconds {what} (default: TensorFlow's)"
    )


def _worker_address(text: str) -> str:
    return address(text).target


def _host(text: str) -> str:
    """Return the name or number of a machine as an address has it: `::1` in brackets."""
    try:
        return address(f"[{text}]:1" if ":" in text and not text.startswith("[") else f"{text}:1").host
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"`{text}` is not the name or number of a machine; write `train-1`, `10.0.0.7` or `::1`"
        ) from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < 1 << 16):
        raise argparse.ArgumentTypeError(f"`{text}` is not a port, which is a number from 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < 1e6:
        raise argparse.ArgumentTypeError(f"`{text}` is not a number of seconds above 0")
    return found


def run(args: argparse.Namespace) -> int:
    """Run a server until a signal ends it; return the exit status."""
    from safedata.compile import tensorflow
    from safedata.machine.hush import held_back
    from safedata.service.servers import (
        bound_port,
        ended_by_signals,
        steady_heap,
        until_told,
        without_gpus,
    )

    console = Console(quiet=args.quiet)
    without_gpus()
    steady_heap()
    with held_back():
        tf = tensorflow()
    with ended_by_signals():
        server, host = (_dispatcher if args.role == "dispatcher" else _worker)(tf, args, console)

    def listening() -> None:
        console.data(f"grpc://{host}:{bound_port(server)}")
        console.note(f"safedata: the {args.role} runs until it gets SIGINT or SIGTERM")

    until_told(server, listening)
    return FINE


def _dispatcher(tf: Any, args: argparse.Namespace, _: Console) -> tuple[Any, str]:
    from safedata.service.servers import Dispatcher, dispatcher, host_name

    config = Dispatcher(args.port, args.journal, tuple(args.worker), args.worker_timeout, args.job_timeout)
    return dispatcher(tf, config), args.host or host_name()


def _worker(tf: Any, args: argparse.Namespace, console: Console) -> tuple[Any, str]:
    from safedata.service.servers import Worker, local_address, worker
    from safedata.stages._address import answers

    if (why := answers(args.dispatcher)) is not None:
        console.note(f"safedata: waiting for the dispatcher at {args.dispatcher}: {why}")
    host = args.host or local_address(args.dispatcher)
    config = Worker(args.dispatcher, args.port, host, args.heartbeat, args.dispatcher_timeout)
    return worker(tf, config), host
