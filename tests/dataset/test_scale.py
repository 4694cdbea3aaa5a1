"""Beyond one machine: a cluster of real worker processes, and datasets that lie elsewhere."""

import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import threading
import uuid
from contextlib import contextmanager

import joblib
import numpy as np
import pandas as pd
import pytest
from helpers import dataset, encoded, ready_dataset, textured, until

from toolkit import cli, crossval, dedup, manifest, parallel, paths, predict, resize, runtime, split, tune, verify
from toolkit.core import parts, remote
from toolkit.dataset import signatures
from toolkit.errors import DatasetError, ImageError, ToolkitError
from toolkit.training import batches, features
from toolkit.training.config import Config


def pictures(count=24):
    """Good ones, one that is there twice, and two that are broken."""
    good = [("cats" if n % 2 else "dogs", "png", encoded(textured(n, width=96, height=80))) for n in range(count)]
    twice = ("cats", "jpg", encoded(textured(1, width=96, height=80), "JPEG", quality=90))
    return [*good, twice, ("dogs", "bin", b""), ("dogs", "jpg", encoded(textured(99), "JPEG")[:1500])]


# A cluster: a scheduler and two workers, processes on the loopback address


class Cluster:
    """The processes of a cluster."""

    def __init__(self, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address, self.folder, self.log, self.workers = f"tcp://127.0.0.1:{port}", folder, folder / "log", []
        self.scheduler = self.start(
            "scheduler", "--host", "127.0.0.1", "--port", str(port), "--dashboard-address", ":0"
        )

    def start(self, kind, *words):
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words, "--no-dashboard"]
        with self.log.open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, stderr=log, stdout=log)

    def fill(self):
        """Two workers that live."""
        living = [worker for worker in self.workers if worker.poll() is None]
        words = (self.address, "--nthreads", "1", "--no-nanny")
        self.workers += [self.start("worker", *words) for _ in range(2 - len(living))]
        until(lambda: self.log.read_bytes().count(b"Registered to:") >= len(self.workers), seconds=60)

    def ready(self):
        return b"Scheduler at" in self.log.read_bytes()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    pytest.importorskip("distributed")
    folder = tmp_path_factory.mktemp("cluster")
    running = Cluster(folder)
    try:
        until(running.ready)
        yield running
    finally:
        for process in (*running.workers, running.scheduler):
            process.kill()
            process.wait()


@pytest.mark.slow
def test_a_cluster_without_workers_is_an_error_of_one_line(cluster, monkeypatch):
    monkeypatch.setattr(parallel, "PATIENCE", 0.5)
    with pytest.raises(ToolkitError, match="expected workers at .*, found none"), parallel.cluster(cluster.address):
        pass


@pytest.mark.slow
def test_a_cluster_gives_the_same_to_the_last_byte_and_loses_nothing_when_a_worker_is_killed(
    cluster, tmp_path, monkeypatch
):
    cluster.fill()
    monkeypatch.setattr(parallel, "PATIENCE", 20)
    files = pictures(90)
    here, there = dataset(tmp_path / "here", files), dataset(tmp_path / "there", files)
    killed = []
    add = signatures.add

    def killing(*what):
        if not killed:
            killed.append(cluster.workers[0].pid)
            os.kill(killed[0], signal.SIGKILL)
        add(*what)

    with parallel.cluster(cluster.address, needs=there.root):
        monkeypatch.setattr(signatures, "add", killing)
        there = verify.check(there).save()
        assert killed and cluster.workers[0].wait() == -signal.SIGKILL
        there = resize.write(dedup.group(there), size=48).save()
    here = resize.write(dedup.group(verify.check(here)), size=48).save()
    for file in (manifest.FILE, *(path.relative_to(here.root) for path in here.where(status="ok").sized(48))):
        assert (there.root / file).read_bytes() == (here.root / file).read_bytes()
    ours, theirs = signatures.load(here.root), signatures.load(there.root)
    assert ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)
    assert set(here.left_out()["status"]) == {"unreadable", "duplicate"}


HEAD = Config("xception", style="modern", size=32, options={"weights": "cifar10"})


def judged_copies(table):
    """What dedup makes of copies, some under two labels, in many groups."""
    return dedup.group(table, max_share=1).table


def squares(table):
    done = resize.write(table, size=40).save()
    return [file.read_bytes() for file in (table.root / manifest.FILE, *done.where(status="ok").sized(40))]


def computed(table):
    found = features.of(table, "xception", size=32, weights="cifar10")
    names = np.concatenate([np.load(file) for file in (table.root / features.FOLDER).glob("*/*.names.npy")])
    return found, np.unique(names)


