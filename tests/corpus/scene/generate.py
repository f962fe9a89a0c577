#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Writes the captures of this folder; images/b.jpg and images/ink.jpg (CMYK), JPEGs of 32 x 24 pixels, are the only files
# that it does not write.
import json
import math
import os
import struct
import zlib

os.chdir(os.path.dirname(os.path.abspath(__file__)))


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(path, width, height, channels, pixel):
    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 3: 2, 4: 6}[channels], 0, 0, 0)
    with open(path, "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def text(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(content)


def binary(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(content)


# ---- photographs
png("images/a.png", 32, 24, 3, lambda x, y: (x * 8, y * 10, 128))
png("images/c.png", 32, 24, 4, lambda x, y: (200, 100, 50, 255 if x < 16 else 0))
png("images/mask.png", 32, 24, 1, lambda x, y: (255 if y < 12 else 0,))
binary("images/cut.jpg", open("images/b.jpg", "rb").read()[:500])
binary("images/cut.png", open("images/a.png", "rb").read()[:-30])
text("images/words.png", "this is no picture\n")
binary("images/empty.png", b"")

# ---- COLMAP
PINHOLE = (1, 1, 32, 24, [30.0, 30.0, 16.0, 12.0])
IMAGES = [(1, [1, 0, 0, 0], [0, 0, 4], 1, "a.png"), (2, [0.9, 0, 0.1, 0], [0.5, 0, 4], 1, "b.jpg"),
          (3, [0.8, 0, -0.1, 0], [-0.5, 0, 4], 1, "c.png")]
POINTS = [(i + 1, [0.1 * i, 0.05 * i * i, 0.2 * (i % 3)], [10 * i, 20, 30]) for i in range(6)]


def cameras(records):
    out = struct.pack("<Q", len(records))
    for number, model, width, height, params in records:
        out += struct.pack("<iiQQ", number, model, width, height) + struct.pack("<%dd" % len(params), *params)
    return out


def images(records):
    out = struct.pack("<Q", len(records))
    for number, q, t, camera, name in records:
        out += struct.pack("<i7di", number, *q, *t, camera) + name.encode() + b"\0"
        out += struct.pack("<Qddq", 1, 1.5, 2.5, 1)
    return out


def points(records):
    out = struct.pack("<Q", len(records))
    for number, xyz, rgb in records:
        out += struct.pack("<Q3d3BdQii", number, *xyz, *rgb, 0.5, 1, 1, 0)
    return out


def colmap(name, c=None, i=None, p=None):
    binary("colmap/%s/cameras.bin" % name, cameras([PINHOLE]) if c is None else c)
    binary("colmap/%s/images.bin" % name, images(IMAGES) if i is None else i)
    if p != "none":
        binary("colmap/%s/points3D.bin" % name, points(POINTS) if p is None else p)


def changed(record, index, value):
    return record[:index] + (value,) + record[index + 1:]


colmap("good-binary")
colmap("good-simple-pinhole", cameras([(1, 0, 32, 24, [30.0, 16.0, 12.0])]))
colmap("good-simple-radial", cameras([(1, 2, 32, 24, [30.0, 16.0, 12.0, -0.05])]))
colmap("good-radial", cameras([(1, 3, 32, 24, [30.0, 16.0, 12.0, 0.05, -0.01])]))
colmap("good-opencv", cameras([(1, 4, 32, 24, [30.0, 31.0, 16.0, 12.0, 0.05, -0.01, 0.001, -0.002])]))
colmap("good-sparse-numbers", cameras([changed(PINHOLE, 0, 700000)]), images([changed(r, 3, 700000) for r in IMAGES]))
colmap("good-scaled", cameras([(1, 1, 64, 48, [60.0, 60.0, 32.0, 24.0])]))
binary("colmap/good-rigs/rigs.bin", b"what newer versions write, and nobody needs")
colmap("good-rigs")
UNUSED = [(9, 6, 32, 24, [1.0] * 12), PINHOLE, (2, 5, 32, 24, [1.0] * 8)]
colmap("good-unused-camera", cameras(UNUSED))
colmap("bad-unused-twice", cameras(UNUSED[:1] + UNUSED[:1]))
colmap("good-behind-cameras", None, images([changed(r, 2, [0, 0, -40]) for r in IMAGES]))
colmap("bad-count", struct.pack("<Q", 1 << 60) + cameras([PINHOLE])[8:])
colmap("bad-cut", None, images(IMAGES)[:-40])
colmap("bad-name", None, images(IMAGES)[:8 + 64 + 3])
colmap("bad-observations", None, images(IMAGES)[:-32] + struct.pack("<Q", (1 << 64) - 1) + bytes(24))
colmap("bad-track", None, None, points(POINTS)[:-16] + struct.pack("<Q", 1 << 61) + bytes(8))
colmap("bad-behind", None, None, points(POINTS) + b"x")
colmap("bad-short", b"\1\0\0")
colmap("bad-focal", cameras([(1, 1, 32, 24, [0.0, 30.0, 16.0, 12.0])]))
colmap("bad-size", cameras([(1, 1, 1 << 33, 24, [30.0, 30.0, 16.0, 12.0])]))
colmap("bad-distortion", cameras([(1, 2, 32, 24, [30.0, 16.0, 12.0, math.nan])]))
colmap("bad-folded", cameras([(1, 2, 32, 24, [10.0, 16.0, 12.0, -2.0])]))
colmap("bad-twice", cameras([PINHOLE, PINHOLE]))
colmap("bad-camera", None, images([changed(IMAGES[0], 3, 9)]))
colmap("bad-quaternion", None, images([changed(IMAGES[0], 1, [0, 0, 0, 0])]))
colmap("bad-place", None, images([changed(IMAGES[0], 2, [0, math.inf, 0])]))
colmap("bad-point", None, None, points([POINTS[0], (77, [0, math.nan, 0], [1, 2, 3])]))
colmap("bad-no-points", None, None, points([]))
colmap("bad-missing-points", None, None, "none")
colmap("bad-no-images", None, images([]))
colmap("bad-outside", None, images([changed(IMAGES[0], 4, "../images/a.png")]))
colmap("bad-same-photograph", None, images([IMAGES[0], IMAGES[0]]))
colmap("bad-shape", cameras([(1, 1, 32, 32, [30.0, 30.0, 16.0, 16.0])]))
colmap("bad-turned", cameras([(1, 1, 24, 32, [30.0, 30.0, 12.0, 16.0])]))
colmap("bad-lost", None, images(IMAGES + [changed(IMAGES[0], 4, "lost.png")]))
for kind in "cut.jpg", "cut.png", "words.png", "empty.png":
    colmap("bad-photograph-" + kind.replace(".", "-"), None, images(IMAGES[:2] + [changed(IMAGES[2], 4, kind)]))
colmap("unsupported-fisheye", cameras([(1, 5, 32, 24, [30.0, 30.0, 16.0, 12.0, 0, 0, 0, 0])]))
colmap("unsupported-simple-radial-fisheye", cameras([(1, 8, 32, 24, [30.0, 16.0, 12.0, 0])]))
colmap("unsupported-number", cameras([(1, 99, 32, 24, [30.0])]))

CAMERA = "# Camera list\n# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n1 PINHOLE 32 24 30 30 16 12\n"
IMAGE = "# Image list\n1 1 0 0 0 0 0 4 1 a.png\n\n2 0.9 0 0.1 0 0.5 0 4 1 b.jpg\n1.5 2.5 1 3 4 -1\n"
POINT = "# 3D point list\n1 0.1 0.2 0.3 10 20 30 0.5 1 0 2 0\n2 0.2 0.1 0.3 40 50 60 0.5\n"


def colmap_text(name, c=CAMERA, i=IMAGE, p=POINT):
    text("colmap/%s/cameras.txt" % name, c)
    text("colmap/%s/images.txt" % name, i)
    text("colmap/%s/points3D.txt" % name, p)


colmap_text("good-text")
colmap_text("good-text-windows", CAMERA.replace("\n", "\r\n"), IMAGE.replace("\n", "\r\n"), POINT.replace("\n", "\r\n"))
colmap_text("good-text-blanks", CAMERA, IMAGE.replace("a.png", "  a.png  "), "\t\n" + POINT)
colmap_text("good-text-unused-camera", "7 A_MODEL_OF_LATER_YEARS 32 24 1 2 3\n" + CAMERA)
colmap_text("good-text-mark", "\ufeff" + CAMERA, "\ufeff" + IMAGE, "\ufeff" + POINT)
colmap_text("bad-text-camera", "1 PINHOLE 32\n")
colmap_text("bad-text-parameters", "1 PINHOLE 32 24 30 30 16\n")
colmap_text("bad-text-number", "1 PINHOLE 32 24 30 30 16 twelve\n")
colmap_text("bad-text-image", CAMERA, "1 1 0 0 0 0 0 4 1\n")
colmap_text("bad-text-id", CAMERA, "1 1 0 0 0 0 0 4 2 a.png\n")
colmap_text("bad-text-point", CAMERA, IMAGE, "1 0.1 0.2 0.3 10 20 300 0.5\n")
colmap_text("bad-text-nan", CAMERA, IMAGE, POINT + "3 nan 0 0 1 2 3 0.5\n")
colmap_text("unsupported-text", "1 SIMPLE_RADIAL_FISHEYE 32 24 30 16 12 0\n")

# ---- transforms.json
EYE = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 4], [0, 0, 0, 1]]


