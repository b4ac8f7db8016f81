"""A worker for BuildGrid: takes one action after the other and runs it in a folder of its own.

    bot.py ADDRESS FOLDER

Run by run.py in BuildGrid's Python environment. For tests on one machine: an action sees
nothing but its inputs by relative paths, and an empty environment but for its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import grpc
from buildgrid._protos.build.bazel.remote.execution.v2 import remote_execution_pb2 as execution
from buildgrid._protos.google.devtools.remoteworkers.v1test2 import bots_pb2, bots_pb2_grpc
from buildgrid._protos.google.rpc import code_pb2
from buildgrid.server.client.cas import download, upload

POLL_SECONDS = 0.2
CALL_SECONDS = 3
"""Shorter than what BuildGrid keeps a call for until there is work: it answers at once."""
SECONDS_OF_AN_ACTION = 600


class Bot:
    """One worker with one connection."""

    def __init__(self, address: str, folder: Path) -> None:
        self.channel = grpc.insecure_channel(address)
        self.stub = bots_pb2_grpc.BotsStub(self.channel)
        self.folder = folder

    def run(self) -> None:
        """Work until the process ends."""
        new = bots_pb2.BotSession(bot_id=self.folder.name, status=bots_pb2.OK)
        request = bots_pb2.CreateBotSessionRequest(parent="", bot_session=new)
        session = self.stub.CreateBotSession(request, timeout=CALL_SECONDS)
        while True:
            if not session.leases:
                time.sleep(POLL_SECONDS)
            for lease in session.leases:
                self._advance(lease)
            session = self._update(session)

    def _update(self, session: bots_pb2.BotSession) -> bots_pb2.BotSession:
        request = bots_pb2.UpdateBotSessionRequest(name=session.name, bot_session=session)
        return self.stub.UpdateBotSession(request, timeout=CALL_SECONDS)

    def _advance(self, lease: bots_pb2.Lease) -> None:
        """Accept a new lease; run the action of one that the server knows to be accepted."""
        if lease.state == bots_pb2.PENDING:
            lease.state = bots_pb2.ACTIVE
        elif lease.state == bots_pb2.ACTIVE:
            action = execution.Action()
            lease.payload.Unpack(action)
            lease.result.Pack(self._execute(action))
            lease.status.code = code_pb2.OK
            lease.state = bots_pb2.COMPLETED

    def _execute(self, action: execution.Action) -> execution.ActionResult:
        with tempfile.TemporaryDirectory(dir=self.folder) as root:
            with download(self.channel) as downloader:
                command = downloader.get_message(action.command_digest, execution.Command())
                downloader.download_directory(action.input_root_digest, root)
            outputs = [*command.output_files, *command.output_paths, *command.output_directories]
            for name in outputs:
                Path(root, name).parent.mkdir(parents=True, exist_ok=True)
            done = subprocess.run(
                list(command.arguments),
                cwd=Path(root, command.working_directory),
                env={v.name: v.value for v in command.environment_variables},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS_OF_AN_ACTION,
                check=False,
            )
            return self._result(Path(root), outputs, done)

    def _result(
        self, root: Path, outputs: list[str], done: subprocess.CompletedProcess[bytes]
    ) -> execution.ActionResult:
        result = execution.ActionResult(
            exit_code=done.returncode, stdout_raw=done.stdout, stderr_raw=done.stderr
        )
        with upload(self.channel) as uploader:
            for name in outputs:
                path = root / name
                if path.is_dir():
                    tree = uploader.upload_tree(str(path))
                    result.output_directories.add(path=name, tree_digest=tree)
                elif path.is_file():
                    digest = uploader.upload_file(str(path), queue=False)
                    is_program = os.access(path, os.X_OK)
                    result.output_files.add(path=name, digest=digest, is_executable=is_program)
        return result


if __name__ == "__main__":
    Bot(sys.argv[1], Path(sys.argv[2])).run()
