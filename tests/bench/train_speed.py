#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Time of a training step by number of Gaussians and size of the picture.

Random points stand for the Gaussians, so their number is what is asked for; no event comes within the steps that are
timed. Every run is made twice, with few and with more steps: the difference is what the steps alone took, as time and
as time of the processors. Between neighbours in the table time must not grow faster than the product of
Gaussians and pixels does.
"""
import argparse
import json
import math
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

from common import tool

BEGIN, END = "<!-- speed -->", "<!-- end of speed -->"


def cpu_seconds():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


def train(args, plan, steps, report):
    before = cpu_seconds()
    out = subprocess.run([args.edgert, "train", plan, "-o", report.with_suffix(".ply"), "--steps", str(steps), "--report",
                          report, "--evaluate-every", "1000000"], capture_output=True, text=True, check=False)
    if out.returncode:
        sys.exit(out.stderr.strip().splitlines()[-1])
    found = json.loads(report.read_text())
    return found, found["ms_per_step"] * steps, 1e3 * (cpu_seconds() - before)


def measure(args, work, downscale, count):
    source, plan = work / "s.edge", work / "s.plan"
    source.write_text(f'device d {{ backend native; threads {args.threads}; }}\n'
                      f'scene s {{ {args.kind} "{pathlib.Path(args.scene).resolve()}"; downscale {downscale}; '
                      f'holdout every 8; points random count {count} seed 1; }}\n'
                      f'plan p {{ on d; train s for 7000 steps; }}\n')
    compiled = tool([args.edgec, "compile", source, "-o", plan, "--json"], f"{downscale} {count}")
    times = []
    for steps in (args.steps // 4, args.steps):
        runs = [train(args, plan, steps, work / "r.json") for _ in range(args.repeat)]
        times.append((min(r[1] for r in runs), min(r[2] for r in runs)))
    n = args.steps - args.steps // 4
    row = {"width": compiled["width"], "height": compiled["height"], "gaussians": count,
           "ms": (times[1][0] - times[0][0]) / n, "cpu_ms": (times[1][1] - times[0][1]) / n}
    print("{width} x {height}, {gaussians} Gaussians: {ms:.1f} ms, {cpu_ms:.1f} ms of processors".format(**row), flush=True)
    return row


def growth(rows, key):
    """The largest exponent between neighbours: 1 is linear in Gaussians times pixels."""
    worst = 0.0
    for a in rows:
        for b in rows:
            pixels = (a["width"] * a["height"], b["width"] * b["height"])
            more, larger = b["gaussians"] / a["gaussians"], pixels[1] / pixels[0]
            if (more > 1.01 and abs(larger - 1) < 0.01) or (larger > 1.01 and abs(more - 1) < 0.01):
                worst = max(worst, math.log(b[key] / a[key]) / math.log(more * larger))
    return worst


def table(rows):
    sizes = sorted({(r["width"], r["height"]) for r in rows})
    counts = sorted({r["gaussians"] for r in rows})
    at = {(r["width"], r["height"], r["gaussians"]): r for r in rows}
    lines = ["| Gaussians | " + " | ".join(f"{w} x {h}" for w, h in sizes) + " |", "|---:|" + "---:|" * len(sizes)]
    for n in counts:
        cells = [at.get((w, h, n)) for w, h in sizes]
        lines.append(f"| {n:,} | " + " | ".join(f'{c["ms"]:.1f} ({c["cpu_ms"]:.1f})' if c else "" for c in cells) + " |")
    return lines


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--edgec", default="./edgec")
    p.add_argument("--edgert", default="./edgert")
    p.add_argument("--scene", required=True, help="folder of the capture")
    p.add_argument("--kind", default="colmap", choices=("colmap", "transforms"))
    p.add_argument("--downscale", type=int, action="append", default=[])
    p.add_argument("--gaussians", type=int, action="append", default=[])
    p.add_argument("--steps", type=int, default=48)
    p.add_argument("--repeat", type=int, default=1)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--shared", action="store_true", help="say that the machine had other work")
    p.add_argument("-o", "--output", default="doc/training.md")
    args = p.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as work:
        for downscale in args.downscale or [8, 4, 2]:
            for count in args.gaussians or [20000, 60000, 180000]:
                rows.append(measure(args, pathlib.Path(work), downscale, count))
    worst, worst_cpu = growth(rows, "ms"), growth(rows, "cpu_ms")
    made = [f"{args.steps} steps each on {args.threads} threads: ms a step, and in brackets ms of all processors together."]
    if args.shared:
        made[0] += " Other work shared the machine, so the former are too long."
    made += [f"Where Gaussians or pixels become more, time grows at most as their product to the power {worst:.2f} "
             f"(processors' time: {worst_cpu:.2f}).", ""]
    path = pathlib.Path(args.output)
    text = path.read_text() if path.exists() else f"{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    path.write_text(before + BEGIN + "\n" + "\n".join(made + table(rows)) + "\n" + END + rest.partition(END)[2])
    sys.exit(0 if min(worst, worst_cpu) <= 1.0 else "time grows faster than Gaussians times pixels")


main()
