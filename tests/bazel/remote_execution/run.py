"""Build the examples by remote execution: BuildGrid with PostgreSQL on this machine.

    python3 tests/bazel/remote_execution/run.py [FOLDER]

Needs PostgreSQL (Debian: apt-get install postgresql) and Bazel. BuildGrid comes from PyPI, into
a virtual environment below FOLDER, which is kept. As root, PostgreSQL runs as `postgres`.
Everything listens on 127.0.0.1. Not part of `bazel test //...`: it takes minutes.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("buildgrid==0.4.4", "psycopg2-binary")
COMMANDS = (("", "build", "//models/..."), ("examples/firmware_image", "test", "//..."))
START_SECONDS = 60
BOTS = 2
OPTIONS = ("--noshow_progress", "--symlink_prefix=/")
"""Links to another output folder would lead the next `bazel ...` in the repository astray."""
_CONFIGURATION = """\
server:
  - !channel
    address: 127.0.0.1:{port}
    insecure-mode: true

authorization:
  method: none

monitoring:
  enabled: false

connections:
  - !sql-connection &sql
    connection-string: {database}

storages:
  - !disk-storage &storage
    path: {folder}/cas

caches:
  - !lru-action-cache &cache
    storage: *storage
    max-cached-refs: 10000
    allow-updates: true
    cache-failed-actions: false

schedulers:
  - !sql-scheduler &scheduler
    sql: *sql
    storage: *storage
    action-cache: *cache
    assigners:
      - !priority-age-assigner
        count: 1
        interval: 0.2

instances:
  - name: ""
    services:
      - !action-cache
        cache: *cache
      - !execution
        scheduler: *scheduler
      - !cas
        storage: *storage
      - !bytestream
        storage: *storage

thread-pool-size: 50
"""


def postgres_program(name: str) -> str:
    """A program of PostgreSQL; Debian keeps them outside of PATH."""
    places = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    found = shutil.which(name) or (str(places[-1]) if places else None)
    if found is None:
        raise SystemExit("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return found


def free_port() -> int:
    """A port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run(*command: str, user: str = "") -> None:
    """Run a command that must succeed."""
    subprocess.run(["runuser", "-u", user, "--", *command] if user else command, check=True)


@contextlib.contextmanager
def process(command: Sequence[str], log: Path, user: str = "") -> Iterator[None]:
    """A process that lives as long as the body; what it prints goes into `log`."""
    prefix = ["runuser", "-u", user, "--"] if user else []
    with (
        log.open("wb") as file,
        subprocess.Popen(
            [*prefix, *command], stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        ) as running,
    ):
        try:
            yield
        finally:
            running.terminate()


def wait_for(port: int, what: str, log: Path) -> None:
    """Until something listens on the port."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise SystemExit(f"{what} does not answer:\n{log.read_text()}")


@contextlib.contextmanager
def database(folder: Path) -> Iterator[str]:
    """URL of a new database."""
    user = "postgres" if os.geteuid() == 0 else ""
    data, port = folder / "postgres", free_port()
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir()
    if user:
        shutil.chown(data, user)
    name = user or getpass.getuser()
    run(postgres_program("initdb"), "-D", str(data), "-A", "trust", "-U", name, user=user)
    log = folder / "postgres.log"
    options = ["-D", str(data), "-h", "127.0.0.1", "-p", str(port), "-k", ""]
    with process([postgres_program("postgres"), *options], log, user):
        wait_for(port, "PostgreSQL", log)
        # BuildGrid's scheduler needs this driver by name.
        yield f"postgresql+psycopg2://{name}@127.0.0.1:{port}/postgres"


@contextlib.contextmanager
def remote_executor(folder: Path) -> Iterator[str]:
    """Address of BuildGrid with workers."""
    python = folder / "venv/bin/python"
    if not python.exists():
        run(sys.executable, "-m", "venv", str(folder / "venv"))
        run(str(python), "-m", "pip", "install", "--quiet", *PACKAGES)
    bgd = str(folder / "venv/bin/bgd")
    with database(folder) as url, contextlib.ExitStack() as stack:
        port = free_port()
        configuration = folder / "buildgrid.yml"
        configuration.write_text(_CONFIGURATION.format(port=port, database=url, folder=folder))
        run(bgd, "migrate", "apply", url)
        log = folder / "buildgrid.log"
        stack.enter_context(process([bgd, "server", "start", str(configuration)], log))
        wait_for(port, "BuildGrid", log)
        bot = str(Path(__file__).with_name("bot.py"))
        for number in range(BOTS):
            place = folder / f"bot{number}"
            place.mkdir(exist_ok=True)
            command = [str(python), bot, f"127.0.0.1:{port}", str(place)]
            stack.enter_context(process(command, folder / f"bot{number}.log"))
        yield f"grpc://127.0.0.1:{port}"


def main(folder: Path) -> int:
    """Build everything; the exit status is that of Bazel."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    bazel = [shutil.which("bazel") or "bazel", f"--output_user_root={folder / 'output'}"]
    status = 0
    with remote_executor(folder) as address:
        for place, command, targets in COMMANDS:
            remote = [f"--remote_executor={address}", "--spawn_strategy=remote"]
            options = ["--strategy=EdgeTpuCompile=remote", *remote, *OPTIONS]
            done = subprocess.run(
                [*bazel, command, *options, targets], cwd=ROOT / place, check=False
            )
            status = done.returncode or status
            subprocess.run([*bazel, "shutdown"], cwd=ROOT / place, check=False)
    return status


if __name__ == "__main__":
    default = Path(tempfile.gettempdir()) / "edgetpu_remote_execution"
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else default).absolute()))
