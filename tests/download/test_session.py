"""Test limiting the total rate of all connections."""

import threading
import time

from dshub.download.session import Limiter


def test_rate_limit_applies_to_all_connections_together() -> None:
    began, waits = time.monotonic(), list[float]()
    limiter = Limiter(1000)
    threads = [threading.Thread(target=lambda: waits.append(limiter.take(500))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed = time.monotonic() - began
    assert 4.0 - passed <= max(waits) <= 4.0
    assert limiter.piece < 1000
