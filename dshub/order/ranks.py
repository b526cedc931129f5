"""Sharing an epoch between ranks that train together."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

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
        if self.uneven == "pad" and self.length:
            return -(-self.length // self.world) * self.world
        return self.length - (self.length % self.world if self.uneven == "drop" else 0)

    def count(self, start: int, stop: int | None = None) -> int:
        """How many of the positions from `start` to `stop` (the end) are this rank's."""
        stop = self.total if stop is None else min(stop, self.total)
        return max(0, -(-(stop - start - self.rank) // self.world))

    def positions(self, start: int, count: int) -> np.ndarray:
        """This rank's next `count` positions from `start`, int64."""
        first = start + self.rank
        found = np.arange(first, first + count * self.world, self.world, dtype=np.int64)
        return found % self.length if self.total > self.length else found

    @property
    def counts(self) -> list[int]:
        """Rows of an epoch that each rank gets."""
        ranks = range(self.world)
        return [Share(self.length, rank, self.world, self.uneven).count(0) for rank in ranks]


def this_rank(environment: Mapping[str, str] | None = None) -> tuple[int, int]:
    """Rank and world of this process: of `torch.distributed` where it runs, or the environment."""
    torch = sys.modules.get("torch.distributed")
    if environment is None and torch is not None:
        running = torch.is_available() and torch.is_initialized()
        if running:
            return torch.get_rank(), torch.get_world_size()
    found = os.environ if environment is None else environment
    for rank, world in _VARIABLES:
        if found.get(rank, "").isdigit() and found.get(world, "").isdigit():
            return int(found[rank]), max(1, int(found[world]))
    return 0, 1
