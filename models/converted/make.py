#!/usr/bin/env python3
"""Makes the files of this folder: networks whose weights come as TensorFlow graphs, written as ONNX once and kept here.

  make.py coco-ssd.onnx|mobilefacenet.onnx CONVERTED OUT

CONVERTED is what TensorFlow's own converter (tf2onnx 1.16.1 with tensorflow-cpu 2.15.1, opset 13) makes of the weights
in the package that models/NOTICES.md names:

  coco-ssd       package/models/coco-ssd/model.json with its shards, from the node
                 Preprocessor/map/TensorArrayStack/TensorArrayGatherV3 (the picture, already 300 by 300) to
                 Postprocessor/Slice and Postprocessor/ExpandDims_1, before the graph's own suppression of doubles
  mobilefacenet  package/android/src/main/assets/MobileFaceNet.tflite, which takes exactly two pictures

Here inputs and outputs get short names, the detector another output and fewer classes, and the faces come in any number. No
weight is changed:
the outputs that were there before are compared with the source's on random pixels, and must be the same. Needs numpy,
onnx and onnxruntime.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

LABELS = Path(__file__).resolve().parent.parent / "labels" / "coco.tsv"
NAMES = {
    "coco-ssd.onnx": {
        "Preprocessor/map/TensorArrayStack/TensorArrayGatherV3:0": "image",
        "Postprocessor/Slice:0": "all_scores",
        "Postprocessor/ExpandDims_1:0": "boxes",
        "FeatureExtractor/MobilenetV2/expanded_conv_6/expand/Relu6:0": "features",
    },
    "mobilefacenet.onnx": {"input": "image", "embeddings": "embedding"},
}


def rename(graph, names):
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in list(graph.input) + list(graph.output):
        value.name = names.get(value.name, value.name)
    del graph.value_info[:]


def keep_named_classes(graph):
    """Of the 90 columns only 80 stand for a class; the table of labels has them in order."""
    rows = [line.split("\t") for line in LABELS.read_text(encoding="utf-8").splitlines()[1:]]
    columns = np.array([int(row[3]) - 1 for row in rows], np.int64)
    graph.initializer.append(numpy_helper.from_array(columns, "columns"))
    graph.node.append(helper.make_node("Gather", ["all_scores", "columns"], ["scores"], name="scores", axis=2))
    boxes = next(value for value in graph.output if value.name == "boxes")
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 1917, len(columns)]))
    graph.output.append(boxes)
    graph.output.append(helper.make_tensor_value_info("features", TensorProto.FLOAT, [1, 192, 38, 38]))


def free_batch(graph):
    """Two pictures become any number: in the shapes of input and output, and where a shape is written out."""
    for value in list(graph.input) + list(graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    shapes = {name for node in graph.node if node.op_type == "Reshape" for name in node.input[1:]}
    for tensor in graph.initializer:
        if tensor.name in shapes:
            shape = numpy_helper.to_array(tensor).copy()
            assert shape[0] == 2
            shape[0] = -1
            tensor.CopyFrom(numpy_helper.from_array(shape, tensor.name))


def session(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options)


def check(kind, source, made):
    """The same pixels must give the same numbers."""
    before, after = session(source), session(made)
    shape = before.get_inputs()[0].shape
    pixels = np.random.RandomState(1).randint(0, 256, shape).astype(np.float32)
    old = before.run(None, {before.get_inputs()[0].name: pixels})
    new = after.run(None, {"image": pixels})
    if kind == "coco-ssd.onnx":
        rows = [line.split("\t") for line in LABELS.read_text(encoding="utf-8").splitlines()[1:]]
        old[0] = old[0][:, :, [int(row[3]) - 1 for row in rows]]
    else:
        one = after.run(None, {"image": pixels[:1]})
        if np.abs(one[0] - old[0][:1]).max() > 1e-4 * np.abs(old[0]).max():
            sys.exit(f"{kind}: one picture alone gives something else")
    for a, b in zip(old, new):
        if not np.array_equal(a, b):
            sys.exit(f"{kind}: the outputs changed by up to {np.abs(a - b).max()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=sorted(NAMES))
    parser.add_argument("converted", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    model = onnx.load(arguments.converted)
    rename(model.graph, NAMES[arguments.kind])
    if arguments.kind == "coco-ssd.onnx":
        keep_named_classes(model.graph)
    else:
        free_batch(model.graph)
    model.producer_name, model.producer_version = "tf2onnx", "1.16.1"
    onnx.checker.check_model(model)
    made = model.SerializeToString(deterministic=True)
    check(arguments.kind, arguments.converted.read_bytes(), made)
    arguments.out.write_bytes(made)


if __name__ == "__main__":
    main()
