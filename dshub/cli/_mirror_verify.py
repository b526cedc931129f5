"""`dshub mirror DEST --verify`: read every byte of a mirror again."""

import shlex
from dataclasses import asdict

from dshub.cli import _screen
from dshub.cli._amounts import counted
from dshub.display import shown_url

DAMAGED = 5  # exit code: bytes changed, or are gone


def run(dest: str, *, as_json: bool) -> int:
    """Verify a mirror and tell what is wrong; returns the exit code."""
    from dshub.progress import Task, choose
    from dshub.publishing.mirror.checking import verify
    from dshub.publishing.mirror.folder import open_destination
    from dshub.settings import Settings

    settings, place = Settings.read(), open_destination(dest)
    with Task(choose(settings.progress), f"reading {place.title}", None) as task:
        found = list(verify(place, keys=settings.mirror_keys, advance=task.advance))
    wrong = [item for item in found if item.state in {"missing", "damaged"}]
    others = [item for item in found if item.state == "other"]
    rows = [[_screen.colored(item.state, "red"), item.name, item.of, item.detail] for item in wrong]
    data = {"files": [asdict(item) for item in found], "wrong": len(wrong)}
    _screen.answer(as_json, data, lambda: _screen.columns(rows) if rows else "")
    if not as_json:
        right = len(found) - len(wrong) - len(others)
        _screen.note(f"{right} files in order, {len(wrong)} not")
        if others:
            _screen.note(f"{counted(len(others), 'file')} not made by dshub, ignored")
        names = dict.fromkeys(item.of.partition("@")[0] for item in wrong if item.of)
        if names:
            again = f"dshub mirror {shlex.quote(shown_url(dest))} {' '.join(names)}"
            _screen.note(f"hint: `{again}` brings them again")
    return DAMAGED if wrong else 0
