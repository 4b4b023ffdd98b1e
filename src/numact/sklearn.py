"""Multi-layer perceptrons for scikit-learn, with every activation of numact.

They share parameters and attributes with ``sklearn.neural_network.MLPClassifier`` and ``MLPRegressor`` under
``solver="sgd"``, and can take their place. Needs scikit-learn: ``python -m pip install 'numact[sklearn]'``.
They pass ``sklearn.utils.estimator_checks.check_estimator`` but for ``check_sample_weight_equivalence_on_dense_data``,
as a row given twice makes other batches than one of weight 2. With ``dtype="float32"``, which predictions have as well,
two more checks cannot hold: ``check_regressor_multioutput`` wants float64, and ``check_classifiers_train`` that no
logarithm tells more than that of the rounded probability, which may be 1 or 0. With ``early_stopping=True`` those
checks cannot hold that call `partial_fit`, which refuses it, or leave no row for validation.

>>> from sklearn.datasets import load_digits
>>> from sklearn.model_selection import train_test_split
>>> from sklearn.pipeline import make_pipeline
>>> from sklearn.preprocessing import StandardScaler
>>> from numact.sklearn import MLPClassifier
>>> x, x_test, y, y_test = train_test_split(*load_digits(return_X_y=True), random_state=0)
>>> model = make_pipeline(StandardScaler(), MLPClassifier(64, "gelu", early_stopping=True, random_state=0))
>>> bool(model.fit(x, y).score(x_test, y_test) > 0.95)
True
"""

from __future__ import annotations

import functools
import inspect
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import FunctionType
from typing import Any, SupportsIndex, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

import numact as na
from numact import nn
from numact._functions import flag
from numact._types import Real
from numact.nn._checks import outside, positive_int, real
from numact.nn._samples import Objective
from numact.nn._schedules import schedule_of

try:
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets, type_of_target
    from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data
except ImportError as error:
    raise ImportError(
        f"numact.sklearn needs scikit-learn 1.6 or newer ({error}); "
        "install with: python -m pip install 'numact[sklearn]'"
    ) from error

__all__ = ["MLPClassifier", "MLPRegressor"]

Array = NDArray[Any]
Self = TypeVar("Self", bound="_Perceptron")
Method = TypeVar("Method", bound=Callable[..., Any])

_PARAMETERS = """hidden_layer_sizes : int or sequence of int, default (100,)
        Units of each hidden layer.
    activation : str, default "relu"
        Any name in ``numact.activations``, "identity", or "logistic" for sigmoid; see `numact.nn.mlp`.
    activation_parameters : mapping, optional
        Parameters of the activation, such as ``{"negative_slope": 0.1}``.
    batch_norm : bool, default False
        Whether to normalise what each activation takes over the batch.
    dropout : float, default 0.0
        The part of the units of each hidden layer that each training step leaves out.
    initial_weight : str, optional
        The distribution that the weights are drawn from, such as "xavier_uniform", which is scikit-learn's but for
        "logistic"; by default that which suits the activation.
    alpha : float, default 0.0001
        Strength of the L2 penalty on the weights of the layers, which is divided by the batch size.
    batch_size : int or "auto", default "auto"
        Rows of a step; "auto" is 200, or all rows if there are fewer.
    learning_rate : str or callable, default "constant"
        ``schedule`` of `numact.nn.fit`: "constant", "step", "cosine" or a function.
    learning_rate_init : float, default 0.01
        The learning rate that the schedule starts from.
    max_iter : int, default 200
        Largest number of epochs.
    shuffle : bool, default True
        Whether each epoch has a new order.
    random_state : int, RandomState or None, default None
        Fixes initial weights, batches, dropout and validation data.
    tol : float, default 0.0001
        The least fall of the loss that counts as one.
    verbose : bool, default False
        Whether to print the loss of each epoch.
    warm_start : bool, default False
        Whether ``fit`` continues from where the call before ended, with the network as it is.
    momentum : float, default 0.9
        Momentum of SGD.
    nesterovs_momentum : bool, default True
        Whether it is Nesterov's.
    max_norm : float or None, default 1.0
        Largest Euclidean norm of all gradients of a step, to which longer ones are scaled: features that are not
        standardised do not make the training diverge.
    early_stopping : bool, default False
        Whether part of the data is set aside for validation and its loss ends the training. The weights are then those
        of the best epoch.
    validation_fraction : float, default 0.1
        The part set aside.
    n_iter_no_change : int or np.inf, default 10
        The training ends after more than so many epochs in which the loss has not fallen by more than ``tol``; with
        np.inf after ``max_iter``.
    dtype : str or dtype, optional
        Floating-point type of the network, by default float32 for data of float32 and float64 for all others. "float32"
        takes about half the time of "float64".
"""

