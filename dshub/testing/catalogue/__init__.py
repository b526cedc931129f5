"""The catalogue: what can go wrong with a download, by name, and which outcome is right.

Whoever writes a downloader can run it against every scenario; `play` is the stage::

    write_files(folder)
    for scenario in SCENARIOS:
        with play(scenario, folder) as stage:
            ...  # fetch stage.url + "/data-0.gz", and look at what came of it

A scenario is played with gzip files of 2 MB (`write_files`): the places in a body where something
goes wrong lie within that.
"""

from dshub.testing.catalogue import bodies, connections, oddities, ranges, redirects, refusals
from dshub.testing.scenarios import Scenario

SCENARIOS: tuple[Scenario, ...] = (
    *connections.SCENARIOS,
    *refusals.SCENARIOS,
    *bodies.SCENARIOS,
    *ranges.SCENARIOS,
    *redirects.SCENARIOS,
    *oddities.SCENARIOS,
)

__all__ = ["SCENARIOS"]
