"""Connections that fail or end too early, and answers that take too long."""

from dshub.testing.answers import Fault
from dshub.testing.scenarios import HALF, lasts, passes

SLOW = 10.0  # bytes a second
SILENCE = r"timed out|too slow|no answer|stall"

_CONNECTION = (
    passes("reset before the answer, three times", Fault("abort", times=3), most=1),
    passes("closed before the answer, three times", Fault("hang-up", times=3), most=1),
    passes("no answer, once", Fault("silent", times=1), most=1),
    passes("no HTTP, once", Fault("garbage", times=1), most=1),
    passes("reset in the body, three times", Fault("reset", times=3, after=500_000), most=1.5),
    passes(
        "reset in a body of unknown length, twice",
        Fault(("no-length", "reset"), times=2, after=500_000),
        most=1.5,
    ),
    passes("reset after the headers, twice", Fault("reset", times=2, after=0), most=1),
    passes("closed in the body, three times", Fault("cut", times=3, after=500_000), most=1),
    passes("closed in the body, thirty times", Fault("cut", times=30, after=60_000), most=1),
    passes("closed one byte before the end", Fault("cut", times=1, after=-1), most=1),
    passes("closed after the headers, twice", Fault("cut", times=2, after=0), most=1),
    passes(
        "closed in a body of unknown length, three times",
        Fault(("no-length", "cut"), times=3, after=500_000),
        most=1,
    ),
    passes(
        "closed in a body of chunks, twice",
        Fault(("chunked", "cut"), times=2, after=500_000),
        most=1,
    ),
    passes("a short body that looks complete, once", Fault("short", times=1, after=HALF), most=1.5),
    lasts("nobody listens", "refused", "refused|cannot connect"),
    lasts("connections are never accepted", "backlog", "no connection|timed out|cannot connect"),
    lasts("a host that does not exist", "unknown-host", "no address|not known|resolve"),
    lasts("a certificate of an unknown authority", "self-signed", "certificate"),
    lasts("a certificate for another host", "other-name", "certificate"),
    lasts("a certificate that has expired", "expired", "certificate"),
    lasts("reset before every answer", Fault("abort"), "reset|cut|closed"),
    lasts("closed before every answer", Fault("hang-up"), "closed|cut|ended"),
    lasts("no HTTP", Fault("garbage"), "."),
    lasts("reset after every head", Fault("reset", after=0), "reset|cut|ended"),
    lasts("closed after every head", Fault("cut", after=0), "ended|cut|closed"),
    lasts("closed after 400 bytes of every body", Fault("cut", after=400), "ended|cut|closed"),
    lasts(
        "closed in the middle, and no ranges",
        Fault(("no-range", "cut"), after=HALF),
        "ended|cut|closed",
        most=3.5,  # each try brings half of it, and has to start anew
    ),
)

_TIME = (
    passes("a stall in the body", Fault("stall", times=1, after=500_000), most=1),
    passes("a stall before the first byte", Fault("stall", times=1, after=0), most=1),
    passes("a stall in chunks", Fault(("chunked", "stall"), times=1, after=500_000), most=1),
    passes("a stall after the status line", Fault("stall-head", times=1, after=17), most=1),
    passes("a stall in the headers", Fault("stall-head", times=1, after=60), most=1),
    passes("a body that drips, once", Fault("plain", times=1, rate=SLOW), most=1),
    passes("chunks that drip, once", Fault("odd-chunks", times=1, rate=SLOW), most=1),
    passes("headers that drip, once", Fault("drip-head", times=1, rate=SLOW), most=1),
    lasts("never an answer", Fault("silent"), SILENCE),
    lasts("every head stalls", Fault("stall-head", after=17), SILENCE),
    lasts("every body stalls", Fault("stall", after=0), SILENCE),
    lasts("every body drips", Fault("plain", rate=SLOW), SILENCE),
    lasts("every head drips", Fault("drip-head", rate=SLOW), SILENCE),
)

SCENARIOS = (*_CONNECTION, *_TIME)
