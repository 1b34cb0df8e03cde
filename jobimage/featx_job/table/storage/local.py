"""Files in a folder of a volume mounted into driver and executors, or of this machine."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from featx_api.failures import FailureClass

from featx_job.failures import RunFailure
from featx_job.table.storage import StoredFile


class LocalStorage:
    """`Storage` in a folder. Files are written under another name and renamed, which is atomic on POSIX."""

    def __init__(self, root: Path, field: str) -> None:
        """Use a folder.

        Args:
            root: The folder.
            field: The spec's field that names it.
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
            message = f"{self._field}: {self.root} cannot be created ({error.strerror})"
            raise RunFailure(FailureClass.OUTPUT_NOT_WRITABLE, message) from None
        if not os.access(self.root, os.W_OK):
            message = f"{self._field}: {self.root} is not writable by user {os.getuid()}"
            raise RunFailure(FailureClass.OUTPUT_NOT_WRITABLE, message)

    def read(self, path: str) -> bytes | None:
        """Implements `Storage`."""
        try:
            return (self.root / path).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes) -> None:
        """Implements `Storage`."""
        self._write_hidden(path, data).replace(self.root / path)

    def create(self, path: str, data: bytes) -> bool:
        """Implements `Storage`: a complete file gets a second name, a hard link, which fails if the name is taken."""
        hidden = self._write_hidden(path, data)
        try:
            (self.root / path).hardlink_to(hidden)
        except FileExistsError:
            return False
        except OSError as error:
            message = (
                f"{self._field}: {self.root} does not support hard links ({error.strerror}), which Delta tables require"
            )
            raise RunFailure(FailureClass.OUTPUT_NOT_WRITABLE, f"{message}; use spec.output.format parquet") from None
        finally:
            hidden.unlink()
        return True

    def _write_hidden(self, path: str, data: bytes) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        hidden = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        hidden.write_bytes(data)
        return hidden

    def files(self, folder: str) -> list[StoredFile]:
        """Implements `Storage`."""
        paths = [path for path in (self.root / folder).rglob("*") if path.is_file() and not path.name.startswith(".")]
        return sorted(StoredFile(str(path.relative_to(self.root)), path.stat().st_size) for path in paths)

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
