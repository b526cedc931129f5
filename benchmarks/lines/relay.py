"""Relay TCP connections slowly: `python relay.py rate|far PORT TARGET-PORT`.

`rate` limits each connection to 10 MB/s. `far` has a round trip of 50 ms and a window that starts
at 14 KiB (ten segments, RFC 6928) and doubles in each round trip up to 4 MiB. Connecting takes a
round trip. The window of an idle connection does not shrink.
"""

import asyncio
import sys

RATE = 10e6  # bytes per second on each connection
ROUND_TRIP = 0.05  # seconds
FIRST_WINDOW, LAST_WINDOW = 14 << 10, 4 << 20  # bytes per round trip


async def relay_forever(kind: str, port: int, target: int) -> None:
    """Accept connections and relay them slowly."""
    pour = {"rate": pour_at_a_rate, "far": pour_through_a_window}[kind]

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        if kind == "far":
            await asyncio.sleep(ROUND_TRIP)  # the TCP handshake
        # Only requests are delayed, by the complete round trip.
        delay = ROUND_TRIP if kind == "far" else 0.0
        await asyncio.gather(
            pass_on(reader, far_writer, delay), pour(far_reader, writer), return_exceptions=True
        )
        writer.close()
        far_writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", port) as listening:
        await listening.serve_forever()


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    """Relay requests after a delay."""
    while data := await reader.read(1 << 16):
        if delay:
            await asyncio.sleep(delay)
        writer.write(data)
        await writer.drain()
    writer.close()


async def pour_at_a_rate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Relay responses at `RATE`, without saving up unused capacity."""
    due = 0.0
    while data := await reader.read(1 << 16):
        now = asyncio.get_running_loop().time()
        due = max(due, now) + len(data) / RATE
        await asyncio.sleep(due - now)
        writer.write(data)
        await writer.drain()
    writer.close()


async def pour_through_a_window(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Relay one window per round trip, and double the window while it is used."""
    loop = asyncio.get_running_loop()
    window, left, begin = FIRST_WINDOW, FIRST_WINDOW, 0.0
    while True:
        data = await reader.read(min(left, 1 << 18))
        if not data:
            break
        if loop.time() - begin > ROUND_TRIP:
            begin, left = loop.time(), window
        writer.write(data)
        await writer.drain()
        left -= len(data)
        if left <= 0:
            await asyncio.sleep(max(0.0, begin + ROUND_TRIP - loop.time()))
            window = min(2 * window, LAST_WINDOW)
            begin, left = loop.time(), window
    writer.close()


if __name__ == "__main__":
    asyncio.run(relay_forever(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
