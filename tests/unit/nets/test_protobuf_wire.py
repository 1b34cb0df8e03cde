"""Large fields are read and written as by the protobuf library, without its copies."""

from __future__ import annotations

import numpy as np
import pytest
from featx_job.nets import protobuf_wire
from featx_job.nets.caffe import blobs, caffe_pb2, caffe_reader
from featx_job.nets.errors import ModelError
from featx_job.nets.onnx import onnx_writer
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto

from tests.support.caffe_nets import CaffeNet

NUMBERS = st.integers(1, 2**29 - 1)


@given(NUMBERS, st.lists(st.binary(max_size=200), max_size=4))
def test_a_written_field_can_be_read(number: int, parts: list[bytes]) -> None:
    written = b"".join(protobuf_wire.field(number, parts))
    (field,) = protobuf_wire.fields(memoryview(written))
    assert (field.number, bytes(field.value), bytes(field.whole)) == (number, b"".join(parts), written)


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=50), st.text(max_size=300), st.integers(-1, 2**31 - 1))
def test_fields_are_read_as_the_library_wrote_them(numbers: list[float], name: str, shape: int) -> None:
    layer = caffe_pb2.LayerParameter(name=name, blobs=[caffe_pb2.BlobProto(num=shape, data=numbers)])
    net = caffe_pb2.NetParameter(layer=[layer], name="net")
    fields = {field.number: field for field in protobuf_wire.fields(memoryview(net.SerializeToString()))}
    assert bytes(fields[caffe_pb2.NetParameter.NAME_FIELD_NUMBER].value) == b"net"
    inner = protobuf_wire.fields(fields[caffe_pb2.NetParameter.LAYER_FIELD_NUMBER].value)
    assert b"".join(bytes(field.whole) for field in inner) == layer.SerializeToString()


@given(st.binary(max_size=100))
def test_arbitrary_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        fields = list(protobuf_wire.fields(memoryview(data)))
    except ValueError:
        return
    assert b"".join(bytes(field.whole) for field in fields) == data


def test_weights_are_views_of_the_file_whether_packed_or_not() -> None:
    values = np.arange(6, dtype="<f4")
    packed = caffe_pb2.BlobProto(shape=caffe_pb2.BlobShape(dim=[2, 3]), data=values.tolist()).SerializeToString()
    plain = caffe_pb2.BlobProto(shape=caffe_pb2.BlobShape(dim=[2, 3])).SerializeToString()
    plain += b"".join(b"\x2d" + value.tobytes() for value in values)  # field 5, four bytes per value
    for blob in (packed, plain):
        layer = b"".join(protobuf_wire.field(7, (blob,))) + caffe_pb2.LayerParameter(name="conv").SerializeToString()
        weights = blobs.read_caffemodel(b"".join(protobuf_wire.field(100, (layer,))))
        assert weights["conv"][0].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_a_truncated_caffemodel_is_refused() -> None:
    net = CaffeNet(3, 8, 8)
    net.layer(
        "InnerProduct",
        "product",
        ["data"],
        blobs=[np.ones((4, 192)), np.ones(4)],
        inner_product_param={"num_output": 4},
    )
    whole = net.caffemodel()
    for end in range(1, len(whole), 97):
        with pytest.raises(ModelError, match=r"not a caffemodel, or the file is truncated|contain no layers"):
            blobs.read_caffemodel(whole[:end])


def test_an_onnx_model_has_the_bytes_that_the_library_would_write() -> None:
    net = CaffeNet(3, 8, 8)
    net.layer(
        "InnerProduct",
        "product",
        ["data"],
        blobs=[np.ones((4, 192)), np.ones(4)],
        inner_product_param={"num_output": 4},
    )
    written = onnx_writer.to_onnx(caffe_reader.read(net.prototxt(), net.caffemodel()))
    assert ModelProto.FromString(written).SerializeToString(deterministic=True) == written