_ATTRIBUTES = """loss_ : float
        Mean loss over the last epoch, without the penalty.
    best_loss_ : float or None
        The least of ``loss_curve_``; None with early stopping.
    loss_curve_ : list of float
        ``loss_`` of each epoch.
    validation_scores_ : list of float or None
        Accuracy (of a regressor: coefficient of determination) on the validation data after each epoch, with early
        stopping.
    best_validation_score_ : float or None
        The largest of them.
    model_ : numact.nn.Sequential
        The network.
    coefs_, intercepts_ : list of ndarray
        Weights of shape (inputs, outputs) and biases of each dense layer, the network's own arrays: of maxout with all
        pieces, of gated functions with gates and values. Batch normalisation and what activations learn is apart, in
        ``model_``.
    out_activation_ : str
        What turns the last outputs into predictions: "softmax", "logistic" or "identity".
    n_features_in_, n_layers_, n_outputs_ : int
        Columns of the input, layers with input and output, columns of the output.
    n_iter_, t_ : int
        Epochs, and rows seen in them."""

_NOTES = """What differs from scikit-learn's class:

    - SGD is the only solver: there are no ``solver`` and ``power_t``. ``learning_rate_init`` is 0.01, and
      ``max_norm=1.0`` clips long gradients.
    - ``learning_rate`` is a schedule; "invscaling" and "adaptive" are not among them.
    - Weights start with the distribution that suits the activation, biases at 0.
    - Early stopping goes by the validation loss, not by the score. Losses are without the penalty.
    - There is no sparse input."""


def _finished(cls: type[Any]) -> type[Any]:
    """Fill in what the docstrings of both classes share, and give each an ``__init__`` that errors name by the class.

    Python 3.13 has docstrings without indentation, older ones with.
    """
    init = cls.__init__
    own = FunctionType(init.__code__, init.__globals__, argdefs=init.__defaults__)
    functools.update_wrapper(own, init)
    own.__kwdefaults__, own.__qualname__ = init.__kwdefaults__, f"{cls.__name__}.__init__"
    cls.__init__ = own
    doc = inspect.cleandoc(cls.__doc__ or "")
    for name, shared in (("parameters", _PARAMETERS), ("attributes", _ATTRIBUTES), ("notes", _NOTES)):
        doc = doc.replace(f"{{{name}}}", inspect.cleandoc(shared))
    cls.__doc__ = doc
    return cls


def _all_or_nothing(method: Method) -> Method:
    """A method after whose errors the estimator has the attributes that it had before."""

    @functools.wraps(method)
    def careful(self: Any, *args: Any, **options: Any) -> Any:
        before = vars(self).copy()
        try:
            return method(self, *args, **options)
        except BaseException:  # Ctrl-C too
            vars(self).clear()
            vars(self).update(before)
            raise

    return cast(Method, careful)


# Numbers of at least 0, and what they must be below.
_ENDS = dict.fromkeys(("alpha", "learning_rate_init", "tol", "momentum"), math.inf) | {
    "dropout": 1,
    "validation_fraction": 1,
}


