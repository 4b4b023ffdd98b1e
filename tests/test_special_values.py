"""NaN, infinities, signed zeros, subnormals, largest numbers and kinks; no warnings; any floating-point mode."""

import contextlib
import ctypes
import mmap
import platform

import numpy as np
import pytest
import support
from support import CASES, assert_same_bits, build

import numact as na

INF, NAN = np.inf, np.nan
E = float(np.e)
SELU_SCALE = 1.0507009873554804934193349852946
SELU_LEFT = 1.7580993408473768599402175208123  # scale * alpha

# (function, data, parameters, result), exact; "max", "min", "tiny" and "sub" stand for the numbers of the dtype.
TABLE = [
    # relu
    ("relu", [-INF], [], 0.0),
    ("relu", [INF], [], INF),
    ("relu", [0.0], [], 0.0),
    ("relu", [-0.0], [], -0.0),
    ("relu", ["sub"], [], "sub"),
    ("relu", ["-sub"], [], 0.0),
    ("relu", ["max"], [], "max"),
    ("relu", ["-max"], [], 0.0),
    ("relu_backward", [3.0, 0.0], [], 0.0),
    ("relu_backward", [3.0, -0.0], [], 0.0),
    ("relu_backward", [-3.0, 0.0], [], -0.0),
    ("relu_backward", [3.0, "sub"], [], 3.0),
    ("relu_backward", [3.0, "-sub"], [], 0.0),
    ("relu_backward", ["sub", INF], [], "sub"),
    ("relu_backward", ["max", -INF], [], 0.0),
    ("relu_backward", [INF, 1.0], [], INF),
    ("relu_backward_from_output", [3.0, 0.0], [], 0.0),
    ("relu_backward_from_output", [3.0, "sub"], [], 3.0),
    ("relu_backward_from_output", [3.0, INF], [], 3.0),
    # relu6, squared_relu
    ("relu6", [-INF], [], 0.0),
    ("relu6", [INF], [], 6.0),
    ("relu6", ["max"], [], 6.0),
    ("relu6", [6.0], [], 6.0),
    ("relu6", [0.0], [], 0.0),
    ("relu6", [-0.0], [], -0.0),
    ("relu6", ["-sub"], [], 0.0),
    ("relu6", ["sub"], [], "sub"),
    ("relu6_backward", [3.0, 0.0], [], 0.0),
    ("relu6_backward", [3.0, -0.0], [], 0.0),
    ("relu6_backward", [3.0, 6.0], [], 0.0),
    ("relu6_backward", [-3.0, INF], [], -0.0),
    ("relu6_backward", ["max", "sub"], [], "max"),
    ("relu6_backward", ["sub", 5.0], [], "sub"),
    ("relu6_backward_from_output", [3.0, 0.0], [], 0.0),
    ("relu6_backward_from_output", [3.0, 6.0], [], 0.0),
    ("relu6_backward_from_output", [3.0, "sub"], [], 3.0),
    ("squared_relu", [-INF], [], 0.0),
    ("squared_relu", [INF], [], INF),
    ("squared_relu", ["max"], [], INF),
    ("squared_relu", [0.0], [], 0.0),
    ("squared_relu", [-0.0], [], 0.0),
    ("squared_relu", ["sub"], [], 0.0),
    ("squared_relu", [-3.0], [], 0.0),
    ("squared_relu", [3.0], [], 9.0),
    ("squared_relu_backward", [3.0, 0.0], [], 0.0),
    ("squared_relu_backward", [-3.0, -1.0], [], -0.0),
    ("squared_relu_backward", [0.25, "max"], [], "max/2"),
    ("squared_relu_backward", ["max", 0.25], [], "max/2"),
    ("squared_relu_backward", ["sub", 1.0], [], "2sub"),
    ("squared_relu_backward", ["max", "max"], [], INF),
    ("squared_relu_backward", [1.0, INF], [], INF),
    # leaky_relu and prelu
    *(
        row
        for name in ("leaky_relu", "prelu")
        for row in [
            (name, [INF], [0.25], INF),
            (name, [-INF], [0.25], -INF),
            (name, [-INF], [-0.25], INF),
            (name, [-INF], [0.0], -0.0),
            (name, [INF], [0.0], INF),
            (name, [0.0], [0.25], 0.0),
            (name, [-0.0], [0.25], -0.0),
            (name, [0.0], [-1.0], 0.0),
            (name, [0.0], [INF], 0.0),
            (name, [-0.0], [INF], -0.0),
            (name, [-1.0], [INF], -INF),
            (name, [1.0], [INF], 1.0),
            (name, [1.0], [-INF], 1.0),
            (name, ["-sub"], [1.0], "-sub"),
            (name, ["-sub"], [0.25], -0.0),
            (name, ["sub"], [0.25], "sub"),
            (name, ["-tiny"], [0.5], "-tiny/2"),
            (name, ["-max"], [2.0], -INF),
            (name, ["-max"], [0.5], "-max/2"),
            (name, ["max"], [2.0], "max"),
            (f"{name}_backward", [3.0, 0.0], [0.25], 0.75),
            (f"{name}_backward", [3.0, -0.0], [0.25], 0.75),
            (f"{name}_backward", [3.0, -INF], [0.25], 0.75),
            (f"{name}_backward", [3.0, INF], [0.25], 3.0),
            (f"{name}_backward", [3.0, -INF], [0.0], 0.0),
            (f"{name}_backward", ["sub", "sub"], [0.25], "sub"),
            (f"{name}_backward", ["max", -1.0], [2.0], INF),
        ]
    ),
    ("leaky_relu_backward_from_output", [3.0, 0.0], [0.25], 0.75),
    ("leaky_relu_backward_from_output", [3.0, "sub"], [0.25], 3.0),
    ("leaky_relu_backward_from_output", [3.0, -INF], [0.25], 0.75),
    # threshold
    ("threshold", [-INF], [1.0, -5.0], -5.0),
    ("threshold", [INF], [1.0, -5.0], INF),
    ("threshold", [1.0], [1.0, -5.0], -5.0),
    ("threshold", [0.0], [-1.0, 5.0], 0.0),
    ("threshold", [-0.0], [-1.0, 5.0], -0.0),
    ("threshold", [-0.0], [0.0, 0.0], 0.0),
    ("threshold", ["sub"], [0.0, -0.0], "sub"),
    ("threshold", ["-sub"], [0.0, -0.0], -0.0),
    ("threshold", [-INF], [-INF, 2.0], 2.0),
    ("threshold", ["-max"], [-INF, 2.0], "-max"),
    ("threshold", [INF], [INF, 2.0], 2.0),
    ("threshold_backward", [3.0, 1.0], [1.0, 0.0], 0.0),
    ("threshold_backward", [3.0, "sub"], [0.0, 0.0], 3.0),
    ("threshold_backward", [-3.0, -INF], [1.0, 0.0], -0.0),
    ("threshold_backward", ["max", INF], [1.0, 0.0], "max"),
    ("threshold_backward_from_output", [3.0, 1.0], [1.0, 1.0], 0.0),
    ("threshold_backward_from_output", [3.0, 2.0], [1.0, 0.0], 3.0),
    ("threshold_backward_from_output", [3.0, -5.0], [1.0, -5.0], 0.0),
    # hard_shrink, soft_shrink
    *(
        row
        for name, twice in (("hard_shrink", 2.0), ("soft_shrink", 1.0))
        for row in [
            (name, [2.0], [1.0], twice),
            (name, [-2.0], [1.0], -twice),
            (name, [1.0], [1.0], 0.0),
            (name, [-1.0], [1.0], -0.0),
            (name, [0.0], [1.0], 0.0),
            (name, [-0.0], [1.0], -0.0),
            (name, [-0.0], [0.0], -0.0),
            (name, ["-sub"], [0.0], "-sub"),
            (name, ["-sub"], ["sub"], -0.0),
            (name, ["-max"], ["tiny"], "-max"),
            (name, [INF], ["max"], INF),
            (name, [-INF], ["max"], -INF),
            (name, [INF], [INF], 0.0),
            (name, [-INF], [INF], -0.0),
            (f"{name}_backward", [3.0, 1.0], [1.0], 0.0),
            (f"{name}_backward", [3.0, -1.0], [1.0], 0.0),
            (f"{name}_backward", [3.0, 0.0], [0.0], 0.0),
            (f"{name}_backward", [3.0, "-sub"], [0.0], 3.0),
            (f"{name}_backward", [3.0, -INF], [1.0], 3.0),
            (f"{name}_backward", [-3.0, 0.5], [1.0], -0.0),
            (f"{name}_backward_from_output", [3.0, 0.0], [0.5], 0.0),
            (f"{name}_backward_from_output", [3.0, -0.0], [0.5], 0.0),
            (f"{name}_backward_from_output", [3.0, -2.0], [0.5], 3.0),
            (f"{name}_backward_from_output", [3.0, INF], [0.5], 3.0),
        ]
    ),
    ("soft_shrink", ["tiny"], ["tiny/2"], "tiny/2"),
    ("soft_shrink_backward_from_output", [3.0, "sub"], [0.5], 3.0),
    # hard_sigmoid, hard_tanh
    ("hard_sigmoid", [-INF], [], 0.0),
    ("hard_sigmoid", [INF], [], 1.0),
    ("hard_sigmoid", ["max"], [], 1.0),
    ("hard_sigmoid", ["-max"], [], 0.0),
    ("hard_sigmoid", [-3.0], [], 0.0),
    ("hard_sigmoid", [3.0], [], 1.0),
    ("hard_sigmoid", [0.0], [], 0.5),
    ("hard_sigmoid", [-1.5], [], 0.25),
    ("hard_sigmoid_backward", [6.0, 0.0], [], 1.0),
    ("hard_sigmoid_backward", [6.0, 3.0], [], 0.0),
    ("hard_sigmoid_backward", [6.0, -3.0], [], 0.0),
    ("hard_sigmoid_backward", [-6.0, INF], [], -0.0),
    ("hard_sigmoid_backward", [INF, 1.0], [], INF),
    ("hard_sigmoid_backward_from_output", [6.0, 0.5], [], 1.0),
    ("hard_sigmoid_backward_from_output", [6.0, 0.0], [], 0.0),
    ("hard_sigmoid_backward_from_output", [6.0, 1.0], [], 0.0),
    ("hard_tanh", [-INF], [-1.0, 2.0], -1.0),
    ("hard_tanh", [INF], [-1.0, 2.0], 2.0),
    ("hard_tanh", [0.5], [-1.0, 2.0], 0.5),
    ("hard_tanh", [-0.0], [-1.0, 2.0], -0.0),
    ("hard_tanh", [-0.0], [0.0, 2.0], -0.0),
    ("hard_tanh", [0.5], [2.0, -1.0], -1.0),
    ("hard_tanh", [-INF], [-INF, 2.0], -INF),
    ("hard_tanh", ["max"], [-INF, INF], "max"),
    ("hard_tanh", ["-max"], [INF, INF], INF),
    ("hard_tanh", ["-sub"], [-1.0, 0.0], "-sub"),
    ("hard_tanh_backward", [3.0, -1.0], [-1.0, 2.0], 0.0),
    ("hard_tanh_backward", [3.0, 2.0], [-1.0, 2.0], 0.0),
    ("hard_tanh_backward", [3.0, 0.0], [-1.0, 2.0], 3.0),
    ("hard_tanh_backward", [-3.0, INF], [-1.0, 2.0], -0.0),
    ("hard_tanh_backward", ["max", "max"], [-INF, INF], "max"),
    ("hard_tanh_backward", [3.0, INF], [-INF, INF], 0.0),
    ("hard_tanh_backward_from_output", [3.0, -1.0], [-1.0, 2.0], 0.0),
    ("hard_tanh_backward_from_output", [3.0, 2.0], [-1.0, 2.0], 0.0),
    ("hard_tanh_backward_from_output", [3.0, 1.0], [-1.0, 2.0], 3.0),
    # elu, selu
    ("elu", [INF], [1.0], INF),
    ("elu", [-INF], [1.0], -1.0),
    ("elu", [-INF], [0.25], -0.25),
    ("elu", [-INF], [-2.0], 2.0),
    ("elu", ["-max"], [0.25], -0.25),
    ("elu", [0.0], [0.25], 0.0),
    ("elu", [-0.0], [0.25], -0.0),
    ("elu", ["-sub"], [1.0], "-sub"),
    ("elu", ["-tiny"], [0.5], "-tiny/2"),
    ("elu", ["sub"], [0.25], "sub"),
    ("elu", ["max"], [0.25], "max"),
    ("elu", [-INF], ["max"], "-max"),
    ("elu_backward", [3.0, 0.0], [0.25], 0.75),
    ("elu_backward", [3.0, -0.0], [0.25], 0.75),
    ("elu_backward", [3.0, -INF], [0.25], 0.0),
    ("elu_backward", [-3.0, -INF], [0.25], -0.0),
    ("elu_backward", [3.0, INF], [0.25], 3.0),
    ("elu_backward", ["max", "max"], [0.25], "max"),
    ("elu_backward", ["max", 0.0], [2.0], INF),
    ("elu_backward", ["-max", 0.0], [2.0], -INF),
    ("elu_backward_from_output", [3.0, 0.0], [0.25], 0.75),
    ("elu_backward_from_output", [3.0, -0.25], [0.25], 0.0),
    ("elu_backward_from_output", [3.0, INF], [0.25], 3.0),
    ("selu", [INF], [], INF),
    ("selu", [-INF], [], -SELU_LEFT),
    ("selu", ["-max"], [], -SELU_LEFT),
    ("selu", ["max"], [], INF),
    ("selu", [0.0], [], 0.0),
    ("selu", [-0.0], [], -0.0),
    ("selu", ["sub"], [], "sub"),
    ("selu", ["-sub"], [], "-2sub"),
    ("selu_backward", [1.0, 0.0], [], SELU_LEFT),
    ("selu_backward", [1.0, -0.0], [], SELU_LEFT),
    ("selu_backward", [1.0, "sub"], [], SELU_SCALE),
    ("selu_backward", [1.0, -INF], [], 0.0),
    ("selu_backward", [1.0, INF], [], SELU_SCALE),
    ("selu_backward", ["max", 0.0], [], INF),
    ("selu_backward", ["-max", 0.0], [], -INF),
    ("selu_backward", ["max", 1.0], [], INF),
    ("selu_backward_from_output", [1.0, 0.0], [], SELU_LEFT),
    ("selu_backward_from_output", [1.0, INF], [], SELU_SCALE),
    # sigmoid, tanh
    ("sigmoid", [INF], [], 1.0),
    ("sigmoid", [-INF], [], 0.0),
    ("sigmoid", [0.0], [], 0.5),
    ("sigmoid", [-0.0], [], 0.5),
    ("sigmoid", ["max"], [], 1.0),
    ("sigmoid", ["-max"], [], 0.0),
    ("sigmoid", ["sub"], [], 0.5),
    ("sigmoid_backward", [1.0, 0.0], [], 0.25),
    ("sigmoid_backward", [1.0, INF], [], 0.0),
    ("sigmoid_backward", [1.0, -INF], [], 0.0),
    ("sigmoid_backward", [-1.0, INF], [], -0.0),
    ("sigmoid_backward", ["max", 0.0], [], "max/4"),
    ("sigmoid_backward", [0.0, 1.0], [], 0.0),
    ("sigmoid_backward", [-0.0, 1.0], [], -0.0),
    ("sigmoid_backward", [INF, 1.0], [], INF),
    ("sigmoid_backward", [-INF, 1.0], [], -INF),
    ("sigmoid_backward_from_output", ["max", 0.5], [], "max/4"),
    ("sigmoid_backward_from_output", [1.0, 1.0], [], 0.0),
    ("sigmoid_backward_from_output", [1.0, 0.0], [], 0.0),
    ("tanh", [INF], [], 1.0),
    ("tanh", [-INF], [], -1.0),
    ("tanh", ["max"], [], 1.0),
    ("tanh", ["-max"], [], -1.0),
    ("tanh", [0.0], [], 0.0),
    ("tanh", [-0.0], [], -0.0),
    ("tanh", ["sub"], [], "sub"),
    ("tanh", ["-sub"], [], "-sub"),
    ("tanh", ["tiny"], [], "tiny"),
    ("tanh_backward", ["max", 0.0], [], "max"),
    ("tanh_backward", ["sub", 0.0], [], "sub"),
    ("tanh_backward", [1.0, INF], [], 0.0),
    ("tanh_backward", [-1.0, -INF], [], -0.0),
    ("tanh_backward", [1.0, "max"], [], 0.0),
    ("tanh_backward", [INF, 1.0], [], INF),
    ("tanh_backward_from_output", ["max", 0.0], [], "max"),
    ("tanh_backward_from_output", [1.0, 1.0], [], 0.0),
    ("tanh_backward_from_output", [1.0, -1.0], [], 0.0),
    # celu
    ("celu", [INF], [0.25], INF),
    ("celu", [-INF], [0.25], -0.25),
    ("celu", ["-max"], [0.25], -0.25),
    ("celu", [0.0], [0.25], 0.0),
    ("celu", [-0.0], [0.25], -0.0),
    ("celu", ["-sub"], [0.25], "-sub"),
    ("celu", ["-sub"], ["max"], "-sub"),
    ("celu", ["-tiny"], [3.0], "-tiny"),
    ("celu", ["-max"], ["tiny"], "-tiny"),
    ("celu", [-INF], ["max"], "-max"),
    ("celu_backward", [3.0, 0.0], [0.25], 3.0),
    ("celu_backward", [3.0, -0.0], [0.25], 3.0),
    ("celu_backward", [3.0, "-sub"], ["max"], 3.0),
    ("celu_backward", [3.0, -INF], [0.25], 0.0),
    ("celu_backward", [-3.0, "-max"], ["sub"], -0.0),
    ("celu_backward", ["max", 0.0], [2.0], "max"),
    ("celu_backward", [3.0, INF], [0.25], 3.0),
    ("celu_backward_from_output", [3.0, 0.0], [0.25], 3.0),
    ("celu_backward_from_output", [3.0, -0.25], [0.25], 0.0),
    ("celu_backward_from_output", [3.0, INF], [0.25], 3.0),
    # softplus, log_sigmoid
    ("softplus", [INF], [1.0], INF),
    ("softplus", [-INF], [1.0], 0.0),
    ("softplus", [-INF], ["sub"], 0.0),
    ("softplus", [-INF], ["max"], 0.0),
    ("softplus", ["max"], [2.0], "max"),
    ("softplus", ["-max"], [1.0], 0.0),
    ("softplus", [0.0], ["sub"], INF),
    ("softplus", [17.0], ["max"], 17.0),
    ("softplus_backward", [3.0, 0.0], [1.0], 1.5),
    ("softplus_backward", [3.0, -0.0], ["max"], 1.5),
    ("softplus_backward", [3.0, INF], [1.0], 3.0),
    ("softplus_backward", ["max", "max"], [1.0], "max"),
    ("softplus_backward", [3.0, -INF], [1.0], 0.0),
    ("softplus_backward", [-3.0, "-max"], [1.0], -0.0),
    ("softplus_backward_from_output", [3.0, 0.0], [1.0], 0.0),
    ("softplus_backward_from_output", [3.0, "sub"], [2.0], "6sub"),
    ("softplus_backward_from_output", [3.0, INF], [1.0], 3.0),
    ("log_sigmoid", [INF], [], -0.0),
    ("log_sigmoid", [-INF], [], -INF),
    ("log_sigmoid", ["max"], [], -0.0),
    ("log_sigmoid", ["-max"], [], "-max"),
    ("log_sigmoid_backward", [3.0, 0.0], [], 1.5),
    ("log_sigmoid_backward", [3.0, -0.0], [], 1.5),
    ("log_sigmoid_backward", [3.0, -INF], [], 3.0),
    ("log_sigmoid_backward", [-3.0, INF], [], -0.0),
    ("log_sigmoid_backward_from_output", [3.0, -0.0], [], 0.0),
    ("log_sigmoid_backward_from_output", [3.0, -INF], [], 3.0),
    # tanh_shrink, softsign
    ("tanh_shrink", [INF], [], INF),
    ("tanh_shrink", [-INF], [], -INF),
    ("tanh_shrink", ["max"], [], "max"),
    ("tanh_shrink", [0.0], [], 0.0),
    ("tanh_shrink", [-0.0], [], -0.0),
    ("tanh_shrink", ["-sub"], [], -0.0),
    ("tanh_shrink_backward", [3.0, 0.0], [], 0.0),
    ("tanh_shrink_backward", [-3.0, -0.0], [], -0.0),
    ("tanh_shrink_backward", [3.0, INF], [], 3.0),
    ("tanh_shrink_backward", ["max", -INF], [], "max"),
    ("softsign", [INF], [], 1.0),
    ("softsign", [-INF], [], -1.0),
    ("softsign", ["max"], [], 1.0),
    ("softsign", [0.0], [], 0.0),
    ("softsign", [-0.0], [], -0.0),
    ("softsign", ["-sub"], [], "-sub"),
    ("softsign_backward", ["max", 0.0], [], "max"),
    ("softsign_backward", ["max", 1.0], [], "max/4"),
    ("softsign_backward", ["sub", -0.0], [], "sub"),
    ("softsign_backward", ["max", INF], [], 0.0),
    ("softsign_backward", [-3.0, -INF], [], -0.0),
    ("softsign_backward_from_output", [3.0, 0.0], [], 3.0),
    ("softsign_backward_from_output", [3.0, -1.0], [], 0.0),
    # squareplus
    ("squareplus", [INF], [4.0], INF),
    ("squareplus", [-INF], [4.0], 0.0),
    ("squareplus", [-INF], ["max"], 0.0),
    ("squareplus", ["max"], [4.0], "max"),
    ("squareplus", ["-max"], [0.0], 0.0),
    ("squareplus", ["sub"], [0.0], "sub"),
    ("squareplus", ["-sub"], [0.0], 0.0),
    ("squareplus", [0.0], [0.0], 0.0),
    ("squareplus", [-0.0], [0.0], 0.0),
    ("squareplus", ["sub"], [4.0], 1.0),
    ("squareplus", ["-sub"], [4.0], 1.0),
    ("squareplus_backward", [3.0, 0.0], [4.0], 1.5),
    ("squareplus_backward", [3.0, 0.0], [0.0], 1.5),
    ("squareplus_backward", [3.0, -0.0], [0.0], 1.5),
    ("squareplus_backward", [3.0, "sub"], [0.0], 3.0),
    ("squareplus_backward", [3.0, "-sub"], [0.0], 0.0),
    ("squareplus_backward", ["max", INF], [4.0], "max"),
    ("squareplus_backward", ["max", -INF], ["max"], 0.0),
    ("squareplus_backward", [-3.0, -INF], [4.0], -0.0),
    # mish, dish
    *(
        row
        for name in ("mish", "dish")
        for row in [
            (name, [INF], [], INF),
            (name, [-INF], [], -0.0),
            (name, [0.0], [], 0.0),
            (name, [-0.0], [], -0.0),
            (name, ["max"], [], "max"),
            (f"{name}_backward", [3.0, INF], [], 3.0),
            (f"{name}_backward", ["max", "max"], [], "max"),
            (f"{name}_backward", [3.0, -INF], [], -0.0),
            (f"{name}_backward", ["max", 2.5], [], INF),
            (f"{name}_backward", [INF, 2.5], [], INF),
            (f"{name}_backward", [0.0, 2.5], [], 0.0),
        ]
    ),
    ("mish", ["-max"], [], -0.0),
    ("dish", ["tiny"], [], "tiny/2"),
    ("dish", ["-tiny"], [], "-tiny/2"),
    ("dish_backward", [3.0, 0.0], [], 1.5),
    ("dish_backward", [3.0, -0.0], [], 1.5),
    # gelu and its approximations, silu and swish
    *(
        row
        for name, one in (("gelu", []), ("gelu_tanh", []), ("quick_gelu", []), ("silu", []), ("swish", [1.0]))
        for row in [
            (name, [INF], one, INF),
            (name, [-INF], one, -0.0),
            (name, [0.0], one, 0.0),
            (name, [-0.0], one, -0.0),
            (name, ["max"], one, "max"),
            (name, ["-max"], one, -0.0),
            (name, ["tiny"], one, "tiny/2"),
            (name, ["-tiny"], one, "-tiny/2"),
            (f"{name}_backward", [1.0, 0.0], one, 0.5),
            (f"{name}_backward", [1.0, -0.0], one, 0.5),
            (f"{name}_backward", [1.0, INF], one, 1.0),
            (f"{name}_backward", [3.0, "max"], one, 3.0),
            (f"{name}_backward", ["max", "max"], one, "max"),
            (f"{name}_backward", ["max", 0.0], one, "max/2"),
            (f"{name}_backward", ["max", 1.5], one, INF),
            (f"{name}_backward", ["-max", 1.5], one, -INF),
            (f"{name}_backward", [INF, 2.5], one, INF),
            (f"{name}_backward", [INF, -5.0], one, -INF),
            (f"{name}_backward", [0.0, 2.5], one, 0.0),
            (f"{name}_backward", [1.0, -INF], one, -0.0),
            (f"{name}_backward", ["max", "-max"], one, -0.0),
        ]
    ),
    # hard_swish
    ("hard_swish", [INF], [], INF),
    ("hard_swish", [-INF], [], -0.0),
    ("hard_swish", [0.0], [], 0.0),
    ("hard_swish", [-0.0], [], -0.0),
    ("hard_swish", [-3.0], [], -0.0),
    ("hard_swish", [3.0], [], 3.0),
    ("hard_swish", ["max"], [], "max"),
    ("hard_swish", ["-max"], [], -0.0),
    ("hard_swish", ["tiny"], [], "tiny/2"),
    ("hard_swish_backward", [2.0, -3.0], [], 0.0),
    ("hard_swish_backward", [2.0, -1.5], [], 0.0),
    ("hard_swish_backward", [2.0, 0.0], [], 1.0),
    ("hard_swish_backward", [2.0, 3.0], [], 2.0),
    ("hard_swish_backward", [2.0, INF], [], 2.0),
    ("hard_swish_backward", [-2.0, -INF], [], -0.0),
    ("hard_swish_backward", ["max", "max"], [], "max"),
    ("hard_swish_backward", ["max", 2.5], [], INF),
    ("swish", [INF], [0.0], INF),
    ("swish", [-INF], [0.0], -INF),
    ("swish", ["max"], [0.0], "max/2"),
    ("swish", ["-max"], [-0.0], "-max/2"),
    ("swish", [3.0], [-0.0], 1.5),
    ("swish", ["tiny"], [0.0], "tiny/2"),
    ("swish", [INF], [2.0], INF),
    ("swish", [-INF], [2.0], -0.0),
    ("swish", [INF], [-2.0], 0.0),
    ("swish", [-INF], [-2.0], -INF),
    ("swish", [INF], ["sub"], INF),
    ("swish", [-INF], ["sub"], -0.0),
    ("swish", [INF], ["-sub"], 0.0),
    ("swish", [INF], ["max"], INF),
    ("swish", ["max"], ["max"], "max"),
    ("swish", ["-max"], ["max"], -0.0),
    ("swish", ["max"], ["-max"], 0.0),
    ("swish", [-1.0], ["max"], -0.0),
    ("swish", [1.0], ["max"], 1.0),
    ("swish", [0.0], ["max"], 0.0),
    ("swish", [-0.0], ["-max"], -0.0),
    ("swish", [1.0], [INF], 1.0),
    ("swish", [-1.0], [INF], -0.0),
    ("swish", [-1.0], [-INF], -1.0),
    ("swish_backward", [1.0, INF], [0.0], 0.5),
    ("swish_backward", [1.0, -INF], [0.0], 0.5),
    ("swish_backward", [1.0, "max"], [0.0], 0.5),
    ("swish_backward", [1.0, INF], [-2.0], -0.0),
    ("swish_backward", [1.0, -INF], [-2.0], 1.0),
    ("swish_backward", [1.0, "max"], ["max"], 1.0),
    ("swish_backward", [1.0, "-max"], ["max"], -0.0),
    ("swish_backward", [1.0, 0.0], ["max"], 0.5),
]


