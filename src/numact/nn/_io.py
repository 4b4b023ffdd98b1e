"""Saving and loading the state of a training."""

from __future__ import annotations

import contextlib
import copy
import errno
import io
import json
import os
import secrets
import shutil
import struct
import zipfile
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

import numact as na
from numact.nn._callbacks import History
from numact.nn._checks import generator, instance
from numact.nn._layer import Layer

Array = NDArray[Any]

_FORMAT = "numact.nn 1"
_RECORD = "record"  # member with all that is no array, as JSON

# What a .zip file has in front of each member: signature, lengths of the name and of what follows it; there the size.
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_ZIP64_SIZES = struct.Struct("<4xQ8x")


def save(
    path: str | os.PathLike[str],
    model: Layer,
    *,
    optimizer: na.SGD | None = None,
    rng: np.random.Generator | None = None,
    history: History | None = None,
) -> None:
    """Save the state of a model, and of its training, into a file in NumPy's .npz format without pickle.

    The file is written beside ``path`` and then put in its place, so that ``path`` always holds a whole file: the old
    one until the new one is safe on the disk.

    Parameters
    ----------
    path : str or path-like
        File to write, under exactly this name.
    model : Layer
        Its ``state`` is saved, which is all parameters, frozen or not, and what else its layers keep, such as the
        running statistics of `BatchNorm`; and its ``generators``, such as those of `Dropout`. Not its structure: that
        is code.
    optimizer : SGD, optional
    rng : numpy.random.Generator, optional
        The generator of the batches.
    history : History, optional

    Raises
    ------
    TypeError
        If an object is of another kind.
    OSError
        If the file cannot be written; an old one stays as it was.

    See Also
    --------
    load : reads it.

    Examples
    --------
    Train for two epochs, save, and continue in another process:

    >>> import os, tempfile
    >>> import numpy as np
    >>> import numact as na
    >>> from numact import nn
    >>> x, labels = np.eye(8, dtype=np.float32), np.arange(8) % 2
    >>> def start():
    ...     model = nn.Sequential(nn.Dense(8, 2), rng=np.random.default_rng(0))
    ...     return model, na.SGD([p.value for p in model.parameters], lr=0.1), np.random.default_rng(1)
    >>> model, optimizer, rng = start()
    >>> history = nn.fit(model, x, labels, optimizer=optimizer, rng=rng, epochs=2)
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> nn.save(path, model, optimizer=optimizer, rng=rng, history=history)
    >>> model, optimizer, rng = start()
    >>> history = nn.load(path, model, optimizer=optimizer, rng=rng)
    >>> history = nn.fit(model, x, labels, optimizer=optimizer, rng=rng, history=history, epochs=4)
    >>> len(history)
    4
    """
    _check_kinds(model, optimizer, rng)
    if history is not None:
        instance("history", history, History, "an nn.History, that of the training")
    arrays = {f"model/{name}": value for name, value in model.state.items()}
    record: dict[str, Any] = {"format": _FORMAT, "optimizer": None, "rng": None, "history": None}
    record["generators"] = {name: _listed(each.bit_generator.state) for name, each in model.generators.items()}
    record["sharing"] = _sharing(_generators(model, rng))
    if optimizer is not None:
        state = optimizer.state_dict()
        for kind in ("velocities", "masters"):
            each = enumerate(state.pop(kind))
            arrays |= {f"optimizer/{kind}/{i}": array for i, array in each if array is not None}
        record["optimizer"] = {**state, "arrays": len(optimizer.params)}
    if rng is not None:
        record["rng"] = _listed(rng.bit_generator.state)
    if history is not None:
        record["history"] = asdict(history)
    record["tensors"] = list(arrays)
    arrays[_RECORD] = np.frombuffer(json.dumps(record).encode(), np.uint8)
    _replace(Path(os.path.realpath(path)), arrays)


def _check_kinds(model: Any, optimizer: Any, rng: Any) -> None:
    instance("model", model, Layer, "a layer, usually an nn.Sequential")
    if optimizer is not None:
        instance("optimizer", optimizer, na.SGD, "a numact.SGD")
    if rng is not None:
        generator(rng)


def _generators(model: Layer, rng: np.random.Generator | None) -> dict[str, np.random.Generator]:
    return {**model.generators, **({} if rng is None else {"rng": rng})}