def _half_squared_error(output: Array, y: Array, **options: Any) -> tuple[float, Array]:
    """Half the mean squared error and, as in scikit-learn, the gradient of the sum over the targets."""
    loss, gradient = nn.mean_squared_error(output, y, **options)
    gradient *= y.shape[1] / 2
    return loss / 2, gradient


def _summed_cross_entropy(output: Array, y: Array, **options: Any) -> tuple[float, Array]:
    """The cross-entropy summed over the labels of each row, as in scikit-learn."""
    loss, gradient = nn.binary_cross_entropy_with_logits(output, y, **options)
    gradient *= y.shape[1]
    return loss * y.shape[1], gradient


class _Multilabel(Objective):
    def right(self, output: Array, y: Array, weight: Array | None) -> float:
        """The rows of which every label is right."""
        right = ((output > 0) == (y > 0.5)).all(axis=1)
        return float(np.count_nonzero(right) if weight is None else right @ weight)


_SQUARES = Objective("half_squared_error", _half_squared_error, "r2")
_LABELS = _Multilabel("binary_cross_entropy_with_logits", _summed_cross_entropy, "accuracy")

# What turns outputs into what each loss compares with the targets, by its name in scikit-learn.
_OUT = {
    "softmax_cross_entropy": "softmax",
    "binary_cross_entropy_with_logits": "logistic",
    _LABELS: "logistic",
    _SQUARES: "identity",
}


class _Printer(nn.Callback):
    def on_epoch_end(self, run: nn.Run) -> None:
        print(f"Iteration {run.epoch}, loss = {run.history.loss[-1]:.8f}")


