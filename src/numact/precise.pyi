"""Written by tools/make_stubs.py."""

from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from ._types import Real

relu: np.ufunc
relu_backward: np.ufunc
relu_backward_from_output: np.ufunc
relu6: np.ufunc
relu6_backward: np.ufunc
relu6_backward_from_output: np.ufunc
squared_relu: np.ufunc
squared_relu_backward: np.ufunc

def leaky_relu(x: ArrayLike, /, negative_slope: ArrayLike = 0.01, out: Any = None, **kwargs: Any) -> Any: ...
def leaky_relu_backward(
    dy: ArrayLike, x: ArrayLike, /, negative_slope: ArrayLike = 0.01, out: Any = None, **kwargs: Any
) -> Any: ...
def leaky_relu_backward_from_output(
    dy: ArrayLike, y: ArrayLike, /, negative_slope: ArrayLike = 0.01, out: Any = None, **kwargs: Any
) -> Any: ...
def prelu(x: ArrayLike, /, weight: ArrayLike, out: Any = None, **kwargs: Any) -> Any: ...
def prelu_backward(dy: ArrayLike, x: ArrayLike, /, weight: ArrayLike, *, out: Any = None) -> tuple[Any, Any]: ...
def threshold(
    x: ArrayLike, /, threshold: ArrayLike = 1.0, value: ArrayLike = 0.0, out: Any = None, **kwargs: Any
) -> Any: ...
def threshold_backward(
    dy: ArrayLike, x: ArrayLike, /, threshold: ArrayLike = 1.0, value: ArrayLike = 0.0, out: Any = None, **kwargs: Any
) -> Any: ...
def threshold_backward_from_output(
    dy: ArrayLike, y: ArrayLike, /, threshold: ArrayLike = 1.0, value: ArrayLike = 0.0, out: Any = None, **kwargs: Any
) -> Any: ...
def hard_shrink(x: ArrayLike, /, lambd: ArrayLike = 0.5, out: Any = None, **kwargs: Any) -> Any: ...
def hard_shrink_backward(
    dy: ArrayLike, x: ArrayLike, /, lambd: ArrayLike = 0.5, out: Any = None, **kwargs: Any
) -> Any: ...
def hard_shrink_backward_from_output(
    dy: ArrayLike, y: ArrayLike, /, lambd: ArrayLike = 0.5, out: Any = None, **kwargs: Any
) -> Any: ...
def soft_shrink(x: ArrayLike, /, lambd: ArrayLike = 0.5, out: Any = None, **kwargs: Any) -> Any: ...
def soft_shrink_backward(
    dy: ArrayLike, x: ArrayLike, /, lambd: ArrayLike = 0.5, out: Any = None, **kwargs: Any
) -> Any: ...
def soft_shrink_backward_from_output(
    dy: ArrayLike, y: ArrayLike, /, lambd: ArrayLike = 0.5, out: Any = None, **kwargs: Any
) -> Any: ...
def elu(x: ArrayLike, /, alpha: ArrayLike = 1.0, out: Any = None, **kwargs: Any) -> Any: ...
def elu_backward(dy: ArrayLike, x: ArrayLike, /, alpha: ArrayLike = 1.0, out: Any = None, **kwargs: Any) -> Any: ...
def elu_backward_from_output(
    dy: ArrayLike, y: ArrayLike, /, alpha: ArrayLike = 1.0, out: Any = None, **kwargs: Any
) -> Any: ...

selu: np.ufunc
selu_backward: np.ufunc
selu_backward_from_output: np.ufunc

def celu(x: ArrayLike, /, alpha: ArrayLike = 1.0, out: Any = None, **kwargs: Any) -> Any: ...
def celu_backward(dy: ArrayLike, x: ArrayLike, /, alpha: ArrayLike = 1.0, out: Any = None, **kwargs: Any) -> Any: ...
def celu_backward_from_output(
    dy: ArrayLike, y: ArrayLike, /, alpha: ArrayLike = 1.0, out: Any = None, **kwargs: Any
) -> Any: ...

sigmoid: np.ufunc
sigmoid_backward: np.ufunc
sigmoid_backward_from_output: np.ufunc
log_sigmoid: np.ufunc
log_sigmoid_backward: np.ufunc
log_sigmoid_backward_from_output: np.ufunc
hard_sigmoid: np.ufunc
hard_sigmoid_backward: np.ufunc
hard_sigmoid_backward_from_output: np.ufunc
tanh: np.ufunc
tanh_backward: np.ufunc
tanh_backward_from_output: np.ufunc