def number(text, dtype):
    if not isinstance(text, str):
        return dtype(text)
    limits = np.finfo(dtype)
    sign, name = (dtype(-1), text[1:]) if text.startswith("-") else (dtype(1), text)
    size = {"max": limits.max, "tiny": limits.tiny, "sub": limits.smallest_subnormal}
    if name in size:
        return sign * size[name]
    if name in ("2sub", "6sub"):
        return sign * dtype(name[0]) * size["sub"]
    name, divisor = name.split("/")
    return sign * (size[name] / dtype(divisor))


def rows(dtype, tier):
    for name, data, parameters, result in TABLE:
        kind = support.parameter_dtype(dtype, tier).type
        # The limits of float32 serve as parameters of float32 functions in the precise tier too.
        given = [kind(number(each, dtype)) for each in parameters]
        yield name, [number(each, dtype) for each in data] + given, number(result, dtype)


# Results are bit-exact but for the last bit of those two constants.
ROUNDED = {abs(dtype(value)) for dtype in support.DTYPES for value in (SELU_SCALE, SELU_LEFT)}


def assert_expected(got, expected, label, *inputs):
    expected = np.broadcast_to(expected, got.shape)
    if got.size and abs(expected.flat[0]) in ROUNDED:
        close = np.abs(got - expected) <= np.spacing(np.abs(expected))
        assert close.all(), f"{label}: inputs {inputs}, expected {expected.flat[0]!r}, got {got[~close]!r}"
    else:
        assert_same_bits(got, expected, f"{label}{inputs}", *inputs)