def moved(x):
    return [[1, 0, 0, x], [0, 1, 0, 0], [0, 0, 1, 4], [0, 0, 0, 1]]


def frame(path, x=0.0, **more):
    return dict(file_path=path, transform_matrix=moved(x), **more)


def transforms(name, frames=None, **more):
    root = dict(fl_x=30.0, fl_y=30.0, cx=16.0, cy=12.0, w=32, h=24)
    root.update(more)
    root = {k: v for k, v in root.items() if v is not None}
    root["frames"] = [frame("../images/a.png"), frame("./../images/b.jpg", 0.5),
                      frame("../images/c.png", -0.5)] if frames is None else frames
    text("transforms/%s.json" % name, json.dumps(root, indent=1) + "\n")


PLY = "ply\nformat ascii 1.0\ncomment points\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n" \
      "property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n0 0 0 255 0 0\n1 0 0 0 255 0\n0 1 0 0 0 255\n"
text("transforms/points.ply", PLY)
binary("transforms/binary.ply", PLY.replace("ascii", "binary_little_endian").split("0 0 0 255")[0].encode() +
       b"".join(struct.pack("<3f3B", i, 2 * i, 3, 10, 20, 30) for i in range(3)))
text("transforms/cut.ply", PLY[:-20])
text("transforms/nan.ply", PLY.replace("1 0 0 0 255 0", "nan 0 0 0 255 0"))
text("transforms/none.ply", PLY.replace("vertex 3", "vertex 0"))
text("transforms/big.ply", PLY.replace("ascii", "binary_big_endian"))
text("transforms/list.ply", PLY.replace("property uchar red", "property list uchar int red"))
text("transforms/header.ply", PLY.split("end_header")[0])

