"""Which dtypes come out, which are refused, how parameters are passed, and functions as Python objects."""

import copy
import inspect
import itertools
import pickle

import numpy as np
import pytest
import support
from support import CASES, FROM_OUTPUT, GATED, LEARNED, WITH_PARAMETERS, Case, assert_same_bits

import numact as na
import numact.precise
import numact.ufuncs

MODULES = (na, numact.precise)
TIER_OF = dict(zip(MODULES, support.TIERS, strict=True))
# Ufuncs have no attributes of their own before.
UFUNCS_HAVE_ATTRIBUTES = np.lib.NumpyVersion(np.__version__) >= "2.1.0"
in_both = pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
all_cases = pytest.mark.parametrize("case", CASES, ids=str)
parametric = pytest.mark.parametrize("case", WITH_PARAMETERS, ids=str)
FUNCTIONS = [
    (module, name)
    for module in MODULES
    for name in module.__all__
    if any(name.removesuffix(suffix) in na.activations for suffix in support.SUFFIXES)
]
public = pytest.mark.parametrize(("module", "name"), FUNCTIONS, ids=lambda value: getattr(value, "__name__", value))


def call(module, case, *arrays, **keywords):
    """The array result of a public function; prelu and swish need no more than their data for that."""
    if case.activation == "prelu" and len(arrays) == case.arrays and "weight" not in keywords:
        keywords["weight"] = 0.25
    result = getattr(module, case.name)(*arrays, **keywords)
    return result[0] if isinstance(result, tuple) else result


def dtype_of(result):
    assert isinstance(result, (np.ndarray, np.generic)), type(result)
    return result.dtype


# The data decides


DATA = [
    (np.ones(3, np.float32), np.float32),
    (np.ones(3, np.float64), np.float64),
    (np.ones(3, ">f4"), np.float32),
    (np.ones(3, ">f8"), np.float64),
    (np.float32(1), np.float32),
    (np.float64(1), np.float64),
    (np.array(1, np.float32), np.float32),
    *((np.ones(3, code), np.float64) for code in "?bBhHiIlLqQ"),
    (np.int8(1), np.float64),
    (np.bool_(True), np.float64),
    (1, np.float64),
    (1.5, np.float64),
    (True, np.float64),
    ([1, 2, 3], np.float64),
    ([1.0, 2.0, 3.0], np.float64),
    ((True, False, True), np.float64),
    ([np.float32(1), np.float32(2), np.float32(3)], np.float32),
    (np.float16(1.5), np.float16),
    (np.ones((2, 3), ">f2"), np.float16),
    ([[1], [2]], np.float64),
]


@in_both
@pytest.mark.parametrize("case", [case for case in CASES if case.arrays == 1], ids=str)
def test_dtype_of_one_array(module, case):
    for data, expected in DATA:
        result = call(module, case, data)
        assert dtype_of(result) == expected, f"{module.__name__}.{case.name}({data!r}): {result.dtype}"
        assert result.dtype.isnative
        assert np.shape(result) == np.shape(data)


@in_both
@pytest.mark.parametrize("case", [case for case in CASES if case.arrays == 2], ids=str)
def test_dtype_of_two_arrays(module, case):
    single = [np.float32(1), np.ones(3, np.float32), np.ones(3, ">f4"), np.float16(1), np.ones(3, ">f2")]
    double = [np.float64(1), np.ones(3), np.ones(3, ">f8"), np.ones((), np.float64)]
    weak = [1, 1.5]
    integral = [np.int8(1), np.ones(3, np.int64), np.ones(3, bool), True]
    for one, other in itertools.product(single + double + weak + integral, repeat=2):
        weak_one, weak_other = (type(each) in (int, float) for each in (one, other))
        expected = np.result_type(*(each if type(each) in (int, float) else np.asarray(each) for each in (one, other)))
        if expected.kind in "iub" or (weak_one and weak_other):
            expected = np.float64
        if {np.result_type(one).kind, np.result_type(other).kind} <= set("iub"):
            expected = np.float64
        result = call(module, case, one, other)
        label = f"{module.__name__}.{case.name}({one!r}, {other!r})"
        assert dtype_of(result) == expected, f"{label}: expected {np.dtype(expected)}, got {result.dtype}"


