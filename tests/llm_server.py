#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
#
# llm_server.py MODE [LOG]: a chat endpoint that plays a part, on a free port of
# 127.0.0.1, which it prints. It ends when its standard input does.
#
#   good        proposes by a simple rule: halve the bits of one knob after the other, from the best
#   slow        the same after two seconds
#   fenced      the same, as prose with a fenced block and thinking before it
#   tools       the same, as arguments of a tool call, content null
#   parts       the same, content as an array of parts
#   malformed, truncated, html, empty, refusal, reasoning, array, deep, huge, nul
#               replies that cannot be used
#   hostile     knobs that do not exist, values out of range, shell code, megabytes of names
#   limit       429 with Retry-After: 0.1 once in two requests, then good
#   error500    500 always;  error401: 401;  redirect: 302 to another place
#   picky       400 for max_tokens, temperature, seed and json_schema until they are left out; then good
#   echo        good, but sends the request's headers back in a field
import json
import random
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

mode = sys.argv[1]
log = open(sys.argv[2], "a", encoding="utf-8") if len(sys.argv) > 2 else None
count = 0
lock = threading.Lock()


def knobs_of(text):
    out = []
    for line in text.split("\n"):
        if line.startswith('{"name"'):
            out.append(json.loads(line))
    return out


def history_of(text):
    """[(config, score, counts)] of the best results, the best last"""
    out = []
    for line in text[text.rfind("# Best results"):].split("\n"):
        m = re.match(r"#\d+ (.*) -> score ([-0-9.e+]+)", line)
        if m:
            config = {} if m.group(1) == "(heuristic)" else dict(p.split("=", 1) for p in m.group(1).split(" "))
            out.append((config, float(m.group(2)), "does not count" not in line))
    return out


def propose(request):
    """What somebody would do who has read the advice: from the best, one step further in one or two knobs."""
    static, dynamic = request["messages"][1]["content"], request["messages"][-1]["content"]
    knobs = knobs_of(static)
    seed = request.get("seed", 0)
    rng = random.Random(seed * 7919 + count)
    past = history_of(dynamic)
    good = [p for p in past if p[2]] or [({}, 1, True)]
    best = good[-1][0]
    seen = [p[0] for p in past]
    out = []
    for attempt in range(50):
        config = dict(best)
        for knob in rng.sample(knobs, min(len(knobs), 1 + (attempt > 10))):
            if knob["type"] == "float":
                config[knob["name"]] = knob["min"] + rng.random() * (knob["max"] - knob["min"])
                continue
            values = knob["values"]
            at = values.index(config.get(knob["name"], knob["initial"]))
            step = rng.choice([1, 1, 1, 2, -1])
            config[knob["name"]] = values[max(0, min(len(values) - 1, at + step))]
        if config not in seen and config not in out:
            out.append(config)
        if len(out) == 2:
            break
    return out


