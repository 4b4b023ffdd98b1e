"""nn.save and nn.load: the same bits after a continuation, and files that are not what they should be."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import stat
import zipfile

import numpy as np
import pytest

import numact as na
from numact import nn
from numact.nn import _io

X = np.random.default_rng(5).normal(size=(90, 4)).astype(np.float32)
LABELS = (X[:, 0] * X[:, 1] > 0).astype(np.int64) + (X[:, 2] > 1)


class Training:
    """A model with all that belongs to its training, as a script would make it anew."""

    def __init__(self, bit_generator=np.random.PCG64, seed=0, **sgd):
        self.rng = np.random.Generator(bit_generator(seed))
        self.model = nn.mlp(
            [4, 12, 3], "prelu", batch_norm=True, dropout=0.25, rng=np.random.Generator(bit_generator(seed + 1))
        )
        values = [p.value for p in self.model.parameters]
        self.optimizer = na.SGD(values, **{"lr": 0.05, "momentum": 0.9, "nesterov": True} | sgd)
        self.history = None

    def train(self, epochs):
        self.history = nn.fit(
            self.model, X, LABELS, optimizer=self.optimizer, rng=self.rng, history=self.history, epochs=epochs,
            validation=(X, LABELS), schedule=lambda epoch, epochs: 1 / (1 + epoch),
        )  # fmt: skip
        return self

    def save(self, path):
        nn.save(path, self.model, optimizer=self.optimizer, rng=self.rng, history=self.history)

    def load(self, path):
        self.history = nn.load(path, self.model, optimizer=self.optimizer, rng=self.rng)
        return self

    def everything(self):
        """All that a continuation depends on, as bytes."""
        arrays = {**self.model.state}
        for kind in ("velocities", "masters"):
            state = self.optimizer.state_dict()
            arrays |= {f"{kind} {i}": v for i, v in enumerate(state[kind]) if v is not None}
        generators = [g.bit_generator.state for g in (*self.model.generators.values(), self.rng)]
        options = {k: v for k, v in self.optimizer.state_dict().items() if k not in ("velocities", "masters")}
        return {k: v.tobytes() for k, v in arrays.items()}, repr(generators), options


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "training.npz"
    Training().train(2).save(path)
    return path


def refused(path, message, training=None, error=ValueError):
    """Loading raises and changes nothing."""
    training = training or Training(seed=7)
    before = training.everything()
    with pytest.raises(error, match=message):
        training.load(path)
    assert training.everything() == before


@pytest.mark.parametrize("bit_generator", [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_continues_bit_for_bit(tmp_path, bit_generator):
    at_once = Training(bit_generator).train(10)
    Training(bit_generator).train(5).save(tmp_path / "half")
    resumed = Training(bit_generator, seed=50).load(tmp_path / "half").train(10)
    assert resumed.everything() == at_once.everything()
    for name in ("loss", "metric", "validation_loss", "validation_metric", "lr", "steps"):
        assert getattr(resumed.history, name) == getattr(at_once.history, name)
    assert len(resumed.history) == 10


def test_generators_are_shared_as_they_were(tmp_path):
    """Dropout that draws from the generator of the batches continues otherwise than from one of its own."""

    def start(seed, shared):
        rng = np.random.default_rng(seed)
        model = nn.mlp([4, 12, 3], dropout=0.25, rng=rng if shared else np.random.default_rng(seed + 1))
        return model, na.SGD([p.value for p in model.parameters], lr=0.1), rng

    def train(training, epochs, history=None):
        model, optimizer, rng = training
        history = nn.fit(model, X, LABELS, optimizer=optimizer, rng=rng, epochs=epochs, history=history)
        nn.save(tmp_path / "file", model, optimizer=optimizer, rng=rng, history=history)
        return history.loss

    for shared in (True, False):
        expected = train(start(0, shared), 4)
        train(start(0, shared), 2)
        model, optimizer, rng = start(9, not shared)
        before = {name: value.copy() for name, value in model.state.items()}
        with pytest.raises(ValueError, match=r"do not share the generators \['2\.rng', 'rng'\] as they did"):
            nn.load(tmp_path / "file", model, optimizer=optimizer, rng=rng)
        assert all(np.array_equal(value, before[name]) for name, value in model.state.items())
        nn.load(tmp_path / "file", model)  # for predictions
        model, optimizer, rng = start(9, shared)
        history = nn.load(tmp_path / "file", model, optimizer=optimizer, rng=rng)
        assert train((model, optimizer, rng), 4, history) == expected


def test_from_a_callback(tmp_path):
    """Saved in the middle of a training, while a schedule is at work."""

    class Checkpoint(nn.Callback):
        def on_epoch_end(self, run):
            if run.epoch == 3:
                nn.save(tmp_path / "3", run.model, optimizer=run.optimizer, rng=rng, history=run.history)

    rng = np.random.default_rng(0)
    whole, resumed = nn.mlp([4, 8, 3], rng=np.random.default_rng(1)), nn.mlp([4, 8, 3])
    options = {"schedule": "cosine", "epochs": 6}
    nn.fit(whole, X, LABELS, rng=rng, callbacks=[Checkpoint()], lr=0.1, **options)
    optimizer, rng = na.SGD([p.value for p in resumed.parameters], lr=9), np.random.default_rng()
    history = nn.load(tmp_path / "3", resumed, optimizer=optimizer, rng=rng)
    nn.fit(resumed, X, LABELS, optimizer=optimizer, rng=rng, history=history, **options)
    for name, value in whole.state.items():
        assert value.tobytes() == resumed.state[name].tobytes()


def test_the_model_alone(tmp_path, saved):
    """For predictions, also where the file holds a whole training; frozen layers too."""
    training, other = Training().train(2), Training(seed=9)
    other.model.freeze()
    assert len(nn.load(saved, other.model)) == 2
    assert np.array_equal(training.model.forward(X), other.model.forward(X))
    nn.save(tmp_path / "alone", training.model)
    third = Training(seed=9)
    assert nn.load(tmp_path / "alone", third.model) is None
    assert np.array_equal(training.model.forward(X), third.model.forward(X))
    with pytest.raises(ValueError, match=r"alone holds no optimizer: save it by nn\.save\(\.\.\., optimizer"):
        nn.load(tmp_path / "alone", third.model, optimizer=third.optimizer)
    with pytest.raises(ValueError, match="alone holds no generator"):
        nn.load(tmp_path / "alone", third.model, rng=third.rng)


def test_numpy_reads_it_without_pickle(saved):
    model = Training().train(2).model
    with np.load(saved, allow_pickle=False) as archive:
        for name, value in model.state.items():
            assert np.array_equal(archive[f"model/{name}"], value)
        assert json.loads(archive["record"].tobytes())["format"] == "numact.nn 1"


def test_float64_and_every_order(tmp_path):
    model = nn.Sequential(nn.Dense(3, 2, dtype=np.float64))
    model.state["0.weight"][...] = [[np.nan, -0.0], [np.inf, 5e-324], [1, 2]]
    nn.save(tmp_path / "file", model)
    other = nn.Sequential(nn.Dense(3, 2, dtype=np.float64))
    nn.load(tmp_path / "file", other)
    assert other.state["0.weight"].tobytes() == model.state["0.weight"].tobytes()


def test_history_of_a_loss_of_ones_own(tmp_path):
    def loss(output, y):
        return np.float32(0.5), np.zeros_like(output)

    model = nn.Sequential(nn.Dense(4, 2))
    history = nn.fit(model, X, LABELS, loss=loss, epochs=1, validation=(X, LABELS))
    nn.save(tmp_path / "file", model, history=history)
    loaded = nn.load(tmp_path / "file", model)
    assert (loaded.loss, loaded.validation_loss) == ([0.5], [0.5])


def test_the_same_state_is_the_same_file(tmp_path):
    for name in "ab":
        nn.save(tmp_path / name, Training().model)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# Files that are not what they should be


def test_truncated(tmp_path, saved):
    """Each tensor is named that the file ends in; behind the last one is the directory."""
    content = saved.read_bytes()
    path = tmp_path / "truncated"
    with zipfile.ZipFile(saved) as archive:
        members, directory = archive.infolist(), archive.start_dir
    ends = [*(info.header_offset for info in members[1:]), directory]
    told = {0: "", 1: "", 30: "", directory + 30: "", len(content) - 22: "", len(content) - 1: ""}
    for info, end in zip(members, ends, strict=True):
        data = end - info.compress_size
        told |= dict.fromkeys((data, (data + end) // 2, end - 1), f"; it breaks off in {info.filename}")
        told |= dict.fromkeys((end, end + 1, end + 29), f"; it breaks off behind {info.filename}")
        if end < directory:
            told[end + 40] = told[end]  # in the name of the next
    for length, where in told.items():
        path.write_bytes(content[:length])
        refused(path, rf"truncated is damaged or no \.npz file: File is not a zip file{re.escape(where)}$")


def test_every_kind_of_byte_damaged(tmp_path, saved):
    """A changed byte is noticed, or lies where it means nothing: then all is loaded."""
    content = saved.read_bytes()
    whole = Training(seed=7).load(saved).everything()
    path = tmp_path / "damaged"
    noticed = 0
    for at in range(0, len(content), 41):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        training = Training(seed=7)
        before = training.everything()
        try:
            training.load(path)
        except ValueError:
            assert training.everything() == before
            noticed += 1
        else:
            assert training.everything() == whole
    assert noticed > 0.8 * len(content) / 41


def test_damaged_data_are_named(tmp_path, saved):
    """Overwritten in the middle, as by a bad sector or a transfer that left a hole."""
    content = saved.read_bytes()
    path = tmp_path / "damaged"
    with np.load(saved) as archive:
        arrays = {name: archive[name].tobytes() for name in archive.files}
    for name, data in arrays.items():
        path.write_bytes(content.replace(data, bytes(len(data)) if any(data) else b"\1" * len(data), 1))
        refused(path, rf"damaged is damaged or no \.npz file: {name}\.npy: Bad CRC-32")


def rewritten(source, path, change):
    """A copy of the file, whole as an archive, with its arrays changed."""
    with np.load(source) as archive:
        arrays = dict(archive)
    change(arrays)
    with path.open("wb") as file:
        _io._write(file, arrays)
    return path


def with_record(arrays, **values):
    record = json.loads(arrays["record"].tobytes()) | values
    record["tensors"] = [name for name in arrays if name != "record"]
    arrays["record"] = np.frombuffer(json.dumps(record).encode(), np.uint8)


def drop(name):
    def change(arrays):
        del arrays[name]
        with_record(arrays)

    return change


def with_tensors(names):
    def change(arrays):
        record = json.loads(arrays["record"].tobytes()) | {"tensors": names}
        arrays["record"] = np.frombuffer(json.dumps(record).encode(), np.uint8)

    return change


def with_optimizer(arrays, **values):
    with_record(arrays, optimizer=json.loads(arrays["record"].tobytes())["optimizer"] | values)


def with_history(arrays, **values):
    names = ("loss", "metric", "validation_loss", "validation_metric", "lr", "seconds", "samples_per_second")
    with_record(arrays, history={name: [1.0] for name in names} | values)


def put(name, value):
    def change(arrays):
        arrays[name] = value
        if name != "record":
            with_record(arrays)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (drop("model/0.weight"), r"lacks the tensors \['0\.weight'\] of the model"),
        (put("model/9.weight", X), r"has the tensors \['9\.weight'\], which the model has not"),
        (put("model/0.weight", X), r"tensor '0\.weight' must have shape \(4, 12\) .* has \(90, 4\) and float32"),
        (put("model/0.bias", np.zeros(12)), r"tensor '0\.bias' must have .* dtype float32, has \(12,\) and float64"),
        (put("model/0.bias", np.zeros(12, ">f4")), r"tensor '0\.bias' must have .* dtype float32, has .* and >f4"),
        (put("model/1.running_mean", np.zeros(3, "f4")), r"tensor '1\.running_mean' must have shape \(12,\)"),
        (put("optimizer/velocities/0", X), r"tensor 'optimizer/velocities/0' must have shape \(4, 12\)"),
        (lambda arrays: arrays.pop("model/0.bias"), r"is damaged: tensors \['model/0\.bias'\] are missing"),
        (lambda arrays: arrays.pop("record"), r"is no file that nn\.save wrote"),
        (lambda arrays: with_record(arrays, format="numact.nn 2"), "has the format 'numact.nn 2', this version reads"),
        (lambda arrays: with_record(arrays, rng={"bit_generator": "PCG64"}), "the state of the generator 'rng' does"),
        (lambda arrays: with_record(arrays, generators={}), r"differ in the generators \['3\.rng'\] of layers"),
        (lambda arrays: with_record(arrays, history={"losses": []}), r"is no file that nn\.save wrote"),
        (lambda arrays: with_record(arrays, optimizer={}), "holds the optimizer of None arrays"),
        (lambda arrays: with_record(arrays, optimizer=7), r"is no file that nn\.save wrote"),
        (lambda arrays: with_record(arrays, optimizer={"arrays": 7}), "state lacks the keys"),
        (lambda arrays: with_record(arrays, history=7), r"is no file that nn\.save wrote"),
        (lambda arrays: with_record(arrays, history={"loss": 7}), "its history holds what no training records"),
        (lambda arrays: with_history(arrays, loss="abc"), "its history holds what no training records"),
        (lambda arrays: with_history(arrays, steps=1.5), "its history holds what no training records"),
        (lambda arrays: with_record(arrays, history={"loss": [7]}), "the lists of its history differ in length"),
        (lambda arrays: with_history(arrays, loss=["a"]), "its history holds what no training records"),
        (lambda arrays: with_history(arrays, lr=[["a"]]), "its history holds what no training records"),
        (lambda arrays: with_history(arrays, steps=-4), "its history holds what no training records"),
        (lambda arrays: with_history(arrays, stopped=7), "its history holds what no training records"),
        (lambda arrays: with_optimizer(arrays, lr="x"), "optimizer does not fit: lr must be a real number"),
        (lambda arrays: with_optimizer(arrays, lr=10**400), "optimizer does not fit: lr is too large"),
        (
            lambda arrays: with_optimizer(arrays, nesterov="no"),
            "optimizer does not fit: nesterov must be True or False",
        ),
        (with_tensors([3]), r"is damaged: tensors \[3, 'model/0"),
        (put("record", np.frombuffer(b'{"format": "numact.nn 1", "tensors": 7}', np.uint8)), "no file that nn.save"),
        (put("record", np.frombuffer(100_000 * b"[", np.uint8)), r"is no file that nn\.save wrote"),
    ],
)
def test_mismatch(tmp_path, saved, change, message):
    refused(rewritten(saved, tmp_path / "file", change), message)


def test_another_structure(saved):
    other = Training()
    other.model = nn.mlp([4, 20, 3], "prelu", batch_norm=True, dropout=0.25)
    other.optimizer = na.SGD([p.value for p in other.model.parameters], lr=0.1)
    refused(saved, r"tensor '0\.weight' must have shape \(4, 20\)", other)
    other = Training()
    other.optimizer = na.SGD([other.model.parameters[0].value], lr=0.1)
    refused(saved, r"holds the optimizer of 7 arrays, this one has 1", other)
    refused(saved, "its kind is PCG64, not MT19937", Training(np.random.MT19937))


def test_foreign_files(tmp_path):
    path = tmp_path / "foreign"
    for write, array, message in (
        (np.savez, X, r"is no file that nn\.save wrote"),
        (np.savez_compressed, X, "record.npy: compressed"),
        (np.savez, np.array([{}], object), "record.npy: Object arrays cannot be loaded"),
    ):
        with path.open("wb") as file:
            write(file, record=array)
        refused(path, message)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("picture.png", b"\x89PNG")
    refused(path, "damaged or no .npz file: picture.png: ")
    path.write_text("epoch,loss\n")
    refused(path, "damaged or no .npz file")
    path.unlink()
    refused(path, "No such file", error=FileNotFoundError)


def test_huge_array_that_is_not_there(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 40,)})
    with zipfile.ZipFile(tmp_path / "huge", "w") as archive:
        archive.writestr("model/0.weight.npy", header.getvalue())
    refused(tmp_path / "huge", "damaged or no .npz file")


def test_arguments_of_another_kind(tmp_path, saved):
    path, model, rng = tmp_path / "file", Training().model, np.random.default_rng(0)
    for call, message in (
        (lambda: nn.save(path, model.parameters), r"model must be a layer, usually an nn\.Sequential, got list"),
        (lambda: nn.save(path, model, optimizer="sgd"), r"optimizer must be a numact\.SGD, got str"),
        (lambda: nn.save(path, model, rng=0), r"rng must be a numpy\.random\.Generator"),
        (lambda: nn.save(path, model, history=[]), r"history must be an nn\.History, .*, got list"),
        (lambda: nn.load(saved, nn.Dense), "model must be a layer"),
        (lambda: nn.load(saved, model, optimizer=na.SGD), r"optimizer must be a numact\.SGD, got type"),
        (lambda: nn.load(saved, model, rng=rng.bit_generator), r"rng must be a numpy\.random\.Generator"),
    ):
        with pytest.raises(TypeError, match=message):
            call()
    assert not path.exists()


# The write


@pytest.mark.parametrize("call", ["write_array", "fsync", "replace"])
def test_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch, call):
    path = tmp_path / "file"
    Training().save(path)
    old = path.read_bytes()

    def fails(*args, **options):
        raise KeyboardInterrupt if call == "fsync" else OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np.lib.format if call == "write_array" else os, call, fails)
    with pytest.raises((OSError, KeyboardInterrupt)):
        Training(seed=1).save(path)
    monkeypatch.undo()
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["file"]


def test_replaces_what_a_link_points_to(tmp_path):
    (tmp_path / "to").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "to" / "file")
    Training().save(tmp_path / "link")
    Training(seed=1).load(tmp_path / "to" / "file")
    assert (tmp_path / "link").is_symlink()
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE((tmp_path / "to" / "file").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path):
        with pytest.raises(FileExistsError, match="not a regular file"):
            Training().save(path)
    assert os.listdir(tmp_path) == ["fifo"]


def test_permissions_stay(tmp_path):
    path = tmp_path / "file"
    path.touch(mode=0o600)
    Training().save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_read_only_arrays_are_refused_before_anything_is_changed(tmp_path):
    model = nn.Sequential(nn.Dense(2, 3), nn.Dense(3, 2))
    path = tmp_path / "model.npz"
    nn.save(path, model)
    first, *_, last = model.state.values()
    first += 1
    before = first.copy()
    last.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        nn.load(path, model)
    np.testing.assert_array_equal(first, before)


def test_the_path_that_was_given_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.model\.npz'"):
        nn.save(tmp_path / "nowhere" / "model.npz", nn.Sequential(nn.Dense(2, 2)))