PARAMETERS = [
    1,
    0.5,
    True,
    np.float16(0.5),
    np.float32(0.5),
    np.float64(0.5),
    np.longdouble(0.5),
    np.int8(1),
    np.uint64(1),
    np.bool_(True),
    np.array(0.5),
    np.array(1, np.int32),
    np.full(3, 0.5),
    np.full(3, 0.5, np.float32),
    np.full(3, 0.5, np.float16),
    np.full(3, 0.5, ">f8"),
    np.full((1, 3), 1, np.int64),
    np.ones(3, bool),
    [0.5, 0.5, 0.5],
    [1, 1, 1],
]


@in_both
@parametric
def test_parameters_never_change_the_dtype(module, case):
    for value, (dtype, scalar) in itertools.product(PARAMETERS, itertools.product((np.float32, np.float64), (0, 1))):
        x = np.array([[-2.0, -0.5, 3.0]], dtype)
        data = [dtype(-0.5) if scalar else x] * case.arrays
        if scalar and np.ndim(value) and case.activation in LEARNED and case.suffix == "_backward":
            continue  # the gradient of a parameter larger than the data would be ambiguous
        exact = np.asarray(value).astype(support.parameter_dtype(dtype, TIER_OF[module]))
        expected = call(module, case, *data, exact)
        label = f"{module.__name__}.{case.name}(..., {value!r})"
        for got in (
            call(module, case, *data, value),
            call(module, case, *data, **{case.record.parameters[0].name: value}),
        ):
            assert dtype_of(got) == dtype, f"{label}: expected {np.dtype(dtype)}, got {got.dtype}"
            assert_same_bits(got, expected, label)
    for value in (0.5, np.float32(0.5), np.full(3, 0.5, np.float32), 1):
        assert dtype_of(call(module, case, *([np.arange(3)] * case.arrays), value)) == np.float64


@parametric
def test_parameters_are_cast_before_use(case, rng):
    """A float32 function sees the parameter as float32; in the precise tier as float64."""
    x = (-rng.random(50)).astype(np.float32)
    y = 1 / 3 + 1e-12
    for module, dtype in ((na, np.float32), (numact.precise, np.float64)):
        expected = call(module, case, *([x] * case.arrays), np.full(50, y, dtype))
        for value in (y, np.float64(y), np.full(50, y), np.longdouble(y)):
            assert_same_bits(
                call(module, case, *([x] * case.arrays), value), expected, f"{module.__name__}.{case.name}"
            )


# Refused


REFUSED = [
    np.ones(3, np.complex64),
    np.complex128(1),
    1j,
    np.ones(3, np.longdouble),
    np.longdouble(1),
    np.ones(3, np.clongdouble),
    np.array([None, 1.0]),
    None,
    "1.5",
    b"1",
    np.array(["1", "2"]),
    np.array([b"1"]),
    np.array(["1"], "T"),
    np.array(["2020-01-01"], "M8[D]"),
    np.array([1], "m8[s]"),
    np.zeros(2, "V8"),
    np.zeros(2, "f4,f4"),
    {"a": 1},
]


@in_both
@pytest.mark.parametrize("value", REFUSED, ids=repr)
def test_data_of_another_kind(module, value):
    others = {
        "maxout": [],
        "maxout_backward": [0, 2],
        "rrelu": [],
        "rrelu_backward": [1.0, 0.5],
        "crelu": [],
        "crelu_backward": [1.0],
        "crelu_backward_from_output": [1.0],
    }
    for name in [case.name for case in CASES] + list(others):
        case = support.BY_NAME.get(name)
        function = getattr(module, name)
        data = [value] if case is None or case.arrays == 1 else [value, value]
        more = support.defaults(case) if case else others[name]
        with pytest.raises(TypeError) as caught:
            function(*data, *more)
        message = str(caught.value)
        assert name in message, message
        assert "expected float16, bfloat16, float32, float64" in message, message


@in_both
def test_one_array_of_another_kind(module):
    x = np.ones(3, np.float32)
    for case in CASES:
        if case.arrays == 2:
            for bad in (1j, np.ones(3, np.complex64), "a", None, np.longdouble(1)):
                for data in ((bad, x), (x, bad)):
                    with pytest.raises(TypeError, match=case.name):
                        call(module, case, *data)


@in_both
@parametric
def test_parameters_of_another_kind(module, case):
    data = [np.ones(3, np.float32)] * case.arrays
    bad = [1j, np.complex64(1), np.ones(3, np.complex128), "a", b"a", None, object(), np.array(["a"]), [None] * 3, {}]
    bad += [np.datetime64("2020-01-01"), np.timedelta64(1, "s"), np.array([1, 2, 3], "m8[s]"), np.array("a")]
    for value in bad:
        for keywords in (False, True):
            arguments = {case.record.parameters[0].name: value} if keywords else {}
            with pytest.raises(TypeError) as caught:
                getattr(module, case.name)(*data, *(() if keywords else (value,)), **arguments)
            assert case.name in str(caught.value) or case.record.parameters[0].name in str(caught.value), (
                f"{module.__name__}.{case.name}(..., {value!r}): {caught.value}"
            )