def folded(table):
    return crossval.run(table, HEAD, folds=4, name=table.root.name, jobs=-1).report.predictions


def answered(table):
    file = table.root / "answers.csv"
    predict.write(runtime.load(table.root / "small.tflite"), [*map(str, table.files)], csv_file=file, jobs=2)
    return [line.rpartition(str(table.root))[2] for line in file.read_text().splitlines()]


@contextmanager
def killing(cluster):
    """Meanwhile, a worker that has work in hand is killed."""
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as client:
        numbers = client.run(os.getpid)

        def kill():
            busy = until(lambda: [worker for worker, tasks in client.processing().items() if tasks], seconds=60)[0]
            os.kill(numbers[busy], signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        yield
        killer.join()
    until(lambda: any(worker.poll() == -signal.SIGKILL for worker in cluster.workers))
    assert sum(worker.poll() is None for worker in cluster.workers) == 1


@pytest.fixture(scope="module")
def two_datasets(tmp_path_factory, exported):
    """The same pictures twice, verified and split, with copies of which each is a group, and a model."""
    files = [("cats" if n % 2 else "dogs", "png", encoded(textured(n, width=96, height=80))) for n in range(28)]
    files += [("cats", "jpg", encoded(textured(n, width=96, height=80), "JPEG", quality=90)) for n in range(12)]
    roots = [tmp_path_factory.mktemp("two") / name for name in ("here", "there")]
    for root in roots:
        split.assign(verify.check(dataset(root, files)), val=0.2, test=0.2, seed=3).save()
        shutil.copy(exported / "small.tflite", root)
    return roots


@pytest.mark.slow
@pytest.mark.parametrize(
    "stage", [judged_copies, squares, computed, folded, answered], ids=lambda stage: stage.__name__
)
def test_a_worker_that_is_killed_in_the_middle_of_a_stage_changes_nothing(stage, two_datasets, cluster, monkeypatch):
    cluster.fill()
    monkeypatch.setattr(parallel, "PATIENCE", 20)
    monkeypatch.setattr(parts, "PART", 4)
    monkeypatch.setattr(features, "SHARD", features.BATCH)
    here, there = map(manifest.load, two_datasets)
    expected = stage(here)
    with parallel.cluster(cluster.address, needs=there.root), killing(cluster):
        found = stage(there)
    if isinstance(expected, pd.DataFrame):
        pd.testing.assert_frame_equal(found, expected)
    else:
        assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))


@pytest.mark.slow
def test_the_command_line_sends_its_work_to_a_cluster(cluster, exported, tmp_path, monkeypatch, capsys):
    cluster.fill()
    monkeypatch.setattr(parallel, "PATIENCE", 20)
    table = dataset(tmp_path / "pets", pictures(6))
    work = ["--cluster", cluster.address]
    assert cli.main(["verify", str(table.root), *work]) == 0
    assert cli.main(["resize", str(table.root), "--size", "32", *work]) == 0
    done = manifest.load(table.root)
    assert len(done.where(status="ok")) == 7
    assert all(file.exists() for file in done.where(status="ok").sized(32))
    assert done.table.equals(verify.check(table).table)
    assert cli.main(["dedup", str(table.root), *work]) == 0
    assert manifest.load(table.root).counts()["duplicate"].sum() == dedup.group(done).counts()["duplicate"].sum() > 0
    answers, model = tmp_path / "answers.csv", str(exported / "small.tflite")
    assert cli.main(["predict", model, str(table.root / "raw" / "dogs"), "--csv", str(answers), *work]) == 0
    assert len(answers.read_text().splitlines()) == 1 + 5


@pytest.mark.slow
def test_what_a_task_asks_for_in_its_turn_stays_on_its_worker(cluster, monkeypatch):
    cluster.fill()
    monkeypatch.setattr(parallel, "PATIENCE", 20)

    def nested(_):
        return os.getpid(), set(parallel.map(lambda _: os.getpid(), range(4), jobs=2))

    with parallel.cluster(cluster.address):
        assert parallel.is_distributed() and parallel.n_parallel(-1) == 2
        found = list(parallel.map(nested, range(6)))
        alone = list(parallel.map(nested, range(1)))
    assert len(found) == 6 and all(inner == {process} != {os.getpid()} for process, inner in found)
    assert alone == [(os.getpid(), {os.getpid()})]
    assert not parallel.is_distributed()


