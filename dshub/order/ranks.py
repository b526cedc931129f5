"""Sharing an epoch between ranks that train together."""

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dshub.errors import SettingsError

Uneven = Literal["pad", "drop", "exact"]

_VARIABLES = (  # of torchrun and Accelerate, Open MPI, MPICH and Intel MPI, a Slurm step
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),
)


@dataclass(frozen=True)
class Share:
    """The positions of one rank: rank, rank + world, and so on.

    Attributes:
        length: positions in an epoch, of all ranks together.
        rank, world: which of how many.
        uneven: what is done where `world` does not divide the length. `pad`: the first
            positions come again, so that all ranks have as many; `drop`: the last ones are left
            out; `exact`: the first ranks have one more.
    """

    length: int
    rank: int = 0
    world: int = 1
    uneven: Uneven = "pad"

    @property
    def total(self) -> int:
        """Positions that are handed out in an epoch."""
        return self._end(0)

    def _end(self, start: int) -> int:
        """Where the positions end that are handed out from one on.

        A walk that goes on from another number of ranks begins anywhere: what is left is shared,
        not the whole epoch, or some ranks would have a batch more than others that wait for them.
        """
        left = max(0, self.length - start)
        beyond = left % self.world
        if self.uneven == "exact" or not beyond:
            return start + left
        return start + left - beyond + (self.world if self.uneven == "pad" else 0)

    def count(self, start: int) -> int:
        """How many of the positions from `start` on are this rank's."""
        return max(0, -(-(self._end(start) - start - self.rank) // self.world))

    def positions(self, start: int, count: int) -> np.ndarray:
        """This rank's next `count` positions from `start`, int64."""
        first = start + self.rank
        found = np.arange(first, first + count * self.world, self.world, dtype=np.int64)
        return found % self.length if self.uneven == "pad" and self.length else found

    @property
    def counts(self) -> list[int]:
        """Rows of an epoch that each rank gets."""
        ranks = range(self.world)
        return [Share(self.length, rank, self.world, self.uneven).count(0) for rank in ranks]


def this_rank(environment: Mapping[str, str] | None = None) -> tuple[int, int]:
    """Rank and world of this process: of `torch.distributed` where it runs, or the environment.

    Raises:
        SettingsError: the environment says a rank that is none of its world.
    """
    torch = sys.modules.get("torch.distributed")
    if environment is None and torch is not None:
        running = torch.is_available() and torch.is_initialized()
        if running:
            return torch.get_rank(), torch.get_world_size()
    found = os.environ if environment is None else environment
    for rank, world in _VARIABLES:
        if all(re.fullmatch("[0-9]{1,9}", found.get(name, "")) for name in (rank, world)):
            return _of_world(rank, int(found[rank]), world, int(found[world]))
    return 0, 1


def _of_world(name: str, rank: int, of: str, world: int) -> tuple[int, int]:
    if rank < max(1, world):
        return rank, max(1, world)
    expected = f"below {of}, which is {world}; or give `rank` and `world`"
    raise SettingsError(name=name, value=rank, expected=expected)