def test_table(built, dtype):
    wrong = []
    with np.errstate(all="raise"):
        for name, inputs, expected in rows(dtype, built.tier):
            label = f"{built.level} {built.tier} {name}"
            for n in (1, 37):
                arrays = [np.full(n, each) for each in inputs]
                try:
                    assert_expected(built.ufuncs[name](*arrays), expected, label, *inputs)
                except AssertionError as error:
                    wrong.append(str(error))
                    break
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_position(built, dtype, case, rng):
    """A special value has its result wherever it stands, and its neighbours keep theirs."""
    mine = [(inputs, expected) for name, inputs, expected in rows(dtype, built.tier) if name == case.name]
    assert mine, f"{case.name} needs rows in TABLE"
    ufunc = built.ufuncs[case.name]
    ordinary = support.operands(rng, case, dtype, built.tier, 40, special=False)
    undisturbed = support.one_by_one(ufunc, *ordinary)
    singly = [ufunc(*(np.full(1, each) for each in inputs))[0] for inputs, _ in mine]
    with np.errstate(all="raise"):
        for n in range(1, 41):
            for place in range(n):
                inputs, alone = mine[(n + place) % len(mine)][0], singly[(n + place) % len(mine)]
                arrays = [x[:n].copy() for x in ordinary]
                for array, each in zip(arrays, inputs, strict=True):
                    array[place] = each
                expected = undisturbed[:n].copy()
                expected[place] = alone
                assert_same_bits(ufunc(*arrays), expected, f"{case.name} at {place} of {n}", *arrays)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_nan(built, dtype, case, rng):
    """NaN in the data, of either sign and any payload, at every position."""
    ufunc = built.ufuncs[case.name]
    ordinary = support.operands(rng, case, dtype, built.tier, 40, special=False)
    payload = np.full(1, NAN, dtype)
    payload.view(f"u{payload.itemsize}")[0] += 12345
    with np.errstate(all="raise"):
        for nan in (dtype(NAN), -dtype(NAN), payload[0]):
            for i in range(case.arrays):
                for n in range(1, 41):
                    for place in {0, n // 2, n - 1}:
                        arrays = [x[:n].copy() for x in ordinary]
                        arrays[i][place] = nan
                        found = np.flatnonzero(np.isnan(ufunc(*arrays)))
                        assert found.tolist() == [place], f"{case.name}: NaN at {place} of {n}, got at {found}"
            special = support.special_values(dtype)
            for i in range(case.arrays):
                arrays = [special.copy() for _ in range(case.arrays)]
                arrays[i][...] = nan
                got = ufunc(*arrays, *support.defaults(case))
                assert np.isnan(got).all(), f"{case.name}: NaN in operand {i} of {arrays}, got {got}"


def test_nan_in_a_parameter(built, dtype):
    """The side that the parameter does not touch is untouched by its NaN."""
    x = np.array([-INF, -2.0, -0.5, 0.5, 2.0, INF], dtype)
    nan = np.full(6, NAN)
    left = x < 0
    with np.errstate(all="raise"):
        for name in ("leaky_relu", "prelu", "elu"):
            got = built.ufuncs[name](x, nan)
            assert np.isnan(got[left]).all(), f"{name}: expected NaN left of 0, got {got}"
            assert_same_bits(got[~left], x[~left], name)
            got = built.ufuncs[f"{name}_backward"](dtype(2), x, nan)
            assert np.isnan(got[left]).all(), f"{name}_backward: expected NaN left of 0, got {got}"
            assert_same_bits(got[~left], np.full(3, 2, dtype), f"{name}_backward")
        assert np.isnan(built.ufuncs["swish"](x, nan)).all()
        assert np.isnan(built.ufuncs["swish_backward"](dtype(1), x, nan)).all()


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.activation in ("tanh", "tanh_shrink", "softsign")], ids=str
)
def test_odd(built, dtype, case, rng):
    x = support.values(rng, dtype, 4000)
    x = x[~np.isnan(x)]
    rest = [np.ones_like(x)] * (case.arrays - 1)
    straight, mirrored = built.ufuncs[case.name](*rest, x), built.ufuncs[case.name](*rest, -x)
    assert_same_bits(mirrored, -straight if case.suffix == "" else straight, case.name, x)


