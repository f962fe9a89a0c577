# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks beside other engines share: inputs, the peers' script, numbers in tables."""
import json
import os
import re
import shutil
import subprocess
import sys

ENGINES = "ort ort-opt openvino openvino-cache ncnn mnn".split()


def safe(name):
    return re.sub(r"[^A-Za-z0-9_.-]", "_", name)


def word(name):
    """A name of the .edge language."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return name if name[:1].isalpha() else f"n_{name}"


def gather_inputs(model, folder):
    """Copies the inputs of a network to folder/NAME.npy; returns the names."""
    import onnx
    graph = onnx.load(str(model), load_external_data=False).graph
    weights = {i.name for i in graph.initializer}
    names = [i.name for i in graph.input if i.name not in weights]
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        for place in (model.with_suffix(".inputs") / f"{safe(name)}.npy",
                      model.with_suffix(".ref") / f"input_0_{re.sub(r'[^A-Za-z0-9]', '_', name)}.npy",
                      model.with_suffix(".ref") / f"input_0_{safe(name)}.npy"):
            if place.exists():
                shutil.copy(place, folder / f"{safe(name)}.npy")
                break
        else:
            sys.exit(f"no input {name} for {model}")
    return names


def link_model(model, folder):
    """An ONNX file and its data in a folder of our own, since the peers' conversions land beside it.

    A hard link where that can be: the peers' script follows symbolic ones to the original's folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for file in [model, *model.parent.glob(model.name + ".data")]:
        target = folder / file.name
        if not target.exists():
            try:
                target.hardlink_to(file.resolve())
            except OSError:
                shutil.copy(file, target)
    return folder / model.name


def peer_row(peers, model, inputs, engine, threads, warm):
    """One measurement of another engine: {"cold_ms", "warm_ms", "rss_mib"} or {"error"}."""
    env = dict(os.environ)
    if engine == "ncnn":  # its converter is a program of the same environment; others clash with what stands there
        env["PATH"] = f"{os.path.dirname(sys.executable)}:{env['PATH']}"
    out = subprocess.run([sys.executable, peers, model, "--inputs", inputs, "--engines", engine, "--threads",
                          str(threads), "--warm", str(warm), "--rounds", "1", "--json"],
                         capture_output=True, text=True, env=env)
    lines = out.stdout.strip().splitlines()
    return json.loads(lines[-1])["results"][0] if lines else {"error": out.stderr.strip()[-160:]}


def tool(command, what):
    """The JSON object that edgec or edgert prints; ends the benchmark with its message where it fails."""
    out = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if out.returncode:
        sys.exit(f"{what}: {out.stderr.strip()}")
    return json.loads(out.stdout)


def evict(path):
    """The next to read a file reads it from the disk."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


TOUCH = """
import mmap, sys
m = mmap.mmap(-1, int(sys.argv[1]), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)  # shared memory has no large pages
m.madvise(mmap.MADV_HUGEPAGE)
m[::4096] = bytes(len(m[::4096]))
"""


def settle(size, *files):
    """The same start for every engine: no file in the page cache, and `size` bytes of memory that the machine has at hand.

    A virtual machine's free memory goes back to its host after a while, and whoever touches it first waits for the
    host to give it again: up to seconds for a gigabyte, and nothing that an engine could change. A process of ours
    pays for that before each start.
    """
    for file in files:
        evict(file)
    subprocess.run([sys.executable, "-c", TOUCH, str(size)], check=True)


def number(v, digits=3):
    return "–" if v is None else f"{v:,.{digits}g}" if v < 100 else f"{v:,.0f}"