@in_both
@parametric
def test_domains(module, case, dtype):
    parameter = case.record.parameters[0]
    x = np.array([-1.0, 0.5, 2.0], dtype)
    data = [x] * case.arrays
    domain = parameter.domain
    if case.suffix == "_backward_from_output":  # where the output tells the input's side
        domain = FROM_OUTPUT[case.activation][0]
    wrong = [np.nan] + {"any": [], "nonnegative": [-0.5, -np.inf, -1], "positive": [0, 0.0, -0.5]}[domain]
    right = {"any": [-2.5, 0, 1], "nonnegative": [0, 0.0, -0.0, 2], "positive": [0.5, 1]}[domain]
    forms = (float, np.float64, np.float32, np.array, lambda v: np.array(v, np.float32))
    for value, form in itertools.product(wrong, forms):
        for arguments in (([form(value)], {}), ([], {parameter.name: form(value)})):
            out = np.full(3, 7, dtype)
            wanted = (out, None) if case.name in ("prelu_backward", "swish_backward") else out
            with pytest.raises(ValueError, match=f"{case.name}: {parameter.name} must be"):
                getattr(module, case.name)(*data, *arguments[0], **arguments[1], out=wanted)
            assert (out == 7).all()
    for value, form in itertools.product(right, forms):
        assert np.isfinite(call(module, case, *data, *[form(value)] * case.parameters)).all()
    # An array follows the formula, or gives NaN.
    result = call(module, case, *data, np.full(3, np.nan))
    if case.name != "soft_shrink_backward_from_output":  # whose formula is without it
        assert np.isnan(result[0]), f"{case.name}: NaN in an array gave {result}"
    if case.activation in ("celu", "softplus", "squareplus"):  # which have a meaning on one side at most
        for value in wrong:
            result = call(module, case, *data, np.full(3, value))
            assert np.isnan(result[0]), f"{case.name}: {value} in an array gave {result}"
    call(module, case, *data, np.array([-1.0, 0.0, 1.0]))


@in_both
def test_scalars_of_the_type_that_is_asked_for(module):
    """float64 that is asked for of float32 data holds for the parameter too."""
    x = np.array([-1.0], np.float32)
    for keywords in ({"dtype": np.float64}, {"signature": "dd->d"}):
        assert module.leaky_relu(x, 0.1, **keywords) == -0.1
        assert module.leaky_relu(x, np.float64(0.1), **keywords) == -0.1
        assert module.leaky_relu(x, **keywords) == -0.01
        assert module.leaky_relu(x, 1e39, **keywords) == -1e39


@in_both
def test_parameters_in_order(module, dtype):
    """A scalar that must not be below (above) the one before it; equal is fine, and so are arrays that cross."""
    x = np.array([-1.0, 0.5, 2.0], dtype)
    forms = (float, np.float64, np.float32, np.array)
    for name, low, high, right in (
        ("hard_tanh", 2.0, -1.0, r"max_val must be at least min_val \(2.0\), got .*-1"),
        ("hard_tanh_backward", 2.0, -1.0, r"max_val must be at least min_val \(2.0\), got .*-1"),
        ("hard_tanh_backward_from_output", 2.0, -1.0, r"max_val must be at least min_val \(2.0\), got .*-1"),
        ("threshold_backward_from_output", -1.0, 2.0, r"value must be at most threshold \(-1.0\), got .*2"),
    ):
        function, data = getattr(module, name), [x] * support.BY_NAME[name].arrays
        names = [parameter.name for parameter in na.activations[name.partition("_backward")[0]].parameters]
        out = np.full(3, 7, dtype)
        for form, other in itertools.product(forms, repeat=2):
            for arguments, keywords in (
                ((form(low), other(high)), {}),
                ((form(low),), {names[1]: other(high)}),
                ((), {names[1]: other(high), names[0]: form(low)}),
            ):
                with pytest.raises(ValueError, match=f"{name}: {right}"):
                    function(*data, *arguments, **keywords, out=out)
            assert (out == 7).all()
            assert_same_bits(function(*data, other(high), form(low)), function(*data, high, low), name)
        for first, second in ((low, np.full(3, high)), (np.full(3, low), high), (np.full(3, low), np.full(3, high))):
            assert np.isfinite(function(*data, first, second)).all()
        with pytest.raises(ValueError, match=f"{name}: {names[1]} must be a number, not NaN"):
            function(*data, np.full(3, low), np.nan)
        function(*data, low, low)
        assert na.activations[name.partition("_backward")[0]].parameters[0].domain == "any"
    # The default is compared too.
    with pytest.raises(ValueError, match=r"max_val must be at least min_val \(1.5\), got 1.0"):
        module.hard_tanh(x, 1.5)
    with pytest.raises(ValueError, match=r"max_val must be at least min_val \(-1.0\), got -2"):
        module.hard_tanh(x, max_val=-2)
    with pytest.raises(ValueError, match=r"value must be at most threshold \(-1.0\), got 0.0"):
        module.threshold_backward_from_output(x, x, -1.0)
    assert module.threshold(x, -1.0, 2.0)[0] == 2
    assert na.activations["hard_tanh"].parameters[1].domain == "at least min_val"


