"""What a server has to know of its machine: the addresses of it, and how many files it may open."""

import ipaddress
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress

# documentation networks (RFC 5737, RFC 3849): nothing is sent there, the system only looks up
# which address of its own it would use
_FAR = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
_ADDRESS_OF_INTERFACE = 0x8915  # SIOCGIFADDR in Linux's netdevice(7)


def urls(listening: socket.socket) -> list[str]:
    """The addresses at which clients reach a listening socket.

    Where it listens on every address, those of all interfaces that can be found: first the one
    that only this machine reaches, then IPv4, then IPv6.
    """
    host, port = listening.getsockname()[:2]
    hosts = [host]
    if ipaddress.ip_address(host).is_unspecified:
        family = None if listening.family == socket.AF_INET6 else socket.AF_INET
        others = set(_hosts(family)) - {"127.0.0.1"}
        hosts = ["127.0.0.1", *sorted(others, key=lambda name: (":" in name, name))]
    return [f"http://{f'[{name}]' if ':' in name else name}:{port}" for name in hosts]


def _hosts(family: socket.AddressFamily | None) -> Iterator[str]:
    """Addresses of this machine that others can reach."""
    for kind, far in _FAR:
        with suppress(OSError), socket.socket(kind, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))
            if family in {None, kind}:
                yield str(probe.getsockname()[0])
    if sys.platform == "linux":
        yield from _interfaces()
        return
    with suppress(OSError):
        for found in socket.getaddrinfo(socket.gethostname(), None, family or 0):
            name = str(found[4][0])
            if not ipaddress.ip_address(name.partition("%")[0]).is_link_local:
                yield name


def _interfaces() -> Iterator[str]:
    """IPv4 addresses of Linux's interfaces; needs no lookup of names, which may hang."""
    import fcntl

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            with suppress(OSError):  # it has none
                answer = fcntl.ioctl(probe.fileno(), _ADDRESS_OF_INTERFACE, request)
                yield socket.inet_ntoa(answer[20:24])


def room_for_clients(most: int) -> int:
    """Connections that there may be at once, after asking the system for as many as wanted.

    Each may have a file open besides; some descriptors are kept for fetching.
    """
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return most
    spare = 256
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * most + spare
    if soft != resource.RLIM_INFINITY and soft < needed:
        ceiling = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, ceiling), hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    allowed = most if soft == resource.RLIM_INFINITY else (soft - spare) // 2
    return max(16, min(most, allowed))