@pytest.mark.slow
def test_folds_and_trials_on_a_cluster_come_to_the_same_as_here(cluster, tmp_path, monkeypatch):
    pytest.importorskip("optuna", reason="needs Optuna: pip install 'optuna>=4'")
    cluster.fill()
    monkeypatch.setattr(parallel, "PATIENCE", 20)
    table = ready_dataset(tmp_path / "pets", per_class=16, size=16)
    training = Config(
        "vgg", style="classic", size=16, epochs=1, batch_size=8, options={"width": 0.1}, precision="float32"
    )
    head = Config("xception", style="modern", size=32, options={"weights": "cifar10"})
    rates, freedoms = {"learning_rate": [1e-2, 1e-3]}, {"C": [0.01, 1.0]}
    here, there, sent = [], [], []
    in_parallel = parallel.map

    def noting(function, items, **how):
        sent.extend(pickle.dumps((function, item)) for item in items if parallel.is_distributed())
        return in_parallel(function, items, **how)

    for found, address in ((here, None), (there, cluster.address)):
        how, name = {"jobs": -1 if address else 1}, "there" if address else "here"
        with parallel.cluster(address, needs=table.root / manifest.FILE):
            with monkeypatch.context() as noted:
                noted.setattr(parallel, "map", noting)
                for config in (training, head):
                    result = crossval.run(table, config, folds=2, name=f"{config.network} {name}", **how)
                    found.append(result.report.predictions)
                    assert not (result.folder / "pictures").exists()
            for config, space in ((training, rates), (head, freedoms)):
                how |= {"space": space, "method": "grid", "folds": 2, "name": f"{config.network} {name}"}
                found.append(tune.search(table, config, **how).trials.drop(columns="seconds"))
    for one, other in zip(here, there, strict=True):
        pd.testing.assert_frame_equal(one, other)
    assert len(sent) >= 4  # folds, each a place and the split of every picture
    digest = table.table["sha256"].iloc[0].encode()
    assert not [message for message in sent if digest in message]


@pytest.mark.slow
def test_a_folder_the_workers_do_not_see_is_an_error_and_not_a_thousand_unreadable_pictures(
    cluster, monkeypatch, tmp_path
):
    cluster.fill()
    monkeypatch.setattr(parallel, "PATIENCE", 20)
    with (
        pytest.raises(ToolkitError, match="expected every worker to see .*none.* does not; share the folder"),
        parallel.cluster(cluster.address, needs=tmp_path / "none"),
    ):
        pass


@pytest.mark.slow
def test_nobody_at_the_address_is_an_error_of_one_line(monkeypatch, tmp_path, capsys):
    pytest.importorskip("distributed")
    monkeypatch.setattr(parallel, "PATIENCE", 0.5)
    table = dataset(tmp_path / "pets", pictures(2))
    for address in ("tcp://127.0.0.1:9", "nonsense"):
        assert cli.main(["verify", str(table.root), "--cluster", address]) == 2
        assert capsys.readouterr().err.startswith(f"toolkit: expected a Dask scheduler at {address}, got no answer")
    assert set(manifest.load(table.root).table["status"]) == {"new"}


def test_without_an_address_the_work_stays_here():
    with parallel.cluster(None):
        assert list(parallel.map(str, [1, 2])) == ["1", "2"]


def test_a_million_small_files_are_no_million_tasks():
    few, many = parallel._batches(10, 4), parallel._batches(1_000_000, 64)
    assert few["batch_size"] == 1
    assert 1_000_000 / many["batch_size"] < 10_000
    assert many["pre_dispatch"] >= 2 * 64 * many["batch_size"]


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 7, 100])
def test_batches_change_neither_order_nor_number(count):
    with joblib.parallel_config(backend="loky", n_jobs=2):
        assert list(parallel.map(abs, [-n for n in range(count)])) == list(range(count))


# Datasets that lie elsewhere