def test_subnormal_data(built, dtype, rng):
    """Subnormal inputs are not zero: functions of slope 1 hand them through."""
    sub = np.finfo(dtype).smallest_subnormal
    x = rng.integers(1, 1 << 20, 1000).astype(dtype) * sub
    x = np.concatenate([x, -x])
    assert_same_bits(built.ufuncs["tanh"](x), x, "tanh", x)
    assert_same_bits(built.ufuncs["elu"](x, 1.0), x, "elu", x)
    assert_same_bits(built.ufuncs["relu_backward"](x, dtype(1)), x, "relu_backward", x)
    assert_same_bits(built.ufuncs["tanh_backward"](x, dtype(0)), x, "tanh_backward", x)
    half = built.ufuncs["swish"](2 * x, 0.0)
    assert_same_bits(half, x, "swish(2x, 0)", x)
    assert (np.sign(built.ufuncs["relu_backward"](dtype(1), x)) == (x > 0)).all()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_no_warnings(built, dtype, case, rng):
    """For any pair of special values, and where NumPy casts in front of the loop or behind it."""
    special = support.special_values(dtype)
    ufunc = built.ufuncs[case.name]
    grids = np.meshgrid(*([special] * case.arrays), indexing="ij")
    parameters = [special.astype(support.parameter_dtype(dtype, built.tier))] * case.parameters
    grids = [grid[..., None] for grid in grids] if case.parameters else grids
    with np.errstate(all="raise"):
        for how in (np.ascontiguousarray, np.asfortranarray, lambda x: x[::-1]):
            ufunc(*map(how, grids), *parameters)
        ufunc(*(np.broadcast_to(dtype(1), grid.shape) for grid in grids), *parameters)
        representable = [special[np.isfinite(special) & (np.abs(special) > 1e-30) & (np.abs(special) < 1e30)]]
        wide = [each.astype(np.float64) for each in representable * case.arrays]
        ufunc(*wide, *support.defaults(case), dtype=dtype)
        ufunc(*(each.astype(int) for each in wide), *support.defaults(case))
        narrow = [each.astype(np.float32) for each in wide]
        ufunc(*narrow, *support.defaults(case), out=np.empty(narrow[0].shape))
        ufunc(*(each * 1e100 for each in wide), *support.defaults(case), out=np.empty(narrow[0].shape, np.float32))
        ufunc(*([np.float32(INF)] * case.arrays), *support.defaults(case))
        if case.parameters:
            for value in (0.1, 1e-300, 1e300):
                ufunc(*narrow, *[np.full(narrow[0].shape, value)] * case.parameters)
            function = built.functions[case.name]
            positive = any(each.domain == "positive" for each in case.record.parameters)
            for value in (0.1, 1e300, *([1e-44] if positive else [1e-300, 5e-324, 0])):
                same = [value] * case.parameters
                function(*narrow, *same)
                function(*wide, *same)