class _Perceptron(BaseEstimator):  # type: ignore[misc]
    """What classifier and regressor share."""

    model_: nn.Sequential
    _optimizer: na.SGD | dict[str, Any] | None  # its state after unpickling

    def __init__(
        self,
        hidden_layer_sizes: SupportsIndex | Sequence[SupportsIndex] | NDArray[np.integer[Any]] = (100,),
        activation: str = "relu",
        *,
        activation_parameters: Mapping[str, Any] | None = None,
        batch_norm: bool = False,
        dropout: Real = 0.0,
        initial_weight: str | None = None,
        alpha: Real = 0.0001,
        batch_size: SupportsIndex | str = "auto",
        learning_rate: str | Callable[[float, int], float] = "constant",
        learning_rate_init: Real = 0.01,
        max_iter: SupportsIndex = 200,
        shuffle: bool = True,
        random_state: Any = None,
        tol: Real = 1e-4,
        verbose: bool = False,
        warm_start: bool = False,
        momentum: Real = 0.9,
        nesterovs_momentum: bool = True,
        max_norm: Real | None = 1.0,
        early_stopping: bool = False,
        validation_fraction: Real = 0.1,
        n_iter_no_change: Real = 10,
        dtype: Any = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.activation_parameters = activation_parameters
        self.batch_norm = batch_norm
        self.dropout = dropout
        self.initial_weight = initial_weight
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.verbose = verbose
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.max_norm = max_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.dtype = dtype

    def __getstate__(self) -> dict[str, Any]:
        # The optimizer holds arrays of the model: it is made anew from its state when it is needed.
        state = {**super().__getstate__()}
        if isinstance(optimizer := state.get("_optimizer"), na.SGD):
            state["_optimizer"] = optimizer.state_dict()
        return state

    def _check_parameters(self) -> None:
        """Refuse, under the name it has here, what is of another type or outside its domain."""
        for name in ("batch_norm", "shuffle", "warm_start", "nesterovs_momentum", "early_stopping"):
            flag(name, getattr(self, name))
        positive_int("max_iter", self.max_iter)
        if self.n_iter_no_change != math.inf:
            positive_int("n_iter_no_change", self.n_iter_no_change)
        for width in self._hidden():
            positive_int("hidden_layer_sizes", width)
        schedule_of(self.learning_rate)
        for name, end in _ENDS.items():
            if not 0 <= real(name, value := getattr(self, name)) < end:
                domain = "at least 0 and finite" if end == math.inf else f"at least 0 and below {end}"
                raise ValueError(f"{name} must be {domain}, got {value}")

    def _hidden(self) -> list[Any]:
        sizes = self.hidden_layer_sizes
        return list(sizes) if isinstance(sizes, Iterable) and not isinstance(sizes, str) else [sizes]

    @property
    def coefs_(self) -> list[Array]:
        """The weights of each dense layer."""
        return [layer.weight.value for layer in self.model_ if isinstance(layer, nn.Dense)]

    @property
    def intercepts_(self) -> list[Array]:
        """The biases of each dense layer."""
        return [layer.bias.value for layer in self.model_ if isinstance(layer, nn.Dense) and layer.bias]

    def _checked(self, X: Any, y: Any, first: bool) -> tuple[Array, Array]:
        """The data as arrays; `first` takes note of their columns, else they must fit those."""
        raise NotImplementedError

    def _note(self, y: Array, again: bool) -> None:
        """Take note of what ``fit`` must know of the targets before it starts, or goes on `again`."""

    def _encoded(self, y: Array) -> tuple[Array, str | Objective, int]:
        """The targets as the loss takes them, the loss, and how many outputs it needs."""
        raise NotImplementedError

    def _dtypes(self, first: bool) -> Any:
        """What data may be without conversion."""
        if not first:
            return self.model_.parameters[0].value.dtype
        return [np.float64, np.float32] if self.dtype is None else self.dtype

    @_all_or_nothing
    def fit(self: Self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the network to data.

        Parameters
        ----------
        X : array_like, shape (rows, features)
        y : array_like
            Classes of shape (rows,), of any type, or of shape (rows, labels) 1 for the labels that a row has, else 0;
            for a regressor numbers of shape (rows,) or (rows, targets).
        sample_weight : array_like, shape (rows,), optional
            Weights of the rows in the loss, relative to the others of a batch: with ``batch_size=1`` they count for
            nothing.

        Returns
        -------
        self

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` ends the training.

        Raises
        ------
        TypeError, ValueError
            If data or parameters are not valid, or the training diverges. Nothing has been changed then, except that
            a training that goes on with the network of the call before, and diverges, leaves its last finite weights.
        """
        self._check_parameters()
        again = self.warm_start and hasattr(self, "model_")
        if again:  # as for a new network
            self._network([1] * (len(self._hidden()) + 2), np.float64 if self.dtype is None else self.dtype)
        x, y = self._checked(X, y, not again)
        self._note(y, again)
        y, loss, outputs = self._encoded(y)
        if not again:
            self._start(x, outputs, loss)
        self.n_iter_ = 0
        validation = None
        if self.early_stopping:
            if np.shape(sample_weight) == (len(x),):  # rows that do not count are no validation data
                sample_weight = np.asarray(sample_weight)
                counts = sample_weight != 0
                x, y, sample_weight = x[counts], y[counts], sample_weight[counts]
            arrays = (x, y) if sample_weight is None else (x, y, sample_weight)
            stratify = y.ravel() if isinstance(loss, str) else None  # by its classes, one for each row
            try:
                (x, y, *rest), validation = nn.split(
                    *arrays, fraction=self.validation_fraction, stratify=stratify, rng=self._rng
                )
            except ValueError as error:
                raise ValueError(str(error).replace("fraction", "validation_fraction")) from None
            sample_weight = rest[0] if rest else None
        self._optimizer = self._new_optimizer(len(x))
        history = self._train(
            self._optimizer,
            x,
            y,
            sample_weight,
            loss,
            epochs=self.max_iter,
            validation=validation,
            schedule=self.learning_rate,
            # scikit-learn goes on for so many.
            patience=None if self.n_iter_no_change == math.inf else int(self.n_iter_no_change) + 1,
            min_delta=self.tol,
            restore_best=self.early_stopping,
        )
        self.validation_scores_ = history.validation_metric if validation else None
        self.best_validation_score_ = max(history.validation_metric, default=math.nan) if validation else None
        self.best_loss_ = None if validation else min(history.loss, default=math.inf)
        if history.stopped == "epochs":
            warnings.warn(
                f"max_iter={self.max_iter} epochs reached, and the training has not converged yet",
                ConvergenceWarning,
                stacklevel=outside(),
            )
        return self

    @_all_or_nothing
    def partial_fit(self: Self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train for one epoch over the data, at a constant learning rate.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            As in `fit`, and if ``early_stopping`` is set.
        """
        self._check_parameters()
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True")
        first = not hasattr(self, "model_")
        x, y = self._checked(X, y, first)
        y, loss, outputs = self._encoded(y)
        if first:
            self._start(x, outputs, loss)
        earlier, self._optimizer = self._optimizer, self._new_optimizer(len(x))
        if earlier is not None:
            # All but the decay, which is by the rows of a step now.
            state = earlier.state_dict() if isinstance(earlier, na.SGD) else earlier
            decay = self._optimizer.state_dict()["weight_decay"]
            self._optimizer.load_state_dict({**state, "weight_decay": decay})
        self._train(self._optimizer, x, y, sample_weight, loss, epochs=1)
        return self

    def _network(self, widths: list[int], dtype: Any, rng: np.random.Generator | None = None) -> nn.Sequential:
        return nn.mlp(
            widths,
            "sigmoid" if self.activation == "logistic" else self.activation,
            self.activation_parameters,
            batch_norm=self.batch_norm,
            dropout=self.dropout,
            initial_weight=self.initial_weight,
            dtype=dtype,
            rng=rng,
        )

    def _start(self, x: Array, outputs: int, loss: str | Objective) -> None:
        """A new network."""
        widths = [x.shape[1], *self._hidden(), outputs]
        self._rng = np.random.default_rng(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self.model_ = self._network(widths, x.dtype, self._rng)
        self.n_layers_, self.n_outputs_ = len(widths), outputs
        self.out_activation_ = _OUT[loss]
        self._optimizer = None
        self.loss_curve_: list[float] = []
        self.n_iter_ = self.t_ = 0

    def _new_optimizer(self, rows: int) -> na.SGD:
        values = [p.value for p in self.model_.parameters]
        decay = self.alpha / self._rows_per_step(rows)
        return na.SGD(
            values,
            lr=self.learning_rate_init,
            momentum=self.momentum,
            nesterov=self.nesterovs_momentum and bool(self.momentum > 0),
            weight_decay=[decay if value.ndim == 2 else 0.0 for value in values],
            max_norm=self.max_norm,
            skip_nonfinite=True,
        )

    def _rows_per_step(self, rows: int) -> int:
        if isinstance(self.batch_size, str):
            if self.batch_size != "auto":
                raise ValueError(f"batch_size must be 'auto' or an integer, got {self.batch_size!r}")
            return min(200, rows)
        return min(positive_int("batch_size", self.batch_size), rows)

    def _train(
        self, optimizer: na.SGD, x: Array, y: Array, sample_weight: Any, loss: Any, **options: Any
    ) -> nn.History:
        """Some epochs, and what is known after any."""
        try:
            history = nn.fit(
                self.model_,
                x,
                y,
                loss=loss,
                optimizer=optimizer,
                batch_size=self._rows_per_step(len(x)),
                shuffle=self.shuffle,
                sample_weight=sample_weight,
                callbacks=[_Printer()] if self.verbose else [],
                progress=False,
                rng=self._rng,
                **options,
            )
        except nn.DivergedError as error:
            raise ValueError(f"{error}, or standardise the features") from error
        self.loss_curve_ += history.loss
        self.loss_ = self.loss_curve_[-1] if self.loss_curve_ else math.nan
        self.t_ += len(history) * len(x)
        self.n_iter_ += len(history)
        if history.stopped == "interrupt":
            warnings.warn("Training interrupted by user.", stacklevel=outside())
        return history

    def _outputs(self, X: Any) -> Array:
        check_is_fitted(self, "model_")
        x = validate_data(self, X, dtype=self._dtypes(False), reset=False)
        rows = 1024  # enough for the matrix product, little for the caches
        return np.concatenate([self.model_.forward(x[i : i + rows]) for i in range(0, len(x), rows)])


@_finished
class MLPClassifier(ClassifierMixin, _Perceptron):  # type: ignore[misc]
    """Multi-layer perceptron classifier with every activation of numact, trained by mini-batch SGD.

    It minimises the mean cross-entropy: of one sigmoid for two classes, of the softmax for more, and of a sigmoid for
    each label where rows may have several: ``y`` of shape (rows, labels), 0 or 1.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classes_ : ndarray
        The labels, sorted; their columns where rows may have several.
    {attributes}

    Notes
    -----
    {notes}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import scale
    >>> from numact.sklearn import MLPClassifier
    >>> x, y = load_iris(return_X_y=True)
    >>> x = scale(x)
    >>> model = MLPClassifier(16, "swish", learning_rate_init=0.1, n_iter_no_change=3, tol=0.01, random_state=0)
    >>> bool(model.fit(x, y).score(x, y) > 0.9)
    True
    >>> model.predict_proba(x[:2]).shape
    (2, 3)
    """

    classes_: Array

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _checked(self, X: Any, y: Any, first: bool) -> tuple[Array, Array]:
        x, y = validate_data(self, X, y, dtype=self._dtypes(first), multi_output=True, reset=first)
        if not isinstance(y, np.ndarray):
            raise TypeError(f"y must be dense, got {type(y).__name__}")
        if y.shape[1:] == (1,):
            y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        if y.ndim == 2 and type_of_target(y) != "multilabel-indicator":
            raise ValueError("y of shape (rows, labels) must be 0 or 1, for each label that a row may have")
        shape = (len(y), self.n_outputs_) if not first and self._multilabel else (len(y),)
        if not first and y.shape != shape:
            raise ValueError(f"y must have shape {shape} as before, got {y.shape}")
        return x, y

    def _note(self, y: Array, again: bool) -> None:
        classes = np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])
        if again and not np.array_equal(classes, self.classes_):
            raise ValueError(f"warm_start needs the classes {self.classes_.tolist()} again, got {classes.tolist()}")
        self.classes_ = classes

    @property
    def _multilabel(self) -> bool:
        return self.out_activation_ == "logistic" and self.n_outputs_ > 1

    def _encoded(self, y: Array) -> tuple[Array, str | Objective, int]:
        if y.ndim == 2:
            if len(self.classes_) != y.shape[1]:
                raise ValueError(f"y has {y.shape[1]} labels, but the classes are {self.classes_.tolist()}")
            return y, _LABELS, y.shape[1]
        if unknown := set(np.unique(y).tolist()) - set(self.classes_.tolist()):
            raise ValueError(f"y has the classes {sorted(unknown)}, which are not among {self.classes_.tolist()}")
        labels = np.searchsorted(self.classes_, y)
        if len(self.classes_) == 2:
            return labels[:, np.newaxis], "binary_cross_entropy_with_logits", 1
        return labels, "softmax_cross_entropy", len(self.classes_)

    @_all_or_nothing
    def partial_fit(self: Self, X: Any, y: Any, sample_weight: Any = None, classes: Any = None) -> Self:
        """Train for one epoch over the data, at a constant learning rate.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`.
        classes : array_like, optional
            All classes that any call will have, or the columns of all labels: needed in the first call.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            As in `fit`, if ``early_stopping`` is set, or ``classes`` are not there in the first call, others than then,
            or without one in ``y``.
        """
        if classes is not None:
            given = np.unique(classes)
            if hasattr(self, "model_") and not np.array_equal(given, self.classes_):
                raise ValueError(f"classes were {self.classes_.tolist()} in the first call, got {given.tolist()}")
            self.classes_ = given
        elif not hasattr(self, "model_"):
            raise ValueError("the first call of partial_fit needs classes: all that any call will have")
        return super().partial_fit(X, y, sample_weight)

    def predict(self, X: Any) -> Array:
        """The most probable class of each row.

        Parameters
        ----------
        X : array_like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows,) or (rows, labels)
            In the second form 1 for each label that is more probable than not, else 0.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If there is no network yet.
        TypeError, ValueError
            If ``X`` is no matrix of finite numbers, or has other features.
        """
        outputs = self._outputs(X)
        if self._multilabel:
            return (outputs > 0).astype(int)
        labels = outputs[:, 0] > 0 if self.out_activation_ == "logistic" else outputs.argmax(axis=1)
        predicted: Array = self.classes_[labels.astype(np.intp)]
        return predicted

    def predict_proba(self, X: Any) -> Array:
        """The probability of each class, for each row.

        Parameters
        ----------
        X : array_like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows, classes)
            In the order of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If there is no network yet.
        TypeError, ValueError
            If ``X`` is no matrix of finite numbers, or has other features.
        """
        return self._probabilities(X, na.sigmoid, na.softmax)

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithm of `predict_proba`, accurate also where that is 0.

        Parameters
        ----------
        X : array_like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows, classes)
            In the order of ``classes_``.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If there is no network yet.
        TypeError, ValueError
            If ``X`` is no matrix of finite numbers, or has other features.
        """
        return self._probabilities(X, na.log_sigmoid, na.log_softmax)

    def _probabilities(self, X: Any, of_one: Callable[..., Any], of_all: Callable[..., Any]) -> Array:
        outputs = self._outputs(X)
        if self.out_activation_ == "softmax":
            return np.asarray(of_all(outputs))
        return np.asarray(of_one(outputs if self._multilabel else np.hstack([-outputs, outputs])))


