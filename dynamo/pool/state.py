"""What a pool keeps on this machine: its signing key, its user's token, and the configuration of clients."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from dynamo.errors import InfrastructureError

__all__ = ["PoolState"]


class PoolState:
    """The folder ``~/.local/state/dynamo/pool/<name>``, which only its owner can look into."""

    def __init__(self, name: str) -> None:
        home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
        self.folder = home / "dynamo" / "pool" / name

    @property
    def client_config(self) -> Path:
        """The file that ``CONDOR_CONFIG`` names for clients on this machine."""
        return self.folder / "condor_config"

    @property
    def tokens(self) -> Path:
        """The folder of the user's tokens."""
        return self.folder / "tokens.d"

    def signing_key(self) -> str:
        """Return the key that all tokens of the pool are signed with; made when first asked for."""
        return self.once("signing.key", lambda: secrets.token_urlsafe(48))

    def once(self, name: str, make: Callable[[], str]) -> str:
        """Return the text of the file `name`, which `make` gives where there is none yet."""
        file = self.folder / name
        if not file.is_file():
            self.write(name, make())
        return file.read_text()

    def write(self, name: str, text: str) -> Path:
        """Write a file that only its owner can read, whole or not at all."""
        file = self.folder / name
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.folder.chmod(0o700)
            # HTCondor passes over hidden files in a folder of tokens.
            new = file.with_name(f".{file.name}.new")
            new.unlink(missing_ok=True)
            with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(text)
            new.replace(file)
        except OSError as error:
            raise InfrastructureError(
                f"cannot keep what the pool needs in {self.folder}: {error.strerror}"
            ) from error
        return file

    def remove(self) -> None:
        """Forget the pool: its tokens are worth nothing without it."""
        shutil.rmtree(self.folder, ignore_errors=True)
