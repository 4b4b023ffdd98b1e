"""What every record states of its function, against the function."""

from __future__ import annotations

import inspect
import itertools
import re

import latex
import numpy as np
import pytest
import support

import numact as na
from numact import _curves
from numact.cli.plot import mathtext

RECORDS = list(na.activations.values())
LARGE = 1e300
EPS = np.finfo(np.float64).eps
every_record = pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)


def operands(record, x):
    """Data arrays in which every array, and every element of a row, takes all values of x."""
    if record.kind in ("elementwise", "random"):
        return [x]
    some = np.arange(0, len(x) // 2, max(1, len(x) // 300))
    x = x[np.union1d(some, len(x) - 1 - some)]  # both ends, and closed under negation where x is
    one, other = (grid.ravel() for grid in np.meshgrid(x, x))
    return [one, other] if record.kind == "gated" else [np.stack([one, other], axis=-1)]


def outputs(record, data):
    return _curves.forward(record, data, na)[0]


def symmetric(step=0.01, width=40):
    """Zero, what is on the way to infinity, and a grid in between: closed under negation."""
    half = np.concatenate([np.arange(1, round(width / step)) * step, np.geomspace(width, LARGE, 40)])
    return np.concatenate([-half[::-1], [0.0], half])


def row_outputs(record, x):
    """Every output as a function of x, in columns: of x, of the gate at value 1, of an element of a row of two."""
    y = outputs(record, _curves.arrays(record, x))
    return y.reshape(len(x), -1)


def refined(record, sign):
    """The largest sign * output found by ever finer grids about the place of the largest."""
    x = symmetric()
    best = -np.inf
    for width in (0.02, 4e-5, 1e-7):
        y = sign * row_outputs(record, x)
        best = max(best, y.max())
        x = x[y.max(axis=1).argmax()] + np.linspace(-width, width, 2001)
    return best


@every_record
def test_output_range(record):
    """Not left, and both ends attained or approached as far as the arithmetic tells."""
    low, high = record.output_range
    assert low < high
    y = outputs(record, operands(record, symmetric()))
    for end, sign in (low, -1), (high, 1):
        found = max((sign * y).max(), refined(record, sign))
        if np.isinf(end):
            assert end == sign * np.inf
            assert found >= 1e290, f"{record.name}: {sign * np.inf} stated, reaches {sign * found}"
        else:
            room = 4 * EPS * max(abs(end), 1e-300)
            assert found <= sign * end + room, f"{record.name}: {end!r} stated, exceeded by {sign * found!r}"
            assert found >= sign * end - max(room, 1e-290), f"{record.name}: {end!r} stated, reaches {sign * found!r}"


@every_record
def test_zero_centered(record):
    """Over inputs closed under negation, the outputs are closed under negation too."""
    y = np.sort(outputs(record, operands(record, symmetric(step=1 / 64))), axis=None)
    assert record.zero_centered == bool(np.allclose(y, -y[::-1], rtol=1e-12, atol=0))


@every_record
def test_monotonic(record):
    """Rounding aside, no output turns; where one does, it falls and rises by far more than rounding."""
    x = symmetric()
    y = row_outputs(record, x[np.abs(x) < 1e150])  # squares stay finite
    steps = np.diff(y, axis=0)
    rises, falls = steps.max(axis=0), -steps.min(axis=0)
    turns = np.minimum(rises, falls)
    assert (turns < 1e-14).all() == record.monotonic, f"{record.name}: rises {rises} and falls {falls}"
    assert record.monotonic or turns.max() > 1e-6


def largest_derivative(record, x):
    """Of the curve; of all outputs by all elements of a row for functions over an axis."""
    data = _curves.arrays(record, np.array([x]))
    y = outputs(record, data)
    if record.kind != "axis":
        return np.abs(_curves.backward(record, np.ones_like(y), data, na)[0]).max()
    gradients = np.eye(y.size).reshape(y.size, *y.shape)
    return max(np.abs(_curves.backward(record, dy, data, na)[0]).max() for dy in gradients)


@every_record
def test_saturates(record):
    flat = [largest_derivative(record, end) < 1e-12 for end in (-1e15, 1e15)]
    steep = [largest_derivative(record, end) > 1e-3 for end in (-1e15, 1e15)]
    assert [not each for each in flat] == steep, f"{record.name}: neither 0 nor a slope at one end"
    stated = {"left": [True, False], "right": [False, True], "both": [True, True], "no": [False, False]}
    assert flat == stated[record.saturates]


@every_record
def test_backward_is_the_derivative(record):
    """Of every data array, by central differences away from the kinks."""
    x = np.random.default_rng(1).uniform(-9, 9, 400)
    kinks = _curves.kinks(record, na)
    x = x[np.all([abs(x - kink) > 0.02 for kink in kinks], axis=0)] if kinks else x
    data = operands(record, x)
    if record.kind == "axis":  # rows in which no two elements are close: there maxout has its kink
        data = [data[0][np.abs(data[0][:, 0] - data[0][:, 1]) > 0.02]]
    y = outputs(record, data)
    dy = np.random.default_rng(2).normal(size=y.shape)
    step = 2e-3
    for i, gradient in enumerate(_curves.backward(record, dy, data, na)):
        for element in np.ndindex(data[i].shape[1:]):
            change = np.zeros(data[i].shape[1:])
            change[element] = step

            def moved(times, i=i, change=change):
                return outputs(record, [each + times * change if j == i else each for j, each in enumerate(data)])

            slope = (8 * (moved(1) - moved(-1)) - (moved(2) - moved(-2))) / (12 * step)
            expected = (dy * slope).reshape(len(data[0]), -1).sum(axis=1)
            got = gradient[(slice(None), *element)]
            np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-8, err_msg=record.name)