def answer(content, **message):
    return json.dumps({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "scripted",
        "choices": [{"index": 0, "finish_reason": message.pop("finish", "stop"),
                     "message": {"role": "assistant", "content": content, **message}}],
        "usage": {"prompt_tokens": 900, "completion_tokens": 100, "total_tokens": 1000}}).encode()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def send(self, status, body, kind="application/json", **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for k, v in headers.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass

    def do_GET(self):
        if log:
            log.write("GET " + self.path + "\n")
            log.flush()
        self.send(200, answer("{}"))

    def do_POST(self):
        global count
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = json.loads(body)
        with lock:
            count += 1
            n = count
        if log:
            log.write(self.path + " key=" + str(self.headers.get("Authorization")) + "\n")
            log.flush()
        good = json.dumps({"thought": "fewer bits where it hurts least", "action": "propose", "proposals": propose(request)})
        if mode == "slow":
            time.sleep(2)
        if mode in ("good", "slow"):
            return self.send(200, answer(good))
        if mode == "fenced":
            return self.send(200, answer("<think>{\"proposals\": 3} maybe</think>Here it is:\n```json\n" + good + "\n```\nGood luck!"))
        if mode == "tools":
            call = {"id": "c", "type": "function", "function": {"name": "propose", "arguments": good}}
            return self.send(200, answer(None, tool_calls=[call], finish="tool_calls"))
        if mode == "parts":
            return self.send(200, answer([{"type": "text", "text": good[:20]}, {"type": "text", "text": good[20:]}]))
        if mode == "malformed":
            return self.send(200, b'{"choices": [{"message": {"content": "{\\"prop')
        if mode == "truncated":
            return self.send(200, answer(good[:25], finish="length"))
        if mode == "html":
            return self.send(200, b"<html><body>502 Bad Gateway</body></html>", "text/html")
        if mode == "empty":
            return self.send(200, b"")
        if mode == "refusal":
            return self.send(200, answer(None, refusal="I cannot help with that."))
        if mode == "reasoning":
            return self.send(200, answer("", reasoning_content="Let me think about tiles " + good, finish="length"))
        if mode == "array":
            return self.send(200, answer("[1, 2, 3]"))
        if mode == "deep":
            return self.send(200, answer("[" * 100000 + "{" * 100000))
        if mode == "huge":
            return self.send(200, b" " * (9 << 20))
        if mode == "nul":
            return self.send(200, b'{"choices": [\0]}')
        if mode == "hostile":
            evil = {"format.conv": "$(touch /tmp/evil)", "rm -rf": "/", "x" * 100000: "1", "threads": -5, "tile_m": 1e308,
                    "\u0000": None, "format.all": ["q4"], "stream": {"a": {"b": 1}}}
            return self.send(200, answer(json.dumps({"action": "propose", "proposals": [evil] * 50, "config": evil})))
        if mode == "limit":
            if n % 2:
                return self.send(429, b'{"error": {"message": "slow down"}}', Retry_After="0.1")
            return self.send(200, answer(good))
        if mode == "error500":
            return self.send(500, b'{"error": {"message": "out of order"}}', retry_after_ms="20")
        if mode == "error401":
            return self.send(401, b'{"error": {"message": "who are you?"}}')
        if mode == "redirect":
            return self.send(302, b"", Location="/elsewhere")
        if mode == "picky":
            if "max_tokens" in request:
                return self.send(400, b'{"error": {"message": "Unsupported parameter: max_tokens", "code": 400}}')
            for field in ("temperature", "seed"):
                if field in request:
                    return self.send(400, json.dumps({"error": field + " is not supported"}).encode())
            if request.get("response_format", {}).get("type") == "json_schema":
                return self.send(400, b'{"object": "error", "message": "response_format json_schema is not known"}')
            return self.send(200, answer(good))
        kind = request.get("response_format", {}).get("type")
        if mode == "llamacpp":  # a model that is still being loaded, a grammar that cannot be made, thoughts beside the content
            if n == 1:
                return self.send(503, b'{"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}', Retry_After="0.05")
            if kind == "json_schema":
                return self.send(400, b'{"error": {"code": 400, "message": "Failed to parse grammar", "type": "invalid_request_error"}}')
            reply = json.loads(answer(good, reasoning_content="{\"proposals\": []} would be nothing"))
            reply["timings"] = {"prompt_n": 900, "predicted_per_second": 33.1}
            return self.send(200, json.dumps(reply).encode(), "application/json; charset=utf-8")
        if mode == "ollama":  # no usage, arguments of a call as an object, empty content
            reply = json.loads(answer("", tool_calls=[{"id": "call_0", "index": 0, "type": "function",
                                                       "function": {"name": "propose", "arguments": json.loads(good)}}]))
            del reply["usage"]
            reply["system_fingerprint"] = "fp_ollama"
            return self.send(200, json.dumps(reply).encode())
        if mode == "vllm":  # errors without a wrapper, lists that are there and empty, nulls
            if request.get("max_tokens", 0) > 512 and n == 1:
                return self.send(400, b'{"object": "error", "message": "max_tokens is too large: 1024. This model\'s maximum context '
                                      b'length is 4096 tokens", "type": "BadRequestError", "param": null, "code": 400}')
            reply = json.loads(answer("```\n" + good + "\n```", tool_calls=[], reasoning_content=None, refusal=None))
            reply["choices"][0].update({"logprobs": None, "stop_reason": None})
            reply["usage"]["prompt_tokens_details"] = None
            return self.send(200, json.dumps(reply).encode())
        if mode == "echo":
            reply = json.loads(answer(good))
            reply["headers"] = dict(self.headers)
            return self.send(200, json.dumps(reply).encode())
        return self.send(404, b"{}")


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(server.server_address[1], flush=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
