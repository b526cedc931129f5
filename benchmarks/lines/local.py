"""Run local servers, and slow relays to them, in their own processes."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RELAY = Path(__file__).parent / "relay.py"


@contextmanager
def nginx(folder: Path, workers: str = "1") -> Iterator[tuple[int, int]]:
    """Serve a folder with nginx; yield the port and the PID of the master process."""
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "nginx.conf").write_text(
            ("user root;\n" if os.geteuid() == 0 else "")
            + f"daemon off; worker_processes {workers}; pid {name}/pid; error_log {name}/log;\n"
            "worker_rlimit_nofile 20000; events { worker_connections 8192; }\n"
            "http { access_log off; sendfile on; keepalive_requests 1000000;\n"
            "keepalive_timeout 300;\n"
            f"client_body_temp_path {name}/body; proxy_temp_path {name}/proxy;\n"
            f"server {{ listen 127.0.0.1:{port} backlog=1024; root {folder}; }} }}\n"
        )
        process = subprocess.Popen(
            ["nginx", "-p", name, "-c", f"{name}/nginx.conf", "-e", f"{name}/log"]
        )
        try:
            wait_for(port)
            yield port, process.pid
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait()


@contextmanager
def relay(kind: str, target: int) -> Iterator[int]:
    """Run `relay.py` as a slow connection to a port; yield the port of the relay."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(RELAY), kind, str(port), str(target)])
    try:
        wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    """Wait until a server accepts connections."""
    for _ in range(500):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    sys.exit(f"no server listens on port {port}")