def test_no_warnings_of_the_others(built, dtype):
    special = support.special_values(dtype)
    x, dy = (grid.copy() for grid in np.meshgrid(special, special))
    with np.errstate(all="raise"):
        for name in support.LEARNED:
            for parameter in (0.0, 0.25, 1e300, special[:, None], special):
                built.functions[f"{name}_backward"](dy, x, parameter)
        y, which = built.functions["maxout"](x)
        built.functions["maxout_backward"](y, which, len(special))


# Another library's floating-point mode


class Mxcsr:
    """Reads and sets the SSE control register through two instructions in memory of their own."""

    def __init__(self):
        self.memory = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self.memory.write(bytes.fromhex("0fae1fc3 0fae17c3"))  # stmxcsr [rdi]; ret; ldmxcsr [rdi]; ret
        self.first = ctypes.c_char.from_buffer(self.memory)
        address = ctypes.addressof(self.first)
        function = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_uint32))
        self.store, self.load = function(address), function(address + 4)

    def get(self):
        value = ctypes.c_uint32()
        self.store(ctypes.byref(value))
        return value.value

    def set(self, value):
        self.load(ctypes.byref(ctypes.c_uint32(value)))

    @contextlib.contextmanager
    def mode(self, control):
        before = self.get()
        self.set(0x1F80 | control)
        try:
            yield
        finally:
            self.set(before)