transforms("good-plain")
transforms("good-distorted", k1=0.05, k2=-0.01, p1=0.001, p2=-0.002, k3=0.001)
transforms("good-per-frame", [frame("../images/a.png", fl_x=31.0, w=32, h=24), frame("../images/b.jpg", 0.5, fl_x=29.0)])
transforms("good-angle", [frame("../images/a"), frame("../images/b", 0.5)], fl_x=None, fl_y=None, cx=None, cy=None, w=None,
           h=None, camera_angle_x=0.9)
png("images/a.dot", 32, 24, 3, lambda x, y: (x * 8, y * 10, 128))
os.rename("images/a.dot", "images/a.001.png")
transforms("good-dot", [frame("../images/a.001"), frame("../images/b.jpg", 0.5)])
transforms("good-backslash", [frame("..\\images\\a.png"), frame(".\\..\\images\\b", 0.5)])
transforms("good-points", ply_file_path="points.ply")
transforms("good-points-binary", ply_file_path="binary.ply")
transforms("good-mask", [frame("../images/a.png", mask_path="../images/mask.png"), frame("../images/b.jpg", 0.5)])
transforms("good-scaled-pose", [dict(file_path="../images/a.png", transform_matrix=[[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 4]])])
transforms("good-model", camera_model="OPENCV", applied_transform=EYE[:3])
text("transforms/bad-empty.json", "")
text("transforms/bad-json.json", "{ \"frames\": [\n")
text("transforms/bad-array.json", "[]\n")
text("transforms/bad-frames.json", "{ \"frames\": 7 }\n")
text("transforms/bad-deep.json", "{ \"frames\": " + "[" * 1000 + "]" * 1000 + " }\n")
transforms("bad-no-frames", [])
transforms("bad-no-path", [dict(transform_matrix=EYE)])
transforms("bad-no-matrix", [dict(file_path="../images/a.png")])
transforms("bad-matrix-row", [dict(file_path="../images/a.png", transform_matrix=[[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0]])])
transforms("bad-matrix-number", [dict(file_path="../images/a.png", transform_matrix=[[1, 0, 0, "x"]] + EYE[1:])])
transforms("bad-matrix-singular", [dict(file_path="../images/a.png", transform_matrix=[[0] * 4] * 4)])
transforms("bad-matrix-sheared", [dict(file_path="../images/a.png", transform_matrix=[[1, 0.3, 0, 0]] + EYE[1:])])
transforms("bad-matrix-mirrored", [dict(file_path="../images/a.png", transform_matrix=[[-1, 0, 0, 0]] + EYE[1:])])
text("transforms/bad-huge.json", open("transforms/good-plain.json").read().replace("30.0", "1e999"))
transforms("bad-focal", fl_x=-3.0)
transforms("bad-no-focal", fl_x=None, fl_y=None)
transforms("bad-size", w=32.5)
transforms("bad-lost", [frame("../images/a.png"), frame("../images/lost.png")])
transforms("bad-twice", [frame("../images/a.png"), frame("../images/a.png")])
transforms("bad-photograph", [frame("../images/words.png")])
transforms("bad-folder", [frame("../images")])
for name in "cut", "nan", "none", "header", "lost":
    transforms("bad-points-" + name, ply_file_path=name + ".ply")
transforms("unsupported-fisheye", camera_model="OPENCV_FISHEYE")
transforms("unsupported-equirectangular", camera_model="EQUIRECTANGULAR")
transforms("unsupported-is-fisheye", is_fisheye=True)
transforms("unsupported-points-big", ply_file_path="big.ply")
transforms("bad-points-list", ply_file_path="list.ply")