@every_record
def test_texts(record):
    assert re.search(r"\b(19|20)\d\d\b", record.source), f"no year in {record.source!r}"
    for text in (record.formula, record.derivative, record.source):
        assert text == text.strip() != ""
        assert text.isascii()


@every_record
def test_formulas_render(record):
    parser = pytest.importorskip("matplotlib.mathtext").MathTextParser("path")
    for formula in (record.formula, record.derivative):
        parser.parse(f"${mathtext(formula)}$")


@every_record
def test_bounds_are_complete_and_promised(record):
    directions = {"forward", "backward", *(["parameter"] if record.name in support.LEARNED else [])}
    expected = set(itertools.product(("float16", "bfloat16", "float32", "float64"), support.TIERS, directions))
    assert set(record.max_ulp) == set(record.worst_input) == expected
    for (dtype, tier, direction), bound in record.max_ulp.items():
        error, where = record.worst_input[dtype, tier, direction]
        assert 0 <= error <= bound
        assert where or error == 0
        promise = 1 if direction == "parameter" else support.promised(record.kind, dtype, tier, direction)
        assert bound <= promise, f"{record.name} {dtype} {tier} {direction}: {bound}"


@every_record
def test_returns(record):
    data = _curves.arrays(record, np.linspace(-2, 2, 5))
    results = _curves.forward(record, data, na)
    assert len(results) == len(record.returns[0])
    assert record.returns[0][0] == "y"
    learned = [f"d{parameter.name}" for parameter in record.parameters]
    assert set(record.returns[1]) <= {"dx", "dgate", "dvalue", *learned}
    if record.parameters:  # others are ufuncs, of which older NumPy tells no signature
        arguments = inspect.signature(record.forward).parameters
        names = [parameter.name for parameter in record.parameters]
        assert [name for name in arguments if name in names] == names


def outside(parameter, before):
    """Scalars that the domain excludes, and scalars just inside it; `before` is the parameter in front."""
    tiny = float(np.finfo(np.float64).smallest_subnormal)
    excluded, included = {
        "any": ([], [-1e300, 0.0, 1e300]),
        "positive": ([0.0, -0.0, -tiny, -1.0, -np.inf], [tiny, 1e300]),
        "nonnegative": ([-tiny, -1.0, -np.inf], [0.0, -0.0, tiny, 1e300]),
    }.get(parameter.domain, ([], []))
    if parameter.domain.startswith("at least"):  # another parameter
        excluded, included = [np.nextafter(before, -np.inf)], [before, np.nextafter(before, np.inf)]
    assert included, f"no test of the domain {parameter.domain!r}"
    return [np.nan, *excluded], included


WITH_PARAMETERS = [(record, i) for record in RECORDS for i in range(len(record.parameters))]


@pytest.mark.parametrize(("record", "i"), WITH_PARAMETERS, ids=lambda x: getattr(x, "name", str(x)))
def test_parameter_domain(record, i):
    """A scalar outside is a ValueError that names it, one just inside is taken, forward and backward."""
    x = np.array([-2.0, -0.5, 0.0, 0.5, 2.0])
    values = _curves.parameter_values(record)
    parameter = record.parameters[i]
    excluded, included = outside(parameter, values[i - 1] if i else None)
    backward = [] if record.kind == "random" else [lambda *given: record.backward(np.ones_like(x), x, *given)]
    for function in (lambda *given: record.forward(x, *given), *backward):
        for value in excluded:
            with pytest.raises(ValueError, match=parameter.name):
                function(*values[:i], value, *values[i + 1 :])
        for value in included:
            rest = [
                max(value, each) if each_parameter.domain.startswith("at least") else each
                for each, each_parameter in zip(values[i + 1 :], record.parameters[i + 1 :], strict=True)
            ]
            result = function(*values[:i], value, *rest)
            assert (result[0] if isinstance(result, tuple) else result).shape == x.shape