# Passing arguments


@in_both
@parametric
def test_ways_to_pass_a_parameter(module, case, dtype):
    x = np.array([-1.0, 0.5, -2.0], dtype)
    data = [x] * case.arrays
    name = case.record.parameters[0].name
    function = getattr(module, case.name)
    if case.record.parameters[0].default is None:
        with pytest.raises(TypeError, match=name):
            function(*data)
        with pytest.raises(TypeError, match=name):
            function(*data, out=None)
    else:
        default = case.record.parameters[0].default
        for more in ((), (default,), (np.float64(default),)):
            expected = call(module, case, *data, np.full(3, default))
            assert_same_bits(call(module, case, *data, *more), expected, case.name)
    with pytest.raises(TypeError, match=f"multiple values for argument '{name}'"):
        function(*data, 0.5, **{name: 0.5})
    with pytest.raises(TypeError, match="unexpected keyword argument 'steepness'"):
        function(*data, 0.5, steepness=2)
    with pytest.raises(TypeError, match=r"argument"):
        function()
    with pytest.raises(TypeError, match=r"argument"):
        function(x=x)
    with pytest.raises(TypeError, match=r"argument"):
        function(*data, *[0.5] * case.parameters, None, None)
    for wrong in ("0.5", 1j, *([] if case.activation in LEARNED and case.suffix == "_backward" else [None])):
        with pytest.raises(TypeError, match=f"{name} must be "):
            function(*data, wrong)
    if case.arrays == 2:
        with pytest.raises(TypeError, match=r"argument"):
            function(x, **{name: 0.5})


@in_both
@parametric
def test_keywords_of_the_ufunc_beside_the_parameter(module, case):
    if case.activation in LEARNED and case.suffix == "_backward":
        pytest.skip("takes out alone")
    function = getattr(module, case.name)
    values = [0.5] * case.parameters
    named = {parameter.name: 0.5 for parameter in case.record.parameters}
    x = np.array([[-1.0, 0.5, -2.0], [3.0, -4.0, 5.0]])
    data, mask = [x] * case.arrays, x > -3
    expected = function(*data, *values)
    out = np.full(x.shape, 7.0)
    for keywords in (
        {**named, "out": out, "where": mask},
        {"out": out, **named, "where": mask},
        {"where": mask, "out": (out,), **named},
    ):
        out[...] = 7
        assert function(*data, **keywords) is out
        assert_same_bits(out, np.where(mask, expected, 7.0), f"{case.name} {keywords}")
    out[...] = 7
    assert function(*data, *values, out) is out
    assert_same_bits(out, expected, f"{case.name} out by position")
    single = function(*data, **named, dtype=np.float32)
    assert_same_bits(single, function(*(each.astype(np.float32) for each in data), *values), f"{case.name} dtype")
    assert function(*(each.astype(np.float32) for each in data), *values, dtype="f8").dtype == np.float64
    assert function(*data, **named, order="F").flags.f_contiguous
    assert function(*data, *values, casting="safe").dtype == np.float64


@in_both
def test_python_integers_of_any_size(module):
    x = np.array([-1.0, 2.0], np.float32)
    big = 10**30
    for case in CASES:
        for data in ([big, x], [x, big]) if case.arrays == 2 else ():
            assert dtype_of(call(module, case, *data)) == np.float32
    for case in WITH_PARAMETERS:
        data = [x] * case.arrays
        got, expected = (call(module, case, *data, *[value] * case.parameters) for value in (big, float(big)))
        assert_same_bits(got, expected, f"{case.name}(..., 10**30)")


