"""A graph read from ONNX computes what the model computes. ONNX's reference implementation is the oracle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from featx_job.nets.errors import ModelError
from featx_job.nets.graph import operations
from featx_job.nets.graph.fold import fold
from featx_job.nets.graph.network import Network
from featx_job.nets.onnx import onnx_reader
from featx_job.nets.onnx.onnx_writer import to_onnx
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

Floats = NDArray[np.float32]
CHANNELS, SIZE = 3, 12
RANDOM = np.random.default_rng(7)


def numbers(*shape: int) -> Floats:
    return RANDOM.normal(size=shape).astype(np.float32)


class Model:
    """Builds a small ONNX model; by default each node reads the one before it."""

    def __init__(self, shape: tuple[Any, ...] = ("batch", CHANNELS, SIZE, SIZE), opset: int = 17) -> None:
        self.shape, self.opset = shape, opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[TensorProto] = []
        self.last = "image"

    def __call__(self, kind: str, *inputs: Any, reads: list[str] | None = None, **settings: Any) -> str:
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        output = f"{kind}_{len(self.nodes)}"
        read = [self.last, *names] if reads is None else [*reads, *names]
        self.nodes.append(helper.make_node(kind, read, [output], **settings))
        self.last = output
        return output

    def _constant(self, value: Any) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(value), f"constant{len(self.constants)}"))
        return self.constants[-1].name

    def data(self) -> bytes:
        graph = helper.make_graph(
            self.nodes,
            "small",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(self.last, TensorProto.FLOAT, None)],
            self.constants,
        )
        return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)]).SerializeToString())


def computed(data: bytes, image: Floats) -> Floats:
    (output,) = ReferenceEvaluator(onnx.load_from_string(data)).run(None, {"image": image})
    return np.asarray(output, np.float32)


def check(model: Model) -> Network:
    """Check that the net computes what the model computes, folded or not; return it unfolded."""
    inputs = numbers(2, CHANNELS, SIZE, SIZE)
    expected = computed(model.data(), inputs)
    network = onnx_reader.read(model.data())
    for variant in (network, fold(network)):
        ours = computed(to_onnx(variant), inputs)
        np.testing.assert_allclose(ours.reshape(len(inputs), -1), expected.reshape(len(inputs), -1), 1e-4, 1e-4)
    return network


def convolution(model: Model, inputs: int, outputs: int, *, group: int = 1, **settings: Any) -> None:
    model("Conv", numbers(outputs, inputs // group, 3, 3), numbers(outputs), group=group, **settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"pads": [1, 1, 1, 1]},
        {"pads": [0, 0, 1, 1], "strides": [2, 2]},
        {"pads": [2, 1, 0, 1], "strides": [2, 1]},
        {"pads": [0, 0, 2, 2], "dilations": [2, 2]},
        {"group": 3, "pads": [1, 1, 1, 1]},
    ],
    ids=str,
)
def test_convolutions_with_any_padding(settings: dict[str, Any]) -> None:
    model = Model()
    convolution(model, CHANNELS, 6, **settings)
    check(model)


@given(pads=st.lists(st.integers(0, 2), min_size=4, max_size=4), stride=st.integers(1, 3))
@hypothesis_settings(max_examples=25, deadline=None)
def test_asymmetric_padding_is_made_symmetric(pads: list[int], stride: int) -> None:
    model = Model()
    convolution(model, CHANNELS, 2, pads=pads, strides=[stride, stride])
    check(model)


@pytest.mark.parametrize("kind", ["MaxPool", "AveragePool"])
@pytest.mark.parametrize("settings", [{}, {"ceil_mode": 1}, {"kernel_shape": [2, 2]}], ids=str)
def test_pooling(kind: str, settings: dict[str, Any]) -> None:
    model = Model()
    convolution(model, CHANNELS, 4, pads=[1, 1, 1, 1])
    model(kind, **{"kernel_shape": [3, 3], "strides": [2, 2]} | settings)
    check(model)


def test_maxima_with_padding_after_only() -> None:
    model = Model()
    model("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1])
    check(model)


def test_a_net_exported_by_pytorch() -> None:
    model = Model()
    convolution(model, CHANNELS, 8, pads=[1, 1, 1, 1])
    model("BatchNormalization", numbers(8), numbers(8), numbers(8), np.abs(numbers(8)), epsilon=1e-3)
    first = model("Clip", np.float32(0), np.float32(6))
    convolution(model, 8, 8, group=8, pads=[1, 1, 1, 1])
    model("Add", first)
    model("GlobalAveragePool")
    model("Flatten", axis=1)
    model("Gemm", numbers(5, 8), numbers(5), transB=1)
    model("Softmax", axis=-1)
    network = check(model)
    assert [type(layer.operation).__name__ for layer in fold(network).layers] == [
        "Convolution",
        "Clip",
        "Convolution",
        "Eltwise",
        "Pooling",
        "Flatten",
        "FullyConnected",
        "Softmax",
    ]


def test_a_net_exported_by_tensorflow() -> None:
    """Channels last at the input, a shape assembled from parts, a mean over axes, a product and a shift."""
    model = Model(("batch", SIZE, SIZE, CHANNELS))
    model("Transpose", perm=[0, 3, 1, 2])
    model("Mul", np.float32(0.5))
    model("Sub", np.float32(1))
    model("Pad", np.array([0, 0, 1, 1, 0, 0, 0, 0], np.int64))
    convolution(model, CHANNELS, 4, strides=[2, 2])
    feature = model("ReduceMean", axes=[2, 3], keepdims=0)
    shape = model("Shape", reads=[feature])
    batch = model("Slice", np.array([0]), np.array([1]), reads=[shape])
    whole = model("Concat", np.array([4]), reads=[batch], axis=0)
    model("Reshape", reads=[feature, whole])
    model("MatMul", numbers(4, 3))
    model("Add", numbers(3))
    image = numbers(2, SIZE, SIZE, CHANNELS)
    expected = computed(model.data(), image)
    network = fold(onnx_reader.read(model.data()))
    assert network.input_shape == (CHANNELS, SIZE, SIZE)
    actual = computed(to_onnx(network), np.ascontiguousarray(image.transpose(0, 3, 1, 2)))
    np.testing.assert_allclose(actual, expected, 1e-4, 1e-4)


@pytest.mark.parametrize(
    ("kind", "constant"),
    [
        ("Add", numbers(1, CHANNELS, 1, 1)),
        ("Sub", numbers(CHANNELS, 1, 1)),
        ("Mul", np.float32(3)),
        ("Div", np.full((CHANNELS, 1, 1), 4, np.float32)),
    ],
)
def test_arithmetic_with_a_number_for_each_channel(kind: str, constant: Floats) -> None:
    model = Model()
    model(kind, constant)
    model("Relu")
    check(model)


def test_a_value_taken_from_a_constant() -> None:
    model = Model()
    model("Sub", "image", reads=[model._constant(numbers(CHANNELS, 1, 1))])
    check(model)


def test_a_shift_after_a_sum_becomes_part_of_a_convolution() -> None:
    model = Model()
    first = model("Relu")
    convolution(model, CHANNELS, CHANNELS, pads=[1, 1, 1, 1])
    model("Add", first)
    model("Add", numbers(CHANNELS, 1, 1))
    assert not any(isinstance(layer.operation, operations.Affine) for layer in fold(check(model)).layers)


def test_a_shift_after_a_sum_stays_where_its_terms_have_other_readers() -> None:
    model = Model()
    convolution(model, CHANNELS, CHANNELS, pads=[1, 1, 1, 1])
    term = model.last
    model("Add", model("Relu"), reads=[term])
    model("Add", numbers(CHANNELS, 1, 1))
    assert any(isinstance(layer.operation, operations.Affine) for layer in fold(check(model)).layers)


@pytest.mark.parametrize(
    ("automatic", "pads"), [("SAME_UPPER", [0, 0, 1, 1]), ("SAME_LOWER", [1, 1, 0, 0]), ("VALID", [0, 0, 0, 0])]
)
def test_automatic_padding_follows_the_standard(automatic: str, pads: list[int]) -> None:
    """The reference implementation pads differently, so the results of the standard's formula are written out here."""
    weight, models = numbers(2, CHANNELS, 3, 3), []
    for settings in ({"auto_pad": automatic}, {"pads": pads}):
        model = Model()
        model("Conv", weight, strides=[2, 2], **settings)
        models.append(to_onnx(onnx_reader.read(model.data())))
    assert models[0] == models[1]


