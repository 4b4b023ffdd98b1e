"""The usual network of fully connected layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike, NDArray

import numact as na
from numact._types import Real
from numact.nn import _initialisers
from numact.nn._activations import Activate, Gated, PReLU, RReLU, Swish, check_parameters
from numact.nn._checks import known, positive_int
from numact.nn._dense import Dense, Maxout
from numact.nn._layer import Layer
from numact.nn._regularisation import BatchNorm, Dropout
from numact.nn._sequential import Sequential

# Layers that take the initial value of what they learn in place of the parameter of the activation.
_LEARNED: dict[str, tuple[str, type[PReLU] | type[Swish]]] = {"prelu": ("weight", PReLU), "swish": ("beta", Swish)}


def mlp(
    widths: Sequence[SupportsIndex] | NDArray[np.integer[Any]],
    activation: str = "relu",
    activation_parameters: Mapping[str, Any] | None = None,
    *,
    batch_norm: bool = False,
    dropout: Real = 0.0,
    initial_weight: str | None = None,
    dtype: DTypeLike = np.float32,
    rng: np.random.Generator | None = None,
) -> Sequential:
    """Make a multi-layer perceptron: hidden layers with an activation, and a linear layer for the output.

    Parameters
    ----------
    widths : sequence of int
        Columns of the input, units of each hidden layer, columns of the output.
    activation : str, optional
        A name in ``numact.activations``, or "identity" for none. prelu and swish learn their parameter, one for each
        unit. maxout and the gated functions take several columns of a layer for each of its units, crelu returns two.
    activation_parameters : mapping, optional
        Parameters of the activation by their names, initial values of those that are learned; ``pieces`` of maxout.
    batch_norm : bool, optional
        Whether to normalise what each activation takes; for maxout, what it returns.
    dropout : float, optional
        The part of the units of each hidden layer that each training step leaves out.
    initial_weight : str, optional
        The distribution that all weights are drawn from, such as "xavier_uniform", by default that which suits the
        activation: see `Dense`.
    dtype : dtype, optional
        np.float32 or np.float64.
    rng : numpy.random.Generator, optional
        Source of the initial weights and of the dropout.

    Returns
    -------
    Sequential

    Raises
    ------
    TypeError, ValueError
        If there are no two widths, or an argument is not what a layer takes.

    Examples
    --------
    >>> from numact import nn
    >>> nn.mlp([64, 100, 10], "leaky_relu", {"negative_slope": 0.1})
    Sequential(Dense(64, 100), Activate('leaky_relu', negative_slope=0.1), Dense(100, 10))
    """
    if not hasattr(widths, "__len__"):
        raise TypeError(f"widths must be a sequence such as [64, 100, 10], got {widths!r}")
    if len(widths) < 2:
        raise ValueError(f"widths must be those of input and output at least, got {list(widths)}")
    sizes = [positive_int(f"widths[{i}]", width) for i, width in enumerate(widths)]
    known("activation", activation, [*na.activations, "identity"])
    if not isinstance(activation_parameters, Mapping | None):
        raise TypeError(
            f'activation_parameters must be a mapping such as {{"negative_slope": 0.1}}, got {activation_parameters!r}'
        )
    parameters = dict(activation_parameters or {})
    record = na.activations.get(activation)
    kind = "" if record is None else record.kind
    expected = [] if record is None else [p.name for p in record.parameters]
    check_parameters(activation, ["pieces"] if activation == "maxout" else expected, parameters)
    options: dict[str, Any] = {"dtype": dtype}
    if initial_weight is not None:
        options["initial_weight"] = known("initialiser", initial_weight, _initialisers.NAMES)
    layers: list[Layer] = []
    columns = sizes[0]
    for _, units in pairwise(sizes[:-1]):
        if activation == "maxout":
            layers.append(Maxout(columns, units, **options, **parameters))
        else:
            layers.append(Dense(columns, 2 * units if kind == "gated" else units, **options))
        if batch_norm:
            layers.append(BatchNorm(2 * units if kind == "gated" else units, dtype=dtype))
        layers += _activation(activation, kind, units, parameters, dtype)
        if dropout:
            layers.append(Dropout(dropout))
        columns = 2 * units if activation == "crelu" else units
    return Sequential(*layers, Dense(columns, sizes[-1], **options), rng=rng)


def _activation(name: str, kind: str, units: int, parameters: dict[str, Any], dtype: DTypeLike) -> list[Layer]:
    if name == "maxout":
        return []  # part of the layer before
    if name in _LEARNED:
        parameter, layer = _LEARNED[name]
        given = {"initial" if key == parameter else key: value for key, value in parameters.items()}
        return [layer(units, dtype=dtype, **given)]
    if name == "rrelu":
        return [RReLU(**parameters)]
    if kind == "gated":
        return [Gated(name)]
    return [] if name == "identity" else [Activate(name, **parameters)]