@all_cases
def test_dtype_signature_and_casting(built, case):
    ufunc = built.ufuncs[case.name]
    x = np.array([-1.5, 0.25, 3.0])
    count = case.arrays + case.parameters
    wide = [x] * case.arrays + [np.abs(x)] * case.parameters  # within their domains
    narrow, integers = [each.astype(np.float32) for each in wide], [np.arange(3)] * count
    label = f"{case.name} {built.level} {built.tier}"
    parameter = support.parameter_dtype(np.float32, built.tier).char
    single = f"{'f' * case.arrays}{parameter * case.parameters}->f"
    expected32, expected64 = ufunc(*narrow), ufunc(*wide)
    for data in (wide, narrow):
        for keywords in ({"dtype": np.float32}, {"dtype": "f"}, {"signature": single}, {"sig": single}):
            assert_same_bits(ufunc(*data, **keywords), expected32, f"{label} {keywords}")
        for keywords in (
            {"dtype": float},
            {"signature": "d" * count + "->d"},
            {"signature": (None,) * count + (float,)},
        ):
            assert_same_bits(ufunc(*data, **keywords), expected64, f"{label} {keywords}")
    assert ufunc(*integers, dtype=np.float32).dtype == np.float32
    assert ufunc(*narrow[: case.arrays], *wide[case.arrays :]).dtype == np.float32
    assert ufunc(*wide[: case.arrays], *narrow[case.arrays :]).dtype == np.float64
    with pytest.raises(TypeError, match="safe"):
        ufunc(*wide, dtype=np.float32, casting="safe")
    with pytest.raises(TypeError, match="equiv"):
        ufunc(*integers, casting="equiv")
    for bad in (np.longdouble, np.complex64, object, int, bool, "M8[s]", str):
        with pytest.raises(TypeError):
            ufunc(*wide, dtype=bad)
    for bad in ("f" * count + "->d", "g" * count + "->g", "d->d->d"):
        with pytest.raises((TypeError, ValueError)):
            ufunc(*wide, signature=bad)
    out = np.empty(3, np.float32)
    assert_same_bits(ufunc(*wide, out=out), expected64.astype(np.float32), f"{label} narrower out")
    with pytest.raises(TypeError):
        ufunc(*wide, out=out, casting="safe")
    with pytest.raises(TypeError):
        ufunc(*wide, out=np.empty(3, int))
    assert_same_bits(
        ufunc(*wide, out=np.empty(3, int), casting="unsafe"), expected64.astype(int), f"{label} unsafe out"
    )
    assert ufunc(*wide, out=np.empty(3, np.longdouble)).dtype == np.longdouble
    assert ufunc(*narrow, out=np.empty(3, complex)).dtype == complex


@in_both
@all_cases
def test_masked_arrays(module, case):
    x = np.ma.array([-1.0, 2.0, -3.0], mask=[False, True, False])
    function = getattr(module, case.name)
    if case.activation in LEARNED and case.suffix == "_backward":
        pytest.skip("gives two arrays")
    data = [x, *([np.ones(3)] * (case.arrays - 1))]
    result = function(*data, *support.defaults(case))
    assert isinstance(result, np.ma.MaskedArray), type(result)
    assert result.mask.tolist() == [False, True, False]
    plain = function(*(np.asarray(each) for each in data), *support.defaults(case))
    assert_same_bits(result.data[[0, 2]], plain[[0, 2]], case.name)


# Python objects


@public
def test_pickle_and_copy(module, name):
    function = getattr(module, name)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(function, protocol)) is function
    assert copy.copy(function) is function
    assert copy.deepcopy([function])[0] is function


@public
def test_names_and_docstrings(module, name):
    function = getattr(module, name)
    assert function.__name__ == name
    if UFUNCS_HAVE_ATTRIBUTES or not isinstance(function, np.ufunc):
        assert function.__qualname__ == name
        assert function.__module__ == module.__name__
    document = inspect.getdoc(function)
    for heading in ("Parameters\n----------", "Returns\n-------", "Examples\n--------", "References\n----------"):
        assert heading in document, f"{name}: no {heading.split()[0]} in\n{document}"
    for parameter in na.activations[name.split("_backward")[0]].parameters if name != "rrelu_backward" else ():
        assert f"\n{parameter.name} : " in document


