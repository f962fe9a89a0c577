#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Draw digits, train a small convolutional network on them, write it as ONNX.

Nothing but NumPy is needed, and nothing is downloaded: the digits are strokes
drawn by this script, the gradients are written out below, and the ONNX file is
written byte by byte (it is a protobuf message; see Message). One core takes
about a minute.

    python3 train.py            writes digits.onnx, held-out.npy, held-out.txt
                                and digit-*.npy beside this script
"""
import os
import struct
import sys
import time

import numpy as np

SIZE = 28
HERE = os.path.dirname(os.path.abspath(__file__))


# ---- drawing -------------------------------------------------------------

def arc(cx, cy, rx, ry, start, end, points=12):
    """Points on an ellipse; angles in degrees, 0 is right, 90 is down."""
    a = np.radians(np.linspace(start, end, points))
    return np.stack([cx + rx * np.cos(a), cy + ry * np.sin(a)], 1)


def line(*points):
    return np.array(points, float)


# Each digit has one or more ways of being written; each way is a list of
# strokes in a box from (0,0) to (1,1), y pointing down.
SHAPES = {
    0: [[arc(.5, .5, .34, .48, 0, 360, 20)],
        [arc(.5, .5, .26, .48, 0, 360, 20)]],
    1: [[line((.5, .02), (.5, .98))],
        [line((.3, .2), (.54, .02), (.54, .98))],
        [line((.3, .2), (.52, .02), (.52, .98)), line((.3, .98), (.74, .98))]],
    2: [[np.concatenate([arc(.48, .3, .32, .28, 190, 395), line((.16, .98), (.86, .98))])],
        [np.concatenate([arc(.5, .28, .3, .26, 180, 380), line((.18, .96), (.84, .96))])]],
    3: [[np.concatenate([arc(.46, .26, .3, .24, 210, 440), arc(.44, .73, .34, .25, 280, 510)])],
        [line((.18, .03), (.8, .03), (.46, .42)), arc(.44, .7, .34, .28, 275, 510)]],
    4: [[line((.62, .98), (.62, .02), (.12, .66), (.9, .66))],
        [line((.24, .02), (.2, .54), (.84, .54)), line((.7, .1), (.66, .98))]],
    5: [[np.concatenate([line((.8, .03), (.26, .03), (.22, .44)), arc(.46, .68, .34, .29, 230, 510)])],
        [line((.3, .05), (.27, .42)), line((.3, .05), (.8, .05)), arc(.44, .68, .34, .29, 240, 500)]],
    6: [[np.concatenate([line((.7, .03), (.4, .24), (.22, .56)), arc(.5, .7, .3, .27, 200, 560, 18)])],
        [np.concatenate([arc(.66, .5, .48, .48, 265, 180, 8), arc(.5, .72, .32, .25, 180, 540, 18)])]],
    7: [[line((.14, .04), (.84, .04), (.4, .98))],
        [line((.14, .04), (.84, .04), (.44, .98)), line((.32, .5), (.76, .5))]],
    8: [[arc(.5, .26, .27, .24, 0, 360, 16), arc(.5, .74, .33, .25, 0, 360, 16)],
        [arc(.5, .27, .24, .24, 90, 450, 16), arc(.5, .75, .29, .24, -90, 270, 16)]],
    9: [[np.concatenate([arc(.48, .3, .3, .27, 0, 360, 18), line((.76, .5), (.7, .98))])],
        [np.concatenate([arc(.48, .29, .3, .26, 20, 380, 18), arc(.34, .5, .44, .48, 0, 80, 8)])]],
}


def draw(digit, rng):
    """One picture in [0,1], white on black, never the same twice."""
    ways = SHAPES[digit]
    strokes = ways[rng.integers(len(ways))]
    angle = rng.normal(0, np.radians(8))
    height = rng.uniform(15, 22)
    width = height * rng.uniform(.55, .95)
    shear = rng.normal(0, .15)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    warp = turn @ np.array([[1, shear], [0, 1]]) @ np.diag([width, height])
    centre = SIZE / 2 + rng.uniform(-2, 2, 2)
    bend_phase, bend = rng.uniform(0, 6.28, 2), rng.normal(0, .03, 2)
    thickness = rng.uniform(.7, 1.9)

    begins, ends = [], []
    for s in strokes:
        p = s + rng.normal(0, .012, s.shape)
        p = p + bend * np.sin(p[:, ::-1] * 4 + bend_phase)
        p = (p - .5) @ warp.T + centre
        begins.append(p[:-1])
        ends.append(p[1:])
    a, b = np.concatenate(begins), np.concatenate(ends)

    y, x = np.mgrid[0:SIZE, 0:SIZE] + .5
    pixel = np.stack([x.ravel(), y.ravel()], 1)[:, None, :]
    along = b - a
    t = ((pixel - a) * along).sum(2) / ((along * along).sum(1) + 1e-9)
    nearest = a + np.clip(t, 0, 1)[:, :, None] * along
    distance = np.sqrt(((pixel - nearest) ** 2).sum(2).min(1)).reshape(SIZE, SIZE)

    picture = np.clip(thickness + .5 - distance, 0, 1) * rng.uniform(.7, 1)
    picture += rng.normal(0, rng.uniform(0, .08), picture.shape)
    return np.round(np.clip(picture, 0, 1) * 255) / 255


def draw_many(count, seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count)
    pictures = np.stack([draw(d, rng) for d in labels])[:, None].astype(np.float32)
    return pictures, labels


# ---- the network: conv 3x3 - relu - pool - conv 3x3 - relu - pool - linear ----

def windows(x):
    """[N,C,H,W] -> [N,H,W,C*9]: what a 3x3 filter with padding 1 sees."""
    n, c, h, w = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    view = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    return view.transpose(0, 2, 3, 1, 4, 5).reshape(n, h, w, c * 9)


def conv_forward(x, weight, bias):
    seen = windows(x)
    y = seen @ weight.reshape(len(weight), -1).T + bias
    return y.transpose(0, 3, 1, 2), seen


def conv_backward(dy, seen, weight, want_dx):
    rows = dy.transpose(0, 2, 3, 1)
    flat = rows.reshape(-1, rows.shape[3])
    dweight = (flat.T @ seen.reshape(len(flat), -1)).reshape(weight.shape)
    if not want_dx:
        return None, dweight, flat.sum(0)
    flipped = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)
    dx, _ = conv_forward(dy, flipped, 0)
    return dx, dweight, flat.sum(0)


def pool_forward(x):
    n, c, h, w = x.shape
    tiles = x.reshape(n, c, h // 2, 2, w // 2, 2)
    y = tiles.max((3, 5))
    return y, (tiles == y[:, :, :, None, :, None])


def pool_backward(dy, mask):
    dx = mask * dy[:, :, :, None, :, None] / mask.sum((3, 5), keepdims=True)
    n, c, h, _, w, _ = dx.shape
    return dx.reshape(n, c, h * 2, w * 2)


def forward(p, x):
    keep = {}
    y, keep["s1"] = conv_forward(x, p["conv1.weight"], p["conv1.bias"])
    keep["a1"] = np.maximum(y, 0)
    y, keep["m1"] = pool_forward(keep["a1"])
    y, keep["s2"] = conv_forward(y, p["conv2.weight"], p["conv2.bias"])
    keep["a2"] = np.maximum(y, 0)
    y, keep["m2"] = pool_forward(keep["a2"])
    keep["pooled"] = y.shape
    keep["flat"] = y.reshape(len(y), -1)
    return keep["flat"] @ p["linear.weight"] + p["linear.bias"], keep


def gradients(p, x, labels):
    scores, k = forward(p, x)
    e = np.exp(scores - scores.max(1, keepdims=True))
    probability = e / e.sum(1, keepdims=True)
    loss = -np.log(probability[np.arange(len(x)), labels] + 1e-9).mean()
    d = probability
    d[np.arange(len(x)), labels] -= 1
    d /= len(x)
    g = {"linear.weight": k["flat"].T @ d, "linear.bias": d.sum(0)}
    d = (d @ p["linear.weight"].T).reshape(k["pooled"])
    d = pool_backward(d, k["m2"]) * (k["a2"] > 0)
    d, g["conv2.weight"], g["conv2.bias"] = conv_backward(d, k["s2"], p["conv2.weight"], True)
    d = pool_backward(d, k["m1"]) * (k["a1"] > 0)
    _, g["conv1.weight"], g["conv1.bias"] = conv_backward(d, k["s1"], p["conv1.weight"], False)
    return loss, g


def accuracy(p, x, labels):
    right = 0
    for i in range(0, len(x), 500):
        right += (forward(p, x[i:i + 500])[0].argmax(1) == labels[i:i + 500]).sum()
    return right / len(x)


def train(x, labels, epochs=6, batch=64):
    rng = np.random.default_rng(1)
    p = {"conv1.weight": rng.normal(0, (2 / 9) ** .5, (8, 1, 3, 3)),
         "conv1.bias": np.zeros(8),
         "conv2.weight": rng.normal(0, (2 / 72) ** .5, (24, 8, 3, 3)),
         "conv2.bias": np.zeros(24),
         "linear.weight": rng.normal(0, (1 / 1176) ** .5, (1176, 10)),
         "linear.bias": np.zeros(10)}
    p = {k: v.astype(np.float32) for k, v in p.items()}
    mean = {k: np.zeros_like(v) for k, v in p.items()}
    square = {k: np.zeros_like(v) for k, v in p.items()}
    step, total = 0, epochs * (len(x) // batch)
    for epoch in range(epochs):
        order, losses = rng.permutation(len(x)), []
        for i in range(0, len(x) - batch + 1, batch):
            pick = order[i:i + batch]
            loss, g = gradients(p, x[pick], labels[pick])
            losses.append(loss)
            step += 1
            rate = 2e-3 * (1 + np.cos(np.pi * step / total)) / 2 + 1e-5
            for k in p:  # Adam
                mean[k] += .1 * (g[k] - mean[k])
                square[k] += .001 * (g[k] ** 2 - square[k])
                m, s = mean[k] / (1 - .9 ** step), square[k] / (1 - .999 ** step)
                p[k] -= (rate * m / (np.sqrt(s) + 1e-8)).astype(np.float32)
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}", flush=True)
    return p


# ---- ONNX: a protobuf message, field numbers from the published schema ----

class Message:
    """Protobuf wire format: a key (field number and type), then a value."""

    def __init__(self):
        self.data = bytearray()

    def varint(self, value):
        value &= (1 << 64) - 1
        while value > 127:
            self.data.append(value & 127 | 128)
            value >>= 7
        self.data.append(value)

    def integer(self, field, *values):
        for v in values:
            self.varint(field << 3)
            self.varint(v)
        return self

    def bytes(self, field, *values):
        for v in values:
            v = bytes(v.data) if isinstance(v, Message) else v.encode() if isinstance(v, str) else v
            self.varint(field << 3 | 2)
            self.varint(len(v))
            self.data += v
        return self


FLOAT, ATTRIBUTE_INT, ATTRIBUTE_INTS = 1, 2, 7


def tensor(name, array):
    return (Message().integer(1, *array.shape).integer(2, FLOAT).bytes(8, name)
            .bytes(9, array.astype("<f4").tobytes()))


def value_info(name, dims):
    shape = Message()
    for d in dims:
        dim = Message()
        shape.bytes(1, dim.bytes(2, d) if isinstance(d, str) else dim.integer(1, d))
    kind = Message().bytes(1, Message().integer(1, FLOAT).bytes(2, shape))
    return Message().bytes(1, name).bytes(2, kind)


def node(op, name, inputs, outputs, **attributes):
    m = Message().bytes(1, *inputs).bytes(2, *outputs).bytes(3, name).bytes(4, op)
    for key, value in sorted(attributes.items()):
        a = Message().bytes(1, key)
        if isinstance(value, int):
            a.integer(3, value).integer(20, ATTRIBUTE_INT)
        else:
            a.integer(8, *value).integer(20, ATTRIBUTE_INTS)
        m.bytes(5, a)
    return m


def write_onnx(path, p):
    graph = Message()
    for i, source in ((1, "image"), (2, "pool1")):
        graph.bytes(1, node("Conv", f"conv{i}", [source, f"conv{i}.weight", f"conv{i}.bias"],
                            [f"conv{i}"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
        graph.bytes(1, node("Relu", f"relu{i}", [f"conv{i}"], [f"relu{i}"]))
        graph.bytes(1, node("MaxPool", f"pool{i}", [f"relu{i}"], [f"pool{i}"],
                            kernel_shape=[2, 2], strides=[2, 2]))
    graph.bytes(1, node("Flatten", "flatten", ["pool2"], ["flat"], axis=1))
    graph.bytes(1, node("Gemm", "linear", ["flat", "linear.weight", "linear.bias"], ["scores"]))
    graph.bytes(1, node("Softmax", "softmax", ["scores"], ["probability"], axis=1))
    graph.bytes(2, "digits")
    for name in sorted(p):
        graph.bytes(5, tensor(name, p[name]))
    graph.bytes(11, value_info("image", ["N", 1, SIZE, SIZE]))
    graph.bytes(12, value_info("probability", ["N", 10]))
    model = (Message().integer(1, 8).bytes(2, "digits/train.py").bytes(7, graph)
             .bytes(8, Message().bytes(1, "").integer(2, 17)))
    with open(path, "wb") as f:
        f.write(model.data)


def main():
    start = time.time()
    x, labels = draw_many(16000, 2)
    print(f"drew {len(x)} digits in {time.time() - start:.0f} s", flush=True)
    p = train(x, labels)
    held_out, truth = draw_many(4000, 3)
    print(f"held-out accuracy {100 * accuracy(p, held_out, truth):.2f} % of {len(truth)}")
    write_onnx(os.path.join(HERE, "digits.onnx"), p)
    # The first hundred go with the example, so that it can be tested.
    np.save(os.path.join(HERE, "held-out.npy"), held_out[:100])
    with open(os.path.join(HERE, "held-out.txt"), "w") as f:
        f.writelines(f"{d}\n" for d in truth[:100])
    for digit in (3, 8):
        at = int(np.flatnonzero(truth == digit)[0])
        np.save(os.path.join(HERE, f"digit-{digit}.npy"), held_out[at:at + 1])
    print(f"took {time.time() - start:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