def refused(model: Model) -> str:
    with pytest.raises(ModelError) as caught:
        onnx_reader.read(model.data())
    return str(caught.value)


def test_an_unknown_operator_is_named_with_its_node() -> None:
    model = Model()
    model("Erf")
    assert refused(model).startswith("node Erf_0: the operator Erf is not supported; supported are Add, ")


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("AveragePool", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, "a mean with padding (1, 1) before and (1, 1)"),
        ("MaxPool", {"kernel_shape": [2, 2], "dilations": [2, 2]}, "dilated windows are not supported"),
        ("Flatten", {"axis": 2}, "only axis 1 is supported"),
        ("ReduceMean", {"axes": [1]}, "only a mean over height and width is supported"),
    ],
)
def test_settings_without_an_operation_are_refused(kind: str, settings: dict[str, Any], message: str) -> None:
    model = Model()
    model(kind, **settings)
    assert message in refused(model)


def test_weights_that_depend_on_the_image_are_refused() -> None:
    model = Model()
    model("Conv", reads=["image", model("Relu")], kernel_shape=[3, 3])
    assert "must be constant, but depends on the image" in refused(model)


@pytest.mark.parametrize("where", ["weights", "constant", "inner graph", "sparse constant"])
def test_no_tensor_is_read_from_another_file(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ONNX would read it below the current folder, through links too, and features show what weights are."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "token").write_bytes(bytes(24))
    tensor = TensorProto(name="stolen", data_type=TensorProto.UINT8, dims=[24], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="token")
    model = Model()
    if where == "weights":
        model.constants.append(tensor)
    elif where == "constant":
        model("Constant", reads=[], value=tensor)
    elif where == "sparse constant":
        indices = numpy_helper.from_array(np.arange(24), "indices")
        model("Constant", reads=[], sparse_value=onnx.SparseTensorProto(values=tensor, indices=indices, dims=[24]))
    else:
        inner = helper.make_graph(
            [helper.make_node("Constant", [], ["read"], value=tensor)],
            "inner",
            [],
            [helper.make_tensor_value_info("read", TensorProto.UINT8, [24])],
        )
        model("If", np.array(True), reads=[], then_branch=inner, else_branch=inner)
    model("Relu", reads=["image"])
    with pytest.raises(ModelError, match="the weights stolen are in another file"):
        onnx_reader.read(model.data())


def _endless() -> onnx.GraphProto:
    """The body of a loop that never ends."""
    nodes = [helper.make_node("Identity", [name], [f"{name}_next"]) for name in ("go", "value")]
    types = {"round": TensorProto.INT64, "go": TensorProto.BOOL, "value": TensorProto.FLOAT}
    inputs = [helper.make_tensor_value_info(name, kind, None) for name, kind in types.items()]
    outputs = [helper.make_tensor_value_info(f"{name}_next", types[name], None) for name in ("go", "value")]
    return helper.make_graph(nodes, "endless", inputs, outputs)


@pytest.mark.parametrize("where", ["Loop", "inner graph", "RegexFullMatch"])
def test_nothing_is_evaluated_that_may_never_end(where: str) -> None:
    model = Model()
    if where == "Loop":
        model("Loop", np.array(2**62), np.array(True), np.ones(1, np.float32), reads=[], body=_endless())
    elif where == "inner graph":
        constants = [("rounds", np.array(2**62)), ("on", np.array(True)), ("start", np.ones(1, np.float32))]
        nodes = [helper.make_node("Constant", [], [name], value=numpy_helper.from_array(at)) for name, at in constants]
        nodes.append(helper.make_node("Loop", ["rounds", "on", "start"], ["end"], body=_endless()))
        inner = helper.make_graph(nodes, "inner", [], [helper.make_tensor_value_info("end", TensorProto.FLOAT, [1])])
        model("If", np.array(True), reads=[], then_branch=inner, else_branch=inner)
    else:
        model.constants.append(numpy_helper.from_array(np.array(["a" * 40], object), "text"))
        model("RegexFullMatch", reads=["text"], pattern="(a|a)*b")
    model("Relu", reads=["image"])
    assert "is not supported; export the model without it" in refused(model)


def _without_output(model: onnx.ModelProto) -> None:
    del model.graph.node[0].output[:]


def _odd_strides(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("strides", [1]))


def _no_such_type(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].data_type = 99


def _huge(model: onnx.ModelProto) -> None:
    model.graph.initializer[0].dims[0] = 1 << 40


@pytest.mark.parametrize("damage", [_without_output, _odd_strides, _no_such_type, _huge])
def test_a_damaged_model_is_the_models_fault_and_not_featxs(damage: Callable[[onnx.ModelProto], None]) -> None:
    model = Model()
    convolution(model, CHANNELS, 4)
    damaged = onnx.load_from_string(model.data())
    damage(damaged)
    with pytest.raises(ModelError):
        onnx_reader.read(damaged.SerializeToString())


def test_an_input_of_any_size_is_refused() -> None:
    model = Model(("batch", 3, "height", "width"))
    model("Relu")
    assert refused(model) == (
        "the input image has the shape ['batch', 3, 'height', 'width']; it must be an image of fixed size"
    )


@given(st.binary(max_size=200))
@hypothesis_settings(max_examples=50, deadline=None)
def test_bytes_that_are_not_a_model_are_refused(data: bytes) -> None:
    with pytest.raises(ModelError):
        onnx_reader.read(data)