def _history(path: str | os.PathLike[str], course: dict[str, Any]) -> History:
    history = History(**course)
    lists = [getattr(history, each.name) for each in fields(History) if each.default_factory is list]
    if not all(isinstance(each, list) for each in lists) or type(history.steps) is not int:
        raise ValueError(f"{path} is damaged: its history holds what no training records")
    if len(set(map(len, lists))) > 1:
        raise ValueError(f"{path} is damaged: the lists of its history differ in length")
    numbers = [each for values in lists for value in values for each in (value if type(value) is list else [value])]
    names = isinstance(history.metric_name, str | None) and isinstance(history.stopped, str)
    if not (all(type(each) in (int, float) for each in numbers) and history.steps >= 0 and names):
        raise ValueError(f"{path} is damaged: its history holds what no training records")
    return history


def _sharing(generators: dict[str, np.random.Generator]) -> dict[str, str]:
    """The first name of each generator, by all its names."""
    first: dict[int, str] = {}
    return {name: first.setdefault(id(each), name) for name, each in generators.items()}


def _listed(state: Any) -> Any:
    """The state of a bit generator with lists in place of arrays."""
    if isinstance(state, dict):
        return {name: _listed(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, (np.ndarray, np.generic)) else state


def _replace(path: Path, arrays: dict[str, Array]) -> None:
    """Write a file so that ``path`` is the old or the new one at any time, also when the machine stops."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    if not path.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    replaced = path.exists()
    if replaced and not path.is_file():  # a folder, or a device, which a file must not replace
        raise FileExistsError(errno.EEXIST, "not a regular file", str(path))
    try:
        with beside.open("xb") as file:
            if replaced:
                shutil.copymode(path, beside)
            _write(file, arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(file: BinaryIO, arrays: dict[str, Array]) -> None:
    """The .npz format; the same arrays give the same bytes, as `zipfile.ZipInfo` has a fixed date."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def load(
    path: str | os.PathLike[str],
    model: Layer,
    *,
    optimizer: na.SGD | None = None,
    rng: np.random.Generator | None = None,
) -> History | None:
    """Load what `save` wrote, into objects that are there.

    Parameters
    ----------
    path : str or path-like
    model : Layer
        One of the same structure as was saved; its arrays are overwritten in place, its generators set.
    optimizer : SGD, optional
        One for the same parameters; takes options and velocities. The file may hold one that is not asked for.
    rng : numpy.random.Generator, optional
        One with the same bit generator, shared with the layers that drew from it when it was saved; takes its state.

    Returns
    -------
    History or None
        That of the training, to be continued by ``fit(..., history=history)``, if it was saved.

    Raises
    ------
    TypeError
        If an object is of another kind.
    ValueError
        If the file is damaged, no file of `save`, or does not fit, naming the tensor. Nothing has been changed then.
    OSError
        If it cannot be read.

    See Also
    --------
    save : writes it, and has an example of a training that goes on.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from numact import nn
    >>> path = os.path.join(tempfile.mkdtemp(), "model.npz")
    >>> nn.save(path, nn.Dense(1, 1, initial_weight=3.0))
    >>> layer = nn.Dense(1, 1)
    >>> nn.load(path, layer)
    >>> layer.weight.value
    array([[3.]], dtype=float32)
    """
    _check_kinds(model, optimizer, rng)
    arrays = _read(Path(path))
    try:
        record = json.loads(arrays.pop(_RECORD).tobytes())
        if record["format"] != _FORMAT:
            raise ValueError(f"{path} has the format {record['format']!r}, this version reads {_FORMAT!r}")
        tensors, state, course = set(record["tensors"]), record["optimizer"], record["history"]
        state = None if state is None else dict(state)
        random_states: dict[str, Any] = {**record["generators"], **({} if rng is None else {"rng": record["rng"]})}
        sharing = dict(record["sharing"])
        history = None if course is None else _history(path, course)
    except (KeyError, TypeError, RecursionError, UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(f"{path} is no file that nn.save wrote") from None
    if different := tensors ^ arrays.keys():
        raise ValueError(f"{path} is damaged: tensors {sorted(different, key=str)} are missing or should not be there")

    values = {name.removeprefix("model/"): value for name, value in arrays.items() if name.startswith("model/")}
    present = model.state
    if lacking := present.keys() - values.keys():
        raise ValueError(f"{path} lacks the tensors {sorted(lacking)} of the model; it has {list(values)}")
    if unknown := values.keys() - present.keys():
        raise ValueError(f"{path} has the tensors {sorted(unknown)}, which the model has not; it has {list(present)}")
    for name, value in values.items():
        _check_like(f"{path}: tensor {name!r}", value, present[name].shape, present[name].dtype)
        if not present[name].flags.writeable:
            raise ValueError(f"the model's {name!r} is read-only")

    generators = _generators(model, rng)
    if different := generators.keys() ^ random_states.keys():
        raise ValueError(f"{path} and the model differ in the generators {sorted(different)} of layers")
    random_states = {name: _random_state(path, name, random_states[name], each) for name, each in generators.items()}
    if rng is not None and _sharing(generators) != sharing:
        raise ValueError(
            f"{path}: layers and batches do not share the generators {list(generators)} as they did when it was saved: "
            "give them the same one, or others, as then"
        )
    if optimizer is not None:
        state = _optimizer_state(path, state, arrays, optimizer)
        try:
            optimizer.load_state_dict(state)  # all or nothing
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: the state of the optimizer does not fit: {error}") from None
    for name, each in generators.items():
        each.bit_generator.state = random_states[name]
    for name, value in values.items():
        present[name][...] = value
    return history


def _read(path: Path) -> dict[str, Array]:
    """The arrays of an .npz file. The archive holds a check sum of each, which is verified before it is looked at."""
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return {info.filename.removesuffix(".npy"): _array(archive, info) for info in archive.infolist()}
        # What zipfile raises depends on which of its fields is damaged.
        except Exception as error:
            raise ValueError(f"{path} is damaged or no .npz file: {error}{_broken_off(file)}") from error


def _broken_off(file: BinaryIO) -> str:
    """Where a truncated file ends, by what `_write` has in front of each array: the directory of all is at the end."""
    size = file.seek(0, os.SEEK_END)
    start, whole = 0, ""
    while True:
        file.seek(start)
        header = file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size:
            return whole and f"; it breaks off behind {whole}"
        signature, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        if signature != b"PK\3\4" or extra_length != _ZIP64_SIZES.size:
            return ""
        name, extra = file.read(name_length), file.read(extra_length)
        if len(extra) < extra_length:
            return whole and f"; it breaks off behind {whole}"
        start = file.tell() + _ZIP64_SIZES.unpack(extra)[0]
        if start > size:
            return f"; it breaks off in {name.decode(errors='replace')}"
        whole = name.decode(errors="replace")


def _array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    try:
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError("compressed, which nn.save does not do")
        array: Array = np.lib.format.read_array(io.BytesIO(archive.read(info)), allow_pickle=False)
    except Exception as error:
        raise ValueError(f"{info.filename}: {str(error) or 'ends too early'}") from error  # EOFError says nothing
    return array


def _check_like(what: str, value: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if value.shape != shape or value.dtype != dtype:
        raise ValueError(f"{what} must have shape {shape} and dtype {dtype}, has {value.shape} and {value.dtype}")


def _optimizer_state(
    path: Any, state: dict[str, Any] | None, arrays: dict[str, Array], optimizer: na.SGD
) -> dict[str, Any]:
    """What ``optimizer.load_state_dict`` takes, its tensors checked."""
    if state is None:
        raise ValueError(f"{path} holds no optimizer: save it by nn.save(..., optimizer=optimizer)")
    present = optimizer.params
    if (count := state.pop("arrays", None)) != len(present):
        raise ValueError(f"{path} holds the optimizer of {count} arrays, this one has {len(present)}")
    for kind in ("velocities", "masters"):
        state[kind] = [arrays.get(f"optimizer/{kind}/{i}") for i in range(count)]
        for i, (param, value) in enumerate(zip(present, state[kind], strict=True)):
            if value is not None:
                dtype = np.dtype(np.float32) if param.dtype.itemsize == 2 else param.dtype
                _check_like(f"{path}: tensor 'optimizer/{kind}/{i}'", value, param.shape, dtype)
    return state


def _random_state(path: Any, which: str, state: Any, rng: np.random.Generator) -> Any:
    """The state that ``rng`` shall have, tried on a copy."""
    trial = copy.deepcopy(rng.bit_generator)
    name = trial.state["bit_generator"]
    if state is None:
        raise ValueError(f"{path} holds no generator: save it by nn.save(..., rng=rng)")
    try:
        if state["bit_generator"] != name:
            raise ValueError(f"its kind is {state['bit_generator']}, not {name}")
        trial.state = state
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise ValueError(f"{path}: the state of the generator {which!r} does not fit: {error}") from None
    return trial.state
