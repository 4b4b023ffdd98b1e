"""Written by tools/make_stubs.py."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

relu: np.ufunc
relu_backward: np.ufunc
relu_backward_from_output: np.ufunc

def leaky_relu(x: ArrayLike, /, negative_slope: ArrayLike = 0.01, out: Any = None, **kwargs: Any) -> Any: ...
def leaky_relu_backward(
    dy: ArrayLike, x: ArrayLike, /, negative_slope: ArrayLike = 0.01, out: Any = None, **kwargs: Any
) -> Any: ...
def leaky_relu_backward_from_output(
    dy: ArrayLike, y: ArrayLike, /, negative_slope: ArrayLike = 0.01, out: Any = None, **kwargs: Any
) -> Any: ...
def prelu(x: ArrayLike, /, weight: ArrayLike, out: Any = None, **kwargs: Any) -> Any: ...
def prelu_backward(dy: ArrayLike, x: ArrayLike, /, weight: ArrayLike, *, out: Any = None) -> tuple[Any, Any]: ...
def elu(x: ArrayLike, /, alpha: ArrayLike = 1.0, out: Any = None, **kwargs: Any) -> Any: ...
def elu_backward(dy: ArrayLike, x: ArrayLike, /, alpha: ArrayLike = 1.0, out: Any = None, **kwargs: Any) -> Any: ...
def elu_backward_from_output(
    dy: ArrayLike, y: ArrayLike, /, alpha: ArrayLike = 1.0, out: Any = None, **kwargs: Any
) -> Any: ...

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

def swish(x: ArrayLike, /, beta: ArrayLike = 1.0, out: Any = None, **kwargs: Any) -> Any: ...
def swish_backward(dy: ArrayLike, x: ArrayLike, /, beta: ArrayLike = 1.0, *, out: Any = None) -> tuple[Any, Any]: ...
def maxout(x: ArrayLike, /, axis: int = -1, *, out: Any = None) -> tuple[Any, Any]: ...
def maxout_backward(dy: ArrayLike, which: ArrayLike, /, pieces: int, axis: int = -1, *, out: Any = None) -> Any: ...