FLUSH, UPWARD, TOWARD_ZERO = 0x8040, 0x4000, 0x6000
needs_mxcsr = pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="x86-64 only")


@pytest.fixture(scope="module")
def mxcsr():
    try:
        return Mxcsr()
    except (OSError, PermissionError):
        pytest.skip("no executable memory")


def tiny_operands(rng, case, dtype, tier, n):
    """Operands many of which are subnormal, or whose results are."""
    scale = np.finfo(dtype).tiny
    values = np.concatenate([support.special_values(dtype), (rng.normal(size=n) * scale).astype(dtype)])
    values = np.concatenate([values, rng.normal(scale=20, size=n).astype(dtype)])
    data = [rng.permutation(values) for _ in range(case.arrays)]
    return data, [rng.permutation(np.abs(values)).astype(support.parameter_dtype(dtype, tier))] * case.parameters


@needs_mxcsr
@pytest.mark.parametrize("control", [FLUSH, UPWARD, TOWARD_ZERO], ids=["flush", "upward", "toward zero"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_floating_point_mode_of_others(built, dtype, case, control, mxcsr, rng):
    data, parameters = tiny_operands(rng, case, dtype, built.tier, 100)
    ufunc, function = built.ufuncs[case.name], built.functions[case.name]
    long = [np.resize(x, 300_000) for x in data]
    small = float(np.finfo(dtype).smallest_subnormal) * 1000
    scalar = [small] * case.parameters
    zero_d = [np.array(small, support.parameter_dtype(dtype, built.tier))] * case.parameters
    calls = {
        "arrays": lambda: ufunc(*data, *parameters),
        "step 2": lambda: ufunc(*(x[::2] for x in data), *(x[::2] for x in parameters)),
        "long": lambda: ufunc(*long, *(np.resize(x, len(long[0])) for x in parameters)),
        "one": lambda: ufunc(*(x[:1] for x in data), *(x[:1] for x in parameters)),
        "small parameter": lambda: function(*data, *scalar),
        "0-d parameter": lambda: function(*data, *zero_d),
    }
    if dtype != np.float64:  # with casts in front of the loop
        calls["wider"] = lambda: ufunc(*data, *parameters, dtype=np.float64)
    for name, call in calls.items():
        expected = call()
        with mxcsr.mode(control):
            got = call()
            after = mxcsr.get() & ~0x3F
        assert after == 0x1F80 | control, f"{case.name}: the caller's mode was changed"
        both = zip(got, expected, strict=True) if isinstance(got, tuple) else [(got, expected)]
        for one, other in both:
            assert_same_bits(one, other, f"{built.level} {built.tier} {case.name} {name}")


@needs_mxcsr
def test_status_flags_stay_as_they_were(built, mxcsr, rng):
    for case in CASES:
        data, parameters = tiny_operands(rng, case, np.float32, built.tier, 50)
        for flags in (0, 0x20):
            with mxcsr.mode(flags):
                built.ufuncs[case.name](*data, *parameters)
                after = mxcsr.get()
            assert after == 0x1F80 | flags, f"{case.name} left {after:#x}"


@needs_mxcsr
def test_flush_to_zero_and_the_other_functions(built, dtype, mxcsr, rng):
    tiny = np.finfo(dtype).tiny
    dy, x = ((rng.normal(size=(40, 9)) * tiny).astype(dtype) for _ in range(2))
    small, signs, pieces = float(tiny) / 7, np.sign(x), np.abs(x)
    which = rng.integers(0, 3, dy.shape).astype(np.uint8)
    ones, channels = np.ones_like(x), np.full(9, small)
    f = built.functions
    calls = {
        "prelu_backward": lambda: f["prelu_backward"](dy, signs, small),
        "prelu_backward of ones": lambda: f["prelu_backward"](ones, x, channels),
        "swish_backward": lambda: f["swish_backward"](dy, signs, small),
        "swish_backward per channel": lambda: f["swish_backward"](dy, signs, channels),
        "maxout": lambda: f["maxout"](pieces),
        "maxout_backward": lambda: (f["maxout_backward"](dy, which, 3),),
        "rrelu": lambda: f["rrelu"](x, training=True, rng=0),
        "rrelu_backward": lambda: (f["rrelu_backward"](dy, x, 0.25),),
        "crelu": lambda: (f["crelu"](x),),
        "crelu_backward": lambda: (f["crelu_backward"](np.hstack((dy, dy)), x),),
        "crelu_backward_from_output": lambda: (f["crelu_backward_from_output"](dy[:, :8], x[:, :8]),),
    }
    wrong = []
    for name, call in calls.items():
        expected = call()
        with mxcsr.mode(FLUSH):
            got = call()
        for one, other in zip(got, expected, strict=True):
            try:
                assert_same_bits(one, other, f"{built.level} {built.tier} {name}")
            except AssertionError as error:
                wrong.append(str(error))
    assert not wrong, "\n".join(wrong)


def test_threads_take_no_mode_from_the_caller():
    """The set of functions a user sees, on several threads, after another library has set flush-to-zero."""
    if platform.machine() not in ("x86_64", "AMD64"):
        pytest.skip("x86-64 only")
    register = Mxcsr()
    x = np.full(1 << 21, 1e-40, np.float32)
    with register.mode(FLUSH), na.num_threads(3):
        y = na.tanh(x)
    assert_same_bits(y, x, "tanh on three threads")


def test_builds_agree_where_promised(dtype, rng):
    """The precise tier on every level; the standard tier on levels with FMA."""
    for case in CASES:
        arrays = support.operands(rng, case, dtype, "precise", 4000)
        levels = support.LEVELS if dtype is np.float32 else [x for x in support.LEVELS if x != "x86-64"]
        results = [build(level, "precise").ufuncs[case.name](*arrays) for level in levels]
        for level, result in zip(levels, results, strict=True):
            assert_same_bits(result, results[0], f"{case.name} precise {level}", *arrays)
        arrays = support.operands(rng, case, dtype, "standard", 4000)
        levels = [level for level in support.LEVELS if level != "x86-64"]
        results = [build(level, "standard").ufuncs[case.name](*arrays) for level in levels]
        for level, result in zip(levels, results, strict=True):
            assert_same_bits(result, results[0], f"{case.name} {level}", *arrays)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_largest_parameters_count(dtype):
    """Also where the reciprocal of their power of two is subnormal; infinite ones count as the largest number."""
    largest = np.finfo(dtype).max
    x, dy = np.array([-1.0, 0.0, 1.0], dtype), dtype(2**-20)
    for alpha in (largest, -largest, largest / 2, np.inf):
        expected = dy * np.minimum(alpha, largest) * np.exp(x)
        np.testing.assert_allclose(na.elu_backward(dy, x, dtype(alpha)), [*expected[:2], dy], rtol=4e-7)
    assert (na.squareplus(x, np.inf) > 1e18).all()
    assert (na.squareplus_backward(dy, x, np.inf) == dy / 2).all()
