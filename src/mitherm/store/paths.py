"""Where mitherm keeps its files: MITHERM_HOME for everything, else what the operating system recommends."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self


@dataclass(frozen=True, slots=True)
class Paths:
    """Files and folders; none of them need exist."""

    vault: Path
    inventory: Path
    journal: Path
    library: Path
    """A cache: images can be fetched again."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """The paths in force."""
        if home := environ.get("MITHERM_HOME"):
            folder = Path(home).expanduser().absolute()
            return cls._in(folder, folder, folder)
        from platformdirs import PlatformDirs

        folders = PlatformDirs("mitherm", appauthor=False)
        return cls._in(folders.user_data_path, folders.user_state_path, folders.user_cache_path)

    @classmethod
    def _in(cls, data: Path, state: Path, cache: Path) -> Self:
        return cls(data / "vault", data / "inventory.json", state / "journal.jsonl", cache / "images")