def hard_tanh(
    x: ArrayLike, /, min_val: ArrayLike = -1.0, max_val: ArrayLike = 1.0, out: Any = None, **kwargs: Any
) -> Any: ...
def hard_tanh_backward(
    dy: ArrayLike, x: ArrayLike, /, min_val: ArrayLike = -1.0, max_val: ArrayLike = 1.0, out: Any = None, **kwargs: Any
) -> Any: ...
def hard_tanh_backward_from_output(
    dy: ArrayLike, y: ArrayLike, /, min_val: ArrayLike = -1.0, max_val: ArrayLike = 1.0, out: Any = None, **kwargs: Any
) -> Any: ...

tanh_shrink: np.ufunc
tanh_shrink_backward: np.ufunc
softsign: np.ufunc
softsign_backward: np.ufunc
softsign_backward_from_output: np.ufunc

def softplus(x: ArrayLike, /, beta: ArrayLike = 1.0, out: Any = None, **kwargs: Any) -> Any: ...
def softplus_backward(dy: ArrayLike, x: ArrayLike, /, beta: ArrayLike = 1.0, out: Any = None, **kwargs: Any) -> Any: ...
def softplus_backward_from_output(
    dy: ArrayLike, y: ArrayLike, /, beta: ArrayLike = 1.0, out: Any = None, **kwargs: Any
) -> Any: ...
def squareplus(x: ArrayLike, /, b: ArrayLike = 4.0, out: Any = None, **kwargs: Any) -> Any: ...
def squareplus_backward(dy: ArrayLike, x: ArrayLike, /, b: ArrayLike = 4.0, out: Any = None, **kwargs: Any) -> Any: ...

gelu: np.ufunc
gelu_backward: np.ufunc
gelu_tanh: np.ufunc
gelu_tanh_backward: np.ufunc
quick_gelu: np.ufunc
quick_gelu_backward: np.ufunc
silu: np.ufunc
silu_backward: np.ufunc

def swish(x: ArrayLike, /, beta: ArrayLike = 1.0, out: Any = None, **kwargs: Any) -> Any: ...
def swish_backward(dy: ArrayLike, x: ArrayLike, /, beta: ArrayLike = 1.0, *, out: Any = None) -> tuple[Any, Any]: ...

hard_swish: np.ufunc
hard_swish_backward: np.ufunc
mish: np.ufunc
mish_backward: np.ufunc
dish: np.ufunc
dish_backward: np.ufunc
glu: np.ufunc
glu_backward: np.ufunc
reglu: np.ufunc
reglu_backward: np.ufunc
geglu: np.ufunc
geglu_backward: np.ufunc
swiglu: np.ufunc
swiglu_backward: np.ufunc

def maxout(x: ArrayLike, /, axis: SupportsIndex = -1, *, out: Any = None) -> tuple[Any, Any]: ...
def maxout_backward(
    dy: ArrayLike, which: ArrayLike, /, pieces: SupportsIndex, axis: SupportsIndex = -1, *, out: Any = None
) -> Any: ...
def rrelu(
    x: ArrayLike,
    /,
    lower: Real = 0.125,
    upper: Real = 0.3333333333333333,
    *,
    training: bool = False,
    rng: Any = None,
    out: Any = None,
) -> tuple[Any, Any]: ...
def rrelu_backward(dy: ArrayLike, x: ArrayLike, /, slope: ArrayLike, *, out: Any = None) -> Any: ...
def crelu(x: ArrayLike, /, axis: SupportsIndex = -1, *, out: Any = None) -> Any: ...
def crelu_backward(dy: ArrayLike, x: ArrayLike, /, axis: SupportsIndex = -1, *, out: Any = None) -> Any: ...
def crelu_backward_from_output(dy: ArrayLike, y: ArrayLike, /, axis: SupportsIndex = -1, *, out: Any = None) -> Any: ...

softmax: np.ufunc
softmax_backward: np.ufunc
softmax_backward_from_output: np.ufunc
log_softmax: np.ufunc
log_softmax_backward: np.ufunc
log_softmax_backward_from_output: np.ufunc
softmin: np.ufunc
softmin_backward: np.ufunc
softmin_backward_from_output: np.ufunc
