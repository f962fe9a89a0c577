#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# Writes the files in this folder: good-* must open, bad-* must be refused,
# unsupported-* must be refused with a message that says so.

import json
import struct
from pathlib import Path

HERE = Path(__file__).parent


def save(name, header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    (HERE / (name + ".safetensors")).write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)


def t(dtype, shape, begin, end, **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end], **more}


W = t("F32", [2, 3], 0, 24)
D = bytes(range(24))
two = {"b": t("F16", [4], 24, 32), "a.weight": W}
save("good-two", two, bytes(32))
save("good-metadata", {"__metadata__": {"format": "pt", "x": "\"\u00e9\U0001f600"}, "w": W}, D)
save("good-padded", json.dumps({"w": W}).encode() + b"   \n ", D)
save("good-empty", {})
save("good-empty-tensor", {"w": W, "none": t("I64", [0, 7], 0, 0), "end": t("U8", [0], 24, 24)}, D)
save("good-scalar", {"s": t("F64", [], 0, 8)}, bytes(8))
save("good-escapes", b'{"a\\u00e9\\n\\ud83d\\ude00\\/b":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}', b"\1")
save("good-all-types", {n: t(n, [2], 16 * i, 16 * i + 2 * s) for i, (n, s) in enumerate([("I64", 8)])}, bytes(16))

save("bad-short", {"w": W}, D[:-1])
save("bad-long", {"w": W}, D + b"x")
save("bad-hole", {"w": W, "v": t("U8", [2], 25, 27)}, D + bytes(3))
save("bad-overlap", {"w": W, "v": t("U8", [2], 23, 25)}, D + bytes(1))
save("bad-size", {"w": t("F32", [2, 4], 0, 24)}, D)
save("bad-backwards", {"w": t("F32", [0], 24, 0)}, D)
save("bad-twice", b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', b"ab")
save("bad-key-twice", b'{"w":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a")
save("bad-key-unknown", {"w": dict(W, more=1)}, D)
save("bad-key-missing", {"w": {"dtype": "F32", "shape": [2, 3]}}, D)
save("bad-negative", {"w": t("F32", [-2, -3], 0, 24)}, D)
save("bad-fraction", {"w": t("F32", [2.0, 3], 0, 24)}, D)
save("bad-overflow", {"w": t("F32", [2**62, 2**62], 0, 24)}, D)
save("bad-number-overflow", {"w": t("F32", [2, 3], 0, 2**64 + 24)}, D)
save("bad-leading-zero", b'{"w":{"dtype":"U8","shape":[01],"data_offsets":[0,1]}}', b"a")
save("bad-rank", {"w": t("U8", [1] * 9, 0, 1)}, b"a")
save("bad-offsets", {"w": t("U8", [1], 0, 1, data_offsets=[0, 1, 1])}, b"a")
save("bad-header-space", b' {"w":1}')
save("bad-header-length", {"w": W}, D, length=2**63)
save("bad-header-long", {"w": W}, D, length=100000001)
save("bad-header-cut", {"w": W}, D, length=20)
save("bad-list", b"[]")
save("bad-comma", b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},}', b"a")
save("bad-after", b'{} {}')
save("bad-metadata", {"__metadata__": {"n": 1}})
save("bad-metadata-twice", b'{"__metadata__":{},"__metadata__":{}}')
save("bad-text-end", b'{"w')
save("bad-text-control", b'{"w\n":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a")
save("bad-escape", b'{"\\x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a")
save("bad-surrogate", b'{"\\ud83d":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a")
save("bad-nul", b'{"\\u0000":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', b"a")
(HERE / "bad-empty.safetensors").write_bytes(b"")
(HERE / "bad-seven.safetensors").write_bytes(b"\0" * 7)
for name in ("F8_E4M3", "U64", "F4", "C64"):
    save("unsupported-" + name.lower().replace("_", "-"), {"w": t(name, [1], 0, 1)}, b"a")
