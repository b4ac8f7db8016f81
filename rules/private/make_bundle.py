"""Pack compiled models and their manifest: `make_bundle.py SPECIFICATION`.

The specification is a JSON file: `output`, `format` (`tar` or `directory`), `prefix` and
`models`, each with the paths of its files and what is known of it. The result depends on
contents and names only: no time, owner or order of the file system is in it.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MANIFEST = "models.json"
FORMAT = 1
"""Rises when a field of the manifest changes its meaning or goes away."""


def contents(models: list[dict[str, Any]]) -> dict[str, bytes]:
    """Files of the bundle by name: the models and the manifest."""
    files: dict[str, bytes] = {}
    entries = []
    for model in models:
        name, data = Path(model["compiled"]).name, Path(model["compiled"]).read_bytes()
        files[name] = data
        entries.append(
            {
                "file": name,
                "bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
                "caching_token": Path(model["token"]).read_text().strip(),
                **model["about"],
            }
        )
    manifest = {"format": FORMAT, "models": entries}
    files[MANIFEST] = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    return files


def write_tar(path: Path, files: Mapping[str, bytes]) -> None:
    """A POSIX archive: sorted, owned by nobody in particular, without times."""
    folders = sorted({str(parent) for name in files for parent in Path(name).parents} - {"."})
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for folder in folders:
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))


def write_directory(path: Path, files: Mapping[str, bytes]) -> None:
    """The same files in a folder."""
    for name, data in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def main(specification_file: str) -> None:
    """Write the bundle."""
    specification = json.loads(Path(specification_file).read_text())
    prefix = Path(specification["prefix"])
    files = {str(prefix / name): data for name, data in contents(specification["models"]).items()}
    write = write_tar if specification["format"] == "tar" else write_directory
    write(Path(specification["output"]), files)


if __name__ == "__main__":
    main(sys.argv[1])