@pytest.mark.parametrize(("record", "i"), WITH_PARAMETERS, ids=lambda x: getattr(x, "name", str(x)))
def test_parameter_default(record, i):
    """What is recorded is what the signature has and what the function uses."""
    parameter = record.parameters[i]
    default = inspect.signature(record.forward).parameters[parameter.name].default
    if parameter.default is None:
        assert default is inspect.Parameter.empty
        with pytest.raises(TypeError):
            record.forward(np.ones(3))
        return
    assert default == parameter.default
    x = np.linspace(-4, 4, 81)
    values = _curves.parameter_values(record)
    by_default, given = record.forward(x), record.forward(x, *values)
    if not isinstance(by_default, tuple):
        by_default, given = (by_default,), (given,)
    for one, other in zip(by_default, given, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_yardsticks_see_what_is_wrong():
    """Records with one statement turned are caught."""
    import dataclasses

    tanh, silu = na.activations["tanh"], na.activations["silu"]
    for record, test, change in [
        (tanh, test_output_range, {"output_range": (-1.0, 1.0 + 1e-9)}),
        (tanh, test_output_range, {"output_range": (-1.0, 1.0 - 1e-9)}),
        (silu, test_output_range, {"output_range": (-0.278464543, np.inf)}),
        (silu, test_output_range, {"output_range": (silu.output_range[0], 100.0)}),
        (tanh, test_zero_centered, {"zero_centered": False}),
        (silu, test_zero_centered, {"zero_centered": True}),
        (silu, test_monotonic, {"monotonic": True}),
        (tanh, test_monotonic, {"monotonic": False}),
        (silu, test_saturates, {"saturates": "both"}),
        (tanh, test_texts, {"source": "LeCun"}),
    ]:
        with pytest.raises(AssertionError):
            test(dataclasses.replace(record, **change))


# Klambauer et al. 2017: the letters of selu are constants.
LETTERS = {"selu": {r"\lambda": 1.0507009873554805, r"\alpha": 1.6732632423543772}}


@pytest.mark.parametrize(
    "record", [record for record in RECORDS if record.kind == "elementwise"], ids=lambda record: record.name
)
def test_formulas_are_the_function(record):
    """The LaTeX, evaluated; parameters are its letters in the order in which they first stand in the formula."""
    x = symmetric(step=1 / 64, width=8)[40:-40]
    letters = [letter for letter in latex.symbols(record.formula) if letter not in LETTERS.get(record.name, {})]
    values = _curves.parameter_values(record)
    assert len(letters) == len(values), f"letters {letters} for {record.parameters}"
    names = {"x": x, **dict(zip(letters, values, strict=True)), **LETTERS.get(record.name, {})}
    assert set(latex.symbols(record.derivative)) <= set(names)
    y, slope = _curves.curve(record, x, na)
    for text, expected in (record.formula, y), (record.derivative, slope):
        got = np.broadcast_to(latex.evaluate(text, names), x.shape)
        np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12, err_msg=f"{record.name}: {text}")


def test_latex_is_read():
    names = {"x": 2.0, r"\beta": 3.0}
    for text, value in [
        (r"\frac{1}{1 + e^{-x}}", 1 / (1 + np.exp(-2))), (r"x\,[x > 0] - [0 \le x < 2]", 2), (r"2x^2 + \beta x", 14),
        (r"\max(|x - \beta|, 0.5)", 1), (r"1 - \tanh^2 x", 1 - np.tanh(2) ** 2), (r"-x + \sqrt{\beta + 1}", 0),
        (r"\operatorname{sign}(-x)\,\bigl(x + 1\bigr)", -3), (r"x \cdot \ln(1 + e^{\beta})/2", np.log1p(np.exp(3))),
        (r"s\,t',\quad s = t' + \max(x, 1),\quad t' = 2x", 24),
    ]:  # fmt: skip
        assert latex.evaluate(text, names) == pytest.approx(value), text
    for text in ("x + ", "(x", "x)", r"\unknown x", "x # 2", "x, 2", "x y, y = 2 +"):
        with pytest.raises(ValueError, match=r"latex|convert"):
            latex.evaluate(text, names)
    assert latex.symbols(r"s\,[x > 0] + \sigma(\beta x) + e^s + t, t = x b") == ["s", r"\beta", "b"]


@pytest.mark.parametrize("value", [np.bool_(False), False, np.array(False), np.float16(-1), np.int8(-1), "bfloat16"])
def test_scalars_of_every_kind_are_checked(value):
    if value == "bfloat16":
        value = pytest.importorskip("ml_dtypes").bfloat16(-1)
    for each in (value, np.asarray(value)):
        with pytest.raises(ValueError, match="alpha must be greater than 0"):
            na.celu(np.ones(3), each)
