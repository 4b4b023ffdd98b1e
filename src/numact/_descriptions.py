"""What is said of each activation: the words and formulas of its docstrings and of its catalogue record."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from types import MappingProxyType
from typing import Literal, NamedTuple

Kind = Literal["elementwise", "gated", "axis", "random"]
Saturation = Literal["left", "right", "both", "no"]
_NONE: Mapping[str, str] = MappingProxyType({})


class Description(NamedTuple):
    """The prose of one activation.

    ``formula`` and ``derivative`` are LaTeX, ``plain`` and ``plain_derivative`` the same for a terminal; ``examples``
    maps the suffix of a function ("", "_backward", "_backward_from_output") to lines of a doctest; ``learned`` says
    that backward returns the gradient of the parameter too.
    """

    summary: str
    plain: str
    plain_derivative: str
    formula: str
    derivative: str
    output_range: tuple[float, float]
    zero_centered: bool
    saturates: Saturation
    monotonic: bool
    source: str
    kink: str = ""
    remarks: str = ""
    from_output: str = ""
    learned: bool = False
    parameters: Mapping[str, str] = _NONE
    examples: Mapping[str, str] = _NONE


_SELU_MINIMUM = -1.7580993408473768599402175208123

_GATE_FIRST = (
    "The gate comes first. torch.nn.functional.glu has its gate last: it multiplies the first half of its input by the "
    "sigmoid of the second."
)

DESCRIPTIONS: Mapping[str, Description] = MappingProxyType(
    {
        "relu": Description(
            summary="Rectified linear unit",
            plain="relu(x) = max(x, 0)",
            plain_derivative="relu'(x) = 1 for x > 0, else 0",
            formula=r"\max(x, 0)",
            derivative=r"[x > 0]",
            output_range=(0.0, inf),
            zero_centered=False,
            saturates="left",
            monotonic=True,
            source="V. Nair, G. Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, ICML 2010",
            kink="relu'(0) = 0; relu(-0.0) is -0.0.",
            remarks="A unit whose input is never positive gets no gradient and stays dead: start with a small "
            "positive bias (0.01), lower the learning rate, or use a leaky variant.",
            from_output="Nothing is lost: the sign of the output is the sign of the input.",
            examples={
                "": ">>> na.relu(np.array([-2.0, 0.0, 3.0]))\narray([0., 0., 3.])",
                "_backward": ">>> na.relu_backward(1.0, np.array([-2.0, 0.0, 3.0]))\narray([0., 0., 1.])",
                "_backward_from_output": ">>> na.relu_backward_from_output(1.0, np.array([0.0, 3.0]))\narray([0., 1.])",
            },
        ),
        "relu6": Description(
            summary="Rectified linear unit that ends at 6",
            plain="relu6(x) = min(max(x, 0), 6)",
            plain_derivative="relu6'(x) = 1 for 0 < x < 6, else 0",
            formula=r"\min(\max(x, 0), 6)",
            derivative=r"[0 < x < 6]",
            output_range=(0.0, 6.0),
            zero_centered=False,
            saturates="both",
            monotonic=True,
            source="A. Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10, 2010",
            kink="relu6'(0) = relu6'(6) = 0; relu6(-0.0) is -0.0.",
            remarks="Its outputs stay in a range that low-precision formats hold.",
            from_output="Nothing is lost: the output tells the side of the input.",
            examples={
                "": ">>> na.relu6(np.array([-2.0, 3.0, 8.0]))\narray([0., 3., 6.])",
                "_backward": ">>> na.relu6_backward(1.0, np.array([-2.0, 3.0, 8.0]))\narray([0., 1., 0.])",
                "_backward_from_output": ">>> na.relu6_backward_from_output(1.0, np.array([0.0, 3.0, 6.0]))\n"
                "array([0., 1., 0.])",
            },
        ),
        "squared_relu": Description(
            summary="Square of the rectified linear unit",
            plain="squared_relu(x) = max(x, 0)^2",
            plain_derivative="squared_relu'(x) = 2 * max(x, 0)",
            formula=r"\max(x, 0)^2",
            derivative=r"2 \max(x, 0)",
            output_range=(0.0, inf),
            zero_centered=False,
            saturates="left",
            monotonic=True,
            source="D. So, W. Manke, H. Liu, Z. Dai, N. Shazeer, Q. Le, Primer: Searching for Efficient Transformers "
            "for Language Modeling, NeurIPS 2021",
            remarks="No kink at 0: the derivative is continuous, and no exponential is needed for that.",
            examples={
                "": ">>> na.squared_relu(np.array([-2.0, 0.0, 3.0]))\narray([0., 0., 9.])",
                "_backward": ">>> na.squared_relu_backward(1.0, np.array([-2.0, 0.0, 3.0]))\narray([0., 0., 6.])",
            },
        ),
        "leaky_relu": Description(
            summary="Leaky rectified linear unit",
            plain="leaky_relu(x) = x for x > 0, negative_slope * x elsewhere",
            plain_derivative="leaky_relu'(x) = 1 for x > 0, negative_slope elsewhere",
            formula=r"x\,[x > 0] + s\,x\,[x \le 0]",
            derivative=r"[x > 0] + s\,[x \le 0]",
            output_range=(-inf, inf),
            zero_centered=False,
            saturates="no",
            monotonic=True,
            source="A. Maas, A. Hannun, A. Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models, ICML "
            "2013",
            kink="leaky_relu'(0) = negative_slope.",
            remarks="The small slope on the left keeps a gradient alive where relu has none.",
            from_output="Nothing is lost where `negative_slope` is at least 0; below, the output does not tell the "
            "sign of the input.",
            parameters={"negative_slope": "Slope left of 0, any number but NaN."},
            examples={
                "": ">>> na.leaky_relu(np.array([-2.0, 0.0, 3.0]), 0.1)\narray([-0.2,  0. ,  3. ])",
                "_backward": ">>> na.leaky_relu_backward(1.0, np.array([-2.0, 0.0, 3.0]), negative_slope=0.1)\n"
                "array([0.1, 0.1, 1. ])",
                "_backward_from_output": ">>> na.leaky_relu_backward_from_output(1.0, np.array([-0.2, 3.0]), 0.1)\n"
                "array([0.1, 1. ])",
            },
        ),
        "prelu": Description(
            summary="Parametric rectified linear unit: leaky_relu with a learned slope",
            plain="prelu(x, weight) = x for x > 0, weight * x elsewhere",
            plain_derivative="prelu'(x) = 1 for x > 0, weight elsewhere; d prelu / d weight = min(x, 0)",
            formula=r"x\,[x > 0] + w\,x\,[x \le 0]",
            derivative=r"[x > 0] + w\,[x \le 0]",
            output_range=(-inf, inf),
            zero_centered=False,
            saturates="no",
            monotonic=True,
            source="K. He, X. Zhang, S. Ren, J. Sun, Delving Deep into Rectifiers, ICCV 2015",
            kink="prelu'(0) = weight.",
            remarks="The slope is learned with the other parameters; He et al. start it at 0.25.",
            learned=True,
            parameters={
                "weight": "Slope left of 0, any number but NaN; for instance of shape (channels, 1, 1) for data of "
                "shape (batch, channels, height, width)."
            },
            examples={
                "": ">>> x = np.array([[-2.0, 4.0], [-1.0, -1.0]])\n"
                ">>> na.prelu(x, np.array([0.5, 0.25]))\narray([[-1.  ,  4.  ],\n       [-0.5 , -0.25]])",
                "_backward": ">>> x = np.array([[-2.0, 4.0], [-1.0, -1.0]])\n"
                ">>> dx, dweight = na.prelu_backward(np.ones((2, 2)), x, np.array([0.5, 0.25]))\n"
                ">>> dx\narray([[0.5 , 1.  ],\n       [0.5 , 0.25]])\n>>> dweight\narray([-3., -1.])",
            },
        ),
        "rrelu": Description(
            summary="Randomised leaky rectified linear unit: in training, every element has a slope of its own",
            plain="rrelu(x) = x for x > 0, slope * x elsewhere,\n"
            "    slope drawn from [lower, upper) in training, else (lower + upper) / 2",
            plain_derivative="rrelu'(x) = 1 for x > 0, slope elsewhere",
            formula=r"x\,[x > 0] + s\,x\,[x \le 0], \quad s \sim U[l, u)",
            derivative=r"[x > 0] + s\,[x \le 0]",
            output_range=(-inf, inf),
            zero_centered=False,
            saturates="no",
            monotonic=True,
            source="B. Xu, N. Wang, T. Chen, M. Li, Empirical Evaluation of Rectified Activations in Convolutional "
            "Network, arXiv:1505.00853, 2015",
            kink="rrelu'(0) = slope.",
            remarks="The noise regularises; the mean slope takes its place when training is over.",
            parameters={
                "lower": "The smallest slope, any finite number.",
                "upper": "The end of the slopes, at least `lower` and finite.",
            },
            examples={
                "": ">>> y, slope = na.rrelu(np.array([-3.0, 2.0]), lower=0.0, upper=0.5)\n>>> y\n"
                "array([-0.75,  2.  ])\n>>> float(slope)\n0.25\n"
                ">>> y, slope = na.rrelu(-np.ones(1000), training=True, rng=1)\n"
                ">>> bool((slope >= 1 / 8).all() and (slope < 1 / 3).all() and (y == -slope).all())\nTrue",
                "_backward": ">>> x = np.array([-3.0, 2.0])\n>>> y, slope = na.rrelu(x, lower=0.0, upper=0.5)\n"
                ">>> na.rrelu_backward(1.0, x, slope)\narray([0.25, 1.  ])",
            },
        ),
        "threshold": Description(
            summary="The identity above a threshold, a constant elsewhere",
            plain="threshold(x) = x for x > threshold, value elsewhere",
            plain_derivative="threshold'(x) = 1 for x > threshold, else 0",
            formula=r"x\,[x > t] + v\,[x \le t]",
            derivative=r"[x > t]",
            output_range=(0.0, inf),
            zero_centered=False,
            saturates="left",
            monotonic=True,
            source="K. Konda, R. Memisevic, D. Krueger, Zero-Bias Autoencoders and the Benefits of Co-Adapting "
            "Features, ICLR 2015",
            kink="threshold'(threshold) = 0.",
            remarks="It jumps at the threshold unless `value` is equal to that; with both 0 it is relu.",
            from_output="Nothing is lost where `value` is at most `threshold`; above, the output does not tell the "
            "side of the input.",
            parameters={
                "threshold": "Where the identity starts, any number but NaN.",
                "value": "The output up to there, any number but NaN.",
            },
            examples={
                "": ">>> na.threshold(np.array([-2.0, 1.0, 3.0]), 1.0, -5.0)\narray([-5., -5.,  3.])",
                "_backward": ">>> na.threshold_backward(1.0, np.array([-2.0, 1.0, 3.0]))\narray([0., 0., 1.])",
                "_backward_from_output": ">>> na.threshold_backward_from_output(1.0, np.array([0.0, 3.0]))\n"
                "array([0., 1.])",
            },
        ),
        "hard_shrink": Description(
            summary="Hard shrinkage: small inputs become 0",
            plain="hard_shrink(x) = x for |x| > lambd, 0 elsewhere",
            plain_derivative="hard_shrink'(x) = 1 for |x| > lambd, else 0",
            formula=r"x\,[|x| > \lambda]",
            derivative=r"[|x| > \lambda]",
            output_range=(-inf, inf),
            zero_centered=True,
            saturates="no",
            monotonic=True,
            source="D. Donoho, I. Johnstone, Ideal Spatial Adaptation by Wavelet Shrinkage, Biometrika 81, 1994",
            kink="The derivative at -lambd and lambd is 0; a zero has the sign of x.",
            from_output="Nothing is lost: an output that is not 0 is the input.",
            parameters={"lambd": "The largest size that becomes 0, at least 0."},
            examples={
                "": ">>> na.hard_shrink(np.array([-2.0, 0.25, 0.75]))\narray([-2.  ,  0.  ,  0.75])",
                "_backward": ">>> na.hard_shrink_backward(1.0, np.array([-2.0, 0.25, 0.75]))\narray([1., 0., 1.])",
                "_backward_from_output": ">>> na.hard_shrink_backward_from_output(1.0, np.array([-2.0, 0.0]))\n"
                "array([1., 0.])",
            },
        ),
        "soft_shrink": Description(
            summary="Soft shrinkage: every input moves towards 0 and stops there",
            plain="soft_shrink(x) = x - lambd for x > lambd, x + lambd for x < -lambd, 0 elsewhere",
            plain_derivative="soft_shrink'(x) = 1 for |x| > lambd, else 0",
            formula=r"\operatorname{sign}(x) \max(|x| - \lambda, 0)",
            derivative=r"[|x| > \lambda]",
            output_range=(-inf, inf),
            zero_centered=True,
            saturates="no",
            monotonic=True,
            source="D. Donoho, De-Noising by Soft-Thresholding, IEEE Transactions on Information Theory 41, 1995",
            kink="The derivative at -lambd and lambd is 0; a zero has the sign of x.",
            remarks="The proximal operator of lambd * |x|.",
            from_output="Nothing is lost, unless x - lambd is below the smallest number of the data's dtype: the "
            "output is 0 just where the derivative is.",
            parameters={"lambd": "How far every input moves, at least 0."},
            examples={
                "": ">>> na.soft_shrink(np.array([-2.0, 0.25, 0.75]))\narray([-1.5 ,  0.  ,  0.25])",
                "_backward": ">>> na.soft_shrink_backward(1.0, np.array([-2.0, 0.25, 0.75]))\narray([1., 0., 1.])",
                "_backward_from_output": ">>> na.soft_shrink_backward_from_output(1.0, np.array([-1.5, 0.0]))\n"
                "array([1., 0.])",
            },
        ),
        "elu": Description(
            summary="Exponential linear unit",
            plain="elu(x) = x for x > 0, alpha * (exp(x) - 1) elsewhere",
            plain_derivative="elu'(x) = 1 for x > 0, alpha * exp(x) elsewhere",
            formula=r"x\,[x > 0] + \alpha (e^x - 1)\,[x \le 0]",
            derivative=r"[x > 0] + \alpha e^x\,[x \le 0]",
            output_range=(-1.0, inf),
            zero_centered=False,
            saturates="left",
            monotonic=True,
            source="D. Clevert, T. Unterthiner, S. Hochreiter, Fast and Accurate Deep Network Learning by "
            "Exponential Linear Units, ICLR 2016",
            kink="elu'(0) = alpha.",
            remarks="Mean outputs are closer to zero than relu's; the saturation on the left is robust to noise. It "
            "costs an exponential.",
            from_output="elu' = y + alpha on the left, which cancels where elu saturates: at x = -10 the gradient "
            "keeps about three digits in float32, at x = -17 none. `alpha` must be at least 0: below, the output "
            "does not tell the sign of the input.",
            parameters={"alpha": "Minus the limit at minus infinity, any number but NaN."},
            examples={
                "": ">>> na.elu(np.array([-np.inf, 0.0, 3.0]))\narray([-1.,  0.,  3.])",
                "_backward": ">>> na.elu_backward(1.0, np.array([-np.inf, 0.0, 3.0]), alpha=0.5)\narray([0. , "
                "0.5, 1. ])",
                "_backward_from_output": ">>> na.elu_backward_from_output(1.0, np.array([-0.75, 3.0]))\n"
                "array([0.25, 1.  ])",
            },
        ),
        "selu": Description(
            summary="Scaled exponential linear unit, which keeps activations normalised by itself",
            plain="selu(x) = scale * (x for x > 0, alpha * (exp(x) - 1) elsewhere),\n"
            "    scale = 1.0507009873554805, alpha = 1.6732632423543772",
            plain_derivative="selu'(x) = scale * (1 for x > 0, alpha * exp(x) elsewhere)",
            formula=r"\lambda\,\bigl(x\,[x > 0] + \alpha (e^x - 1)\,[x \le 0]\bigr)",
            derivative=r"\lambda\,\bigl([x > 0] + \alpha e^x\,[x \le 0]\bigr)",
            output_range=(_SELU_MINIMUM, inf),
            zero_centered=False,
            saturates="left",
            monotonic=True,
            source="G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter, Self-Normalizing Neural Networks, NeurIPS "
            "2017",
            kink="selu'(0) = scale * alpha.",
            remarks="With LeCun-normal weights, mean 0 and variance 1 are a fixed point from layer to layer.",
            from_output="selu' = y + scale * alpha on the left, which cancels where selu saturates: at x = -10 the "
            "gradient keeps about three digits in float32, at x = -17 none.",
            examples={
                "": ">>> na.selu(np.array([0.0, 1.0])).round(4)\narray([0.    , 1.0507])",
                "_backward": ">>> na.selu_backward(1.0, np.array([0.0, 1.0])).round(4)\narray([1.7581, 1.0507])",
                "_backward_from_output": ">>> na.selu_backward_from_output(1.0, np.array([0.0, 1.0])).round(4)\n"
                "array([1.7581, 1.0507])",
            },
        ),
        "celu": Description(
            summary="Continuously differentiable exponential linear unit",
            plain="celu(x) = x for x > 0, alpha * (exp(x / alpha) - 1) elsewhere",
            plain_derivative="celu'(x) = 1 for x > 0, exp(x / alpha) elsewhere",
            formula=r"x\,[x > 0] + \alpha (e^{x / \alpha} - 1)\,[x \le 0]",
            derivative=r"[x > 0] + e^{x / \alpha}\,[x \le 0]",
            output_range=(-1.0, inf),
            zero_centered=False,
            saturates="left",
            monotonic=True,
            source="J. Barron, Continuously Differentiable Exponential Linear Units, arXiv:1704.07483, 2017",
            kink="celu'(0) = 1 from both sides, whatever alpha.",
            remarks="elu whose slope does not jump at 0 where alpha is not 1.",
            from_output="celu' = (y + alpha) / alpha on the left, which cancels where celu saturates: at x = -10 alpha "
            "the gradient keeps about three digits in float32, at x = -17 alpha none.",
            parameters={"alpha": "Minus the limit at minus infinity, greater than 0."},
            examples={
                "": ">>> na.celu(np.array([-np.inf, 0.0, 3.0]), alpha=0.5)\narray([-0.5,  0. ,  3. ])",
                "_backward": ">>> na.celu_backward(1.0, np.array([-np.inf, 0.0, 3.0]), alpha=0.5)\narray([0., 1., 1.])",
                "_backward_from_output": ">>> na.celu_backward_from_output(1.0, np.array([-0.25, 3.0]), alpha=0.5)\n"
                "array([0.5, 1. ])",
            },
        ),
        "sigmoid": Description(
            summary="Logistic sigmoid",
            plain="sigmoid(x) = 1 / (1 + exp(-x))",
            plain_derivative="sigmoid'(x) = sigmoid(x) * sigmoid(-x)",
            formula=r"\frac{1}{1 + e^{-x}}",
            derivative=r"\sigma(x)\,\sigma(-x)",
            output_range=(0.0, 1.0),
            zero_centered=False,
            saturates="both",
            monotonic=True,
            source="Y. LeCun, L. Bottou, G. Orr, K.-R. Mueller, Efficient BackProp, Neural Networks: Tricks of the "
            "Trade, 1998",
            remarks="It saturates on both sides, which stops gradients, and its outputs are all positive, which "
            "makes the gradients of the next layer's weights share one sign.",
            from_output="sigmoid' = y * (1 - y): the output near 1 has lost the digits of 1 - y, at x = 8 the "
            "gradient keeps about four digits in float32, at x = 17 none. The left side loses nothing.",
            examples={
                "": ">>> na.sigmoid(np.array([-np.inf, 0.0, np.inf]))\narray([0. , 0.5, 1. ])",
                "_backward": ">>> na.sigmoid_backward(1.0, np.array([-np.inf, 0.0, np.inf]))\narray([0.  , "
                "0.25, 0.  ])",
                "_backward_from_output": ">>> na.sigmoid_backward_from_output(1.0, np.array([0.5, 1.0]))\n"
                "array([0.25, 0.  ])",
            },
        ),
        "log_sigmoid": Description(
            summary="Logarithm of the logistic sigmoid",
            plain="log_sigmoid(x) = log(1 / (1 + exp(-x))) = -softplus(-x)",
            plain_derivative="log_sigmoid'(x) = sigmoid(-x)",
            formula=r"-\log(1 + e^{-x})",
            derivative=r"\sigma(-x)",
            output_range=(-inf, 0.0),
            zero_centered=False,
            saturates="right",
            monotonic=True,
            source="I. Goodfellow, Y. Bengio, A. Courville, Deep Learning, MIT Press 2016, section 3.10",
            remarks="The log-likelihood of a binary label, without the overflow of log(sigmoid(x)); log_sigmoid(inf) = "
            "-0.0.",
            from_output="Nothing is lost where the output is a normal number: log_sigmoid' = 1 - exp(y), as expm1.",
            examples={
                "": ">>> na.log_sigmoid(np.array([-1000.0, 0.0, np.inf])).round(4)\n"
                "array([-1.000e+03, -6.931e-01, -0.000e+00])",
                "_backward": ">>> na.log_sigmoid_backward(1.0, np.array([-1000.0, 0.0, np.inf]))\n"
                "array([1. , 0.5, 0. ])",
                "_backward_from_output": ">>> na.log_sigmoid_backward_from_output(1.0, np.array([-np.inf, -0.0]))\n"
                "array([1., 0.])",
            },
        ),
        "hard_sigmoid": Description(
            summary="Sigmoid of straight lines",
            plain="hard_sigmoid(x) = min(max(x + 3, 0), 6) / 6",
            plain_derivative="hard_sigmoid'(x) = 1/6 for -3 < x < 3, else 0",
            formula=r"\frac{\min(\max(x + 3, 0), 6)}{6}",
            derivative=r"\frac{1}{6}\,[-3 < x < 3]",
            output_range=(0.0, 1.0),
            zero_centered=False,
            saturates="both",
            monotonic=True,
            source="A. Howard et al., Searching for MobileNetV3, ICCV 2019",
            kink="hard_sigmoid'(-3) = hard_sigmoid'(3) = 0.",
            remarks="The slope is 1/6, as in PyTorch and JAX; Keras before version 3 and ONNX have 0.2.",
            from_output="Nothing is lost but next to 3, where an output may be rounded to 1: there the gradient is 0.",
            examples={
                "": ">>> na.hard_sigmoid(np.array([-4.0, 0.0, 1.5, 3.0]))\narray([0.  , 0.5 , 0.75, 1.  ])",
                "_backward": ">>> na.hard_sigmoid_backward(6.0, np.array([-3.0, 0.0, 3.0]))\narray([0., 1., 0.])",
                "_backward_from_output": ">>> na.hard_sigmoid_backward_from_output(6.0, np.array([0.0, 0.5, 1.0]))\n"
                "array([0., 1., 0.])",
            },
        ),
        "tanh": Description(
            summary="Hyperbolic tangent",
            plain="tanh(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x))",
            plain_derivative="tanh'(x) = 1 - tanh(x)^2",
            formula=r"\tanh x",
            derivative=r"1 - \tanh^2 x",
            output_range=(-1.0, 1.0),
            zero_centered=True,
            saturates="both",
            monotonic=True,
            source="Y. LeCun, L. Bottou, G. Orr, K.-R. Mueller, Efficient BackProp, Neural Networks: Tricks of the "
            "Trade, 1998",
            remarks="Zero-centred, unlike sigmoid, but it saturates on both sides too.",
            from_output="tanh' = (1 - y) * (1 + y): an output near 1 has lost digits, at x = 5 the gradient keeps "
            "about three digits in float32, at x = 9 none.",
            examples={
                "": ">>> na.tanh(np.array([-np.inf, 0.0, np.inf]))\narray([-1.,  0.,  1.])",
                "_backward": '>>> print(f"{na.tanh_backward(1.0, 10.0):.12e}")\n8.244614455767e-09',
                "_backward_from_output": ">>> na.tanh_backward_from_output(1.0, np.array([0.0, 0.5, 1.0]))\n"
                "array([1.  , 0.75, 0.  ])",
            },
        ),
        "hard_tanh": Description(
            summary="The identity between two bounds",
            plain="hard_tanh(x) = min(max(x, min_val), max_val)",
            plain_derivative="hard_tanh'(x) = 1 for min_val < x < max_val, else 0",
            formula=r"\min(\max(x, a), b)",
            derivative=r"[a < x < b]",
            output_range=(-1.0, 1.0),
            zero_centered=True,
            saturates="both",
            monotonic=True,
            source="R. Collobert, Large Scale Machine Learning, PhD thesis, Universite Paris VI, 2004",
            kink="hard_tanh'(min_val) = hard_tanh'(max_val) = 0.",
            from_output="Nothing is lost where the bounds are numbers of the data's dtype, as -1 and 1 are. Others "
            "(0.7 for float16 or bfloat16 data) are rounded in the output, which may then count as between them.",
            parameters={
                "min_val": "The lower bound, any number but NaN, -inf for none.",
                "max_val": "The upper bound, at least `min_val`, inf for none; where arrays cross, the upper counts.",
            },
            examples={
                "": ">>> na.hard_tanh(np.array([-2.0, 0.5, 3.0]), max_val=2.0)\narray([-1. ,  0.5,  2. ])",
                "_backward": ">>> na.hard_tanh_backward(1.0, np.array([-1.0, 0.5, 3.0]))\narray([0., 1., 0.])",
                "_backward_from_output": ">>> na.hard_tanh_backward_from_output(1.0, np.array([-1.0, 0.5, 1.0]))\n"
                "array([0., 1., 0.])",
            },
        ),
        "tanh_shrink": Description(
            summary="What tanh takes away: x - tanh(x)",
            plain="tanh_shrink(x) = x - tanh(x)",
            plain_derivative="tanh_shrink'(x) = tanh(x)^2",
            formula=r"x - \tanh x",
            derivative=r"\tanh^2 x",
            output_range=(-inf, inf),
            zero_centered=True,
            saturates="no",
            monotonic=True,
            source="R. Collobert, K. Kavukcuoglu, C. Farabet, Torch7: A Matlab-like Environment for Machine Learning, "
            "BigLearn, NIPS Workshop 2011",
            remarks="Close to x^3 / 3 near 0, where its gradient vanishes; x - 1 for large x.",
            examples={
                "": ">>> na.tanh_shrink(np.array([-np.inf, -0.0, np.inf]))\narray([-inf,  -0.,  inf])",
                "_backward": ">>> na.tanh_shrink_backward(1.0, np.array([-np.inf, 0.0, np.inf]))\narray([1., 0., 1.])",
            },
        ),
        "softsign": Description(
            summary="Softsign, a sigmoid without an exponential",
            plain="softsign(x) = x / (1 + |x|)",
            plain_derivative="softsign'(x) = 1 / (1 + |x|)^2",
            formula=r"\frac{x}{1 + |x|}",
            derivative=r"\frac{1}{(1 + |x|)^2}",
            output_range=(-1.0, 1.0),
            zero_centered=True,
            saturates="both",
            monotonic=True,
            source="J. Bergstra, G. Desjardins, P. Lamblin, Y. Bengio, Quadratic Polynomials Learn Better Image "
            "Features, Technical Report 1337, DIRO, Universite de Montreal, 2009",
            remarks="It saturates as 1 / x, more gently than tanh.",
            from_output="softsign' = (1 - |y|)^2: an output near 1 has lost digits, at |x| = 1000 the gradient keeps "
            "about four digits in float32.",
            examples={
                "": ">>> na.softsign(np.array([-np.inf, -1.0, 0.0, 3.0]))\narray([-1.  , -0.5 ,  0.  ,  0.75])",
                "_backward": ">>> na.softsign_backward(1.0, np.array([-1.0, 0.0, 3.0]))\n"
                "array([0.25  , 1.    , 0.0625])",
                "_backward_from_output": ">>> na.softsign_backward_from_output(1.0, np.array([-0.5, 0.0, 0.75]))\n"
                "array([0.25  , 1.    , 0.0625])",
            },
        ),
        "softplus": Description(
            summary="Softplus, the smooth rectifier whose derivative is the sigmoid",
            plain="softplus(x, beta) = log(1 + exp(beta * x)) / beta",
            plain_derivative="softplus'(x) = sigmoid(beta * x)",
            formula=r"\frac{1}{\beta} \log(1 + e^{\beta x})",
            derivative=r"\sigma(\beta x)",
            output_range=(0.0, inf),
            zero_centered=False,
            saturates="left",
            monotonic=True,
            source="C. Dugas, Y. Bengio, F. Belisle, C. Nadeau, R. Garcia, Incorporating Second-Order Functional "
            "Knowledge for Better Option Pricing, NIPS 2000",
            remarks="No threshold from which on it is x. A large beta approaches relu.",
            from_output="Nothing is lost where the output is a normal number: softplus' = 1 - exp(-beta * y), as "
            "expm1.",
            parameters={"beta": "Steepness, greater than 0."},
            examples={
                "": ">>> na.softplus(np.array([-np.inf, 0.0, 1000.0])).round(4)\n"
                "array([0.000e+00, 6.931e-01, 1.000e+03])",
                "_backward": ">>> na.softplus_backward(1.0, np.array([-np.inf, 0.0, 1000.0]), beta=2.0)\n"
                "array([0. , 0.5, 1. ])",
                "_backward_from_output": ">>> na.softplus_backward_from_output(1.0, np.array([0.0, np.inf]))\n"
                "array([0., 1.])",
            },
        ),
        "squareplus": Description(
            summary="Squareplus, a smooth rectifier without an exponential",
            plain="squareplus(x, b) = (x + sqrt(x^2 + b)) / 2",
            plain_derivative="squareplus'(x) = (1 + x / sqrt(x^2 + b)) / 2",
            formula=r"\tfrac{1}{2} \bigl(x + \sqrt{x^2 + b}\bigr)",
            derivative=r"\tfrac{1}{2} \Bigl(1 + \frac{x}{\sqrt{x^2 + b}}\Bigr)",
            output_range=(0.0, inf),
            zero_centered=False,
            saturates="left",
            monotonic=True,
            source="J. Barron, Squareplus: A Softplus-Like Algebraic Rectifier, arXiv:2112.11687, 2021",
            kink="squareplus'(0) = 1/2, also for b = 0.",
            remarks="b = 0 is relu; with b = 4 log(2)^2 its value at 0 is that of softplus.",
            parameters={"b": "Width of the bend around 0, at least 0."},
            examples={
                "": ">>> na.squareplus(np.array([-np.inf, -1.5, 0.0, 1.5]))\narray([0. , 0.5, 1. , 2. ])",
                "_backward": ">>> na.squareplus_backward(1.0, np.array([-1.5, 0.0, 1.5]))\narray([0.2, 0.5, 0.8])",
            },
        ),
        "gelu": Description(
            summary="Gaussian error linear unit",
            plain="gelu(x) = x * Phi(x), Phi the standard normal distribution function",
            plain_derivative="gelu'(x) = Phi(x) + x * phi(x), phi the standard normal density",
            formula=r"x\,\Phi(x)",
            derivative=r"\Phi(x) + x\,\varphi(x)",
            output_range=(-0.16997120747990366, inf),
            zero_centered=False,
            saturates="left",
            monotonic=False,
            source="D. Hendrycks, K. Gimpel, Gaussian Error Linear Units (GELUs), arXiv:1606.08415, 2016",
            remarks="The exact form, with the error function; gelu(-inf) = -0.0. `gelu_tanh` and `quick_gelu` "
            "approximate it: take the one that a model was trained with.",
            examples={
                "": ">>> na.gelu(np.array([-np.inf, -1.0, 0.0, 1.0])).round(4)\n"
                "array([-0.    , -0.1587,  0.    ,  0.8413])",
                "_backward": ">>> na.gelu_backward(1.0, np.array([-1.0, 0.0, 1.0])).round(4)\n"
                "array([-0.0833,  0.5   ,  1.0833])",
            },
        ),
        "gelu_tanh": Description(
            summary="Gaussian error linear unit, approximated with tanh",
            plain="gelu_tanh(x) = x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715 * x^3)))",
            plain_derivative="gelu_tanh'(x) = s * (1 + x * t' * (1 - s)), s = sigmoid(t),\n"
            "    t = 2 * sqrt(2/pi) * (x + 0.044715 * x^3), t' = 2 * sqrt(2/pi) * (1 + 0.134145 * x^2)",
            formula=r"\frac{x}{2} \left(1 + \tanh\left(\sqrt{2/\pi}\,(x + 0.044715\,x^3)\right)\right)",
            derivative=r"\sigma(t)\,(1 + x\,t'\,\sigma(-t)),\quad t = 2\sqrt{2/\pi}\,(x + 0.044715\,x^3),\quad "
            r"t' = 2\sqrt{2/\pi}\,(1 + 0.134145\,x^2)",
            output_range=(-0.17004075057125406, inf),
            zero_centered=False,
            saturates="left",
            monotonic=False,
            source="D. Hendrycks, K. Gimpel, Gaussian Error Linear Units (GELUs), arXiv:1606.08415, 2016",
            remarks="Within 0.0005 of `gelu`; gelu_tanh(-inf) = -0.0.",
            examples={
                "": ">>> na.gelu_tanh(np.array([-np.inf, -1.0, 0.0, 1.0])).round(4)\n"
                "array([-0.    , -0.1588,  0.    ,  0.8412])",
                "_backward": ">>> na.gelu_tanh_backward(1.0, np.array([-1.0, 0.0, 1.0])).round(4)\n"
                "array([-0.083,  0.5  ,  1.083])",
            },
        ),
        "quick_gelu": Description(
            summary="Gaussian error linear unit, approximated with the logistic sigmoid",
            plain="quick_gelu(x) = x * sigmoid(1.702 * x)",
            plain_derivative="quick_gelu'(x) = s * (1 + t * (1 - s)), t = 1.702 * x, s = sigmoid(t)",
            formula=r"x\,\sigma(1.702\,x)",
            derivative=r"\sigma(t)\,(1 + t\,\sigma(-t)),\quad t = 1.702\,x",
            output_range=(-0.16361018963635357, inf),
            zero_centered=False,
            saturates="left",
            monotonic=False,
            source="D. Hendrycks, K. Gimpel, Gaussian Error Linear Units (GELUs), arXiv:1606.08415, 2016",
            remarks="`swish` with beta = 1.702, within 0.021 of `gelu`; quick_gelu(-inf) = -0.0.",
            examples={
                "": ">>> na.quick_gelu(np.array([-np.inf, -1.0, 0.0, 1.0])).round(4)\n"
                "array([-0.    , -0.1542,  0.    ,  0.8458])",
                "_backward": ">>> na.quick_gelu_backward(1.0, np.array([-1.0, 0.0, 1.0])).round(4)\n"
                "array([-0.0678,  0.5   ,  1.0678])",
            },
        ),
        "silu": Description(
            summary="Sigmoid linear unit, swish with beta = 1",
            plain="silu(x) = x * sigmoid(x)",
            plain_derivative="silu'(x) = sigmoid(x) * (1 + x * sigmoid(-x))",
            formula=r"x\,\sigma(x)",
            derivative=r"\sigma(x)\,(1 + x\,\sigma(-x))",
            output_range=(-0.2784645427610738, inf),
            zero_centered=False,
            saturates="left",
            monotonic=False,
            source="S. Elfwing, E. Uchibe, K. Doya, Sigmoid-Weighted Linear Units for Neural Network Function "
            "Approximation in Reinforcement Learning, Neural Networks 107, 2018",
            remarks="Smooth, close to relu away from 0; silu(-inf) = -0.0.",
            examples={
                "": ">>> na.silu(np.array([-np.inf, 0.0, np.inf]))\narray([-0.,  0., inf])",
                "_backward": ">>> na.silu_backward(1.0, np.array([0.0, 100.0]))\narray([0.5, 1. ])",
            },
        ),
        "swish": Description(
            summary="Swish, the sigmoid linear unit with a slope that may be learned",
            plain="swish(x, beta) = x * sigmoid(beta * x)",
            plain_derivative="swish'(x) = s * (1 + t * (1 - s)), t = beta * x, s = sigmoid(t);\n"
            "    d swish / d beta = x^2 * s * (1 - s)",
            formula=r"x\,\sigma(\beta x)",
            derivative=r"\sigma(\beta x)\,(1 + \beta x\,\sigma(-\beta x))",
            output_range=(-0.2784645427610738, inf),
            zero_centered=False,
            saturates="left",
            monotonic=False,
            source="P. Ramachandran, B. Zoph, Q. Le, Searching for Activation Functions, arXiv:1710.05941, 2017",
            remarks="beta = 0 gives x/2, also at infinity; a large beta approaches relu.",
            learned=True,
            parameters={"beta": "Steepness, any number but NaN; 0 gives x/2."},
            examples={
                "": ">>> na.swish(np.array([-1.0, 0.0, 1.0]), 0.0)\narray([-0.5,  0. ,  0.5])",
                "_backward": ">>> dx, dbeta = na.swish_backward(np.ones(2), np.array([0.0, 2.0]), beta=0.0)\n"
                ">>> dx\narray([0.5, 0.5])\n>>> float(dbeta)\n1.0",
            },
        ),
        "hard_swish": Description(
            summary="Swish with a piecewise linear sigmoid",
            plain="hard_swish(x) = x * min(max(x + 3, 0), 6) / 6",
            plain_derivative="hard_swish'(x) = 0 for x <= -3, 1 for x >= 3, (2 * x + 3) / 6 between",
            formula=r"x\,\frac{\min(\max(x + 3, 0), 6)}{6}",
            derivative=r"\frac{2x + 3}{6}\,[-3 < x < 3] + [x \ge 3]",
            output_range=(-0.375, inf),
            zero_centered=False,
            saturates="left",
            monotonic=False,
            source="A. Howard et al., Searching for MobileNetV3, ICCV 2019",
            kink="hard_swish'(-3) = 0, hard_swish'(3) = 1.",
            remarks="hard_swish(-inf) = -0.0.",
            examples={
                "": ">>> na.hard_swish(np.array([-np.inf, -1.5, 0.0, 3.0]))\narray([-0.   , -0.375,  0.   ,  3.   ])",
                "_backward": ">>> na.hard_swish_backward(1.0, np.array([-3.0, 0.0, 3.0]))\narray([0. , 0.5, 1. ])",
            },
        ),
        "mish": Description(
            summary="Mish, x times the tanh of its softplus",
            plain="mish(x) = x * tanh(log(1 + exp(x)))",
            plain_derivative="mish'(x) = u + x * (1 - u^2) * sigmoid(x), u = tanh(log(1 + exp(x)))",
            formula=r"x \tanh(\log(1 + e^x))",
            derivative=r"u + x\,(1 - u^2)\,\sigma(x), \quad u = \tanh(\log(1 + e^x))",
            output_range=(-0.30884341301725043, inf),
            zero_centered=False,
            saturates="left",
            monotonic=False,
            source="D. Misra, Mish: A Self Regularized Non-Monotonic Activation Function, BMVC 2020",
            remarks="Its least value is at x = -1.1924; no threshold from which on it is x; mish(-inf) = -0.0.",
            examples={
                "": ">>> na.mish(np.array([-np.inf, 0.0, 100.0]))\narray([ -0.,   0., 100.])",
                "_backward": ">>> na.mish_backward(1.0, np.array([0.0, 100.0]))\narray([0.6, 1. ])",
            },
        ),
        "dish": Description(
            summary="Dish, shaped as silu but without an exponential",
            plain="dish(x) = x / 2 * (x / sqrt(1 + x^2) + 1)",
            plain_derivative="dish'(x) = (1 + x * (2 + x^2) / sqrt(1 + x^2)^3) / 2",
            formula=r"\frac{x}{2} \Bigl(\frac{x}{\sqrt{1 + x^2}} + 1\Bigr)",
            derivative=r"\frac{1}{2} \Bigl(1 + \frac{x\,(2 + x^2)}{(1 + x^2)^{3/2}}\Bigr)",
            output_range=(-0.1501415530003888, inf),
            zero_centered=False,
            saturates="left",
            monotonic=False,
            source="Daniel's Swish-like activation, Explosion, Thinc, https://thinc.ai/docs/api-layers#dish, 2021",
            remarks="Its least value is at x = -0.7862; it goes to 0 as 1 / (4 x), dish(-inf) = -0.0.",
            examples={
                "": ">>> na.dish(np.array([-np.inf, -0.75, 0.0, 0.75]))\narray([-0.  , -0.15,  0.  ,  0.6 ])",
                "_backward": ">>> na.dish_backward(1.0, np.array([-np.inf, 0.0, np.inf]))\narray([-0. ,  0.5,  1. ])",
            },
        ),
        "glu": Description(
            summary="Gated linear unit with the logistic sigmoid",
            plain="glu(gate, value) = sigmoid(gate) * value",
            plain_derivative="dgate = dy * value * sigmoid'(gate)\ndvalue = dy * sigmoid(gate)",
            formula=r"\sigma(g)\,v",
            derivative=r"\sigma'(g)\,v,\quad \sigma(g)",
            output_range=(-inf, inf),
            zero_centered=True,
            saturates="both",
            monotonic=True,
            source="Y. Dauphin, A. Fan, M. Auli, D. Grangier, Language Modeling with Gated Convolutional Networks, "
            "ICML 2017",
            remarks=_GATE_FIRST,
            examples={
                "": ">>> na.glu(np.array([-1.0, 0.0, 2.0]), np.array([10.0, 10.0, 10.0])).round(4)\n"
                "array([2.6894, 5.    , 8.808 ])",
                "_backward": ">>> dgate, dvalue = na.glu_backward(np.ones(2), np.array([0.0, 2.0]), 10.0)\n"
                ">>> dgate.round(4)\narray([2.5   , 1.0499])\n>>> dvalue.round(4)\narray([0.5   , 0.8808])",
            },
        ),
        "reglu": Description(
            summary="Gated linear unit with relu",
            plain="reglu(gate, value) = relu(gate) * value",
            plain_derivative="dgate = dy * value * relu'(gate)\ndvalue = dy * relu(gate)",
            formula=r"\mathrm{relu}(g)\,v",
            derivative=r"\mathrm{relu}'(g)\,v,\quad \mathrm{relu}(g)",
            output_range=(-inf, inf),
            zero_centered=True,
            saturates="left",
            monotonic=True,
            source="N. Shazeer, GLU Variants Improve Transformer, arXiv:2002.05202, 2020",
            kink="relu'(0) = 0.",
            remarks=_GATE_FIRST,
            examples={
                "": ">>> na.reglu(np.array([-1.0, 0.0, 2.0]), np.array([10.0, 10.0, 10.0])).round(4)\n"
                "array([ 0.,  0., 20.])",
                "_backward": ">>> dgate, dvalue = na.reglu_backward(np.ones(2), np.array([0.0, 2.0]), 10.0)\n"
                ">>> dgate.round(4)\narray([ 0., 10.])\n>>> dvalue.round(4)\narray([0., 2.])",
            },
        ),
        "geglu": Description(
            summary="Gated linear unit with the Gaussian error linear unit",
            plain="geglu(gate, value) = gelu(gate) * value",
            plain_derivative="dgate = dy * value * gelu'(gate)\ndvalue = dy * gelu(gate)",
            formula=r"\mathrm{gelu}(g)\,v",
            derivative=r"\mathrm{gelu}'(g)\,v,\quad \mathrm{gelu}(g)",
            output_range=(-inf, inf),
            zero_centered=True,
            saturates="left",
            monotonic=False,
            source="N. Shazeer, GLU Variants Improve Transformer, arXiv:2002.05202, 2020",
            remarks=_GATE_FIRST,
            examples={
                "": ">>> na.geglu(np.array([-1.0, 0.0, 2.0]), np.array([10.0, 10.0, 10.0])).round(4)\n"
                "array([-1.5866,  0.    , 19.545 ])",
                "_backward": ">>> dgate, dvalue = na.geglu_backward(np.ones(2), np.array([0.0, 2.0]), 10.0)\n"
                ">>> dgate.round(4)\narray([ 5.    , 10.8523])\n>>> dvalue.round(4)\narray([0.    , 1.9545])",
            },
        ),
        "swiglu": Description(
            summary="Gated linear unit with the sigmoid linear unit",
            plain="swiglu(gate, value) = silu(gate) * value",
            plain_derivative="dgate = dy * value * silu'(gate)\ndvalue = dy * silu(gate)",
            formula=r"\mathrm{silu}(g)\,v",
            derivative=r"\mathrm{silu}'(g)\,v,\quad \mathrm{silu}(g)",
            output_range=(-inf, inf),
            zero_centered=True,
            saturates="left",
            monotonic=False,
            source="N. Shazeer, GLU Variants Improve Transformer, arXiv:2002.05202, 2020",
            remarks=_GATE_FIRST,
            examples={
                "": ">>> na.swiglu(np.array([-1.0, 0.0, 2.0]), np.array([10.0, 10.0, 10.0])).round(4)\n"
                "array([-2.6894,  0.    , 17.6159])",
                "_backward": ">>> dgate, dvalue = na.swiglu_backward(np.ones(2), np.array([0.0, 2.0]), 10.0)\n"
                ">>> dgate.round(4)\narray([ 5.    , 10.9078])\n>>> dvalue.round(4)\narray([0.    , 1.7616])",
            },
        ),
        "softmax": Description(
            summary="Softmax over an axis: positive numbers that sum to 1, in the proportions of exp(x)",
            plain="softmax(x) = exp(x - m) / sum(exp(x - m)) over the axis, m = max(x)",
            plain_derivative="y * (dy - sum(dy * y))",
            formula=r"\frac{e^{x_i}}{\sum_j e^{x_j}}",
            derivative=r"y_i\,([i = j] - y_j)",
            output_range=(0.0, 1.0),
            zero_centered=False,
            saturates="both",
            monotonic=True,
            source="J. Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs, with "
            "Relationships to Statistical Pattern Recognition, Neurocomputing, Springer 1990",
            kink="-inf gives 0 where another number is finite; a row of -inf, and one with +inf or NaN, gives NaN.",
            remarks="Adding a number to all of a row changes nothing, and nothing overflows.",
            from_output="Cheaper than from the input: nothing is exponentiated. As accurate as `y`.",
            examples={
                "": ">>> na.softmax(np.array([[0.0, 0.0], [1000.0, -1000.0]]))\n"
                "array([[0.5, 0.5],\n       [1. , 0. ]])",
                "_backward": ">>> na.softmax_backward(np.array([1.0, 0.0]), np.array([3.0, 3.0]))\n"
                "array([ 0.25, -0.25])",
                "_backward_from_output": ">>> y = np.array([0.5, 0.5])\n"
                ">>> na.softmax_backward_from_output(np.array([1.0, 0.0]), y)\n"
                "array([ 0.25, -0.25])",
            },
        ),
        "log_softmax": Description(
            summary="Logarithm of softmax over an axis",
            plain="log_softmax(x) = (x - m) - log(sum(exp(x - m))) over the axis, m = max(x)",
            plain_derivative="dy - exp(y) * sum(dy)",
            formula=r"x_i - \log \sum_j e^{x_j}",
            derivative=r"[i = j] - e^{y_j}",
            output_range=(-inf, 0.0),
            zero_centered=False,
            saturates="no",
            monotonic=True,
            source="J. Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs, with "
            "Relationships to Statistical Pattern Recognition, Neurocomputing, Springer 1990",
            kink="A row of -inf and one with NaN gives NaN; beside +inf, which gives NaN itself, the others are -inf.",
            remarks="The logarithm is log1p of the sum without one maximum: the value at a maximum far above the "
            "others keeps its digits.",
            from_output="As accurate as from the input. A positive `y` counts as 0.",
            examples={
                "": ">>> na.log_softmax(np.array([0.0, -1000.0]))\narray([    0., -1000.])",
                "_backward": ">>> na.log_softmax_backward(np.array([1.0, 0.0]), np.array([3.0, 3.0]))\n"
                "array([ 0.5, -0.5])",
                "_backward_from_output": ">>> y = na.log_softmax(np.array([3.0, -np.inf]))\n"
                ">>> na.log_softmax_backward_from_output(np.array([1.0, 2.0]), y)\narray([-2.,  2.])",
            },
        ),
        "softmin": Description(
            summary="Softmax of -x over an axis",
            plain="softmin(x) = exp(m - x) / sum(exp(m - x)) over the axis, m = min(x)",
            plain_derivative="-y * (dy - sum(dy * y))",
            formula=r"\frac{e^{-x_i}}{\sum_j e^{-x_j}}",
            derivative=r"-y_i\,([i = j] - y_j)",
            output_range=(0.0, 1.0),
            zero_centered=False,
            saturates="both",
            monotonic=True,
            source="J. Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs, with "
            "Relationships to Statistical Pattern Recognition, Neurocomputing, Springer 1990",
            kink="+inf gives 0 where another number is finite; a row of +inf, and one with -inf or NaN, gives NaN.",
            remarks="Turns distances into weights: the smallest weighs most.",
            from_output="Cheaper than from the input: nothing is exponentiated. As accurate as `y`.",
            examples={
                "": ">>> na.softmin(np.array([0.0, 1000.0]))\narray([1., 0.])",
                "_backward": ">>> na.softmin_backward(np.array([1.0, 0.0]), np.array([3.0, 3.0]))\n"
                "array([-0.25,  0.25])",
                "_backward_from_output": ">>> y = np.array([0.5, 0.5])\n"
                ">>> na.softmin_backward_from_output(np.array([1.0, 0.0]), y)\n"
                "array([-0.25,  0.25])",
            },
        ),
        "maxout": Description(
            summary="Maximum over the pieces along an axis",
            plain="maxout(x) = max over k of x[..., k, ...]",
            plain_derivative="1 for the first piece that attains the maximum, 0 for the others",
            formula=r"\max_k x_k",
            derivative=r"[k = \operatorname{argmax}_j x_j]",
            output_range=(-inf, inf),
            zero_centered=False,
            saturates="no",
            monotonic=True,
            source="I. Goodfellow, D. Warde-Farley, M. Mirza, A. Courville, Y. Bengio, Maxout Networks, ICML 2013",
            kink="Ties go to the first piece; NaN propagates, the first NaN is the maximum.",
            remarks="A linear layer in front of it has as many times the parameters as there are pieces.",
            examples={
                "": ">>> y, which = na.maxout(np.array([[1.0, 5.0], [4.0, 4.0]]))\n>>> y\narray([5., 4.])\n"
                ">>> which\narray([1, 0], dtype=uint8)",
                "_backward": ">>> which = np.array([1, 0], dtype=np.uint8)\n"
                ">>> na.maxout_backward(np.array([7.0, 8.0]), which, pieces=2)\narray([[0., 7.],\n       [8., 0.]])",
            },
        ),
        "crelu": Description(
            summary="Concatenated rectified linear unit: the positive parts of x and of -x side by side",
            plain="crelu(x) = concatenate(relu(x), relu(-x)) along the axis",
            plain_derivative="dy_first * relu'(x) - dy_second * relu'(-x)",
            formula=r"(\max(x, 0), \max(-x, 0))",
            derivative=r"([x > 0], -[x < 0])",
            output_range=(0.0, inf),
            zero_centered=False,
            saturates="no",
            monotonic=True,
            source="W. Shang, K. Sohn, D. Almeida, H. Lee, Understanding and Improving Convolutional Neural Networks "
            "via Concatenated Rectified Linear Units, ICML 2016",
            kink="The derivative at 0 is 0.",
            remarks="Nothing of the input is lost, and no unit can die; the next layer has twice the inputs.",
            from_output="Nothing is lost: the halves tell the sign of the input.",
            examples={
                "": ">>> na.crelu(np.array([[-2.0, 3.0], [0.5, -1.0]]))\n"
                "array([[0. , 3. , 2. , 0. ],\n       [0.5, 0. , 0. , 1. ]])",
                "_backward": ">>> na.crelu_backward(np.array([1.0, 2.0, 3.0, 4.0]), np.array([-2.0, 3.0]))\n"
                "array([-3.,  2.])",
                "_backward_from_output": ">>> y = na.crelu(np.array([-2.0, 3.0]))\n"
                ">>> na.crelu_backward_from_output(np.array([1.0, 2.0, 3.0, 4.0]), y)\narray([-3.,  2.])",
            },
        ),
    }
)
