#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Several networks, one after the other, again and again, in one budget.

    bench/chain.py --edgec build/edgec --edgert build/edgert --budget 1.5GiB -o chain.md A.onnx B.onnx ...
                   [--peers PEERS.py]

An application that needs several networks keeps all of them in memory, or loads each when its turn
comes. Here one plan runs all: they share one budget, and the end of each hides the reads of the next.

Each round starts a process with the plan evicted from the page cache and lets it run the chain 1 +
--repeat times; medians over the rounds are reported, largest values of memory. With PEERS.py (see
bench/peers.py) every network is run in each of the other engines in the same rounds: the sum over
the networks is what keeping all loaded takes, the largest what loading one at a time takes.

A budget is a number with k, M, G or Ki, Mi, Gi and B, or a share of all weights ("10%", on top of the
activations); never less than the smallest that there is a plan for. Without peers nothing but Python
is needed; with them numpy and onnx.
"""
import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # the sources may be read-only
sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import ENGINES, evict, gather_inputs, link_model, number, peer_row, tool, word  # noqa: E402

UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}


def budget_bytes(text, whole):
    """What was asked for, or the least that works where that is more."""
    share = re.fullmatch(r"([\d.]+) ?%", text)
    size = re.fullmatch(r"([\d.]+) ?(|[kmg]i?)b?", text.lower())
    if share:
        asked = whole["activation_peak_bytes"] + float(share[1]) / 100 * whole["weights_bytes"]
    elif size:
        asked = float(size[1]) * UNITS[size[2]]
    else:
        sys.exit(f"no budget: {text}")
    return max(int(asked), whole["smallest_budget_bytes"])


class Chain:
    """The plan, and what was measured of it and of the peers."""

    def __init__(self, args, work):
        self.args, self.work = args, work
        self.models, self.names = [m.resolve() for m in args.models], []
        for m in self.models:
            name = word(m.stem)
            same = sum(n == name or n.startswith(f"{name}_again") for n in self.names)
            self.names.append(f"{name}_again{same}" if same else name)
        self.plan = work / "chain.plan"
        self.runs = []
        self.theirs = {}  # (engine, network) -> [row] or {"error"}

    def compile(self):
        source, device = self.work / "chain.edge", self.work / "device.edge"
        if not device.exists():
            subprocess.run([self.args.edgert, "probe", "-o", device], check=True, capture_output=True)
        lines = [f'include "{device.resolve()}";'] + [f'model {n} {{ import onnx "{m}"; }}' for n, m in zip(self.names, self.models)]
        lines.append("plan chain { on here; " + " ".join(f"run {n};" for n in self.names) + " }")
        source.write_text("\n".join(lines) + "\n")
        command = [self.args.edgec, "compile", source, "-o", self.plan, "--json"]
        self.whole = tool(command, "all resident")
        self.budget = budget_bytes(self.args.budget, self.whole)
        self.numbers = tool([*command, "--budget", self.budget], "the chain")

    def round(self):
        evict(self.plan)
        self.runs.append(tool([self.args.edgert, "bench", self.plan, "-n", self.args.repeat, "--json",
                               "--threads", self.args.threads], "the chain"))
        for name, model in zip(self.names, self.models) if self.args.peers else ():
            folder = self.work / name
            link = link_model(model, folder)
            gather_inputs(model, folder / "inputs")
            for engine in self.args.engines:
                rows = self.theirs.setdefault((engine, name), [])
                if isinstance(rows, dict):
                    continue
                row = peer_row(self.args.peers, link, folder / "inputs", engine, self.args.threads, self.args.repeat)
                if "error" in row:
                    self.theirs[engine, name] = row
                else:
                    rows.append(row)

    def median(self, key):
        values = [r[key] for r in self.runs if r.get(key) is not None]
        return statistics.median(values) if values else None

    def model_ms(self, index):
        if len(self.names) == 1:
            return self.median("warm_ms")
        return statistics.median(r["models"][index].get("ms", 0) for r in self.runs)

    def their(self, engine, name, key):
        rows = self.theirs.get((engine, name), [])
        values = [r[key] for r in rows if r.get(key) is not None] if isinstance(rows, list) else []
        return statistics.median(values) if values else None

    def exact(self):
        return all(r["planned_peak_bytes"] == r["actual_peak_bytes"] for r in self.runs)

    def result(self):
        """Everything as one object, for scripts."""
        peers = {e: {n: {k: self.their(e, n, k) for k in ("cold_ms", "warm_ms", "rss_mib")} for n in self.names
                     if self.their(e, n, "cold_ms") is not None} for e in self.args.engines} if self.args.peers else {}
        return {"networks": self.names, "budget_bytes": self.budget, "weights_bytes": self.whole["weights_bytes"],
                "planned_bytes": self.numbers["planned_peak_bytes"]["device"],
                "actual_bytes": max(r["actual_peak_bytes"]["device"] for r in self.runs), "exact": self.exact(),
                "resident_bytes": self.whole["planned_peak_bytes"]["device"],
                "peak_rss_bytes": max(r["peak_rss_bytes"] for r in self.runs),
                "bytes_streamed": self.numbers["streamed_bytes"], "cold_ms": self.median("cold_ms"),
                "warm_ms": self.median("warm_ms"), "stall_ms": self.median("stall_ms"),
                "lower_bound_ratio": self.median("lower_bound_ratio"), "limited_bound_ratio": self.median("limited_bound_ratio"),
                "predicted_cold_ms": self.numbers["predicted_ms"], "predicted_warm_ms": self.median("predicted_warm_ms"),
                "model_ms": {n: self.model_ms(i) for i, n in enumerate(self.names)}, "peers": peers}


def peers_table(r, mine):
    out = ["| engine | networks | all loaded, MiB | largest, MiB | cold, sum ms | warm, sum ms | all loaded / edgert |",
           "|---|---:|---:|---:|---:|---:|---:|",
           f"| **edgert** | {len(r['networks'])} | **{mine:,.0f}** | {mine:,.0f} | {number(r['cold_ms'])} | "
           f"{number(r['warm_ms'])} | 1 |"]
    whole = []
    for engine, rows in r["peers"].items():
        total = lambda key: sum(v[key] or 0 for v in rows.values())
        if not rows:
            continue
        out.append(f"| {engine} | {len(rows)} | {total('rss_mib'):,.0f} | {max(v['rss_mib'] for v in rows.values()):,.0f} | "
                   f"{number(total('cold_ms'))} | {number(total('warm_ms'))} | {total('rss_mib') / mine:.1f} |")
        if len(rows) == len(r["networks"]):
            whole.append(total("rss_mib"))
    if whole:
        out.append(f"\nEngines that run all networks take {statistics.mean(whole):,.0f} MiB on average with all loaded: "
                   f"**{statistics.mean(whole) / mine:.1f}** times as much.")
    return "\n".join(out)


def report(args, chain):
    r = chain.result()
    mine = r["peak_rss_bytes"] / 2**20
    each = "\n".join(f"| {n} | {number(ms)} |" for n, ms in r["model_ms"].items())
    failed = "\n".join(f"- {n}: {e}: {v['error']}" for (e, n), v in chain.theirs.items() if isinstance(v, dict))
    text = f"""# Several networks in one budget