@_finished
class MLPRegressor(RegressorMixin, _Perceptron):  # type: ignore[misc]
    """Multi-layer perceptron regressor with every activation of numact, trained by mini-batch SGD.

    It minimises half the squared error, its mean over the rows and sum over the targets; as in scikit-learn, ``loss_``
    is the mean over both.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    Notes
    -----
    {notes}

    Examples
    --------
    >>> import numpy as np
    >>> from numact.sklearn import MLPRegressor
    >>> x = np.linspace(-2, 2, 500).reshape(-1, 1)
    >>> model = MLPRegressor((32, 32), "tanh", learning_rate_init=0.05, batch_size=32, random_state=0)
    >>> bool(model.fit(x, np.sin(2 * x[:, 0])).score(x, np.sin(2 * x[:, 0])) > 0.99)
    True
    """

    def _checked(self, X: Any, y: Any, first: bool) -> tuple[Array, Array]:
        x, y = validate_data(self, X, y, dtype=self._dtypes(first), multi_output=True, y_numeric=True, reset=first)
        y = y.reshape(len(y), -1)
        if not first and y.shape[1] != self.n_outputs_:
            raise ValueError(f"y must have {self.n_outputs_} targets as before, got {y.shape[1]}")
        return x, y

    def _encoded(self, y: Array) -> tuple[Array, str | Objective, int]:
        return y, _SQUARES, y.shape[1]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: Any) -> Array:
        """The targets of each row.

        Parameters
        ----------
        X : array_like, shape (rows, features)

        Returns
        -------
        ndarray, shape (rows,) or (rows, targets)

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If there is no network yet.
        TypeError, ValueError
            If ``X`` is no matrix of finite numbers, or has other features.
        """
        outputs = self._outputs(X)
        return outputs[:, 0] if self.n_outputs_ == 1 else outputs
