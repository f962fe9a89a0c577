#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Writes the models in this folder: good-* must import, bad-* must be refused,
# unsupported-* must be refused with a message that says so. Needs numpy, onnx.

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
F = TensorProto.FLOAT
X = helper.make_tensor_value_info("x", F, [2, 3])
Y = helper.make_tensor_value_info("y", F, None)
W = numpy_helper.from_array(np.arange(12, dtype=np.float32).reshape(3, 4) / 2, "w")


def node(op, ins, outs=("y",), name=None, **attrs):
    return helper.make_node(op, ins, outs, name=op + "_node" if name is None else name, **attrs)


def build(nodes, inputs=(X,), outputs=(Y,), inits=(), opset=17, domains=(), ir=10):
    graph = helper.make_graph(nodes, "g", list(inputs), list(outputs), list(inits))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains], ir_version=ir, producer_name="")


def save(name, model):
    (HERE / (name + ".onnx")).write_bytes(model if isinstance(model, bytes) else model.SerializeToString())


def external(location, offset="16", length="48"):
    t = TensorProto(name="w", data_type=F, dims=[3, 4], data_location=TensorProto.EXTERNAL)
    for k, v in (("location", location), ("offset", offset), ("length", length)):
        if v is not None:
            t.external_data.add(key=k, value=v)
    return build([node("MatMul", ["x", "w"])], inits=[t])


def matmul(w):
    return build([node("MatMul", ["x", "w"])], inits=[w])


def field(number, body):
    n, out = len(body), bytes([number << 3 | 2])
    while n >= 128:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n]) + body


# good
save("good-zip-map", build([helper.make_node("LinearClassifier", ["x"], ["label", "p"], domain="ai.onnx.ml", coefficients=[1., 2., 3., -1., 0., 2.], classlabels_strings=["cat", "dog"],
                                             post_transform="LOGISTIC"), helper.make_node("ZipMap", ["p"], ["z"], domain="ai.onnx.ml", classlabels_strings=["cat", "dog"])],
                           outputs=[helper.make_tensor_value_info("label", TensorProto.STRING, [2]), helper.make_tensor_value_info("z", F, None)], domains=["ai.onnx.ml"]))
