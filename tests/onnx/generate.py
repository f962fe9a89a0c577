#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Writes the small models in this folder: one operator and version each, with
# its inputs and the outputs of ONNX Runtime inside, as initialisers that no
# node reads ("given NAME", "expected NAME"). Needs numpy, onnx, onnxruntime;
# the tests need only what it wrote. Same versions give the same files.

import sys
import zlib
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

HERE = Path(__file__).parent
written = set()
I64 = np.int64


def rnd(name, *shape, lo=-2.0, hi=2.0, dtype=np.float32):
    r = np.random.default_rng(zlib.crc32((name + str(shape)).encode()))
    return r.uniform(lo, hi, shape).astype(dtype)


def node(op, inputs, outputs=("y",), **attrs):
    return helper.make_node(op, inputs, outputs, name=op + "_node", **attrs)


def case(name, nodes, given, consts=None, outputs=("y",), opset=17, const_given=(), reference=False, functions=(),
         optimised=False, want=None):
    """given: run-time inputs; consts: initialisers; want: the outputs, where nothing runs such a version any more."""
    imports = [helper.make_opsetid("", opset)]
    nodes = nodes if isinstance(nodes, list) else [nodes]
    consts = consts or {}
    imports += [helper.make_opsetid(d, 1) for d in sorted({n.domain for n in nodes} - {""})]
    ins = [helper.make_tensor_value_info(k, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for k, v in given.items()]
    inits = [numpy_helper.from_array(np.asarray(v), k) for k, v in consts.items()]
    probe = [helper.make_empty_tensor_value_info(o) for o in outputs]
    graph = helper.make_graph(nodes, "g", ins, probe, inits)
    model = helper.make_model(graph, opset_imports=imports, ir_version=min(10, 10), producer_name="", functions=list(functions))
    try:
        if reference or want:
            raise RuntimeError
        options = onnxruntime.SessionOptions()
        level = onnxruntime.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_EXTENDED if optimised else level.ORT_DISABLE_ALL
        options.log_severity_level = 4
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        got = session.run(list(outputs), given)
    except Exception as e:
        try:
            got = want or ReferenceEvaluator(model).run(list(outputs), given)
        except Exception as e2:
            print("SKIP", name, "|", str(e)[:150].replace("\n", " "), "|", str(e2)[:150].replace("\n", " "))
            return
    outs = [helper.make_tensor_value_info(o, helper.np_dtype_to_tensor_dtype(g.dtype), g.shape) for o, g in zip(outputs, got)]
    inits += [numpy_helper.from_array(np.asarray(v), "given " + k) for k, v in given.items()]
    inits += [numpy_helper.from_array(np.asarray(g), "expected " + o) for o, g in zip(outputs, got)]
    graph = helper.make_graph(nodes, "g", ins, outs, inits)
    model = helper.make_model(graph, opset_imports=imports, ir_version=10, producer_name="", functions=list(functions))
    assert name not in written, name
    written.add(name)
    (HERE / (name + ".onnx")).write_bytes(model.SerializeToString())


# ---- each element by itself
small = {"Acosh": (1.1, 4), "Atanh": (-.9, .9), "Asin": (-.9, .9), "Acos": (-.9, .9), "Log": (.1, 4), "Sqrt": (0, 4),
         "Reciprocal": (.5, 2), "Tan": (-1, 1), "Round": (-3, 3)}
for op, v in [("Abs", 13), ("Acos", 7), ("Acosh", 22), ("Asin", 7), ("Asinh", 9), ("Atan", 22), ("Atanh", 9), ("Ceil", 13),
              ("Cos", 22), ("Cosh", 9), ("Erf", 13), ("Exp", 13), ("Floor", 13), ("HardSwish", 14), ("HardSwish", 22), ("Log", 13),
              ("Mish", 18), ("Neg", 13), ("Reciprocal", 13), ("Relu", 14), ("Round", 11), ("Sigmoid", 13), ("Sign", 13),
              ("Sin", 7), ("Sinh", 22), ("Softplus", 1), ("Softplus", 22), ("Softsign", 1), ("Sqrt", 13), ("Tan", 7),
              ("Tanh", 13)]:
    lo, hi = small.get(op, (-4, 4))
    case(f"{op}-{v}", node(op, ["x"]), {"x": rnd(op, 3, 5, lo=lo, hi=hi)}, opset=max(v, 9))
x = rnd("act", 2, 7, lo=-4, hi=4)
for op, attrs, v in [("Celu", {"alpha": 1.5}, 12), ("Elu", {"alpha": .7}, 9), ("Elu", {}, 22), ("LeakyRelu", {}, 9),
                     ("LeakyRelu", {"alpha": .2}, 16), ("ThresholdedRelu", {"alpha": .5}, 10), ("HardSigmoid", {}, 9),
                     ("HardSigmoid", {"alpha": .3, "beta": .4}, 22), ("Selu", {}, 9), ("Selu", {"alpha": 1.2, "gamma": .9}, 22),
                     ("Gelu", {}, 20), ("Gelu", {"approximate": "tanh"}, 20), ("Shrink", {"lambd": 1.0, "bias": .5}, 9)]:
    case(f"{op}-{v}{'-attrs' if attrs else ''}", node(op, ["x"], **attrs), {"x": x}, opset=v)
case("Swish-24", node("Swish", ["x"], alpha=1.5), {"x": x}, opset=24)
case("SwiGLU-28", node("SwiGLU", ["x", "z"]), {"x": x, "z": x * 2}, opset=28)
a, b = rnd("a", 2, 3, 4), rnd("b", 3, 1, lo=.5)
for op, v in [("Add", 14), ("Sub", 13), ("Mul", 7), ("Div", 14)]:
    case(f"{op}-{v}", node(op, ["a", "b"]), {"a": a, "b": b}, opset=max(v, 9))
ia, ib = np.array([[7, -7, 5], [-9, 9, 2]], I64), np.array([2, 3, -4], I64)
case("Div-14-i64", node("Div", ["a", "b"]), {"a": ia, "b": ib}, opset=14)
case("Mod-13-i64", node("Mod", ["a", "b"]), {"a": ia, "b": ib}, opset=13)
case("Mod-13-fmod", node("Mod", ["a", "b"], fmod=1), {"a": a, "b": b}, opset=13)
case("Mod-28-float", node("Mod", ["a", "b"]), {"a": a, "b": b}, opset=28)
case("Pow-15", node("Pow", ["a", "b"]), {"a": np.abs(a), "b": np.array([2, 3, 1, 2], np.int32)}, opset=15)
case("Pow-15-int-base", node("Pow", ["a", "b"]), {"a": ia, "b": np.array(2, np.float32)}, opset=15)
case("Pow-7", node("Pow", ["a", "b"]), {"a": a}, {"b": np.array(2, np.float32)}, opset=9)
for op, v in [("Min", 13), ("Max", 8), ("Sum", 13), ("Mean", 13)]:
    case(f"{op}-{v}", node(op, ["a", "b", "c"]), {"a": a, "b": b, "c": rnd("c", 4)}, opset=max(v, 9))
for op, v in [("Equal", 13), ("Less", 13), ("LessOrEqual", 16), ("Greater", 9), ("GreaterOrEqual", 12)]:
    case(f"{op}-{v}", node(op, ["a", "b"]), {"a": ia, "b": np.array([2, 9, 5], I64)}, opset=v)
ba, bb = np.array([True, False, True, False]), np.array([True, True, False, False])
for op in ("And", "Or", "Xor"):
    case(f"{op}-7", node(op, ["a", "b"]), {"a": ba, "b": bb}, opset=9)
case("Not-1", node("Not", ["a"]), {"a": ba}, opset=9)
case("Where-16", node("Where", ["c", "a", "b"]), {"c": np.array([[True], [False]]), "a": rnd("w", 2, 3), "b": rnd("v", 3)}, opset=16)
case("PRelu-16", node("PRelu", ["a", "b"]), {"a": a}, {"b": rnd("slope", 3, 1)}, opset=16)
weird = np.array([np.nan, np.inf, -np.inf, 1], np.float32)
case("IsNaN-13", node("IsNaN", ["x"]), {"x": weird}, opset=13)
case("IsInf-10", node("IsInf", ["x"]), {"x": weird}, opset=10)
case("IsInf-20-positive", node("IsInf", ["x"], detect_negative=0), {"x": weird}, opset=20)
case("Clip-6", node("Clip", ["x"], min=-1.0, max=.5), {"x": x}, opset=9)
case("Clip-6-min", node("Clip", ["x"], min=-1.0), {"x": x}, opset=9)
case("Clip-11", node("Clip", ["x", "lo", "hi"]), {"x": x}, {"lo": np.array(-1, np.float32), "hi": np.array(2, np.float32)}, opset=11)
case("Clip-13-max", node("Clip", ["x", "", "hi"]), {"x": x}, {"hi": np.array(2, np.float32)}, opset=13)
case("Clip-13-runtime", node("Clip", ["x", "lo", "hi"]), {"x": x, "lo": np.array(-1, np.float32), "hi": np.array(2, np.float32)}, opset=13)
case("Clip-12-i64", node("Clip", ["x", "lo", "hi"]), {"x": ia}, {"lo": np.array(-5, I64), "hi": np.array(2**62, I64)}, opset=12)
for t, n in [(np.int32, "i32"), (np.float16, "f16"), (np.bool_, "bool"), (np.uint8, "u8"), (np.float64, "f64"), (I64, "i64")]:
    case(f"Cast-13-{n}", node("Cast", ["x"], to=helper.np_dtype_to_tensor_dtype(np.dtype(t))),
         {"x": np.array([0, 1.7, 2.5, 100.25], np.float32)}, opset=13)
case("Cast-25-from-i32", node("Cast", ["x"], to=1), {"x": np.array([1, -2, 7], np.int32)}, opset=25)
case("CastLike-19", node("CastLike", ["x", "t"]), {"x": x}, {"t": np.array([1], I64)}, opset=19)
case("Identity-16", node("Identity", ["x"]), {"x": x}, opset=16)
case("Dropout-13", node("Dropout", ["x", "r"], ["y", "m"]), {"x": x}, {"r": np.array(.5, np.float32)}, ["y", "m"], opset=13)
q = np.array([[0, 10, 255], [128, 7, 3]], np.uint8)
case("DequantizeLinear-13", node("DequantizeLinear", ["x", "s", "z"], axis=1), {"x": q},
     {"s": np.array([.1, .2, .3], np.float32), "z": np.array([1, 2, 3], np.uint8)}, opset=13)
case("QuantizeLinear-13", node("QuantizeLinear", ["x", "s", "z"]), {"x": x}, {"s": np.array(.02, np.float32), "z": np.array(3, np.int8)}, opset=13)
case("Add-14-f16", node("Add", ["a", "b"]), {"a": a.astype(np.float16), "b": b.astype(np.float16)}, opset=14)

# ---- moving elements
t = rnd("t", 2, 3, 4)
for nm, s, kw in [("keep", [0, -1], {}), ("split", [2, 3, 2, 2], {}), ("flat", [-1], {})]:
    case(f"Reshape-13-{nm}", node("Reshape", ["x", "s"], **kw), {"x": t}, {"s": np.array(s, I64)}, opset=13)
case("Reshape-14-allowzero", node("Reshape", ["x", "s"], allowzero=1), {"x": np.zeros((0, 3), np.float32)}, {"s": np.array([3, 0], I64)}, opset=14)
for ax in (0, 2, -1):
    case(f"Flatten-13-axis{ax}", node("Flatten", ["x"], axis=ax), {"x": t}, opset=13)
case("Flatten-9", node("Flatten", ["x"]), {"x": t}, opset=9)
one = rnd("one", 1, 3, 1, 2)
case("Squeeze-11", node("Squeeze", ["x"], axes=[0, -2]), {"x": one}, opset=11)
case("Squeeze-13", node("Squeeze", ["x", "a"]), {"x": one}, {"a": np.array([2], I64)}, opset=13)
case("Squeeze-13-all", node("Squeeze", ["x"]), {"x": one}, opset=13)
case("Unsqueeze-11", node("Unsqueeze", ["x"], axes=[0, 3]), {"x": t}, opset=11)
case("Unsqueeze-13", node("Unsqueeze", ["x", "a"]), {"x": t}, {"a": np.array([-1, 1], I64)}, opset=13)
case("Transpose-13", node("Transpose", ["x"], perm=[1, 2, 0]), {"x": t}, opset=13)
case("Transpose-25-default", node("Transpose", ["x"]), {"x": t}, opset=25)
case("Expand-13", node("Expand", ["x", "s"]), {"x": rnd("e", 3, 1)}, {"s": np.array([2, 1, 4], I64)}, opset=13)
case("Tile-13", node("Tile", ["x", "r"]), {"x": t}, {"r": np.array([2, 1, 3], I64)}, opset=13)
case("Concat-13", node("Concat", ["a", "b"], axis=-2), {"a": t}, {"b": rnd("cc", 2, 2, 4)}, opset=13)
case("Split-11", node("Split", ["x"], ["p", "q"], axis=2, split=[1, 3]), {"x": t}, outputs=["p", "q"], opset=11)
case("Split-11-equal", node("Split", ["x"], ["p", "q"], axis=-1), {"x": t}, outputs=["p", "q"], opset=11)
case("Split-13", node("Split", ["x", "s"], ["p", "q"], axis=1), {"x": t}, {"s": np.array([2, 1], I64)}, ["p", "q"], opset=13)
case("Split-18", node("Split", ["x"], ["p", "q"], axis=1, num_outputs=2), {"x": t}, outputs=["p", "q"], opset=18)
case("Slice-9", node("Slice", ["x"], axes=[1, 2], starts=[1, -3], ends=[2**31 - 1, -1]), {"x": t}, opset=9)
case("Slice-10", node("Slice", ["x", "s", "e"]), {"x": t}, {"s": np.array([0, 1], I64), "e": np.array([1, 9], I64)}, opset=10)
case("Slice-13-steps", node("Slice", ["x", "s", "e", "a", "t"]), {"x": t},
     {"s": np.array([-1, 3], I64), "e": np.array([-2**63, 0], I64), "a": np.array([1, -1], I64), "t": np.array([-1, -2], I64)}, opset=13)
case("Slice-13-empty", node("Slice", ["x", "s", "e"]), {"x": t}, {"s": np.array([2], I64), "e": np.array([1], I64)}, opset=13)
case("Gather-13", node("Gather", ["x", "i"], axis=1), {"x": t}, {"i": np.array([[0, -1], [2, 1]], I64)}, opset=13)
case("Gather-11-scalar", node("Gather", ["x", "i"], axis=-1), {"x": t}, {"i": np.array(2, np.int32)}, opset=11)
case("Gather-13-runtime", node("Gather", ["w", "i"]), {"i": np.array([[3, 0, 1]], I64)}, {"w": rnd("emb", 5, 4)}, opset=13)
case("GatherElements-13", node("GatherElements", ["x", "i"], axis=2), {"x": t}, {"i": np.array([[[0, -1]] * 3] * 2, I64)}, opset=13)
case("GatherND-13", node("GatherND", ["x", "i"]), {"x": t, "i": np.array([[0, 1], [-1, 2]], I64)}, opset=13)
case("GatherND-13-batch", node("GatherND", ["x", "i"], batch_dims=1), {"x": t, "i": np.array([[1], [2]], I64)}, opset=13)
for m in ("DCR", "CRD"):
    case(f"DepthToSpace-13-{m}", node("DepthToSpace", ["x"], blocksize=2, mode=m), {"x": rnd("d2s", 1, 8, 2, 3)}, opset=13)
case("SpaceToDepth-13", node("SpaceToDepth", ["x"], blocksize=2), {"x": rnd("s2d", 1, 2, 4, 6)}, opset=13)
case("Trilu-14", node("Trilu", ["x", "k"], upper=0), {"x": rnd("tri", 2, 4, 5)}, {"k": np.array(1, I64)}, opset=14)
case("Trilu-14-upper", node("Trilu", ["x"]), {"x": rnd("tri", 4, 4)}, opset=14)
case("CumSum-14", node("CumSum", ["x", "a"]), {"x": t}, {"a": np.array(2, I64)}, opset=14)
case("CumSum-11-i64", node("CumSum", ["x", "a"], exclusive=1, reverse=1), {"x": ia}, {"a": np.array(1, I64)}, opset=11)
case("OneHot-11", node("OneHot", ["i", "d", "v"], axis=1), {"i": np.array([[0, 2], [-1, 7]], I64)},
     {"d": np.array(4, I64), "v": np.array([-1, 5], np.float32)}, opset=11)
img = rnd("img", 1, 2, 4, 5)
case("Pad-2", node("Pad", ["x"], pads=[0, 0, 1, 2, 0, 1, 0, 1], value=1.5), {"x": img}, opset=9)
case("Pad-11-reflect", node("Pad", ["x", "p"], mode="reflect"), {"x": img}, {"p": np.array([0, 0, 2, 1, 0, 0, 1, 3], I64)}, opset=11)
case("Pad-13-edge", node("Pad", ["x", "p"], mode="edge"), {"x": img}, {"p": np.array([0, 0, 2, 1, 0, 0, 1, 3], I64)}, opset=13)
case("Pad-13-negative", node("Pad", ["x", "p", "v"]), {"x": img}, {"p": np.array([0, 0, -1, 1, 0, 0, 0, -2], I64), "v": np.array(9, np.float32)}, opset=13)
case("Pad-18-axes", node("Pad", ["x", "p", "", "a"]), {"x": img}, {"p": np.array([1, 2], I64), "a": np.array([-1], I64)}, opset=18)
case("Pad-19-wrap", node("Pad", ["x", "p"], mode="wrap"), {"x": img}, {"p": np.array([0, 0, 2, 1, 0, 0, 1, 3], I64)}, opset=19)

# ---- known at once: chains that must vanish
case("shape-chain", [
    node("Shape", ["x"], ["s"]), node("Constant", [], ["zero"], value=numpy_helper.from_array(np.array(0, I64))),
    node("Gather", ["s", "zero"], ["n"]), node("Constant", [], ["ax"], value_ints=[0]), node("Unsqueeze", ["n", "ax"], ["n1"]),
    node("Constant", [], ["rest"], value_ints=[-1]), node("Concat", ["n1", "rest"], ["t"], axis=0), node("Reshape", ["x", "t"], ["y"])],
    {"x": t}, opset=13)
case("range-mask", [
    node("Shape", ["x"], ["s"], start=-1), node("Squeeze", ["s"], ["n"]), node("Constant", [], ["zero"], value_int=0),
    node("Constant", [], ["one"], value_int=1), node("Range", ["zero", "n", "one"], ["r"]), node("Cast", ["r"], ["rf"], to=1),
    node("ConstantOfShape", ["s"], ["k"], value=numpy_helper.from_array(np.array([.5], np.float32))), node("Mul", ["rf", "k"], ["m"]),
    node("Add", ["x", "m"], ["y"])], {"x": t}, opset=15)
case("non-zero", [node("NonZero", ["k"], ["nz"]), node("Transpose", ["nz"], ["nt"]), node("GatherND", ["x", "nt"], ["y"])],
     {"x": rnd("nz", 2, 3)}, {"k": np.array([[1, 0, 2], [0, 0, 3]], np.float32)}, opset=13)
case("Size-13", [node("Size", ["x"], ["n"]), node("Cast", ["n"], ["nf"], to=1), node("Div", ["x", "nf"])], {"x": t}, opset=13)
case("EyeLike-9", node("EyeLike", ["x"], k=1), {"x": rnd("eye", 3, 4)}, opset=9)
then = helper.make_graph([helper.make_node("Add", ["x", "x"], ["tb"])], "t", [], [helper.make_tensor_value_info("tb", 1, None)])
els = helper.make_graph([helper.make_node("Mul", ["x", "k"], ["eb"])], "e", [], [helper.make_tensor_value_info("eb", 1, None)],
                        [numpy_helper.from_array(np.array(3, np.float32), "k")])
case("If-13", [node("Shape", ["x"], ["s"]), node("Size", ["s"], ["r"]), node("Constant", [], ["four"], value_int=4),
               node("Equal", ["r", "four"], ["c"]), node("If", ["c"], ["y"], then_branch=then, else_branch=els)], {"x": t}, opset=13)

# ---- windows
w = rnd("w", 6, 2, 3, 3)
bias = rnd("bias", 6)
big = rnd("big", 1, 4, 9, 10)
case("Conv-11", node("Conv", ["x", "w", "b"], pads=[1, 0, 1, 2], strides=[2, 1]), {"x": rnd("ci", 2, 2, 7, 8)}, {"w": w, "b": bias})
case("Conv-22-dilated", node("Conv", ["x", "w"], dilations=[2, 3], kernel_shape=[3, 3]), {"x": rnd("ci", 1, 2, 9, 11)}, {"w": w}, opset=22)
case("Conv-11-group", node("Conv", ["x", "w"], group=2, pads=[1, 1, 1, 1]), {"x": big}, {"w": w})
case("Conv-11-depthwise", node("Conv", ["x", "w"], group=4, strides=[2, 2]), {"x": big}, {"w": rnd("dw", 4, 1, 3, 3)})
for p in ("SAME_UPPER", "SAME_LOWER", "VALID"):
    case(f"Conv-11-{p}", node("Conv", ["x", "w"], auto_pad=p, strides=[2, 3]), {"x": rnd("cp", 1, 2, 8, 10)}, {"w": rnd("w4", 3, 2, 4, 3)})
case("Conv-11-1d", node("Conv", ["x", "w", "b"], strides=[2], pads=[2, 1]), {"x": rnd("c1", 1, 3, 12)}, {"w": rnd("w1", 4, 3, 5), "b": rnd("b1", 4)})
case("Conv-11-3d", node("Conv", ["x", "w"], pads=[1] * 6), {"x": rnd("c3", 1, 2, 4, 5, 3)}, {"w": rnd("w3", 3, 2, 3, 3, 3)})
case("Conv-11-runtime-weights", node("Conv", ["x", "w"]), {"x": rnd("ci", 1, 2, 5, 5), "w": w})
wt = rnd("wt", 2, 3, 3, 3)
case("ConvTranspose-11", node("ConvTranspose", ["x", "w", "b"], strides=[2, 3], pads=[1, 0, 0, 1], output_padding=[1, 0]),
     {"x": rnd("ct", 1, 2, 4, 3)}, {"w": wt, "b": rnd("bt", 3)})
case("ConvTranspose-11-shape", node("ConvTranspose", ["x", "w"], strides=[2, 2], output_shape=[8, 7]), {"x": rnd("ct", 1, 2, 4, 3)}, {"w": wt})
case("ConvTranspose-11-upper", node("ConvTranspose", ["x", "w"], strides=[2, 2], auto_pad="SAME_UPPER"), {"x": rnd("ct", 1, 2, 4, 3)}, {"w": wt})
case("ConvTranspose-22-group", node("ConvTranspose", ["x", "w"], group=2, dilations=[2, 1]), {"x": rnd("ct", 1, 4, 4, 3)}, {"w": rnd("wg", 4, 2, 3, 2)}, opset=22)
case("ConvTranspose-11-1d", node("ConvTranspose", ["x", "w"], strides=[2]), {"x": rnd("ct1", 1, 2, 5)}, {"w": rnd("wt1", 2, 3, 4)})
for v in (11, 22):
    case(f"MaxPool-{v}-ceil", node("MaxPool", ["x"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), {"x": big}, opset=v)
    case(f"AveragePool-{v}-ceil", node("AveragePool", ["x"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), {"x": big}, opset=v)
    case(f"AveragePool-{v}-ceil-pad", node("AveragePool", ["x"], kernel_shape=[3, 2], strides=[2, 3], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1), {"x": big}, opset=v)
    case(f"AveragePool-{v}-pad", node("AveragePool", ["x"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]), {"x": big}, opset=v)
    case(f"AveragePool-{v}-include", node("AveragePool", ["x"], kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1), {"x": big}, opset=v)
case("AveragePool-19-dilated", node("AveragePool", ["x"], kernel_shape=[3, 3], dilations=[2, 2]), {"x": big}, opset=19)
case("AveragePool-11-upper", node("AveragePool", ["x"], kernel_shape=[4, 3], strides=[2, 2], auto_pad="SAME_UPPER"), {"x": big}, opset=11)
case("MaxPool-12-dilated", node("MaxPool", ["x"], kernel_shape=[2, 3], dilations=[2, 2], pads=[1, 2, 0, 1]), {"x": big}, opset=12)
case("MaxPool-9-lower", node("MaxPool", ["x"], kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_LOWER"), {"x": big}, opset=9)
case("MaxPool-11-1d", node("MaxPool", ["x"], kernel_shape=[3]), {"x": rnd("p1", 1, 3, 8)}, opset=11)
case("GlobalAveragePool-1", node("GlobalAveragePool", ["x"]), {"x": big}, opset=9)
case("GlobalMaxPool-22", node("GlobalMaxPool", ["x"]), {"x": big}, opset=22)
case("LRN-13", node("LRN", ["x"], size=3, alpha=.3, beta=.6, bias=1.5), {"x": big}, opset=13)

# ---- resizing
ri = rnd("ri", 1, 2, 4, 5)


def resize(name, opset, scales=None, sizes=None, x=ri, roi=None, **attrs):
    consts, ins = {}, ["x", ""]
    if roi is not None:
        ins[1], consts["roi"] = "roi", np.array(roi, np.float32)
    elif opset < 13:
        ins[1], consts["roi"] = "roi", np.array([], np.float32)
    if scales is not None:
        ins.append("scales")
        consts["scales"] = np.array(scales, np.float32)
    else:
        if opset < 13:
            consts["scales"] = np.array([], np.float32)
        ins += ["scales" if opset < 13 else "", "sizes"]
        consts["sizes"] = np.array(sizes, I64)
    case(f"Resize-{opset}-{name}", node("Resize", ins, **attrs), {"x": x}, consts, opset=opset)


for m in ("nearest", "linear"):
    case(f"Upsample-9-{m}", node("Upsample", ["x", "s"], mode=m), {"x": ri}, {"s": np.array([1, 1, 2, 3], np.float32)}, opset=9)
    case(f"Resize-10-{m}", node("Resize", ["x", "s"], mode=m), {"x": ri}, {"s": np.array([1, 1, 2, 1.5], np.float32)}, opset=10)
case("Resize-10-down", node("Resize", ["x", "s"]), {"x": ri}, {"s": np.array([1, 1, .5, .6], np.float32)}, opset=10)
for c in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"):
    for m in ("nearest", "linear", "cubic"):
        resize(f"{m}-{c}", 13, scales=[1, 1, 1.7, .6], mode=m, coordinate_transformation_mode=c)
resize("linear-symmetric", 19, scales=[1, 1, 1.7, .6], mode="linear", coordinate_transformation_mode="half_pixel_symmetric")
resize("tf-half-pixel", 11, scales=[1, 1, 2, 2], mode="nearest", coordinate_transformation_mode="tf_half_pixel_for_nn")
for r in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
    resize(f"nearest-{r}", 13, sizes=[1, 2, 7, 3], mode="nearest", nearest_mode=r, coordinate_transformation_mode="half_pixel")
resize("sizes", 11, sizes=[1, 2, 8, 10], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
resize("crop", 13, sizes=[1, 2, 3, 3], mode="linear", coordinate_transformation_mode="tf_crop_and_resize", roi=[0, 0, .2, .1, 1, 1, .8, 1.3], extrapolation_value=7.0)
resize("axes", 18, sizes=[8, 3], mode="linear", axes=[2, 3])
resize("not-larger", 18, sizes=[8, 6], mode="nearest", axes=[2, 3], keep_aspect_ratio_policy="not_larger")
resize("antialias", 18, sizes=[1, 2, 2, 3], mode="linear", antialias=1)
resize("cubic-outside", 13, scales=[1, 1, .8, 1.6], mode="cubic", exclude_outside=1, cubic_coeff_a=-.5)
resize("3d", 13, scales=[1, 1, 2, 2, 2], x=rnd("r3", 1, 2, 2, 3, 2), mode="linear")
resize("1d", 13, scales=[1, 1, 2.5], x=rnd("r1", 1, 2, 4), mode="linear")

# ---- along axes
for op in ("L1", "L2", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare"):
    v = 11 if op == "Sum" else 13
    case(f"Reduce{op}-{v}", node("Reduce" + op, ["x"], axes=[-1, 0], keepdims=0), {"x": t}, opset=v)
case("ReduceLogSum-13", node("ReduceLogSum", ["x"], axes=[1]), {"x": np.abs(t)}, opset=13)
case("ReduceMean-13-all", node("ReduceMean", ["x"]), {"x": t}, opset=13)
case("ReduceSum-13", node("ReduceSum", ["x", "a"]), {"x": t}, {"a": np.array([1], I64)}, opset=13)
case("ReduceSum-13-noop", node("ReduceSum", ["x"], noop_with_empty_axes=1), {"x": t}, opset=13)
case("ReduceMean-18", node("ReduceMean", ["x", "a"], keepdims=0), {"x": t}, {"a": np.array([-2], I64)}, opset=18)
case("ReduceMax-20-i64", node("ReduceMax", ["x", "a"]), {"x": ia}, {"a": np.array([1], I64)}, opset=20)
tie = np.array([[1, 3, 3], [2, 2, 0]], np.float32)
for op in ("ArgMax", "ArgMin"):
    case(f"{op}-13", node(op, ["x"], axis=-1, keepdims=0), {"x": tie}, opset=13)
case("ArgMax-12-last", node("ArgMax", ["x"], axis=1, select_last_index=1), {"x": tie}, opset=12)
for op in ("Softmax", "LogSoftmax"):
    case(f"{op}-11", node(op, ["x"]), {"x": t}, opset=11)
    case(f"{op}-13", node(op, ["x"], axis=1), {"x": t}, opset=13)
c5 = {"s": rnd("bs", 4), "b": rnd("bb", 4), "m": rnd("bm", 4), "v": rnd("bv", 4, lo=.5)}
case("BatchNormalization-9", node("BatchNormalization", ["x", "s", "b", "m", "v"], epsilon=1e-3), {"x": big}, c5, opset=9)
case("BatchNormalization-15", node("BatchNormalization", ["x", "s", "b", "m", "v"]), {"x": rnd("bn2", 3, 4)}, c5, opset=15)
case("InstanceNormalization-6", node("InstanceNormalization", ["x", "s", "b"]), {"x": big}, {"s": c5["s"], "b": c5["b"]}, opset=9)
case("GroupNormalization-18", node("GroupNormalization", ["x", "s", "b"], num_groups=2), {"x": big}, {"s": rnd("g", 2), "b": rnd("h", 2)}, opset=18)
case("GroupNormalization-21", node("GroupNormalization", ["x", "s", "b"], num_groups=2, epsilon=1e-3), {"x": big}, {"s": c5["s"], "b": c5["b"]}, opset=21)
case("LayerNormalization-17", node("LayerNormalization", ["x", "s", "b"]), {"x": t}, {"s": rnd("ls", 4), "b": rnd("lb", 4)})
case("LayerNormalization-17-axis1", node("LayerNormalization", ["x", "s"], axis=1, epsilon=1e-3), {"x": t}, {"s": rnd("ls", 3, 4)})
case("RMSNormalization-23", node("RMSNormalization", ["x", "s"]), {"x": t}, {"s": rnd("ls", 4)}, opset=23)
case("LpNormalization-1", node("LpNormalization", ["x"], axis=1, p=1), {"x": t}, opset=9)
case("LpNormalization-22", node("LpNormalization", ["x"], axis=-1), {"x": t}, opset=22)
case("MeanVarianceNormalization-13", node("MeanVarianceNormalization", ["x"]), {"x": big}, opset=13)

# ---- products
for nm, sa, sb in [("2d", (3, 4), (4, 5)), ("batch", (2, 1, 3, 4), (5, 4, 2)), ("row", (4,), (2, 4, 3)), ("column", (2, 3, 4), (4,)), ("dot", (4,), (4,))]:
    case(f"MatMul-13-{nm}", node("MatMul", ["a", "b"]), {"a": rnd("ma", *sa), "b": rnd("mb", *sb)}, opset=13)
case("Gemm-13", node("Gemm", ["a", "b", "c"], alpha=.5, beta=2.0, transA=1, transB=1), {"a": rnd("ga", 4, 3)},
     {"b": rnd("gb", 5, 4), "c": rnd("gc", 3, 1)}, opset=13)
case("Gemm-11-no-bias", node("Gemm", ["a", "b"]), {"a": rnd("ga", 2, 4)}, {"b": rnd("gb", 4, 3)}, opset=11)
for nm, eq, shapes in [("matmul", "bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]), ("trace", "ii->i", [(3, 3)]), ("sum", "ijk->j", [(2, 3, 4)]),
                       ("outer", "i,j->ij", [(3,), (4,)]), ("implicit", "ij,jk", [(2, 3), (3, 4)]), ("heads", "bqhd,bkhd->bhqk", [(2, 3, 2, 4), (2, 5, 2, 4)]),
                       ("dots", "...ij,jk->...ik", [(2, 3, 4), (4, 5)]), ("three", "ij,jk,kl->il", [(2, 3), (3, 4), (4, 2)])]:
    names = ["a", "b", "c"][:len(shapes)]
    case(f"Einsum-12-{nm}", node("Einsum", names, equation=eq), {n: rnd("es" + n, *s) for n, s in zip(names, shapes)}, opset=12)
qkv = {"q": rnd("q", 1, 4, 3, 8), "k": rnd("k", 1, 2, 5, 8), "v": rnd("v", 1, 2, 5, 6)}
case("Attention-23", node("Attention", ["q", "k", "v"]), qkv, opset=23)
case("Attention-23-mask", node("Attention", ["q", "k", "v", "m"], scale=.3), qkv, {"m": np.array([[True, True, False, True, True]] * 3)}, opset=23)
case("Attention-24-causal-flat", node("Attention", ["q", "k", "v"], is_causal=1, q_num_heads=2, kv_num_heads=2),
     {"q": rnd("q", 2, 4, 6), "k": rnd("k", 2, 4, 6), "v": rnd("v", 2, 4, 6)}, opset=24)
for op, gates, v in [("LSTM", 4, 7), ("LSTM", 4, 14), ("GRU", 3, 7), ("GRU", 3, 22)]:
    for d in ("forward", "reverse", "bidirectional"):
        n = 2 if d == "bidirectional" else 1
        k = {"w": rnd("rw", n, gates * 3, 4), "r": rnd("rr", n, gates * 3, 3), "b": rnd("rb", n, 2 * gates * 3)}
        outs = ["y", "h"] + (["c"] if op == "LSTM" else [])
        case(f"{op}-{v}-{d}", node(op, ["x", "w", "r", "b"], outs, hidden_size=3, direction=d), {"x": rnd("rx", 5, 2, 4)}, k, outs, opset=max(v, 9))
n = 1
k = {"w": rnd("rw", 1, 12, 4), "r": rnd("rr", 1, 12, 3), "b": rnd("rb", 1, 24), "p": rnd("rp", 1, 9), "len": np.array([5, 5], np.int32)}
case("LSTM-14-state", node("LSTM", ["x", "w", "r", "b", "len", "h0", "c0", "p"], ["y", "h", "c"], hidden_size=3, clip=2.0),
     {"x": rnd("rx", 5, 2, 4), "h0": rnd("h0", 1, 2, 3), "c0": rnd("c0", 1, 2, 3)}, k, ["y", "h", "c"], opset=14)
case("LSTM-14-activations", node("LSTM", ["x", "w", "r"], ["", "h"], hidden_size=3, activations=["HardSigmoid", "Relu", "Softsign"],
                                 activation_alpha=[.3], activation_beta=[.4]), {"x": rnd("rx", 5, 2, 4)}, {"w": k["w"], "r": k["r"]}, ["h"], opset=14)
case("GRU-14-linear", node("GRU", ["x", "w", "r", "b", "", "h0"], ["y"], hidden_size=3, linear_before_reset=1),
     {"x": rnd("rx", 5, 2, 4), "h0": rnd("h0", 1, 2, 3)}, {"w": rnd("rw", 1, 9, 4), "r": rnd("rr", 1, 9, 3), "b": rnd("rb", 1, 18)}, ["y"], opset=14)


# ---- the rest
sx = rnd("sc", 4, 3, 2)
case("ScatterND-18", node("ScatterND", ["x", "i", "u"]), {"x": sx, "u": rnd("su", 2, 2)}, {"i": np.array([[1, 2], [-1, 0]], I64)}, opset=18)
case("ScatterND-11-rows", node("ScatterND", ["x", "i", "u"]), {"x": sx, "u": rnd("su", 2, 3, 2)}, {"i": np.array([[3], [0]], I64)}, opset=11)
case("ScatterElements-13", node("ScatterElements", ["x", "i", "u"], axis=1), {"x": sx, "u": rnd("su", 2, 2, 2)},
     {"i": np.array([[[0, -1], [2, 1]], [[1, 1], [0, 2]]], I64)}, opset=13)
case("Scatter-9", node("Scatter", ["x", "i", "u"]), {"x": rnd("sc", 3, 3), "u": rnd("su", 2, 3)}, {"i": np.array([[1, 0, 2], [0, 2, 1]], I64)}, opset=9)
case("Compress-11", node("Compress", ["x", "k"], axis=1), {"x": sx}, {"k": np.array([True, False, True])}, opset=11)
case("Compress-11-flat", node("Compress", ["x", "k"]), {"x": sx}, {"k": np.array([True, False, False, True, True])}, opset=11)
case("Hardmax-11", node("Hardmax", ["x"]), {"x": t}, opset=11)
case("Hardmax-13", node("Hardmax", ["x"], axis=1), {"x": t}, opset=13)
case("LpPool-11", node("LpPool", ["x"], kernel_shape=[2, 3], strides=[2, 1], pads=[1, 0, 0, 1], p=3), {"x": big}, opset=11)
case("LpPool-18", node("LpPool", ["x"], kernel_shape=[2, 2], dilations=[2, 1]), {"x": big}, opset=18)
case("GlobalLpPool-2", node("GlobalLpPool", ["x"], p=1), {"x": big}, opset=11)
half = rnd("ang", 10, 4)
pos = np.array([[0, 3, 5], [9, 1, 2]], I64)
for nm, kw in [("plain", {}), ("interleaved", {"interleaved": 1})]:
    case(f"RotaryEmbedding-23-{nm}", node("RotaryEmbedding", ["x", "c", "s", "p"], **kw), {"x": rnd("ro", 2, 2, 3, 8), "p": pos},
         {"c": np.cos(half), "s": np.sin(half)}, opset=23)
case("RotaryEmbedding-23-flat", node("RotaryEmbedding", ["x", "c", "s"], num_heads=2, rotary_embedding_dim=4), {"x": rnd("ro", 2, 3, 16)},
     {"c": np.cos(rnd("an", 2, 3, 2)), "s": np.sin(rnd("an", 2, 3, 2))}, opset=23)
case("BatchNormalization-7", node("BatchNormalization", ["x", "s", "b", "m", "v"]), {"x": big}, c5, opset=7)
case("Upsample-7", node("Upsample", ["x"], scales=[1.0, 1.0, 2.0, 2.0]), {"x": ri}, opset=7)
case("Add-7", node("Add", ["a", "b"]), {"a": a, "b": b}, opset=8)
same = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "t", [], [helper.make_tensor_value_info("y", 1, None)])
case("If-11-same-names", node("If", ["c"], then_branch=same, else_branch=same), {"x": t}, {"c": np.array(True)}, opset=11)
case("Gelu-by-erf-f16", [node("Div", ["x", "s"], ["d"]), node("Erf", ["d"], ["e"]), node("Add", ["e", "o"], ["p"]), node("Mul", ["x", "p"], ["q"]),
                         node("Mul", ["q", "h"])], {"x": x.astype(np.float16)},
     {"s": np.array(1.4142135, np.float16), "o": np.array(1, np.float16), "h": np.array(.5, np.float16)}, opset=13)
case("ConvTranspose-11-upper-gaps", node("ConvTranspose", ["x", "w"], strides=[2, 3], auto_pad="SAME_UPPER"), {"x": rnd("ct", 1, 2, 4, 3)}, {"w": rnd("w1x", 2, 3, 1, 2)})
case("ConvTranspose-11-lower", node("ConvTranspose", ["x", "w"], strides=[2, 2], auto_pad="SAME_LOWER"), {"x": rnd("ct", 1, 2, 4, 3)}, {"w": wt})
case("ConvTranspose-11-shape-larger", node("ConvTranspose", ["x", "w"], strides=[3, 2], output_shape=[13, 8]), {"x": rnd("ct", 1, 2, 4, 3)}, {"w": wt})

# ---- 8-bit integers
u8 = np.random.default_rng(8).integers
bytes_in = u8(0, 256, (1, 3, 7, 6)).astype(np.uint8)
for nm, w, z, kw in [("", u8(-128, 128, (4, 3, 3, 3)).astype(np.int8), np.array(0, np.int8), {"pads": [1, 1, 1, 1]}),
                     ("-strided", u8(0, 256, (4, 3, 2, 3)).astype(np.uint8), np.array(131, np.uint8), {"strides": [2, 1], "pads": [1, 0, 0, 2]})]:
    case(f"ConvInteger-10{nm}", node("ConvInteger", ["x", "w", "xz", "wz"], **kw), {"x": bytes_in}, {"w": w, "xz": np.array(117, np.uint8), "wz": z}, opset=10)
    case(f"QLinearConv-10{nm}", node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"], **kw), {"x": bytes_in},
         {"xs": np.array(.013, np.float32), "xz": np.array(117, np.uint8), "w": w, "ws": np.array(.007, np.float32), "wz": z,
          "ys": np.array(.21, np.float32), "yz": np.array(120, np.uint8), "b": u8(-900, 900, 4).astype(np.int32)}, opset=10)
case("QLinearConv-10-channels", node("QLinearConv", ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz"]), {"x": bytes_in},
     {"xs": np.array(.013, np.float32), "xz": np.array(3, np.uint8), "w": u8(-128, 128, (4, 3, 3, 3)).astype(np.int8), "ws": rnd("ws", 4, lo=.002, hi=.01),
      "wz": np.zeros(4, np.int8), "ys": np.array(.31, np.float32), "yz": np.array(99, np.uint8)}, opset=10)
rows, columns = u8(0, 256, (2, 5, 7)).astype(np.uint8), u8(-128, 128, (7, 4)).astype(np.int8)
case("MatMulInteger-10", node("MatMulInteger", ["a", "b", "az", "bz"]), {"a": rows}, {"b": columns, "az": np.array(19, np.uint8), "bz": np.array(-3, np.int8)}, opset=10)
case("MatMulInteger-10-plain", node("MatMulInteger", ["a", "b"]), {"a": rows}, {"b": columns}, opset=10)
case("QLinearMatMul-10", node("QLinearMatMul", ["a", "as", "az", "b", "bs", "bz", "ys", "yz"]), {"a": rows},
     {"as": np.array(.02, np.float32), "az": np.array(128, np.uint8), "b": columns, "bs": np.array(.011, np.float32), "bz": np.array(0, np.int8),
      "ys": np.array(.15, np.float32), "yz": np.array(130, np.uint8)}, opset=10)
case("DynamicQuantizeLinear-11", node("DynamicQuantizeLinear", ["x"], ["y", "ys", "yz"]), {"x": rnd("dq", 3, 5)}, outputs=["y", "ys", "yz"], opset=11)
case("DynamicQuantizeLinear-11-positive", node("DynamicQuantizeLinear", ["x"], ["y", "ys", "yz"]), {"x": rnd("dq", 3, 5, lo=.5)}, outputs=["y", "ys", "yz"], opset=11)

# ---- places and order that only a run knows
for nm, k, kw in [("", 3, {}), ("-smallest", 2, {"axis": 1, "largest": 0}), ("-all", 4, {"axis": 2})]:
    case(f"TopK-11{nm}", node("TopK", ["x", "k"], ["v", "i"], **kw), {"x": rnd("topk", 2, 3, 4)}, {"k": np.array([k], I64)}, outputs=["v", "i"], opset=11)
case("TopK-1", node("TopK", ["x"], ["v", "i"], k=2, axis=0), {"x": rnd("topk", 5, 3)}, outputs=["v", "i"], opset=9)
case("ScatterND-18-runtime", node("ScatterND", ["x", "i", "u"]), {"x": rnd("sx", 3, 4, 2), "i": np.array([[0, -1], [2, 1]], I64), "u": rnd("su", 2, 2)}, opset=18)
case("ScatterND-18-add", node("ScatterND", ["x", "i", "u"], reduction="add"), {"x": rnd("sx", 3, 4, 2), "u": rnd("su", 3, 4, 2)}, {"i": np.array([[0], [1], [0]], I64)}, opset=18)
case("ScatterElements-18-runtime", node("ScatterElements", ["x", "i", "u"], axis=1), {"x": rnd("sx", 3, 5), "i": np.array([[0, -1], [2, 1]], I64), "u": rnd("su", 2, 2)}, opset=18)
case("ScatterElements-18-max", node("ScatterElements", ["x", "i", "u"], reduction="max"), {"x": rnd("sx", 3, 5), "i": np.array([[0, -1], [2, 1]], I64), "u": rnd("su", 2, 2)}, opset=18)
for t in (0, 1):
    case(f"ReverseSequence-10-{'time' if t else 'batch'}", node("ReverseSequence", ["x", "n"], time_axis=1 - t, batch_axis=t),
         {"x": rnd("rev", 4, 4, 2), "n": np.array([1, 4, 0, 3], I64)}, opset=10)

# ---- com.microsoft
def ms(name, op, inputs, given, consts=None, outputs=("y",), **kw):
    case("ms-" + name, node(op, inputs, outputs, domain="com.microsoft", **kw), given, consts, outputs=[o for o in outputs if o], opset=17)


f32 = np.float32
x = rnd("ms", 2, 5, 8)
ms("Gelu", "Gelu", ["x"], {"x": x})
ms("BiasGelu", "BiasGelu", ["x", "b"], {"x": x}, {"b": rnd("b", 8)})
ms("FastGelu", "FastGelu", ["x", "b"], {"x": x}, {"b": rnd("b", 8)})
ms("FastGelu-plain", "FastGelu", ["x"], {"x": x})
ms("QuickGelu", "QuickGelu", ["x"], {"x": x}, alpha=1.5)
ms("FusedMatMul", "FusedMatMul", ["x", "z"], {"x": x}, {"z": rnd("z", 7, 8)}, transB=1, alpha=.5)
ms("FusedMatMul-batch", "FusedMatMul", ["x", "z"], {"x": rnd("ms", 5, 2, 8), "z": rnd("z", 2, 8, 3)}, transBatchA=1)
ms("FusedGemm", "FusedGemm", ["x", "z", "c"], {"x": rnd("g", 3, 4)}, {"z": rnd("z", 4, 5), "c": rnd("c", 5)}, activation="LeakyRelu", activation_alpha=.3)
img = rnd("msimg", 1, 3, 6, 5)
for act, kw in [("Relu", {}), ("Clip", {"activation_params": [-.5, .75]}), ("LeakyRelu", {"activation_params": [.2]}), ("HardSigmoid", {"activation_params": [.3, .4]})]:
    ms(f"FusedConv-{act}", "FusedConv", ["x", "w", "b"], {"x": img}, {"w": rnd("w", 4, 3, 3, 3), "b": rnd("b", 4)}, activation=act, pads=[1, 1, 1, 1], **kw)
ms("FusedConv-sum", "FusedConv", ["x", "w", "b", "z"], {"x": img, "z": rnd("z", 1, 4, 6, 5)}, {"w": rnd("w", 4, 3, 3, 3), "b": rnd("b", 4)}, activation="Relu", pads=[1, 1, 1, 1])
gb = {"g": rnd("g", 8), "b": rnd("b", 8), "d": rnd("d", 8)}
ms("SkipLayerNormalization", "SkipLayerNormalization", ["x", "k", "g", "b", "d"], {"x": x, "k": rnd("k", 2, 5, 8)}, gb, ["y", "", "", "s"])
ms("SkipSimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization", ["x", "k", "g"], {"x": x, "k": rnd("k", 2, 5, 8)}, {"g": gb["g"]})
case("SimplifiedLayerNormalization-1", node("SimplifiedLayerNormalization", ["x", "g"], axis=-1, epsilon=1e-6), {"x": x}, {"g": gb["g"]})
case("LayerNormalization-17-statistics", node("LayerNormalization", ["x", "g", "b"], ["y", "m", "d"]), {"x": x}, {"g": gb["g"], "b": gb["b"]}, outputs=["y", "m", "d"])
words = {"w": rnd("w", 20, 8), "p": rnd("p", 9, 8), "t": rnd("t", 2, 8), "g": gb["g"], "b": gb["b"]}
ids = np.array([[3, 7, 19, 0, 1], [1, 2, 2, 5, 9]], np.int32)
ms("EmbedLayerNormalization", "EmbedLayerNormalization", ["i", "s", "w", "p", "t", "g", "b", "m"],
   {"i": ids, "s": (ids > 4).astype(np.int32), "m": np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32)}, words, ["y", "n"])
att = {"w": rnd("aw", 8, 24, lo=-.5, hi=.5), "b": rnd("ab", 24)}
for nm, mask in [("", None), ("-mask", np.array([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]], np.int32)), ("-lengths", np.array([3, 5], np.int32))]:
    ms(f"Attention{nm}", "Attention", ["x", "w", "b"] + (["m"] if mask is not None else []), {"x": x, **({"m": mask} if mask is not None else {})}, att, num_heads=2)
ms("Attention-past", "Attention", ["x", "w", "b", "", "p"], {"x": x, "p": rnd("past", 2, 2, 2, 3, 4)}, att, ["y", "r"], num_heads=2, unidirectional=1)
ms("Attention-added", "Attention", ["x", "w", "b", "", "", "a"], {"x": x, "a": rnd("added", 2, 2, 5, 5)}, att, num_heads=2)
mha = {"q": rnd("q", 2, 5, 8), "k": rnd("k", 2, 6, 8), "v": rnd("v", 2, 6, 8)}
ms("MultiHeadAttention", "MultiHeadAttention", ["q", "k", "v", "b"], mha, {"b": rnd("ab", 24)}, num_heads=2)
ms("MultiHeadAttention-mask", "MultiHeadAttention", ["q", "k", "v", "", "m", "a"], {**mha, "a": rnd("added", 2, 2, 5, 6), "m": np.array([[1, 1, 1, 0, 0, 1], [1] * 6], np.int32)}, num_heads=2)
ms("MultiHeadAttention-past", "MultiHeadAttention", ["q", "k", "v", "", "", "", "pk", "pv"],
   {"q": rnd("q", 1, 2, 8), "k": rnd("k", 1, 2, 8), "v": rnd("v", 1, 2, 8), "pk": rnd("pk", 1, 2, 3, 4), "pv": rnd("pv", 1, 2, 3, 4)}, None, ["y", "nk", "nv"], num_heads=2, unidirectional=1)
s8, z8 = lambda v: np.array(v, f32), lambda v: np.array(v, np.uint8)
for op, n in [("QLinearAdd", 2), ("QLinearMul", 2)]:
    ms(op, op, ["a", "as", "az", "b", "bs", "bz", "cs", "cz"], {"a": u8(0, 256, (2, 5)).astype(np.uint8), "b": u8(0, 256, (5,)).astype(np.uint8)},
       {"as": s8(.02), "az": z8(100), "bs": s8(.03), "bz": z8(90), "cs": s8(.05), "cz": z8(120)})
q1 = {"xs": s8(.02), "xz": z8(100), "ys": s8(.008), "yz": z8(3)}
ms("QLinearSigmoid", "QLinearSigmoid", ["x", "xs", "xz", "ys", "yz"], {"x": u8(0, 256, (2, 5)).astype(np.uint8)}, q1)
ms("QLinearLeakyRelu", "QLinearLeakyRelu", ["x", "xs", "xz", "ys", "yz"], {"x": u8(0, 256, (2, 5)).astype(np.uint8)}, {**q1, "ys": s8(.02)}, alpha=.1)
ms("QLinearSoftmax", "QLinearSoftmax", ["x", "xs", "xz", "ys", "yz"], {"x": u8(0, 256, (2, 5)).astype(np.uint8)}, {**q1, "ys": s8(1 / 256), "yz": z8(0)}, opset=13, axis=-1)
ms("QLinearGlobalAveragePool", "QLinearGlobalAveragePool", ["x", "xs", "xz", "ys", "yz"], {"x": bytes_in}, q1)
ms("QLinearAveragePool", "QLinearAveragePool", ["x", "xs", "xz", "ys", "yz"], {"x": bytes_in}, {**q1, "ys": s8(.02)}, kernel_shape=[3, 3], strides=[2, 2])
ms("QLinearConcat", "QLinearConcat", ["ys", "yz", "a", "as", "az", "b", "bs", "bz"], {"a": u8(0, 256, (2, 3)).astype(np.uint8), "b": u8(0, 256, (2, 2)).astype(np.uint8)},
   {"ys": s8(.03), "yz": z8(50), "as": s8(.02), "az": z8(100), "bs": s8(.04), "bz": z8(9)}, axis=1)
ms("QGemm", "QGemm", ["a", "as", "az", "b", "bs", "bz", "c", "ys", "yz"], {"a": u8(0, 256, (3, 7)).astype(np.uint8)},
   {"as": s8(.02), "az": z8(128), "b": columns, "bs": s8(.011), "bz": np.array(0, np.int8), "c": u8(-900, 900, 4).astype(np.int32), "ys": s8(.15), "yz": z8(130)})
ms("QGemm-floats", "QGemm", ["a", "as", "az", "b", "bs", "bz"], {"a": u8(0, 256, (3, 7)).astype(np.uint8)},
   {"as": s8(.02), "az": z8(128), "b": columns, "bs": rnd("bs", 4, lo=.01, hi=.02), "bz": np.zeros(4, np.int8)})
ms("MatMulIntegerToFloat", "MatMulIntegerToFloat", ["a", "b", "as", "bs", "az", "bz", "c"], {"a": rows},
   {"b": columns, "as": s8(.02), "bs": rnd("bs", 4, lo=.01, hi=.02), "az": z8(120), "bz": np.zeros(4, np.int8), "c": rnd("c", 4)})
ms("DynamicQuantizeMatMul", "DynamicQuantizeMatMul", ["a", "b", "bs", "bz", "c"], {"a": rnd("dqm", 3, 7)}, {"b": columns, "bs": s8(.01), "bz": np.array(0, np.int8), "c": rnd("c", 4)})
ms("QAttention", "QAttention", ["x", "w", "b", "xs", "ws", "", "xz", "wz"], {"x": u8(0, 256, (2, 5, 8)).astype(np.uint8)},
   {"w": u8(-128, 128, (8, 24)).astype(np.int8), "b": rnd("ab", 24), "xs": s8(.02), "ws": s8(.004), "xz": z8(120), "wz": np.array(0, np.int8)}, num_heads=2)
ms("MatMulNBits", "MatMulNBits", ["a", "b", "s"], {"a": rnd("nb", 2, 40)}, {"b": u8(0, 256, (6, 3, 8)).astype(np.uint8), "s": rnd("s", 18, lo=.1, hi=.3)}, K=40, N=6, bits=4, block_size=16)
ms("MatMulNBits-zeros", "MatMulNBits", ["a", "b", "s", "z"], {"a": rnd("nb", 2, 64)},
   {"b": u8(0, 256, (6, 2, 16)).astype(np.uint8), "s": rnd("s", 12, lo=.1, hi=.3), "z": u8(0, 256, 6).astype(np.uint8)}, K=64, N=6, bits=4, block_size=32)

# ---- attention that sees part of the keys
q4, k4, v4 = rnd("q4", 1, 4, 3, 8), rnd("k4", 1, 2, 5, 8), rnd("v4", 1, 2, 5, 8)
case("Attention-23-causal-wide", node("Attention", ["q", "k", "v"], is_causal=1), {"q": q4, "k": k4, "v": v4}, opset=23)
case("Attention-23-cap", node("Attention", ["q", "k", "v"], ["y", "", "", "s"], softcap=2.0, qk_matmul_output_mode=3), {"q": q4, "k": k4, "v": v4}, outputs=["y", "s"], opset=23, reference=True)
case("Attention-24-past", node("Attention", ["q", "k", "v", "", "pk", "pv"], ["y", "nk", "nv"], is_causal=1),
     {"q": q4, "k": rnd("k4", 1, 4, 3, 8), "v": rnd("v4", 1, 4, 3, 8), "pk": rnd("pk", 1, 4, 2, 8), "pv": rnd("pv", 1, 4, 2, 8)}, outputs=["y", "nk", "nv"], opset=24, reference=True)

# ---- bodies
body = helper.make_graph([helper.make_node("Add", ["s_in", "x"], ["s"]), helper.make_node("Identity", ["c_in"], ["c"]), helper.make_node("Mul", ["s", "k"], ["p"])], "b",
                         [helper.make_tensor_value_info("i", 7, []), helper.make_tensor_value_info("c_in", 9, []), helper.make_tensor_value_info("s_in", 1, None)],
                         [helper.make_tensor_value_info("c", 9, []), helper.make_tensor_value_info("s", 1, None), helper.make_tensor_value_info("p", 1, None)],
                         [numpy_helper.from_array(np.array(3, np.float32), "k")])
case("Loop-13", node("Loop", ["m", "", "x"], ["y", "all"], body=body), {"x": rnd("loop", 2, 3)}, {"m": np.array(4, I64)}, outputs=["y", "all"], opset=13)
until = helper.make_graph([helper.make_node("Mul", ["s_in", "two"], ["s"]), helper.make_node("Less", ["i", "three"], ["c"])], "b",
                          [helper.make_tensor_value_info("i", 7, []), helper.make_tensor_value_info("c_in", 9, []), helper.make_tensor_value_info("s_in", 1, None)],
                          [helper.make_tensor_value_info("c", 9, []), helper.make_tensor_value_info("s", 1, None)],
                          [numpy_helper.from_array(np.array(2, np.float32), "two"), numpy_helper.from_array(np.array(3, I64), "three")])
case("Loop-16-until", node("Loop", ["", "go", "x"], body=until), {"x": rnd("loop", 2, 3)}, {"go": np.array(True)}, opset=16)
scan = helper.make_graph([helper.make_node("Add", ["h", "e"], ["n"]), helper.make_node("Tanh", ["n"], ["o"])], "b",
                         [helper.make_tensor_value_info("h", 1, [3]), helper.make_tensor_value_info("e", 1, [3])],
                         [helper.make_tensor_value_info("n", 1, [3]), helper.make_tensor_value_info("o", 1, [3])])
case("Scan-11", node("Scan", ["h", "x"], ["n", "o"], body=scan, num_scan_inputs=1), {"h": rnd("h", 3), "x": rnd("x", 4, 3)}, outputs=["n", "o"], opset=11)
case("Scan-16-reverse", node("Scan", ["h", "x"], ["n", "o"], body=scan, num_scan_inputs=1, scan_input_axes=[1], scan_input_directions=[1], scan_output_axes=[1],
                             scan_output_directions=[1]), {"h": rnd("h", 3), "x": rnd("x", 3, 4)}, outputs=["n", "o"], opset=16)
leaky = helper.make_node("LeakyRelu", ["a"], ["b"])
slope = leaky.attribute.add()
slope.name, slope.ref_attr_name, slope.type = "alpha", "slope", 1
twice = helper.make_function("mine", "Twice", ["a", "more"], ["b", "c"], [leaky, helper.make_node("Mul", ["b", "b"], ["c"])], [helper.make_opsetid("", 16)], ["slope"])
case("function", [helper.make_node("Twice", ["x"], ["p", "q"], domain="mine", slope=.3), helper.make_node("Twice", ["q"], ["r", "t"], domain="mine", slope=.1), node("Add", ["p", "r"], ["y"])],
     {"x": rnd("fn", 2, 3)}, outputs=["y"], opset=16, functions=[twice])

# ---- places of an image that only a run knows, recurrences, weights that are computed
gx, gg = rnd("gs", 2, 3, 5, 4), rnd("grid", 2, 3, 6, 2, lo=-1.6, hi=1.6)
for m in ("bilinear", "nearest", "bicubic"):
    for pad in ("zeros", "border", "reflection"):
        for corners in (0, 1):
            case(f"GridSample-16-{m}-{pad}-{corners}", node("GridSample", ["x", "g"], mode=m, padding_mode=pad, align_corners=corners), {"x": gx, "g": gg}, opset=16)
case("GridSample-20-3d", node("GridSample", ["x", "g"], mode="linear"), {"x": rnd("gs", 1, 2, 3, 5, 4), "g": rnd("grid", 1, 2, 3, 6, 3, lo=-1.3, hi=1.3)}, opset=20)
for corners in (0, 1):
    case(f"AffineGrid-20-{corners}", node("AffineGrid", ["t", "s"], align_corners=corners), {"t": rnd("theta", 2, 2, 3)}, {"s": np.array([2, 3, 4, 5], I64)}, opset=20, reference=True)
for nm, d, kw in [("forward", 1, {}), ("reverse", 1, {"direction": "reverse", "activations": ["Relu"]}),
                  ("bidirectional", 2, {"direction": "bidirectional", "activations": ["Tanh", "Sigmoid"]}), ("clip", 1, {"clip": .4})]:
    case(f"RNN-14-{nm}", node("RNN", ["x", "w", "r", "b", "n", "h"], ["y", "yh"], hidden_size=5, **kw), {"x": rnd("rx", 4, 2, 3), "h": rnd("rh", d, 2, 5)},
         {"w": rnd("rw", d, 5, 3), "r": rnd("rr", d, 5, 5), "b": rnd("rb", d, 10), "n": np.array([4, 2], np.int32)}, outputs=["y", "yh"], opset=14)
case("RNN-7-plain", node("RNN", ["x", "w", "r"], ["y"], hidden_size=5), {"x": rnd("rx", 4, 2, 3)}, {"w": rnd("rw", 1, 5, 3), "r": rnd("rr", 1, 5, 5)}, opset=7)
for nm, xs, ws, kw in [("group", (2, 4, 6, 5), (6, 2, 3, 2), {"group": 2, "pads": [1, 0, 2, 1], "strides": [2, 1]}), ("depthwise", (1, 4, 7, 7), (4, 1, 3, 3), {"group": 4}),
                       ("1d", (2, 3, 9), (4, 3, 3), {"dilations": [2]})]:
    case(f"Conv-11-computed-{nm}", node("Conv", ["x", "w", "b"], **kw), {"x": rnd("cx", *xs), "w": rnd("cw", *ws), "b": rnd("cb", ws[0])})

# ---- weights of four bits, in blocks
import ml_dtypes
for nm, t in [("int4", ml_dtypes.int4), ("uint4", ml_dtypes.uint4)]:
    lo = 0 if nm == "uint4" else -8
    case(f"DequantizeLinear-21-{nm}", [node("DequantizeLinear", ["w", "s", "z"], ["d"], axis=0, block_size=4), helper.make_node("MatMul", ["x", "d"], ["y"])],
         {"x": rnd("x", 2, 8)}, {"w": u8(lo, lo + 16, (8, 3)).astype(t), "s": rnd("s", 2, 3, lo=.1, hi=.3), "z": u8(lo, lo + 16, (2, 3)).astype(t)}, opset=21)
case("DequantizeLinear-21-blocks", node("DequantizeLinear", ["x", "s", "z"], axis=1, block_size=2), {"x": u8(0, 256, (2, 6, 3)).astype(np.uint8)},
     {"s": rnd("s", 2, 3, 3, lo=.1, hi=.3), "z": u8(0, 256, (2, 3, 3)).astype(np.uint8)}, opset=21)
case("QuantizeLinear-21-i16", node("QuantizeLinear", ["x", "s", "z"]), {"x": rnd("x", 2, 8)}, {"s": np.array(.0001, np.float32), "z": np.array(5, np.int16)}, opset=21)
case("Add-14-f64", node("Add", ["a", "b"]), {"a": a.astype(np.float64), "b": b.astype(np.float64)}, opset=14)

# ---- sound
sig = rnd("sig", 2, 12, 1)
case("DFT-17", node("DFT", ["x"], axis=1, onesided=1), {"x": sig}, opset=17)
case("DFT-17-inverse", node("DFT", ["x"], axis=1, inverse=1), {"x": rnd("sig", 2, 6, 3, 2)}, opset=17)
case("DFT-20-length", node("DFT", ["x", "n", "a"]), {"x": rnd("sig", 2, 6, 3, 2)}, {"n": np.array(8, I64), "a": np.array(-2, I64)}, opset=20)
case("STFT-17", node("STFT", ["x", "s", "w"]), {"x": rnd("sig", 1, 40, 1)}, {"s": np.array(5, I64), "w": np.hanning(16).astype(np.float32)}, opset=17)
case("STFT-17-plain", node("STFT", ["x", "s", "", "n"], onesided=0), {"x": rnd("sig", 1, 40, 1)}, {"s": np.array(7, I64), "n": np.array(16, I64)}, opset=17)
for op in ("Hann", "Hamming", "Blackman"):
    for p in (0, 1):
        case(f"{op}Window-17-{p}", [node(op + "Window", ["n"], ["w"], periodic=p), node("Mul", ["x", "w"])], {"x": rnd("win", 10)}, {"n": np.array(10, I64)}, opset=17)

# ---- windows and back
px = rnd("poolx", 2, 3, 7, 6)
for nm, kw in [("", {"kernel_shape": [2, 2], "strides": [2, 2]}), ("-padded", {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1], "dilations": [1, 2], "ceil_mode": 1})]:
    case(f"MaxPool-12-indices{nm}", node("MaxPool", ["x"], ["y", "i"], **kw), {"x": px}, outputs=["y", "i"], opset=12)
case("MaxPool-12-indices-1d", node("MaxPool", ["x"], ["y", "i"], kernel_shape=[3], strides=[2]), {"x": rnd("px1", 2, 3, 9)}, outputs=["y", "i"], opset=12)
case("MaxUnpool-11", [node("MaxPool", ["x"], ["p", "i"], kernel_shape=[2, 2], strides=[2, 2]), node("MaxUnpool", ["p", "i", "s"], kernel_shape=[2, 2], strides=[2, 2])],
     {"x": rnd("px2", 1, 2, 6, 8)}, {"s": np.array([1, 2, 6, 8], I64)}, opset=12)
case("MaxUnpool-11-plain", [node("MaxPool", ["x"], ["p", "i"], kernel_shape=[2, 2], strides=[2, 2]), node("MaxUnpool", ["p", "i"], kernel_shape=[2, 2], strides=[2, 2])],
     {"x": rnd("px2", 1, 2, 6, 8)}, opset=12)
case("Col2Im-18", node("Col2Im", ["x", "s", "b"], pads=[1, 0, 1, 1], strides=[2, 1], dilations=[1, 2]), {"x": rnd("c2i", 2, 18, 15)},
     {"s": np.array([5, 6], I64), "b": np.array([3, 2], I64)}, opset=18)

for go in (True, False):
    case(f"If-13-runtime-{go}", [node("Greater", ["x", "k"], ["c"]), node("If", ["c"], ["y"], then_branch=same, else_branch=els)], {"x": np.array(2. if go else -2., np.float32)},
         {"k": np.array(0, np.float32)}, opset=13)

case("MaxPool-12-u8", node("MaxPool", ["x"], kernel_shape=[2, 2], pads=[1, 0, 0, 1]), {"x": u8(0, 256, (1, 3, 7, 6)).astype(np.uint8)}, opset=12)
case("DequantizeLinear-13-large", [node("DequantizeLinear", ["w", "s", "z"], ["d"], axis=0), helper.make_node("ReduceMean", ["d"], ["m"], axes=[1, 2], keepdims=0), node("Mul", ["x", "m"])],
     {"x": rnd("dx", 4)}, {"w": u8(-128, 128, (4, 65, 70)).astype(np.int8), "s": rnd("s", 4, lo=.1, hi=.3), "z": np.array([0, 3, -4, 1], np.int8)}, opset=13)

# ---- floats between DequantizeLinear and QuantizeLinear: integer arithmetic, as the optimiser makes it (a half is a half)
xs, ws = np.float32(.1), np.array([.07, .03, .011, .19], np.float32)


def qdq(name, inner, w, axis, bias=None, ws=ws, relu=False):
    ys = np.float32(xs * ws.flat[0]) * np.float32(128)
    nodes = [node("QuantizeLinear", ["x", "xs", "xz"], ["xq"]), node("DequantizeLinear", ["xq", "xs", "xz"], ["xd"]),
             node("DequantizeLinear", ["wq", "ws", "wz"], ["wd"], **({"axis": axis} if ws.size > 1 else {}))]
    consts = {"xs": xs, "xz": np.array(119, np.uint8), "wq": w, "ws": ws, "wz": np.zeros(ws.shape, np.int8), "ys": ys, "yz": np.array(0 if relu else 101, np.uint8)}
    if bias is not None:
        nodes.append(node("DequantizeLinear", ["bq", "bs", "bz"], ["bd"], **({"axis": 0} if ws.size > 1 else {})))
        consts |= {"bq": bias, "bs": (xs * ws).astype(np.float32), "bz": np.zeros(ws.shape, np.int32)}
    nodes += [inner] + ([node("Relu", ["p"], ["r"])] if relu else [])
    nodes += [node("QuantizeLinear", ["r" if relu else "p", "ys", "yz"], ["yq"]), node("DequantizeLinear", ["yq", "ys", "yz"], ["y"])]
    for i, n in enumerate(nodes):
        n.name = f"{n.op_type}_{i}"
    shape = (1, 3, 9, 8) if w.ndim == 4 else (40, 12)
    case(name, nodes, {"x": rnd(name, *shape, lo=-11, hi=12)}, consts, opset=13, optimised=True)


qw, qb = u8(-128, 128, (4, 3, 3, 3)).astype(np.int8), u8(-900, 900, 4).astype(np.int32)
qdq("QDQ-Conv-13", node("Conv", ["xd", "wd", "bd"], ["p"], pads=[1, 1, 1, 1]), qw, 0, qb, ws=ws[:1].reshape(()))
qdq("QDQ-Conv-13-channels", node("Conv", ["xd", "wd", "bd"], ["p"], pads=[1, 1, 1, 1]), qw, 0, qb)
qdq("QDQ-Conv-13-relu", node("Conv", ["xd", "wd"], ["p"], strides=[2, 1]), qw, 0, ws=ws[:1].reshape(()), relu=True)
qdq("QDQ-MatMul-13", node("MatMul", ["xd", "wd"], ["p"]), u8(-128, 128, (12, 4)).astype(np.int8), 1, ws=ws[:1].reshape(()))
qdq("QDQ-Gemm-13", node("Gemm", ["xd", "wd", "bd"], ["p"], transB=1), u8(-128, 128, (4, 12)).astype(np.int8), 0, qb)
case("BatchNormalization-15-training", node("BatchNormalization", ["x", "g", "b", "m", "v"], ["y", "rm", "rv"], training_mode=1, epsilon=.01, momentum=.7), {"x": rnd("bnt", 2, 3, 4, 5)},
     {"g": rnd("g", 3), "b": rnd("b", 3), "m": rnd("m", 3), "v": rnd("v", 3, lo=.5)}, outputs=["y", "rm", "rv"], opset=15)
case("BatchNormalization-14-training", node("BatchNormalization", ["x", "g", "b", "m", "v"], training_mode=1), {"x": rnd("bnt", 1, 3, 16)},
     {"g": rnd("g", 3), "b": rnd("b", 3), "m": rnd("m", 3), "v": rnd("v", 3, lo=.5)}, opset=14)

# ---- unsigned numbers of 16 bits and more
for t in (np.uint16, np.uint32, np.uint64):
    name = f"Cast-13-from-{np.dtype(t).name}"
    case(name, [node("Mul", ["u", "v"], ["uv"]) if t != np.uint16 else node("Identity", ["u"], ["uv"]), node("Cast", ["uv"], ["c"], to=TensorProto.FLOAT), node("Add", ["x", "c"])],
         {"x": rnd(name, 3)}, {"u": np.array([0, 7, 60000], t), "v": np.array([3, 2, 1], t)}, opset=14)
case("Cast-13-by-uint32", [node("Cast", ["x"], ["u"], to=TensorProto.UINT32), helper.make_node("Cast", ["u"], ["y"], to=TensorProto.INT64)], {"x": rnd("cu", 5, lo=0, hi=3e9)}, opset=13)
case("QuantizeLinear-21-u16", [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"])], {"x": rnd("qx", 40, lo=-9, hi=9)},
     {"s": np.array(.0002, np.float32), "z": np.array(30011, np.uint16)}, opset=21)

# ---- what generated networks found
case("Resize-10-both-ways", node("Resize", ["x", "s"], mode="nearest"), {"x": rnd("rbw", 1, 2, 6, 5)}, {"s": np.array([1, 1, .6, 1.7], np.float32)}, opset=10)
case("LpPool-18-ceil", node("LpPool", ["x"], kernel_shape=[3, 2], strides=[2, 3], pads=[1, 0, 0, 1], p=1, ceil_mode=1), {"x": rnd("lpc", 1, 3, 8, 7)}, opset=18)
case("MaxPool-12-ceil-one", node("MaxPool", ["x"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1), {"x": rnd("mpo", 1, 3, 2, 3)}, opset=12)
case("RNN-14-named-twice", node("RNN", ["x", "w", "r"], hidden_size=4, activations=["Tanh", "Tanh"]), {"x": rnd("rx", 5, 2, 3)}, {"w": rnd("rw", 1, 4, 3), "r": rnd("rr", 1, 4, 4)}, opset=14)


# ---- attention of groups of heads, and turned positions, of com.microsoft
def ms(op, inputs, outputs=("y",), **attrs):
    return node(op, inputs, outputs, domain="com.microsoft", **attrs)


def grouped(name, length, past, packed=False, batch=1, bias=False, **attrs):
    heads, groups, size = 4, 2, 16 if attrs.get("do_rotary") else 8
    given = {"q": rnd(name + "q", batch, length, (heads + 2 * groups if packed else heads) * size)}
    if not packed:
        given |= {k: rnd(name + k, batch, length, groups * size) for k in "kv"}
    if past:
        given |= {k: rnd(name + k, batch, groups, past, size) for k in ("pk", "pv")}
    consts = {"ends": np.full(batch, past + length - 1, np.int32), "all": np.array(past + length, np.int32)}
    if attrs.get("do_rotary"):
        angles = np.arange(32)[:, None] / 50. ** (np.arange(size // 2) / (size // 2))
        consts |= {"cos": np.cos(angles).astype(np.float32), "sin": np.sin(angles).astype(np.float32)}
    if bias:
        given["bias"] = rnd(name + "bias", batch, 1, length, past + length)
    inputs = ["q", "" if packed else "k", "" if packed else "v", "pk" if past else "", "pv" if past else "", "ends", "all"]
    inputs += [n if n in consts else "" for n in ("cos", "sin")] + (["", "bias"] if bias else [])
    while not inputs[-1]:
        inputs.pop()
    case("ms-GroupQueryAttention" + name, ms("GroupQueryAttention", inputs, ["y", "k2", "v2"], num_heads=heads, kv_num_heads=groups, **attrs), given, consts, outputs=["y", "k2", "v2"])


grouped("", 6, 0)
grouped("-rotary", 6, 0, do_rotary=1)
grouped("-past", 1, 5, do_rotary=1)
grouped("-more", 3, 5, do_rotary=1, rotary_interleaved=1)
grouped("-packed", 5, 0, packed=True, batch=2, do_rotary=1, scale=.3)
grouped("-window", 7, 0, local_window_size=3)
grouped("-window-past", 1, 7, local_window_size=3)
grouped("-cap", 4, 0, softcap=1.5, bias=True)
angles = {"cos": rnd("cos", 16, 4), "sin": rnd("sin", 16, 4)}
ids = np.array([[3, 4, 5], [0, 1, 2]], I64)
case("ms-RotaryEmbedding", ms("RotaryEmbedding", ["x", "p", "cos", "sin"]), {"x": rnd("rot", 2, 3, 16), "p": ids}, angles)
case("ms-RotaryEmbedding-from", ms("RotaryEmbedding", ["x", "p", "cos", "sin"], interleaved=1), {"x": rnd("rot", 2, 3, 16), "p": np.array([4], I64)}, angles)
case("ms-RotaryEmbedding-heads", ms("RotaryEmbedding", ["x", "p", "cos", "sin"]), {"x": rnd("rot", 2, 2, 3, 8), "p": ids}, angles)
case("ms-RotaryEmbedding-part", ms("RotaryEmbedding", ["x", "p", "cos", "sin"], num_heads=2, rotary_embedding_dim=8), {"x": rnd("rot", 2, 3, 24), "p": ids}, angles)


# ---- linear models of ai.onnx.ml
def ml(op, inputs, outputs=("y",), **attrs):
    return node(op, inputs, outputs, domain="ai.onnx.ml", **attrs)


rowx, coefficients = rnd("rowx", 5, 4), rnd("coef", 12).tolist()
case("ml-Scaler", ml("Scaler", ["x"], offset=[.5, -1., 0., 2.], scale=[2.]), {"x": rowx})
for way in ("MAX", "L1", "L2"):
    case("ml-Normalizer-" + way, ml("Normalizer", ["x"], norm=way), {"x": np.concatenate([np.abs(rowx), np.zeros((1, 4), np.float32)])})
case("ml-LinearRegressor", ml("LinearRegressor", ["x"], coefficients=coefficients, intercepts=[.1, .2, .3], targets=3), {"x": rowx})
for after in ("NONE", "SOFTMAX", "LOGISTIC"):
    case("ml-LinearClassifier-" + after, ml("LinearClassifier", ["x"], ["label", "scores"], coefficients=coefficients, intercepts=[.1, .2, .3], classlabels_ints=[7, 3, 5],
                                            multi_class=1, post_transform=after), {"x": rowx}, outputs=["label", "scores"])
case("ml-ArrayFeatureExtractor", ml("ArrayFeatureExtractor", ["x", "i"]), {"x": rowx}, {"i": np.array([[2, 0, 3]], I64)})

# ---- opsets before 7: places instead of broadcasting, attributes instead of inputs
old, per = rnd("old", 2, 3, 4, 5), rnd("per", 3)
spread = per.reshape(3, 1, 1)
for op, f in (("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Div", np.divide)):
    case(op + "-6-axis", node(op, ["x", "b"], axis=1, broadcast=1), {"x": old}, {"b": per}, opset=6, want=[f(old, spread)])
case("Greater-1-axis", node("Greater", ["x", "b"], axis=1, broadcast=1), {"x": old}, {"b": per}, opset=4, want=[old > spread])
case("Pow-1-axis", node("Pow", ["x", "b"], axis=-3, broadcast=1), {"x": np.abs(old)}, {"b": per}, opset=5, want=[np.abs(old) ** spread])
case("Add-1-end", node("Add", ["x", "b"], broadcast=1), {"x": old}, {"b": old[0, 0]}, opset=4, want=[old + old[0, 0]])
case("PRelu-6", node("PRelu", ["x", "s"]), {"x": old}, {"s": per}, opset=6, want=[np.where(old < 0, old * spread, old)])
case("Cast-1", node("Cast", ["x"], to="INT32"), {"x": old}, opset=5, want=[old.astype(np.int32)])
case("Concat-1", node("Concat", ["x", "x"]), {"x": old}, opset=3, want=[np.concatenate([old, old], 1)])
case("Tile-1", node("Tile", ["x", "n", "a"]), {"x": old}, {"n": np.array([3], I64), "a": np.array([-2], I64)}, opset=5, want=[np.tile(old, (1, 1, 3, 1))])
case("Upsample-1", node("Upsample", ["x"], height_scale=2., width_scale=3.), {"x": old}, opset=6, want=[old.repeat(2, 2).repeat(3, 3)])
case("Reshape-1", node("Reshape", ["x"], shape=[0, -1]), {"x": old}, opset=4, want=[old.reshape(2, 60)])
case("Pad-1", node("Pad", ["x"], paddings=[0, 0, 1, 0, 0, 0, 0, 2], value=.5), {"x": old}, opset=1, want=[np.pad(old, ((0, 0), (0, 0), (1, 0), (0, 2)), constant_values=.5)])

# ---- lists of tensors
seqx = rnd("seq", 2, 7, 3)
case("SplitToSequence-11", [node("SplitToSequence", ["x", "n"], ["l"], axis=1), node("SequenceAt", ["l", "i"], ["a"]), node("SequenceAt", ["l", "j"], ["b"]),
                            node("Concat", ["a", "b"], axis=1), node("SequenceLength", ["l"], ["c"])],
     {"x": seqx}, {"n": np.array(3, I64), "i": np.array(-1, I64), "j": np.array(0, I64)}, outputs=["y", "c"], opset=12)
case("SplitToSequence-11-list", [node("SplitToSequence", ["x", "n"], ["l"], axis=1), node("SequenceErase", ["l", "i"], ["m"]), node("ConcatFromSequence", ["m"], axis=1)],
     {"x": seqx}, {"n": np.array([4, 1, 2], I64), "i": np.array(1, I64)}, opset=12)
case("SplitToSequence-11-each", [node("SplitToSequence", ["x"], ["l"], axis=1, keepdims=0), node("SequenceErase", ["l"], ["m"]), node("ConcatFromSequence", ["m"], axis=-1, new_axis=1)],
     {"x": seqx}, opset=12)
case("SequenceConstruct-11", [node("Neg", ["x"], ["n"]), node("SequenceConstruct", ["x", "n"], ["l"]), node("SequenceInsert", ["l", "n", "i"], ["m"]), node("SequenceInsert", ["m", "x"], ["o"]),
                              node("ConcatFromSequence", ["o"], axis=0, new_axis=1)], {"x": seqx}, {"i": np.array(0, I64)}, opset=12)
listing = helper.make_graph([helper.make_node("Mul", ["h", "h"], ["h2"]), helper.make_node("SequenceInsert", ["l", "h2"], ["l2"]), helper.make_node("Identity", ["go"], ["go2"])], "b",
                            [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, []),
                             helper.make_tensor_value_info("h", TensorProto.FLOAT, None), helper.make_tensor_sequence_value_info("l", TensorProto.FLOAT, None)],
                            [helper.make_tensor_value_info("go2", TensorProto.BOOL, []), helper.make_tensor_value_info("h2", TensorProto.FLOAT, None),
                             helper.make_tensor_sequence_value_info("l2", TensorProto.FLOAT, None)])
case("Loop-13-sequence", [node("SequenceEmpty", [], ["e"]), node("Loop", ["m", "", "x", "e"], ["h", "all"], body=listing), node("ConcatFromSequence", ["all"], axis=0, new_axis=1)],
     {"x": rnd("ls", 2, 3)}, {"m": np.array(3, I64)}, opset=13)
case("OptionalHasElement-18", [node("OptionalHasElement", ["x"], ["c"]), node("OptionalGetElement", ["x"])], {"x": seqx}, outputs=["y", "c"], opset=18)
case("Attention-23-blind", node("Attention", ["q", "k", "v", "m"], ["y", "", "", "s"], qk_matmul_output_mode=3), {"q": q4, "k": k4, "v": v4},
     {"m": np.arange(q4.shape[2])[:, None] * np.ones(k4.shape[2], int) % 2 > 0}, outputs=["y", "s"], opset=23, reference=True)

# ---- ensembles of decision trees
def trees(kind, count, columns, classes, mode="BRANCH_LEQ", ids=None, positive=False, missing=False):
    """Random trees of three levels; weights of the classes in ids."""
    r, a, prefix = np.random.default_rng(count * 7 + classes), {}, "target" if kind == "Regressor" else "class"
    keys = "treeids nodeids featureids values modes truenodeids falsenodeids missing_value_tracks_true".split()
    nodes, weights = {k: [] for k in keys}, {k: [] for k in ("treeids", "nodeids", "ids", "weights")}
    for t in range(count):
        for n in range(15):
            leaf = n >= 7 or (t == 1 and n in (2, 5, 6))
            row = (t, n, 0 if leaf else int(r.integers(columns)), 0. if leaf else float(r.normal()), "LEAF" if leaf else mode,
                   0 if leaf else 2 * n + 1, 0 if leaf else 2 * n + 2, int(missing and not leaf and r.integers(2)))
            if t == 1 and n > 2 and (n - 1) // 2 in (2, 5, 6):
                continue
            for k, v in zip(keys, row):
                nodes[k].append(v)
            for i in (ids or range(classes)) if leaf else []:
                for k, v in zip(("treeids", "nodeids", "ids", "weights"), (t, n, i, float(abs(r.normal()) * .3 if positive else r.normal()))):
                    weights[k].append(v)
    return {"nodes_" + k: v for k, v in nodes.items()} | {prefix + "_" + k: v for k, v in weights.items()}


rowt, labels = rnd("rowt", 9, 5), {"classlabels_int64s": [4, 9, 2]}
lost = rowt.copy()
lost[::2, 1::2] = np.nan
for mode in ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"):
    case("ml-TreeEnsembleRegressor-" + mode, ml("TreeEnsembleRegressor", ["x"], n_targets=1, base_values=[.25], **trees("Regressor", 4, 5, 1, mode)), {"x": rowt})
case("ml-TreeEnsembleRegressor-mean", ml("TreeEnsembleRegressor", ["x"], n_targets=2, aggregate_function="AVERAGE", **trees("Regressor", 3, 5, 2)), {"x": rowt})
case("ml-TreeEnsembleRegressor-missing", ml("TreeEnsembleRegressor", ["x"], n_targets=1, **trees("Regressor", 5, 5, 1, missing=True)), {"x": lost})
case("ml-TreeEnsembleClassifier-three", ml("TreeEnsembleClassifier", ["x"], ["label", "scores"], post_transform="SOFTMAX", base_values=[.1, -.2, .3], **labels, **trees("Classifier", 4, 5, 3)),
     {"x": rowt}, outputs=["label", "scores"])
for after in ("NONE", "LOGISTIC"):
    case("ml-TreeEnsembleClassifier-two-" + after, ml("TreeEnsembleClassifier", ["x"], ["label", "scores"], post_transform=after, classlabels_int64s=[7, 3], **trees("Classifier", 4, 5, 2, ids=[0])),
         {"x": rowt}, outputs=["label", "scores"])
case("ml-TreeEnsembleClassifier-share", ml("TreeEnsembleClassifier", ["x"], ["label", "scores"], classlabels_int64s=[8, 9], **trees("Classifier", 3, 5, 2, ids=[0], positive=True)),
     {"x": rowt}, outputs=["label", "scores"])
case("ml-TreeEnsembleClassifier-second", ml("TreeEnsembleClassifier", ["x"], ["label", "scores"], classlabels_int64s=[8, 9], **trees("Classifier", 2, 5, 2, ids=[1], positive=True)),
     {"x": rowt}, outputs=["label", "scores"])
case("ml-TreeEnsembleClassifier-both", ml("TreeEnsembleClassifier", ["x"], ["", "scores"], classlabels_int64s=[7, 3], post_transform="SOFTMAX", **trees("Classifier", 3, 5, 2)),
     {"x": rowt}, outputs=["scores"])
case("ml-Binarizer", ml("Binarizer", ["x"], threshold=.5), {"x": rowt})

# ---- matrices in few bits, as stored
def few_bits(name, m, n, k, bits, block, zeros=None, scales=np.float32, inputs=np.float32, **attrs):
    r, blocks = np.random.default_rng(zlib.crc32(name.encode())), -(-k // block)
    s = r.uniform(.05, .2, n * blocks).astype(np.float16 if scales == np.float16 else np.float32).astype(inputs)
    consts = {"b": r.integers(0, 256, (n, blocks, block * bits // 8)).astype(np.uint8), "s": s}
    if zeros == "codes":
        consts["z"] = r.integers(0, 256, n * (-(-blocks * bits // 8))).astype(np.uint8)
    elif zeros:
        consts["z"] = r.uniform(4, 10, n * blocks).astype(inputs)
    case("ms-MatMulNBits" + name, ms("MatMulNBits", ["a", "b", "s"] + ["z"] * bool(zeros), K=k, N=n, bits=bits, block_size=block, **attrs),
         {"a": rnd(name, 2, m, k).astype(inputs)}, consts)


few_bits("-wide", 1, 37, 80, 4, 32)
few_bits("-wide-rows", 5, 40, 96, 4, 32, zeros="codes")
few_bits("-halves", 3, 33, 64, 4, 64, scales=np.float16)
few_bits("-bytes", 2, 20, 160, 8, 128)
few_bits("-bytes-zeros", 1, 21, 64, 8, 32, zeros="codes")
few_bits("-large", 1, 18, 512, 4, 256)
few_bits("-two", 1, 18, 70, 2, 32)
few_bits("-two-zeros", 4, 18, 64, 2, 64, zeros="codes")
few_bits("-float-zeros", 1, 19, 64, 4, 32, zeros="floats")
few_bits("-f16", 2, 24, 64, 4, 32, zeros="codes", inputs=np.float16)
for name, table, zero in [("", u8(0, 256, (9, 32)).astype(np.uint8), None), ("-zeros", u8(0, 256, (9, 32)).astype(np.uint8), u8(0, 256, (9, 1)).astype(np.uint8))]:
    case("ms-GatherBlockQuantized" + name, ms("GatherBlockQuantized", ["t", "i", "s"] + (["z"] if name else []), block_size=32, gather_axis=0, quantize_axis=1),
         {"i": np.array([[3, 0, 8], [7, 7, 1]], I64)}, {"t": table, "s": rnd("gs", 9, 2, lo=.1, hi=.3)} | ({"z": zero} if name else {}))

# ---- caches that have room for more than they hold
def filled(name, length, room, total, ends, **attrs):
    """ends: how many keys each text has in the end; the cache's tail is whatever it was."""
    heads, groups, size, batch = 4, 2, 16, len(ends)
    given = {"q": rnd(name + "q", batch, length, heads * size)} | {k: rnd(name + k, batch, length, groups * size) for k in "kv"}
    given |= {k: rnd(name + k, batch, groups, room, size) for k in ("pk", "pv")} | {"ends": np.array(ends, np.int32) - 1}
    angles = np.arange(32)[:, None] / 50. ** (np.arange(size // 2) / (size // 2))
    consts = {"all": np.array(total, np.int32), "cos": np.cos(angles).astype(np.float32), "sin": np.sin(angles).astype(np.float32)}
    inputs = ["q", "k", "v", "pk", "pv", "ends", "all"] + (["cos", "sin"] if attrs.get("do_rotary") else [])
    case("ms-GroupQueryAttention-fill" + name, ms("GroupQueryAttention", inputs, ["y", "k2", "v2"], num_heads=heads, kv_num_heads=groups, **attrs), given,
         {k: consts[k] for k in inputs if k in consts})


filled("", 1, 12, 12, [7], do_rotary=1)
filled("-some", 3, 12, 10, [7], do_rotary=1)
filled("-first", 5, 12, 5, [5], do_rotary=1)
filled("-batch", 1, 9, 9, [4, 9])
filled("-window", 1, 12, 12, [9], local_window_size=3)
for name, attrs, from_ in [("", {}, [2, 0]), ("-circular", {"mode": "circular"}, [3, 4]), ("-axis", {"axis": 1}, [1, 2])]:
    axis = attrs.get("axis", -2)
    shape = [2, 5, 6, 3] if axis == -2 else [2, 6, 3]
    new = [2, 5, 2, 3] if axis == -2 else [2, 2, 3]
    case("TensorScatter-24" + name, node("TensorScatter", ["c", "u", "i"], **attrs), {"c": rnd("tsc", *shape), "u": rnd("tsu", *new), "i": np.array(from_, I64)}, opset=24, reference=True)
case("Attention-24-lengths", node("Attention", ["q", "k", "v", "", "", "", "n"]), {"q": rnd("q4", 2, 4, 3, 8), "k": rnd("k4", 2, 2, 5, 8), "v": rnd("v4", 2, 2, 5, 8), "n": np.array([3, 5], I64)}, opset=24, reference=True)

# ---- few queries in groups, under every form of mask
for name, shape in [("", None), ("-mask", [3, 5]), ("-rows", [1, 1, 1, 5]), ("-heads", [2, 4, 3, 5]), ("-head-rows", [1, 4, 1, 5]), ("-batch", [2, 1, 3, 5])]:
    given = {"q": rnd("q4", 2, 4, 3, 8), "k": rnd("k4", 2, 2, 5, 8), "v": rnd("v4", 2, 2, 5, 6)} | ({"m": rnd("gm", *shape)} if shape else {})
    case("Attention-23-groups" + name, node("Attention", list(given)), given, opset=23, reference=True)

# ---- places that a run computes: convolutions with moved taps, boxes
def deformed(name, channels, outputs, kernel, out, group=1, offset_group=1, mask=False, bias=False, batch=2, size=(7, 6), **attrs):
    given = {"x": rnd("dcx", batch, channels, *size), "o": rnd("dco", batch, 2 * kernel[0] * kernel[1] * offset_group, *out)}
    consts = {"w": rnd("dcw", outputs, channels // group, *kernel)} | ({"b": rnd("dcb", outputs)} if bias else {})
    if mask:
        given["m"] = rnd("dcm", batch, kernel[0] * kernel[1] * offset_group, *out, lo=0, hi=1)
    inputs = ["x", "w", "o"] + (["b" if bias else ""] if bias or mask else []) + (["m"] if mask else [])
    case("DeformConv-19" + name, node("DeformConv", inputs, group=group, offset_group=offset_group, kernel_shape=list(kernel), **attrs), given, consts, opset=19)


deformed("", 3, 4, (3, 3), (7, 6), pads=[1, 1, 1, 1], bias=True)
deformed("-mask", 4, 6, (2, 3), (3, 2), strides=[2, 2], offset_group=2, mask=True)
deformed("-group", 4, 4, (3, 3), (5, 4), pads=[1, 1, 1, 1], dilations=[2, 2], group=2, mask=True, bias=True)
boxes = np.array([[0, 0, 6, 6], [1.5, 2, 9.5, 7], [-3, -2, 4, 30], [5, 5, 5.2, 5.3]], np.float32)
for name, v, attrs in [("", 16, {}), ("-flat", 16, {"coordinate_transformation_mode": "output_half_pixel"}), ("", 10, {"spatial_scale": .5})]:
    case(f"RoiAlign-{v}{name}", node("RoiAlign", ["x", "r", "i"], output_height=3, output_width=2, sampling_ratio=2, **attrs),
         {"x": rnd("roi", 2, 3, 8, 9), "r": boxes, "i": np.array([0, 1, 1, 0], I64)}, opset=v)

for old in HERE.glob("*.onnx"):
    if old.stem not in written:
        old.unlink()
print(len(written), "models,", sum((HERE / (n + ".onnx")).stat().st_size for n in written), "bytes")