@public
def test_signature(module, name):
    function = getattr(module, name)
    activation, _, rest = name.partition("_backward")
    record = na.activations[activation]
    if isinstance(function, np.ufunc) and not UFUNCS_HAVE_ATTRIBUTES:
        pytest.skip("NumPy makes the signature")
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    arrays = ["gate", "value"] if record.kind == "gated" else ["x"]
    data = {"": arrays, "_backward": ["dy", *arrays], "_from_output": ["dy", "y"]}[rest or name[len(activation) :]]
    if name == "maxout_backward":
        data = ["dy", "which"]
    leading = [parameter.name for parameter in parameters if parameter.kind is parameter.POSITIONAL_ONLY]
    assert leading == data, f"{name}{signature}"
    for parameter in record.parameters if name != "rrelu_backward" else ():  # it takes the slope
        shown = signature.parameters[parameter.name]
        assert shown.kind is shown.POSITIONAL_OR_KEYWORD
        assert shown.default == (shown.empty if parameter.default is None else parameter.default)
    assert signature.parameters["out"].default is None


def test_functions_without_parameters_are_ufuncs():
    for case in CASES:
        function = getattr(na, case.name)
        assert isinstance(function, np.ufunc) == (not case.parameters), case.name
        ufunc = getattr(na.ufuncs, case.name)
        assert isinstance(ufunc, np.ufunc)
        assert (ufunc.nin, ufunc.nout) == (case.arrays + case.parameters, 1)
        assert case.parameters or function is ufunc
        assert pickle.loads(pickle.dumps(ufunc)) is ufunc
        assert copy.deepcopy(ufunc) is ufunc


def test_same_names_everywhere():
    names = {case.name for case in CASES + GATED} | {"maxout", "maxout_backward", "rrelu", "rrelu_backward"}
    rows = ("crelu", "softmax", "log_softmax", "softmin")
    names |= {name + suffix for name in rows for suffix in support.SUFFIXES}
    assert {name for module, name in FUNCTIONS if module is na} == names
    assert set(numact.precise.__all__) == names
    assert set(na.ufuncs.__all__) == {case.name for case in CASES + GATED}
    for name, record in na.activations.items():
        assert record.name == name
        assert record.forward is getattr(na, name)
        assert record.backward is getattr(na, f"{name}_backward")
        assert record.backward_from_output is getattr(na, f"{name}_backward_from_output", None)
    assert all(isinstance(case, Case) for case in CASES)


def test_records_cannot_be_changed():
    with pytest.raises(TypeError):
        na.activations["relu"] = None
    record = na.activations["elu"]
    with pytest.raises(AttributeError):
        record.name = "other"
    with pytest.raises(TypeError):
        record.max_ulp["float32", "standard", "forward"] = 9


ABSTRACT = np.dtypes.Float64DType.__mro__[1]


@pytest.mark.parametrize("dtype", [np.dtype, ABSTRACT, "F", "S3", "O"])
@pytest.mark.parametrize("name", ["sigmoid", "leaky_relu"])
def test_abstract_or_foreign_dtype_keyword_is_a_type_error(name, dtype):
    with pytest.raises(TypeError):
        getattr(na, name)(np.ones(3), dtype=dtype)
    with pytest.raises(TypeError):
        getattr(na.ufuncs, name)(*[np.ones(3)] * getattr(na.ufuncs, name).nin, dtype=dtype)


def test_numpy_float_scalar_as_parameter_is_as_quiet_as_a_python_float():
    x = np.array([-1.0, 1.0], np.float32)
    with np.errstate(all="raise"):
        assert na.leaky_relu(x, np.float64(1e300)).tolist() == [-np.inf, 1]
        assert na.leaky_relu(x, np.float64(1e-50)).tolist() == [0, 1]


def test_masked_array_is_refused_where_the_mask_would_be_lost():
    masked = np.ma.masked_array([1.0, 2.0], [True, False])
    calls = (lambda: na.maxout(masked), lambda: na.prelu_backward(masked, 1.0, 0.5), lambda: na.softmax(masked))
    for call in calls:
        with pytest.raises(TypeError, match="mask"):
            call()


def test_two_outputs_in_one_array_are_refused():
    y = np.zeros(3)
    with pytest.raises(ValueError, match="share memory"):
        na.prelu_backward(np.ones(3), np.ones(3), np.ones(3), out=(y, y))
    with pytest.raises(ValueError, match="share memory"):
        na.maxout(np.ones((3, 2)), out=(y, y))
    assert (y == 0).all()
