"""The command line: ``python -m nbvars info | warmup | demo | bench``."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import nbvars

# Each command imports its own file, so that --help and errors in arguments cost no more than need be.


def _natural(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise argparse.ArgumentTypeError(f"got {text!r}, expected an integer from 0")
    return int(text)


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m nbvars", description="TensorFlow's variables for numeric Python.")
    parser.add_argument("--version", action="version", version=f"nbvars {nbvars.__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def add_command(name: str, run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.set_defaults(run=run, parser=command)
        return command

    info = add_command("info", _info, "Show versions, devices, threads and the cache of compiled kernels.")
    info.add_argument("--json", action="store_true", help="print JSON")

    warmup = add_command("warmup", _warmup, "Compile kernels ahead of time and keep them on disk.")
    several: dict[str, Any] = {"type": _names, "nargs": "+", "metavar": "NAME"}
    warmup.add_argument("--dtypes", **several, help="such as float32,int64 (default: the six most used)")
    warmup.add_argument("--ops", **several, help="such as assign,scatter_sub (default: all)")

    demo = add_command("demo", _demo, "Train word vectors on the documentation of Python, or on a text of yours.")
    demo.add_argument("--text", type=Path, metavar="FILE", help="a text of yours, in UTF-8")
    demo.add_argument("--quick", action="store_true", help="a few seconds: the language manual only, fewer steps")
    demo.add_argument("--threads", type=int, metavar="N", help="threads of an update; the result is the same")
    demo.add_argument("--seed", type=_natural, default=1, metavar="N", help="start of the random numbers (default: 1)")
    demo.add_argument("--save-plot", type=Path, metavar="FILE", help="save the loss as a picture, such as loss.png")

    bench = add_command("bench", _bench, "Compare nbvars with the libraries that are installed, on this machine.")
    words: dict[str, Any] = {"type": _names, "nargs": "+"}
    bench.add_argument("--only", nargs="+", metavar="WORD", help="comparisons that have all of these in their names")
    bench.add_argument("--libraries", **words, metavar="NAME", help="such as numpy,torch (default: all there are)")
    bench.add_argument("--threads", type=_natural, default=1, metavar="N", help="of every library (default: 1)")
    bench.add_argument("--quick", action="store_true", help="a few seconds: small arrays, rough times")
    bench.add_argument("--plot", type=Path, metavar="FILE", help="save a picture, such as bench.png")
    bench.add_argument("--json", nargs="?", const="-", metavar="FILE", help="print JSON, or save it beside the table")
    bench.add_argument("--load", type=Path, metavar="FILE", help="show what --json saved instead of measuring")
    return parser


def _refuse(options: argparse.Namespace, error: Exception) -> NoReturn:
    parser: argparse.ArgumentParser = options.parser
    parser.error(str(error))


def _info(options: argparse.Namespace) -> None:
    import json

    from nbvars.info import format_info, gather_info

    try:
        info = gather_info()
    except ValueError as error:  # NBVARS_NUM_THREADS
        _refuse(options, error)
    print(json.dumps(info, indent=2) if options.json else format_info(info))


def _warmup(options: argparse.Namespace) -> None:
    from nbvars.kernels.cpu.inventory import OPS
    from nbvars.warmup import DTYPES, warmup

    chosen = [name for names in options.dtypes or [DTYPES] for name in names]
    ops = [name for names in options.ops or [OPS] for name in names]
    try:
        done = warmup(chosen, ops)
    except (TypeError, ValueError) as error:
        _refuse(options, error)
    print(f"{done.num_compiled} kernels compiled, {done.num_loaded} found in the cache, in {done.seconds:.1f} s")


def _demo(options: argparse.Namespace) -> None:
    from nbvars import demo, loss_plot

    parser: argparse.ArgumentParser = options.parser
    try:
        if options.threads is not None:
            nbvars.set_num_threads(options.threads)
        nbvars.get_num_threads()  # a bad NBVARS_NUM_THREADS shows here
    except ValueError as error:
        _refuse(options, error)
    try:
        # Whatever can be wrong with files and libraries comes up here, before any training.
        if options.save_plot is not None:
            loss_plot.expect_plottable(options.save_plot)
        corpus = demo.load_corpus(options.text, options.quick)
    except (ImportError, OSError, ValueError) as error:
        parser.exit(1, f"{parser.prog}: error: {error}\n")
    demo.run(corpus, options.quick, options.seed, options.save_plot)


def _bench(options: argparse.Namespace) -> None:
    from nbvars.bench import command

    options.libraries = [name for names in options.libraries or [] for name in names]
    command.main(options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line ``arguments``, by default the process's own; return the exit status."""
    parser = _make_parser()
    options = parser.parse_args(arguments)
    if "run" not in options:
        parser.print_help(sys.stderr)
        return 2
    try:
        options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output is gone. Python flushes stdout once more at exit; let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    return 0


if __name__ == "__main__":
    sys.exit(main())
