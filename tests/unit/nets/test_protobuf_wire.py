"""Large fields are read and written as the protobuf library would, without its copies."""

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
def test_a_field_that_is_written_is_read_again(number: int, parts: list[bytes]) -> None:
    written = b"".join(protobuf_wire.field(number, parts))
    (found,) = protobuf_wire.fields(memoryview(written))
    assert (found.number, bytes(found.value), bytes(found.whole)) == (number, b"".join(parts), written)


@given(st.lists(st.floats(width=32, allow_nan=False), max_size=50), st.text(max_size=300), st.integers(-1, 2**31 - 1))
def test_fields_are_those_that_the_library_wrote(numbers: list[float], name: str, shape: int) -> None:
    layer = caffe_pb2.LayerParameter(name=name, blobs=[caffe_pb2.BlobProto(num=shape, data=numbers)])
    net = caffe_pb2.NetParameter(layer=[layer], name="net")
    found = {each.number: each for each in protobuf_wire.fields(memoryview(net.SerializeToString()))}
    assert bytes(found[caffe_pb2.NetParameter.NAME_FIELD_NUMBER].value) == b"net"
    inner = protobuf_wire.fields(found[caffe_pb2.NetParameter.LAYER_FIELD_NUMBER].value)
    assert b"".join(bytes(each.whole) for each in inner) == layer.SerializeToString()


@given(st.binary(max_size=100))
def test_any_bytes_are_fields_or_refused(data: bytes) -> None:
    try:
        found = list(protobuf_wire.fields(memoryview(data)))
    except ValueError:
        return
    assert b"".join(bytes(each.whole) for each in found) == data


def test_weights_are_views_of_the_file_in_packed_and_in_plain_form() -> None:
    values = np.arange(6, dtype="<f4")
    packed = caffe_pb2.BlobProto(shape=caffe_pb2.BlobShape(dim=[2, 3]), data=values.tolist()).SerializeToString()
    plain = caffe_pb2.BlobProto(shape=caffe_pb2.BlobShape(dim=[2, 3])).SerializeToString()
    plain += b"".join(b"\x2d" + value.tobytes() for value in values)  # field 5, four bytes each
    for blob in (packed, plain):
        layer = b"".join(protobuf_wire.field(7, (blob,))) + caffe_pb2.LayerParameter(name="conv").SerializeToString()
        found = blobs.read_caffemodel(b"".join(protobuf_wire.field(100, (layer,))))
        assert found["conv"][0].tolist() == [[0, 1, 2], [3, 4, 5]]


def test_half_a_caffemodel_is_refused() -> None:
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
        with pytest.raises(ModelError, match=r"no caffemodel, or the file is cut short|hold no layer"):
            blobs.read_caffemodel(whole[:end])


def test_an_onnx_model_is_written_byte_by_byte_as_the_library_would() -> None:
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
