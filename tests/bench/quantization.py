#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""quantization.py - what rounding the weights costs, measured on real data.

Compiles each network in several formats and methods, runs every test sample
with edgert, and prints a table in Markdown: share of samples with the right
class, and mean KL divergence from the float plan in nats. Samples that
calibrated are left out of the second number and out of "held out".

Needs numpy and Pillow. usage: quantization.py BUILD DATA WORK [MODEL...]
"""
import glob
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

BUILD, DATA, WORK = sys.argv[1:4]
ONLY = sys.argv[4:]


def cifar():
    names = sorted(glob.glob(DATA + "/images/cifar10/*.jpg"))
    classes = "airplane automobile bird cat deer dog frog horse ship truck".split()
    x = np.stack([np.asarray(Image.open(n).convert("RGB")) for n in names]).astype(np.float32) / 255
    x = (x - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225])
    return x.transpose(0, 3, 1, 2), [classes.index(os.path.basename(n).rsplit("_", 1)[0]) for n in names]


def imagenet():
    names = sorted(glob.glob(DATA + "/images/imagenet/*.jpg"))
    out = []
    for n in names:
        im = Image.open(n).convert("RGB")
        s = 256 / min(im.size)
        im = im.resize((round(im.size[0] * s), round(im.size[1] * s)), Image.BILINEAR)
        left, top = round((im.size[0] - 227) / 2), round((im.size[1] - 227) / 2)
        im = im.crop((left, top, left + 227, top + 227))
        out.append(np.asarray(im).astype(np.float32)[:, :, ::-1] - np.float32([104, 117, 123]))
    return np.stack(out).transpose(0, 3, 1, 2), [int(os.path.basename(n).split("_")[0]) for n in names]


def speech():
    x = np.load(DATA + "/audio/kwt1_mfcc.npy")
    return x, [int(line.split()[0]) for line in open(DATA + "/audio/kwt1_labels.txt")]


# name, samples, input, output, whether the output is logits, every how many samples one calibrates
MODELS = [
    ("resnet20_cifar10", cifar, "input", "logits", True, 8),
    ("squeezenet1.1", imagenet, "data", "prob", False, 2),
    ("kwt1", speech, "mfcc", "logits", True, 3),
]
CASES = [(f, m, k) for f in ("q8", "q6", "q5", "q4", "q3") for m, k in
         (("rtn", ""), ("weighted", ""), ("gptq", ""), ("learned", ""), ("learned", "asymmetric"))
         if f in ("q4", "q3") or (m in ("rtn", "gptq") and not k)]


def compile_plan(name, rules, plan):
    edge = os.path.join(WORK, "case.edge")
    with open(edge, "w") as f:
        f.write('model m { import onnx "%s/models/%s.onnx"; }\n%s\n' % (os.path.abspath(DATA), name, rules))
    out = subprocess.run([BUILD + "/edgec", "compile", edge, "-o", plan, "--json"], stdout=subprocess.PIPE, check=True)
    return json.loads(out.stdout)


def run_all(plan, count, name, tensor_in, tensor_out):
    def one(i):
        where = os.path.join(WORK, "out", str(i))
        subprocess.run([BUILD + "/edgert", "run", plan, "--threads", "1", "--input",
                        "%s=%s/%s.%d.npy" % (tensor_in, WORK, name, i), "--output-dir", where], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return np.load("%s/%s.npy" % (where, tensor_out)).reshape(-1).astype(np.float64)

    with ThreadPoolExecutor(2) as pool:
        return np.stack(list(pool.map(one, range(count))))


def log_probabilities(y, logits):
    if not logits:
        return np.log(np.maximum(y, 1e-12))
    y = y - y.max(1, keepdims=True)
    return y - np.log(np.exp(y).sum(1, keepdims=True))


def model(name, samples, tensor_in, tensor_out, logits, every):
    x, labels = samples()
    labels = np.array(labels)
    for i in range(len(x)):
        np.save("%s/%s.%d.npy" % (WORK, name, i), np.ascontiguousarray(x[i:i + 1], dtype=np.float32))
    chosen = np.arange(len(x)) % every == 0
    calibrate = os.path.abspath("%s/%s.calibrate.npy" % (WORK, name))
    np.save(calibrate, np.ascontiguousarray(x[chosen], dtype=np.float32))
    plan = os.path.join(WORK, "case.plan")
    f16 = compile_plan(name, "quantize m { weights f16; }", plan)["weights_bytes"]
    compile_plan(name, "", plan)
    truth = log_probabilities(run_all(plan, len(x), name, tensor_in, tensor_out), logits)
    right = truth.argmax(1) == labels
    print("| %s | f32 | | 200 | %.2f | %.2f | 0 |" % (name, 100 * right.mean(), 100 * right[~chosen].mean()), flush=True)
    for fmt, method, kind in CASES:
        rules = 'quantize m { weights %s group 32 method %s calibrate "%s" %s; }' % (fmt, method, calibrate, kind)
        got = compile_plan(name, rules, plan)
        y = log_probabilities(run_all(plan, len(x), name, tensor_in, tensor_out), logits)
        right = y.argmax(1) == labels
        kl = (np.exp(truth) * (truth - y)).sum(1)[~chosen].mean()
        print("| %s | %s | %s %s | %.0f | %.2f | %.2f | %.5f |" %
              (name, fmt, method, kind, 100 * got["weights_bytes"] / f16, 100 * right.mean(), 100 * right[~chosen].mean(),
               kl), flush=True)


os.makedirs(WORK + "/out", exist_ok=True)
print("| network | format | method | bytes, % of f16 | top-1 % | held out % | KL |\n|---|---|---|---|---|---|---|")
for m in MODELS:
    if not ONLY or m[0] in ONLY:
        model(*m)
