"""Stochastic gradient descent on NumPy arrays, in place."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, SupportsIndex

import numpy as np

from ._functions import flag
from ._runtime import _native

if TYPE_CHECKING:  # takes long to import
    from numpy.typing import NDArray

    from ._types import Real

    _Array = NDArray[np.generic]  # bfloat16 of ml_dtypes is no np.floating
    _Reals = Real | Sequence[Real] | NDArray[np.floating[Any] | np.integer[Any]]

_small_step = _native.small_sgd_step  # True if it was one

__all__ = ["SGD", "sgd_step"]


def _number(name: str, value: object, least: float = 0.0) -> float:
    """Return value as a float that is not NaN."""
    if type(value) is float and value >= least:
        return value
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if not isinstance(value, (float, numbers.Real)):  # the second alone takes longer than the step of a small array
        raise TypeError(f"{name} must be a real number, not {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        raise ValueError(f"{name} is too large for a float: {value}") from None
    if not number >= least:
        raise ValueError(f"{name} must be {'at least 0' if least == 0 else 'a number'}, not {number}")
    return number


def _finite(name: str, value: object, least: float = 0.0) -> float:
    number = _number(name, value, least)
    if math.isinf(number):
        raise ValueError(f"{name} must be finite, not {number}")
    return number


def _scalar_or_each(name: str, value: object, count: int) -> float | tuple[float, ...]:
    """Return one checked number for all arrays, or a tuple with one for each."""
    if not (isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.ndim > 0)):
        return _finite(name, value)
    values = tuple(_finite(f"{name}[{i}]", each) for i, each in enumerate(value))
    if len(values) != count:
        raise ValueError(f"{name} has {len(values)} values for {count} params: give one number, or one for each")
    return values


def _each(value: float | tuple[float, ...], count: int) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,) * count


def _checked_options(
    count: int,
    *,
    lr: object,
    momentum: object,
    dampening: object,
    weight_decay: object,
    nesterov: object,
    maximize: object,
    max_norm: object,
    skip_nonfinite: object,
) -> dict[str, Any]:
    options: dict[str, Any] = {
        "lr": _scalar_or_each("lr", lr, count),
        "momentum": _finite("momentum", momentum),
        "dampening": _finite("dampening", dampening, least=-math.inf),
        "weight_decay": _scalar_or_each("weight_decay", weight_decay, count),
        "nesterov": flag("nesterov", nesterov),
        "maximize": flag("maximize", maximize),
        "max_norm": None if max_norm is None else _number("max_norm", max_norm),
        "skip_nonfinite": flag("skip_nonfinite", skip_nonfinite),
    }
    _check_nesterov(options["nesterov"], options["momentum"], options["dampening"])
    return options


def _check_nesterov(nesterov: object, momentum: float, dampening: float) -> None:
    if nesterov and (momentum == 0 or dampening != 0):
        raise ValueError(
            f"nesterov needs momentum > 0 and dampening == 0, not momentum={momentum} and dampening={dampening}"
        )


def _native_sgd(
    params: tuple[_Array, ...],
    velocities: Sequence[_Array | None],
    masters: Sequence[_Array | None],
    options: dict[str, Any],
) -> Any:
    """Return the native optimizer, which checks the arrays.

    A velocity of None starts at the first step, a master of None as the half-precision parameter's value.
    """
    with np.errstate(all="ignore"):  # a signalling NaN is invalid in a cast to float32
        return _native._Sgd(
            params,
            velocities if options["momentum"] > 0 else None,
            masters,
            **{
                **options,
                "lr": _each(options["lr"], len(params)),
                "weight_decay": _each(options["weight_decay"], len(params)),
            },
        )


def _copies(arrays: Iterable[Any]) -> list[Any]:
    return [a.copy() if isinstance(a, np.ndarray) else a for a in arrays]


def sgd_step(
    param: _Array,
    grad: _Array,
    velocity: _Array | None = None,
    *,
    lr: Real,
    momentum: Real = 0.0,
    dampening: Real = 0.0,
    weight_decay: Real = 0.0,
    nesterov: bool = False,
    maximize: bool = False,
    master: _Array | None = None,
) -> None:
    r"""Make one step of stochastic gradient descent on an array, in place and in one pass.

    .. math::

        g &= \pm\mathrm{grad} + \lambda\,\mathrm{param} \\
        v &\leftarrow \mu v + (1 - \tau) g \\
        \mathrm{param} &\leftarrow \mathrm{param} - \eta \cdot (g + \mu v \text{ if nesterov, else } v)

    with the learning rate :math:`\eta`, momentum :math:`\mu`, dampening :math:`\tau` and weight decay :math:`\lambda`.
    With momentum 0 there is no velocity, and :math:`g` takes the place of :math:`v`. With weight decay 0 nothing is
    added to the gradient, not even where `param` is infinite. All arithmetic is done in the dtype of `param`, for half
    precision in float32.

    A half-precision parameter is the rounding (to nearest, ties to even) of a `master` in float32, which takes the
    step: updates far smaller than the spacing of the halves add up in it. Where the stored half is not the rounding of
    its master, it was edited since, and the master takes its value first.

    Parameters
    ----------
    param : ndarray of float16, bfloat16 (of ml_dtypes), float32 or float64, any shape, strides and byte order
        The parameter, updated in place.
    grad : ndarray of the same shape and dtype; beside half precision also of float32
        The gradient of the loss with respect to `param`. It may not share memory with the other arrays.
    velocity : ndarray of the same shape and dtype, beside half precision of float32, optional
        The velocity, updated in place; needed if `momentum` is above 0, else left alone. Start with zeros (and, to
        step as PyTorch does, with dampening 0 in the first step, which `SGD` takes care of).
    lr : float, at least 0
        Learning rate.
    momentum : float, at least 0
        The part of the velocity that is kept.
    dampening : float
        1 - dampening is the part of the gradient that enters the velocity.
    weight_decay : float, at least 0
        Factor of the L2 penalty.
    nesterov : bool
        Step along the velocity that the next step will have; needs momentum and no dampening.
    maximize : bool
        Go up the gradient instead of down.
    master : ndarray of float32 and the same shape, optional
        The master of a half-precision `param`, updated in place. Start with ``param.astype(np.float32)``. Without it
        the step starts from `param` itself and is rounded into it once, and an update of less than half the spacing of
        the halves is lost, as in PyTorch.

    Raises
    ------
    TypeError
        If an array is not an ndarray of the right dtype, is masked, or is to be updated but read-only; if there is a
        master, but `param` is float32 or float64; if a number is not real.
    ValueError
        If shapes differ, arrays share memory, or a number lies outside its domain. Nothing has been written then.

    See Also
    --------
    SGD : the step for a list of arrays, with velocities, clipping and state.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and momentum in deep learning",
    ICML 2013. The convention is that of ``torch.optim.SGD``: the learning rate is not part of the velocity.

    Examples
    --------
    >>> import numpy as np
    >>> import numact as na
    >>> weight = np.array([1.0, 2.0])
    >>> velocity = np.zeros_like(weight)
    >>> na.sgd_step(weight, np.array([1.0, -1.0]), velocity, lr=0.5, momentum=0.5)
    >>> weight
    array([0.5, 2.5])

    A float16 at 1 moves by no less than 2**-11; the master remembers smaller updates:

    >>> weight = np.ones(1, np.float16)
    >>> master = weight.astype(np.float32)
    >>> for _ in range(1000):
    ...     na.sgd_step(weight, np.ones_like(weight), lr=1e-4, master=master)
    >>> weight
    array([0.9], dtype=float16)
    """
    if _small_step(param, grad, velocity, master, lr, momentum, dampening, weight_decay, nesterov, maximize):
        return
    rate, decay = _finite("lr", lr), _finite("weight_decay", weight_decay)
    kept, damping = _finite("momentum", momentum), _finite("dampening", dampening, least=-math.inf)
    _check_nesterov(nesterov, kept, damping)
    if kept == 0:
        velocity = None
    elif velocity is None:
        raise ValueError(
            f"momentum={kept} needs a velocity: start with np.zeros_like(param), in float32 for half precision"
        )
    upwards = flag("maximize", maximize)
    _native.sgd_step(param, grad, velocity, master, rate, kept, damping, decay, flag("nesterov", nesterov), upwards)


class SGD:
    r"""Stochastic gradient descent for a list of arrays, which are updated in place.

    Each step does for every array what `sgd_step` does,

    .. math::

        g &= \pm c\,\mathrm{grad} + \lambda\,\mathrm{param} \\
        v &\leftarrow \mu v + (1 - \tau) g \\
        \mathrm{param} &\leftarrow \mathrm{param} - \eta \cdot (g + \mu v \text{ if nesterov, else } v)

    where the first step of an array sets :math:`v = g`, and :math:`c = \min(1, \mathrm{max\_norm} / (n + 10^{-6}))`
    with the norm :math:`n` of all gradients together (1 without `max_norm`), as ``torch.optim.SGD`` and
    ``torch.nn.utils.clip_grad_norm_`` do. Results do not depend on the number of threads.

    Parameters
    ----------
    params : list of ndarray, of float16, bfloat16 (of ml_dtypes), float32 or float64, any shapes, strides, byte orders
        The parameters. They are kept, and may neither share memory nor be resized. A half-precision parameter gets a
        velocity and a master in float32, as `sgd_step` describes them.
    lr : float, or list with one for each array, at least 0
        Learning rate; may be changed between steps by assigning to `lr`.
    momentum : float, at least 0
        The part of the velocity that is kept. With 0 there are no velocities.
    dampening : float
        1 - dampening is the part of the gradient that enters the velocity, except in an array's first step.
    weight_decay : float, or list with one for each array, at least 0
        Factor of the L2 penalty.
    nesterov : bool
        Step along the velocity that the next step will have; needs momentum and no dampening.
    maximize : bool
        Go up the gradients instead of down.
    max_norm : float, at least 0, optional
        Scale the gradients down (as they are used, not in their arrays) where their common Euclidean norm is larger.
        ``inf`` only measures the norm.
    skip_nonfinite : bool
        Leave everything as it is when an element of a gradient is infinite or NaN. Without it NaN and infinities enter
        the parameters; under `max_norm` a NaN in one gradient makes all parameters NaN, and an infinite element makes
        its own NaN and counts the other gradients as 0, as in PyTorch.

    Attributes
    ----------
    params : tuple of ndarray
        The parameters.
    lr : float or tuple of float
        The learning rate, as one number or one for each array.
    last_norm : float or None
        The norm of all gradients of the last step, before clipping, if `max_norm` or `skip_nonfinite` asked for it.

    Raises
    ------
    TypeError, ValueError
        As `sgd_step` does, also when two parameters share memory. Nothing has been written then. It cannot be copied or
        pickled either, which is a TypeError: keep its `state_dict`.

    See Also
    --------
    sgd_step : the step for one array.

    References
    ----------
    B. T. Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    I. Sutskever, J. Martens, G. Dahl, G. Hinton, "On the importance of initialization and momentum in deep learning",
    ICML 2013.

    Examples
    --------
    >>> import numpy as np
    >>> import numact as na
    >>> weight, bias = np.ones((2, 2)), np.zeros(2)
    >>> optimizer = na.SGD([weight, bias], lr=0.5, momentum=0.5)
    >>> optimizer.step([np.full((2, 2), 0.5), np.array([1.0, -1.0])])
    True
    >>> optimizer.step([np.full((2, 2), 0.5), np.array([1.0, -1.0])])
    True
    >>> weight
    array([[0.375, 0.375],
           [0.375, 0.375]])
    >>> bias
    array([-1.25,  1.25])
    """

    __slots__ = ("__weakref__", "_native", "_options", "_params")  # assigning momentum would have no effect

    def __init__(
        self,
        params: Iterable[_Array],
        lr: _Reals,
        momentum: Real = 0.0,
        dampening: Real = 0.0,
        weight_decay: _Reals = 0.0,
        nesterov: bool = False,
        maximize: bool = False,
        max_norm: Real | None = None,
        skip_nonfinite: bool = False,
    ) -> None:
        if isinstance(params, np.ndarray):
            raise TypeError("params must be a list of arrays, not one array: wrap it in a list")
        if not isinstance(params, Iterable):
            raise TypeError(f"params must be a list of arrays, not {type(params).__name__}")
        self._params = tuple(params)
        if not self._params:
            raise ValueError("params is empty: at least one array is needed")
        self._options = _checked_options(
            len(self._params),
            lr=lr,
            momentum=momentum,
            dampening=dampening,
            weight_decay=weight_decay,
            nesterov=nesterov,
            maximize=maximize,
            max_norm=max_norm,
            skip_nonfinite=skip_nonfinite,
        )
        nothing = (None,) * len(self._params)
        self._native = _native_sgd(self._params, nothing, nothing, self._options)

    def step(self, grads: Iterable[_Array | None]) -> bool:
        """Update every parameter by its gradient.

        Parameters
        ----------
        grads : list of ndarray or None
            One for each parameter, of its shape and dtype (beside half precision also float32), sharing memory with no
            parameter. Where it is None the parameter, its velocity and its master are left as they are.

        Returns
        -------
        bool
            Whether the step was applied: False only if `skip_nonfinite` prevented it.

        Raises
        ------
        TypeError, ValueError
            If the gradients do not match the parameters. Nothing has been written then.
        """
        applied: bool = self._native.step(grads)
        return applied

    @property
    def params(self) -> tuple[_Array, ...]:
        """The parameters, the very arrays that were given."""
        return self._params

    @property
    def lr(self) -> float | tuple[float, ...]:
        """The learning rate, as one number or one for each array; assign either, at least 0 and finite."""
        lr: float | tuple[float, ...] = self._options["lr"]
        return lr

    @lr.setter
    def lr(self, lr: _Reals) -> None:
        checked = _scalar_or_each("lr", lr, len(self._params))
        self._native.set_learning_rates(_each(checked, len(self._params)))
        self._options["lr"] = checked

    @property
    def last_norm(self) -> float | None:
        """The norm of all gradients of the last step, before clipping; None if nothing asked for it."""
        norm: float | None = self._native.last_norm
        return norm

    def state_dict(self) -> dict[str, Any]:
        """Return the options and copies of the velocities and masters, as a plain dict.

        Returns
        -------
        dict
            The arguments of the constructor by name, without `params`; ``"velocities"``: a list with an array for each
            parameter, or None where no step has been made or there is no momentum; ``"masters"``: a list with a float32
            array for each half-precision parameter, and None for the others.
        """
        state = {name: list(value) if isinstance(value, tuple) else value for name, value in self._options.items()}
        velocities = self._native.velocities() if self._options["momentum"] > 0 else [None] * len(self._params)
        return {**state, "velocities": _copies(velocities), "masters": _copies(self._native.masters())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take options, velocities and masters from a dict that `state_dict` returned.

        Parameters
        ----------
        state : dict
            Its arrays are copied. ``"masters"`` may be missing, or be None for a half-precision parameter: its master
            starts as its value then. Where a parameter is not the rounding of its master, the parameter counts.

        Raises
        ------
        TypeError, ValueError
            If keys, shapes or dtypes do not fit, or a value lies outside its domain. Nothing has been changed then.
        """
        if not isinstance(state, dict):
            raise TypeError(f"state must be a dict, not {type(state).__name__}")
        expected = {*self._options, "velocities", "masters"}
        state = {"masters": [None] * len(self._params), **state}
        if lacking := expected - state.keys():
            raise ValueError(f"state lacks the keys {sorted(lacking)}")
        if unknown := state.keys() - expected:
            raise ValueError(f"state has the unknown keys {sorted(unknown, key=str)}")
        options = _checked_options(len(self._params), **{name: state[name] for name in self._options})
        for name in ("velocities", "masters"):
            if not isinstance(state[name], Iterable):
                raise TypeError(f"state must have a list of {name}, not {type(state[name]).__name__}")
        velocities, masters = _copies(state["velocities"]), _copies(state["masters"])
        for name, arrays in (("velocities", velocities), ("masters", masters)):
            if len(arrays) != len(self._params):
                raise ValueError(f"state has {len(arrays)} {name} for {len(self._params)} params")
        if options["momentum"] == 0 and any(v is not None for v in velocities):
            raise ValueError("state has velocities, but its momentum is 0")
        self._native = _native_sgd(self._params, velocities, masters, options)
        self._options = options

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(
            "an SGD steps the very arrays it was made for, so it cannot be copied or pickled: keep its state_dict(), "
            "make an SGD for the other arrays and call its load_state_dict()"
        )

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self._options.items())
        count = len(self._params)
        return f"SGD(<{count} {'array' if count == 1 else 'arrays'}>, {options})"
