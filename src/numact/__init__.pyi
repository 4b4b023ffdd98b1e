"""Written by tools/make_stubs.py."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from . import nn as nn
from . import precise as precise
from . import ufuncs as ufuncs
from ._build import Activation as Activation
from ._build import Parameter as Parameter
from ._runtime import available_isas as available_isas
from ._runtime import get_num_threads as get_num_threads
from ._runtime import isa as isa
from ._runtime import num_threads as num_threads
from ._runtime import set_num_threads as set_num_threads
from ._runtime import show_config as show_config
from ._sgd import SGD as SGD
from ._sgd import sgd_step as sgd_step

__version__: str
activations: Mapping[str, Activation]
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
