"""Written by tools/make_stubs.py."""

import numpy as np

relu: np.ufunc
relu_backward: np.ufunc
relu_backward_from_output: np.ufunc
leaky_relu: np.ufunc
leaky_relu_backward: np.ufunc
leaky_relu_backward_from_output: np.ufunc
prelu: np.ufunc
prelu_backward: np.ufunc
elu: np.ufunc
elu_backward: np.ufunc
elu_backward_from_output: np.ufunc
selu: np.ufunc
selu_backward: np.ufunc
selu_backward_from_output: np.ufunc
sigmoid: np.ufunc
sigmoid_backward: np.ufunc
sigmoid_backward_from_output: np.ufunc
tanh: np.ufunc
tanh_backward: np.ufunc
tanh_backward_from_output: np.ufunc
silu: np.ufunc
silu_backward: np.ufunc
swish: np.ufunc
swish_backward: np.ufunc
