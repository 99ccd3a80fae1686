"""EfficientNet-Lite0: PyTorch state_dict to ONNX with class logits and the 1280-number feature as outputs.

Batch normalisation is folded into the convolutions, in double precision with one rounding to float32 at the
end. Padding follows TensorFlow's "SAME" rule, for which the weights were trained: with stride 2 the extra
pixel goes to the bottom and right.
"""

import array
import math

from . import onnx_writer, torch_pickle

SIDE = 224
CLASSES = 1000
FEATURES = 1280
OPSET = 13
BATCH_NORM_EPSILON = 1e-3
# (blocks, kernel, stride of the first block) of the seven stages of MBConv blocks.
STAGES = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1))


def _fold(tensors, convolution, norm):
    """Weights and bias of a convolution that has taken its batch normalisation in."""
    shape, weights = tensors[convolution + ".weight"]
    gamma, beta, mean, variance = (
        tensors[f"{norm}.{part}"].values for part in ("weight", "bias", "running_mean", "running_var")
    )
    scales = [g / math.sqrt(v + BATCH_NORM_EPSILON) for g, v in zip(gamma, variance)]
    row = len(weights) // shape[0]
    folded = array.array("f")
    for channel, scale in enumerate(scales):
        folded.extend([w * scale for w in weights[channel * row : (channel + 1) * row]])
    bias = array.array("f", [b - m * s for b, m, s in zip(beta, mean, scales)])
    return shape, folded, bias


class _Builder:
    def __init__(self, tensors):
        self.tensors = tensors
        self.graph = onnx_writer.Graph("efficientnet-lite0")
        self.value = self.graph.input("input", ["N", 3, SIDE, SIDE])
        self.size = SIDE
        self.limits = [self.graph.scalar("zero", 0.0), self.graph.scalar("six", 6.0)]

    def convolve(self, name, norm, stride=1, depthwise=False, activate=True):
        shape, weights, bias = _fold(self.tensors, name, norm)
        kernel = shape[2]
        out_size = -(-self.size // stride)
        pad = max((out_size - 1) * stride + kernel - self.size, 0)
        inputs = [
            self.value,
            self.graph.constant(name + ".weight", shape, weights),
            self.graph.constant(name + ".bias", shape[:1], bias),
        ]
        self.value = self.graph.node(
            "Conv", inputs, name, kernel_shape=[kernel] * 2, strides=[stride] * 2,
            pads=[pad // 2, pad // 2, pad - pad // 2, pad - pad // 2], group=shape[0] if depthwise else 1,
        )
        self.size = out_size
        if activate:
            self.value = self.graph.node("Clip", [self.value] + self.limits, name + ".relu6")
        return shape

    def block(self, prefix, kernel, stride):
        entry = self.value
        channels_in = None
        if prefix + "_expand_conv.weight" in self.tensors:
            channels_in = self.convolve(prefix + "_expand_conv", prefix + "_bn0")[1]
        depthwise = self.convolve(prefix + "_depthwise_conv", prefix + "_bn1", stride, depthwise=True)
        if depthwise[2] != kernel:
            raise ValueError(f"{prefix} has a kernel of {depthwise[2]} pixels instead of {kernel}")
        project = self.convolve(prefix + "_project_conv", prefix + "_bn2", activate=False)
        if stride == 1 and project[0] == (channels_in or depthwise[0]):
            self.value = self.graph.node("Add", [self.value, entry], prefix + "add")


def convert(source):
    """The ONNX file for a legacy PyTorch file of EfficientNet-Lite0."""
    builder = _Builder(torch_pickle.load_state_dict(source))
    builder.convolve("_conv_stem", "_bn0", stride=2)
    index = 0
    for blocks, kernel, first_stride in STAGES:
        for position in range(blocks):
            builder.block(f"_blocks.{index}.", kernel, first_stride if position == 0 else 1)
            index += 1
    if f"_blocks.{index}._project_conv.weight" in builder.tensors:
        raise ValueError("the network has more blocks than EfficientNet-Lite0")
    builder.convolve("_conv_head", "_bn1")
    graph, tensors = builder.graph, builder.tensors
    pooled = graph.node("GlobalAveragePool", [builder.value], "pool")
    feature = graph.node("Flatten", [pooled], "embedding", axis=1)
    weight, bias = tensors["_fc.weight"], tensors["_fc.bias"]
    inputs = [
        feature,
        graph.constant("_fc.weight", weight.shape, weight.values),
        graph.constant("_fc.bias", bias.shape, bias.values),
    ]
    graph.node("Gemm", inputs, "logits", transB=1)
    graph.output("logits", ["N", CLASSES])
    graph.output("embedding", ["N", FEATURES])
    return graph.model(OPSET)