(HERE / "good-external.bin").write_bytes(b"\0" * 16 + (np.arange(12, dtype="<f4") / 2).tobytes())
save("good-external", external("good-external.bin"))
save("good-external-no-length", external("./good-external.bin", length=None))
save("good-unsorted", build([node("Relu", ["a"]), node("Neg", ["x"], ["a"])]))
save("good-initializer-is-input", build([node("MatMul", ["x", "w"])], [X, helper.make_tensor_value_info("w", F, [3, 4])], inits=[W], opset=9, ir=3))
save("good-float-data", matmul(helper.make_tensor("w", F, [3, 4], np.arange(12.0))))
save("good-double-data", build([node("Cast", ["d"], ["w"], to=1), node("MatMul", ["x", "w"])], inits=[helper.make_tensor("d", TensorProto.DOUBLE, [3, 4], np.arange(12.0))]))
half = TensorProto(name="h", data_type=TensorProto.FLOAT16, dims=[3, 4])
half.int32_data.extend(np.arange(12, dtype=np.float16).view(np.uint16).tolist())
save("good-half-in-int32-data", build([node("Cast", ["h"], ["w"], to=1), node("MatMul", ["x", "w"])], inits=[half]))
save("good-int64-data", build([node("Reshape", ["x", "s"])], inits=[helper.make_tensor("s", TensorProto.INT64, [2], [3, -1])]))
save("good-dead-unsupported", build([node("Relu", ["x"]), node("Loop", ["x", "x"], ["z"])]))
save("good-newer-opset", build([node("Relu", ["x"])], opset=99))
save("good-domain-name", build([helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx")]))
save("good-constant-output", build([node("Constant", [], value_floats=[1.0, 2.0])]))
save("good-input-is-output", build([], outputs=[X]))
save("good-terminal-name", build([node("Relu", ["x\x1b[2J\r"], ["y\u202e\u009b"], name="n\x1b]0;\a\n")],
                                [helper.make_tensor_value_info("x\x1b[2J\r", F, [2, 3])], [helper.make_tensor_value_info("y\u202e\u009b", F, None)]))
save("good-empty-name", build([node("Clip", ["x", "", ""], name="")]))
save("good-no-rank-of-output", build([node("Split", ["x"], ["y", ""], axis=1, split=[1, 2])], opset=11))
unpacked = b"".join(bytes([8, d]) for d in (3, 4)) + bytes([16, 1]) + b"".join(b"\x25" + np.float32(i).tobytes() for i in range(12)) + field(8, b"w")
plain = build([node("MatMul", ["x", "w"])])
graph = plain.graph.SerializeToString() + field(5, unpacked)
plain.ClearField("graph")
save("good-unpacked-lists", plain.SerializeToString() + field(7, graph))

# bad
sym = helper.make_tensor_value_info("x", F, ["batch", 3, None])
save("bad-symbolic", build([node("Relu", ["x"])], [sym]))
save("bad-run-time-shape", build([node("Reshape", ["x", "s"])], [X, helper.make_tensor_value_info("s", TensorProto.INT64, [2])]))
save("bad-location-outside", external("../good-external.bin"))
save("bad-location-inside-out", external("a/../../b.bin"))
save("bad-location-absolute", external("/etc/passwd"))
save("bad-location-missing", external("none.bin"))
save("bad-location-folder", external("."))
save("bad-external-beyond", external("good-external.bin", offset="17"))
save("bad-external-overflow", external("good-external.bin", offset="18446744073709551615"))
save("bad-external-number", external("good-external.bin", offset="-1"))
save("bad-external-length", external("good-external.bin", length="44"))
save("bad-external-nowhere", external("", length=None))
save("bad-inner-sizes", matmul(numpy_helper.from_array(np.zeros((4, 3), np.float32), "w")))
save("bad-cycle", build([node("Add", ["x", "b"], ["a"]), node("Neg", ["a"], ["b"]), node("Relu", ["b"])]))
save("bad-own-result", build([node("Add", ["x", "y"])]))
save("bad-self-unnamed", build([node("Add", ["x", "y"], name="")]))
save("bad-input-twice", build([node("Relu", ["x"])], [X, X]))
save("bad-missing-input", build([node("Add", ["x", "nothing"])]))
save("bad-missing-output", build([node("Relu", ["x"], ["z"])]))
save("bad-no-outputs", build([node("Relu", ["x"])], outputs=[]))
save("bad-produced-twice", build([node("Relu", ["x"], ["a"]), node("Neg", ["x"], ["a"]), node("Add", ["a", "a"]), node("Neg", ["a"], ["y2"])],
                                 outputs=[Y, helper.make_tensor_value_info("y2", F, None), helper.make_tensor_value_info("a", F, None)]))
save("bad-initializer-twice", build([node("MatMul", ["x", "w"])], inits=[W, W]))
save("bad-initializer-short", matmul(TensorProto(name="w", data_type=F, dims=[3, 4], raw_data=b"\0" * 47)))
save("bad-initializer-empty", matmul(TensorProto(name="w", data_type=F, dims=[3, 4])))
save("bad-initializer-negative", matmul(TensorProto(name="w", data_type=F, dims=[-3, 4], raw_data=b"\0" * 48)))
save("bad-initializer-huge", matmul(TensorProto(name="w", data_type=F, dims=[2**31, 2**31, 2**31], raw_data=b"\0" * 48)))
save("bad-initializer-wrong-list", matmul(TensorProto(name="w", data_type=TensorProto.INT32, dims=[2], float_data=[1, 2])))
save("bad-huge-constant", build([node("ConstantOfShape", ["s"], ["k"]), node("Add", ["k", "k"])],
                                inits=[numpy_helper.from_array(np.array([2**40, 2**40], np.int64), "s")]))
save("bad-huge-range", build([node("Range", ["a", "b", "a1"])], inits=[numpy_helper.from_array(np.array(v, np.int64), n) for n, v in (("a", 0), ("b", 2**62), ("a1", 1))]))
save("bad-zero-step", build([node("Range", ["a", "b", "a"])], inits=[numpy_helper.from_array(np.array(v, np.int64), n) for n, v in (("a", 0), ("b", 5))]))
save("bad-gather-index", build([node("Gather", ["x", "i"])], inits=[numpy_helper.from_array(np.array([0, 2]), "i")]))
save("bad-slice-zero-step", build([node("Slice", ["x", "z", "z", "z", "z"])], inits=[numpy_helper.from_array(np.array([0]), "z")]))
save("bad-axis", build([node("Softmax", ["x"], axis=2)]))
save("bad-concat-no-axis", build([node("Concat", ["x", "x"])]))
save("bad-conv-window", build([node("Conv", ["i", "w"])], [helper.make_tensor_value_info("i", F, [1, 1, 2, 2])],
                              inits=[numpy_helper.from_array(np.zeros((1, 1, 3, 3), np.float32), "w")]))
save("bad-conv-strides", build([node("Conv", ["i", "w"], strides=[0, 1])], [helper.make_tensor_value_info("i", F, [1, 1, 5, 5])],
                               inits=[numpy_helper.from_array(np.zeros((1, 1, 3, 3), np.float32), "w")]))
save("bad-attribute-type", build([node("Softmax", ["x"], axis="one")]))
save("bad-no-operands", build([helper.make_node("Add", [], ["y"], name="n")]))
save("bad-no-graph", b"\x08\x07")
save("bad-empty", b"")
save("bad-text", b"this is not a model\n")
two = build([node("Relu", ["x"])])
save("bad-two-graphs", two.SerializeToString() + field(7, two.graph.SerializeToString()))
deep = b""
for i in range(400):
    deep = field(7, field(1, field(5, field(6, deep)))) if i == 399 else field(1, field(5, field(6, deep)))
save("bad-deep", deep)
save("bad-if-run-time", build([node("If", ["c"], then_branch=two.graph, else_branch=build([node("ReduceMax", ["x"], keepdims=0)]).graph)], [X, helper.make_tensor_value_info("c", TensorProto.BOOL, [])]))
save("bad-group", b"\x3b\x0b")
save("bad-broadcast", build([node("Add", ["x", "w"])], inits=[W]))
save("bad-einsum", build([node("Einsum", ["x", "w"], equation="ij,jk->iz")], inits=[W]))
save("bad-rank-9", build([node("Relu", ["x"])], [helper.make_tensor_value_info("x", F, [1] * 9)]))

# unsupported
save("unsupported-two-operators", build([node("MaxRoiPool", ["x", "k"], ["a"], name="first"), node("MaxRoiPool", ["a", "k"], ["b"], name="second"),
                                         helper.make_node("Foo", ["b"], ["y"], name="third", domain="my.domain")],
                                        inits=[numpy_helper.from_array(np.array([1]), "k")], domains=["my.domain"]))
save("unsupported-boxes", build([node("Exp", ["b"], ["boxes"]), node("Exp", ["s"], ["scores:0"]), node("NonMaxSuppression", ["boxes", "scores:0"], ["y"])],
                                [helper.make_tensor_value_info("b", F, [1, 8, 4]), helper.make_tensor_value_info("s", F, [1, 2, 8])]))
save("unsupported-string", build([node("Identity", ["x"])], [helper.make_tensor_value_info("x", TensorProto.STRING, [2])]))
save("unsupported-uint32", build([node("Identity", ["x"])], [helper.make_tensor_value_info("x", TensorProto.UINT32, [2])]))
save("unsupported-uint32-output", build([node("Cast", ["x"], to=TensorProto.UINT32)], outputs=[helper.make_tensor_value_info("y", TensorProto.UINT32, None)]))
save("unsupported-uint64-large", build([node("Cast", ["w"], ["c"], to=F), node("Add", ["x", "c"])], inits=[numpy_helper.from_array(np.array(2**63, np.uint64), "w")]))
save("good-opset-5", build([node("Relu", ["x"])], opset=5))
save("unsupported-future-attribute", build([node("Softmax", ["x"], axis=1, temperature=2.0)], opset=99))
save("unsupported-indices", build([node("MaxPool", ["i"], ["y", "j"], kernel_shape=[2, 2], storage_order=1)], [helper.make_tensor_value_info("i", F, [1, 1, 4, 4])],
                                  [Y, helper.make_tensor_value_info("j", TensorProto.INT64, None)]))
sparse = build([node("MatMul", ["x", "w"])])
s = sparse.graph.sparse_initializer.add()
s.values.CopyFrom(numpy_helper.from_array(np.ones(1, np.float32), "w"))
save("unsupported-sparse", sparse)
save("unsupported-training", build([node("Dropout", ["x", "r", "t"])], inits=[numpy_helper.from_array(np.array(.5, np.float32), "r"), numpy_helper.from_array(np.array(True), "t")]))
fun = build([helper.make_node("Twice", ["x"], ["y"], domain="own", name="n")], domains=["own"])
fun.functions.append(helper.make_function("own", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]))
save("good-function", fun)
