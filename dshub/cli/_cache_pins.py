"""`dshub cache pin` and `unpin`: what is to stay."""

import click

from dshub.cli import _screen

_names = click.argument("names", nargs=-1, required=True, type=_screen.DatasetName())


@click.command("pin", short_help="Keep datasets from being removed.")
@_names
@_screen.json_option
def pin(names: tuple[str, ...], as_json: bool) -> None:
    """Keep NAMES (datasets or families) from being removed, whatever the reason.

    \b
      dshub cache pin fashion-mnist
      dshub cache pin emnist

    It may be done before they are fetched. `dshub cache ls` and `du` mark what is pinned.
    """
    from dshub.hub.hub import Hub

    pinned = Hub().cache.pin(*names)
    _screen.answer(as_json, {"pinned": pinned}, lambda: f"pinned {', '.join(pinned)}")


@click.command("unpin", short_help="Let them go again.")
@_names
@_screen.json_option
def unpin(names: tuple[str, ...], as_json: bool) -> None:
    """Let NAMES go again when space is needed.

    \b
      dshub cache unpin fashion-mnist
    """
    from dshub.hub.hub import Hub

    unpinned = Hub().cache.unpin(*names)
    told = ", ".join(unpinned)
    _screen.answer(as_json, {"unpinned": unpinned}, lambda: f"{told} may be removed again")


COMMANDS = (pin, unpin)
