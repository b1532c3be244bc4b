"""What every command shares: the global options, progress, the log, and how a failure reaches the person."""

from __future__ import annotations

import functools
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from chiops import progress
from chiops.errors import ChiopsError, Declined, Interrupted, UsageError
from chiops.output import Format, message

INTERRUPTED = 130
UNEXPECTED = 70


@dataclass
class Options:
    """The global options, wherever on the line they stood; the later one wins."""

    site: str | None = None
    output: Format = Format.TABLE
    yes: bool = False
    verbose: bool = False


options = Options()

SiteOption = Annotated[
    str | None,
    typer.Option(
        "--site",
        help="Where: a site of `chiops site list`; else your default, where your labs are up, or local.",
        show_default=False,
    ),
]
OutputOption = Annotated[
    Format | None,
    typer.Option(
        "--output",
        "-o",
        help="How results are printed on stdout: table, json or yaml; table by default.",
        show_default=False,
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", show_default=False)]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Say more, on stderr.", show_default=False)]
LabOption = Annotated[str | None, typer.Option("--lab", help="Which lab, if several are up.", show_default=False)]
BucketOption = Annotated[
    str | None, typer.Option("--bucket", help="Which bucket of the lab; its first by default.", show_default=False)
]


def app(name: str, help_: str) -> typer.Typer:
    """A noun's own command group."""
    return typer.Typer(name=name, help=help_, no_args_is_help=True, rich_markup_mode=None)


def remember(site: str | None, output: Format | None, yes: bool, verbose: bool) -> None:
    """Take note of global options; those not given leave what was."""
    options.site = site or options.site
    options.output = output or options.output
    options.yes = yes or options.yes
    options.verbose = verbose or options.verbose


def command(group: typer.Typer, name: str, **settings: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command that also takes the global options, and that ends in one sentence when it fails."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(function)
        def run(
            *args: object, site: str | None, output: Format | None, yes: bool, verbose: bool, **rest: object
        ) -> None:
            remember(site, output, yes, verbose)

            def body() -> None:
                # A value that is the default's was not given
                _refuse_blanks({key: rest[key] for key, default in arguments.items() if rest[key] != default})
                function(*args, **rest)

            guarded(body)

        hints = typing.get_type_hints(function, include_extras=True)
        own = [
            parameter.replace(annotation=hints[parameter.name])
            for parameter in inspect.signature(function).parameters.values()
        ]
        arguments = {one.name: one.default for one in own if any(map(_is_argument, typing.get_args(one.annotation)))}
        shared = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
            for key, default, annotation in (
                ("site", None, SiteOption),
                ("output", None, OutputOption),
                ("yes", False, YesOption),
                ("verbose", False, VerboseOption),
            )
        ]
        run.__signature__ = inspect.Signature([*own, *shared])  # type: ignore[attr-defined]
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *shared]}
        del run.__wrapped__
        return group.command(name, **settings)(run)

    return register


def _is_argument(metadata: object) -> bool:
    return isinstance(metadata, typer.models.ArgumentInfo)


def _refuse_blanks(arguments: Mapping[str, object]) -> None:
    """Raise for an argument that is there and empty, as ``"$UNSET"`` in a script: it names nothing, whatever has no name."""
    for key, value in arguments.items():
        if isinstance(value, str) and not value.strip():
            word = key.strip("_").replace("_", " ").upper()
            raise UsageError(f"{word} is empty", todo="give it a value; a variable of a script may not be set")


def guarded(body: Callable[[], None]) -> None:
    """Run a command's body: progress on, log open, every failure one sentence on stderr and an exit code."""
    from chiops import console, logs

    logs.start(verbose=options.verbose)
    progress.install(console.reporter())
    try:
        body()
    except typer.Exit:
        raise
    except Interrupted as error:
        logs.exception(error)
        message(error.sentence(), style="warning")
        raise typer.Exit(error.exit_code) from None
    except ChiopsError as error:
        logs.exception(error)
        message(f"Error: {error.sentence()}", style="error")
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt as error:
        logs.exception(error)
        message(
            "Interrupted. What was made is noted; run the same command again to go on, or `chiops down`.",
            style="warning",
        )
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        raise typer.Exit(1) from None
    except OSError as error:
        logs.exception(error)
        message(f"Error: {_system(error)}", style="error")
        raise typer.Exit(1) from None
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback on a terminal
        logs.exception(error)
        message(
            f"Error: {type(error).__name__}: {error}. This is a mistake in chiops; details are in {logs.path()}.",
            style="error",
        )
        raise typer.Exit(UNEXPECTED) from None


def _system(error: OSError) -> str:
    import errno

    where = f" {error.filename}" if error.filename else ""
    if error.errno == errno.ENOSPC:
        return f"the disk is full{': ' + str(error.filename) if error.filename else ''}. Make room, then run it again."
    return f"{error.strerror or error}{where}."


def confirm(question: str) -> None:
    """Ask, unless ``--yes`` was given.

    Raises:
        Declined: no, or nobody is there to ask.
    """
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise Declined(f"{question} Nobody can answer here", todo="add --yes to go on without being asked")
    message(f"{question} [y/N] ")
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Declined("nothing was changed")
