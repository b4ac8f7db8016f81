"""A remote cache: nginx with WebDAV on this machine.

    python3 tests/bazel/integration/nginx.py [FOLDER] [PORT]

keeps one running, in the foreground, for `bazel build --remote_cache=http://127.0.0.1:PORT`.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_CONFIGURATION = """\
worker_processes 1;
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/incoming;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/cache;
        log_not_found off;
        client_max_body_size 1g;
        dav_methods PUT;
        create_full_put_path on;
    }}
}}
"""
_START_SECONDS = 10


def find_nginx() -> str | None:
    """The program; Debian has it outside of a user's PATH."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def remote_cache(folder: Path, port: int) -> Iterator[str]:
    """The URL of an empty cache that lives as long as the body."""
    program = find_nginx()
    if program is None:
        raise FileNotFoundError("nginx is not installed (Debian: apt-get install nginx-light)")
    (folder / "cache").mkdir(parents=True, exist_ok=True)
    configuration = folder / "nginx.conf"
    configuration.write_text(_CONFIGURATION.format(folder=folder, port=port))
    server = subprocess.Popen([program, "-c", str(configuration), "-p", str(folder)])
    try:
        _wait(server, port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=_START_SECONDS)


def _wait(server: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"nginx does not listen on port {port}")


if __name__ == "__main__":
    place = Path(sys.argv[1] if len(sys.argv) > 1 else "remote-cache").absolute()
    with remote_cache(place, int(sys.argv[2]) if len(sys.argv) > 2 else free_port()) as url:
        print(f"--remote_cache={url}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)