Made by `make bench-chain`: {len(r['networks'])} networks in one plan, {args.rounds} round{'s' if args.rounds > 1 else ''} of one cold and {args.repeat}
more runs each, {args.threads} threads; medians over the rounds, largest values of memory.

| | |
|---|---:|
| weights of all networks | {r['weights_bytes']:,} bytes |
| budget | {r['budget_bytes']:,} bytes |
| planned peak | {r['planned_bytes']:,} bytes |
| actual peak | {r['actual_bytes']:,} bytes{'' if r['exact'] else ' (NOT AS PLANNED)'} |
| the same, all resident | {r['resident_bytes']:,} bytes |
| process, at most | {mine:,.1f} MiB |
| streamed in a run | {r['bytes_streamed']:,} bytes |
| cold: start to the last output of the first run | {number(r['cold_ms'])} ms, {number(r['predicted_cold_ms'])} predicted |
| a later run | {number(r['warm_ms'])} ms, {number(r['predicted_warm_ms'])} predicted; stalled {number(r['stall_ms'])} of them |
| T/T* | {number(r['lower_bound_ratio'])}; over the bound of all schedules in this memory {number(r['limited_bound_ratio'])} |

| network, in its turn | ms |
|---|---:|
{each}
"""
    if args.peers:
        text += f"""
## Beside other engines

Each network in a process of its own, memory above the level after import; ours is the whole process.
Cold and warm are sums over the networks.

{peers_table(r, mine)}
"""
    if failed:
        text += f"\nCould not run:\n\n{failed}\n"
    return text, r


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("models", nargs="+", type=Path)
    ap.add_argument("--edgec", default="./edgec")
    ap.add_argument("--edgert", default="./edgert")
    ap.add_argument("--budget", default="10%", help="of the device; default: 10%% of the weights")
    ap.add_argument("--peers", type=Path)
    ap.add_argument("--engines", default=ENGINES, type=lambda s: s.split(","))
    ap.add_argument("--threads", type=int, default=2)
    ap.add_argument("--repeat", type=int, default=5, help="runs after the first one of each process")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("-o", "--output", type=Path, help="Markdown; default: standard output")
    ap.add_argument("--json", type=Path, help="the same numbers for scripts")
    ap.add_argument("--work", type=Path, help="folder for the plan and conversions, kept; default: a temporary one")
    args = ap.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        chain = Chain(args, work)
        print(f"compiling {len(chain.names)} networks", file=sys.stderr, flush=True)
        chain.compile()
        for r in range(args.rounds):
            print(f"round {r + 1} of {args.rounds}", file=sys.stderr, flush=True)
            chain.round()
        text, result = report(args, chain)
    if args.json:
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    if args.output:
        args.output.write_text(text)
    else:
        print(text)
    if not result["exact"]:
        sys.exit("the actual peak is not the planned one")


if __name__ == "__main__":
    main()
