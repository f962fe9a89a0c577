#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Quality of training by scene, budget and policy.

For each scene a run without a limit comes first; budgets are shares of the bytes that it took. Then every policy
trains at every budget with the same steps, points and photographs. Runs that a results file has already are not
done again, so a benchmark that was cut off goes on; the table is written from that file.
"""
import argparse
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

from common import tool

POLICIES = ("auto", "diet", "relocate", "plain")


def scene_of(text):
    """NAME=KIND:FOLDER:DOWNSCALE, as bonsai=colmap:data/bonsai:2."""
    name, _, rest = text.partition("=")
    kind, folder, downscale = rest.split(":")
    return {"name": name, "kind": kind, "folder": str(pathlib.Path(folder).resolve()), "downscale": int(downscale)}


class Bench:
    def __init__(self, args, work):
        self.args, self.work = args, work
        self.file = pathlib.Path(args.results)
        self.runs = json.loads(self.file.read_text()) if self.file.exists() else {}

    def source(self, scene, policy):
        missing = " allow missing;" if scene["kind"] == "transforms" else ""
        path = self.work / "train.edge"
        path.write_text(f'device d {{ backend native; threads {self.args.threads}; }}\n'
                        f'scene s {{ {scene["kind"]} "{scene["folder"]}"; downscale {scene["downscale"]}; '
                        f'holdout every 8;{missing} }}\n'
                        f'plan p {{ on d; train s for {self.args.steps} steps; policy {policy}; }}\n')
        return path

    def run(self, scene, policy, budget):
        """budget: bytes, or 0. Returns the report."""
        key = f'{scene["name"]}/{scene["downscale"]} {self.args.steps} {policy} {budget}'
        if key in self.runs:
            return self.runs[key]
        print(key, flush=True)
        plan, report = self.work / "p.plan", self.work / "r.json"
        command = [self.args.edgec, "compile", self.source(scene, policy), "-o", plan, "--json"]
        compiled = tool(command + (["--budget", str(budget)] if budget else []), key)
        train = [self.args.edgert, "train", plan, "-o", self.work / "s.ply", "--report", report]
        out = subprocess.run([str(c) for c in train], capture_output=True, text=True, check=False)
        if out.returncode:
            sys.exit(f"{key}: {out.stderr.strip().splitlines()[-1]}")
        result = json.loads(report.read_text())
        result = {k: result.get(k) for k in ("psnr", "ssim", "gaussians", "cap", "seconds", "ms_per_step",
                                             "planned_peak_bytes", "actual_peak_bytes", "peak_rss_bytes", "steps")}
        result.update(scene=scene["name"], downscale=scene["downscale"], policy=policy, budget=budget,
                      size=[compiled.get("width"), compiled.get("height")], moment_bits=compiled.get("moment_bits"))
        self.runs[key] = result
        self.file.write_text(json.dumps(self.runs, indent=1))
        return result

    def scene_rows(self, scene):
        free = self.run(scene, "auto", 0)
        rows = [("no limit", free)]
        bytes_free = free["actual_peak_bytes"]["device"]
        for share in self.args.share:
            for policy in self.args.policy:
                rows.append((f"{share:g} %", self.run(scene, policy, int(bytes_free * share / 100))))
        for budget in self.args.budget:
            for policy in self.args.policy:
                rows.append((f"{budget} MiB", self.run(scene, policy, budget << 20)))
        return rows


def table(rows):
    lines = ["| scene | pixels | budget | policy | PSNR | SSIM | Gaussians | moments | peak bytes, device | process, MiB "
             "| seconds |", "|---|---|---|---|---:|---:|---:|---:|---:|---:|---:|"]
    for budget, r in rows:
        lines.append(f'| {r["scene"]} | {r["size"][0]} x {r["size"][1]} | {budget} | {r["policy"]} | {r["psnr"]:.2f} | '
                     f'{r["ssim"]:.4f} | {r["gaussians"]:,} | {r["moment_bits"]} bits | '
                     f'{r["actual_peak_bytes"]["device"]:,} | {r["peak_rss_bytes"] / 2**20:.1f} | {r["seconds"]:.0f} |')
    return lines


def processor():
    try:
        for line in open("/proc/cpuinfo", encoding="utf-8"):
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def write(args, rows):
    """The part of the document between its two marks."""
    begin, end = "<!-- measured -->", "<!-- end -->"
    path = pathlib.Path(args.output)
    text = path.read_text() if path.exists() else f"{begin}\n{end}\n"
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    made = [f"Made by `make bench-train`: {args.steps} steps, {args.threads} threads of {processor()}.",
            "Budgets in per cent are of the bytes that the run without a limit took on the device. PSNR and SSIM are means "
            "over the views held out.", ""]
    if args.shared:
        made.insert(1, "Other work shared the machine: seconds are too long, everything else is as it is.")
    path.write_text(before + begin + "\n" + "\n".join(made + table(rows)) + "\n" + end + after)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--edgec", default="./edgec")
    p.add_argument("--edgert", default="./edgert")
    p.add_argument("--scene", action="append", default=[], help="NAME=colmap|transforms:FOLDER:DOWNSCALE")
    p.add_argument("--steps", type=int, default=7000)
    p.add_argument("--share", type=float, action="append", default=[], help="budget in per cent of a run without a limit")
    p.add_argument("--budget", type=int, action="append", default=[], help="budget in MiB")
    p.add_argument("--policy", action="append", default=[], choices=POLICIES)
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--results", default="bench-train.json")
    p.add_argument("--shared", action="store_true", help="say that the machine had other work")
    p.add_argument("-o", "--output", default="doc/training.md")
    args = p.parse_args()
    args.policy = args.policy or list(POLICIES)
    rows = []
    with tempfile.TemporaryDirectory() as work:
        bench = Bench(args, pathlib.Path(work))
        for text in args.scene:
            rows += bench.scene_rows(scene_of(text))
            write(args, rows)


main()
