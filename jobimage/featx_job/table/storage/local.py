"""Files in a folder: of a volume that is mounted into driver and executors, or of this machine."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from featx_job.failures import RunFailure
from featx_job.table.storage import StoredFile


class LocalStorage:
    """`Storage` in a folder. Writes go to another name first and are renamed, which POSIX makes atomic."""

    def __init__(self, root: Path, field: str) -> None:
        """Uses a folder.

        Args:
            root: The folder.
            field: Where in the spec it stands.
        """
        self.root, self._field = root, field

    @property
    def hadoop_uri(self) -> str:
        """Implements `Storage`."""
        return f"file://{self.root}"

    def make(self) -> None:
        """Implements `Storage`."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"{self._field}: {self.root} can't be made ({error.strerror})"
            raise RunFailure("OutputNotWritable", message) from None
        if not os.access(self.root, os.W_OK):
            message = f"{self._field}: {self.root} can't be written to by user {os.getuid()}"
            raise RunFailure("OutputNotWritable", message)

    def read(self, path: str) -> bytes | None:
        """Implements `Storage`."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes) -> None:
        """Implements `Storage`."""
        self._hidden(path, data).replace(self.root / path)

    def create(self, path: str, data: bytes) -> bool:
        """Implements `Storage`: a file that is whole gets a second name, which POSIX gives only if nothing has it."""
        hidden = self._hidden(path, data)
        try:
            (self.root / path).hardlink_to(hidden)
        except FileExistsError:
            return False
        except OSError as error:
            message = (
                f"{self._field}: {self.root} takes no hard links ({error.strerror}), which a Delta table's log needs"
            )
            raise RunFailure("OutputNotWritable", f"{message}: use spec.output.format parquet") from None
        finally:
            hidden.unlink()
        return True

    def _hidden(self, path: str, data: bytes) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        hidden.write_bytes(data)
        return hidden

    def files(self, folder: str) -> list[StoredFile]:
        """Implements `Storage`."""
        found = [path for path in (self.root / folder).rglob("*") if path.is_file() and not path.name.startswith(".")]
        return sorted(StoredFile(str(path.relative_to(self.root)), path.stat().st_size) for path in found)

    def move(self, source: str, target: str) -> None:
        """Implements `Storage`."""
        (self.root / target).parent.mkdir(parents=True, exist_ok=True)
        try:
            (self.root / source).replace(self.root / target)
        except FileNotFoundError:
            if not (self.root / target).exists():
                raise

    def remove(self, paths: list[str]) -> None:
        """Implements `Storage`."""
        for path in paths:
            (self.root / path).unlink(missing_ok=True)