@pytest.fixture(scope="module")
def s3():
    """An S3 server on the loopback address, and a bucket in it."""
    pytest.importorskip("s3fs", reason="no s3fs: datasets on S3 are not tested")
    server = pytest.importorskip("moto.server", reason="no moto: datasets on S3 are not tested")
    import boto3

    running = server.ThreadedMotoServer("127.0.0.1", 0)
    running.start()
    host, port = running.get_host_and_port()
    keys = {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**keys, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(name, value)
        boto3.client("s3").create_bucket(Bucket="bucket")
        try:
            yield "s3://bucket"
        finally:
            running.stop()


@pytest.fixture(params=["memory", pytest.param("s3", marks=pytest.mark.slow)])
def bucket(request):
    pytest.importorskip("upath", reason="no universal_pathlib: datasets at URLs are not tested")
    place = "memory://bucket" if request.param == "memory" else request.getfixturevalue("s3")
    return f"{place}/{uuid.uuid4().hex}"


def copied(table, url):
    """The dataset there."""
    target = remote.path(url)
    for file in (manifest.FILE, *table.table["path"]):
        paths.write(target / file, (table.root / file).read_bytes())
    return manifest.load(url)


@pytest.mark.slow
def test_every_stage_works_at_a_url_and_gives_the_same(bucket, tmp_path):
    here = dataset(tmp_path / "pets", pictures())
    there = copied(here, f"{bucket}/pets")
    assert there.name == "pets" and len(there) == len(here)
    for root in (there.root, here.root):
        table = verify.check(manifest.load(root)).save()
        table = resize.write(dedup.group(table), size=32).save()
        split.assign(table, val=0.2, test=0.2, seed=3).save()
    assert (there.root / manifest.FILE).read_bytes() == (here.root / manifest.FILE).read_bytes()
    ours, theirs = manifest.load(here.root), manifest.load(f"{bucket}/pets")
    for one, other in zip(ours.where(status="ok").sized(32), theirs.where(status="ok").sized(32), strict=True):
        assert one.read_bytes() == other.read_bytes()
    one, other = (batches.examples(table, split="train", size=32) for table in (ours, theirs))
    assert np.array_equal(one.pixels, other.pixels) and len(one)


def test_what_is_done_at_a_url_is_not_done_again(bucket, tmp_path, monkeypatch):
    there = copied(dataset(tmp_path / "pets", pictures(4)), f"{bucket}/pets")
    table = resize.write(verify.check(there), size=32)
    monkeypatch.setattr(resize.images, "prepare", lambda *_, **__: pytest.fail("it was done again"))
    assert resize.write(table, size=32).table.equals(table.table)


def test_a_file_that_is_missing_at_a_url_is_a_row(bucket, tmp_path):
    there = copied(dataset(tmp_path / "pets", pictures(4)), f"{bucket}/pets")
    there.files[0].unlink()
    row = verify.check(there).table.iloc[0]
    assert row["status"] == "unreadable" and "no file at" in row["reason"]


def test_the_command_line_takes_a_url(tmp_path, capsys):
    pytest.importorskip("upath")
    copied(dataset(tmp_path / "pets", pictures(4)), "memory://other/pets")
    assert cli.main(["verify", "memory://other/pets", "--jobs", "4"]) == 0
    assert len(manifest.load("memory://other/pets").where(status="ok")) == 5


def test_what_needs_this_machine_says_so(tmp_path, capsys):
    pytest.importorskip("upath")
    assert cli.main(["scrape", f"folder:{tmp_path}", "--into", "memory://bucket/pets"]) == 2
    assert "expected a folder on this machine to scrape into" in capsys.readouterr().err
    assert paths.models(remote.path("memory://bucket/pets")) == paths.home() / "models" / "pets"


def test_a_place_that_does_not_answer_is_an_error_of_one_line(monkeypatch):
    pytest.importorskip("upath")
    silent = lambda *_, **__: (_ for _ in ()).throw(RuntimeError("no route"))  # noqa: E731 - stands in for a method
    monkeypatch.setattr(type(remote.path("memory://other").fs), "exists", silent)
    monkeypatch.setattr(type(remote.path("memory://other").fs), "info", silent)
    with pytest.raises(DatasetError, match="expected to reach memory://other/manifest.csv, got RuntimeError: no route"):
        manifest.load("memory://other")


def test_a_place_nothing_reaches_is_an_error_of_one_line():
    pytest.importorskip("upath")
    with pytest.raises(DatasetError, match="URL that fsspec knows, got nowhere://pets"):
        manifest.load("nowhere://pets")


def test_a_library_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(DatasetError, match=r"s3://bucket/pets, found them missing: install it with .*\[remote\]"):
        manifest.load("s3://bucket/pets")


def test_a_file_url_is_a_plain_path(tmp_path):
    table = ready_dataset(tmp_path / "my pets", per_class=10)
    assert manifest.load(table.root.as_uri()).root == table.root


def test_an_upload_that_fails_leaves_the_old_file(tmp_path):
    pytest.importorskip("upath")
    file = remote.path("memory://other/file.txt")
    paths.write(file, "old")
    with pytest.raises(RuntimeError), paths.atomic_write(file) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert file.read_text() == "old"


def test_a_picture_at_a_url_that_is_not_there_says_so():
    pytest.importorskip("upath")
    with pytest.raises(ImageError, match="no file at memory://other/none.jpg"):
        remote.content("memory://other/none.jpg")
