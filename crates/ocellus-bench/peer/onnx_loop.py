#!/usr/bin/env python3
"""The peer of the throughput benchmark: what a person would write with Pillow and onnxruntime.

usage: onnx_loop.py MODEL FOLDER --callers N --intra N
Reads every photograph of FOLDER from disk, decodes and resizes it with Pillow as the manifest says
(short side to 256, bicubic, centre 224 x 224, (x - 127) / 128), runs the model, takes the five best classes.
Prints one JSON line: images, seconds, images a second.
"""
import argparse
import json
import pathlib
import queue
import threading
import time

import numpy as np
import onnxruntime
from PIL import Image


def session(model, intra):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def describe(run, path):
    with Image.open(path) as image:
        scale = 256 / min(image.size)
        size = [max(256, round(side * scale)) for side in image.size]
        left, top = (size[0] - 224) // 2, (size[1] - 224) // 2
        pixels = image.convert("RGB").resize(size, Image.BICUBIC).crop((left, top, left + 224, top + 224))
    tensor = ((np.asarray(pixels, dtype=np.float32) - 127.0) / 128.0).transpose(2, 0, 1)[None]
    logits = run.run(["logits"], {run.get_inputs()[0].name: np.ascontiguousarray(tensor)})[0][0]
    e = np.exp(logits - logits.max())
    probabilities = e / e.sum()
    best = np.argsort(-probabilities)[:5]
    return [(int(i), float(probabilities[i])) for i in best]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("folder")
    parser.add_argument("--callers", type=int, default=1)
    parser.add_argument("--intra", type=int, default=1)
    args = parser.parse_args()
    paths = sorted(pathlib.Path(args.folder).iterdir())
    run = session(args.model, args.intra)
    for path in paths[:3]:  # load and warm up outside the clock
        describe(run, path)
    work = queue.SimpleQueue()
    for path in paths:
        work.put(path)

    def caller():
        while True:
            try:
                path = work.get_nowait()
            except queue.Empty:
                return
            describe(run, path)

    threads = [threading.Thread(target=caller) for _ in range(args.callers)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    print(json.dumps({"images": len(paths), "seconds": seconds, "images_per_s": len(paths) / seconds}))


if __name__ == "__main__":
    main()
