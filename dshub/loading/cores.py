"""Count the cores that this process can use."""

import math
import multiprocessing
import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def available_cores(groups: Path = _GROUPS, own: Path = Path("/proc/self/cgroup")) -> int:
    """Return the number of cores that this process can use, at least 1.

    This is the smaller one of the cores that the scheduler allows and the limit of the control
    group, as containers and Slurm set it. A child process of `multiprocessing`, such as a worker of
    a `DataLoader`, uses 1, because its siblings use the others.

    Args:
        groups: folder where control groups are mounted.
        own: file with the control group of this process; see cgroups(7).
    """
    if multiprocessing.parent_process() is not None:
        return 1
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, _limit(groups, own))))


def _limit(groups: Path, own: Path) -> float:
    """Return the lowest limit of the control groups of this process, in cores."""
    limits = [math.inf]
    for line in _text(own).splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:  # version 2
            limits += [_quota(_text(folder / "cpu.max")) for folder in _folders(groups, path)]
        elif "cpu" in controllers.split(","):
            for folder in _folders(groups / "cpu", path):
                quota, period = (
                    _text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")
                )
                limits.append(_quota(f"{quota} {period}"))
    return min(limits)


def _folders(root: Path, path: str) -> list[Path]:
    """Return a group and the groups around it; in a container, only the root may be visible."""
    folder = root / path.strip().strip("/")
    return [folder, *folder.parents[: len(folder.relative_to(root).parts)]]


def _quota(text: str) -> float:
    """Return the limit that a quota and a period in microseconds state, or infinity."""
    quota, period = [*text.split(), "", ""][:2]
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() else math.inf


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
