"""The committed code is what `make generate` writes from caffe.proto."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from featx_job.nets import caffe

FOLDER = Path(caffe.__file__).parent


@pytest.mark.parametrize("name", ["caffe_pb2.py", "caffe_pb2.pyi"])
def test_generated_code_is_up_to_date_with_the_schema(tmp_path: Path, name: str) -> None:
    options = [f"--python_out={tmp_path}", f"--mypy_out={tmp_path}", f"-I{FOLDER}", str(FOLDER / "caffe.proto")]
    path = {"PATH": str(Path(sys.executable).parent)}
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *options], check=True, env=path)
    assert (tmp_path / name).read_text() == (FOLDER / name).read_text(), "run `make generate`"
