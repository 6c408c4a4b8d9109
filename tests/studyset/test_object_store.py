"""Study sets in an object store: the same files as in a folder, broken off, cached, checked."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("s3fs", reason="needs the driver of S3")
pytest.importorskip("flask", reason="needs an S3 server of its own")
pytest.importorskip("moto", reason="needs an S3 server of its own")

import boto3
from moto.server import ThreadedMotoServer

from radpair.errors import GraphError, PlaceError, StudySetError
from radpair.places import located
from radpair.scratch import _sweep
from radpair.sources import Pairs
from radpair.studyset import StudySet, give_graphs, store, write
from radpair.studyset.labelling import label
from radpair.studyset.scanning import scan
from sources.fakes.pictures import picture

BUCKET = "hospital"
STUDIES = 48


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "nobody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("RADPAIR_CACHE", str(tmp_path_factory.mktemp("cache")))
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        yield client
    server.stop()


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory, s3: Any) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for number in range(STUDIES):
        place = folder / f"patient-{number // 2:03d}"
        picture(place / f"{number:03d}.png")
        report = "Small left pleural effusion." if number != 5 else ""
        (place / f"{number:03d}.txt").write_text(f"{report}\n")
    (folder / "patient-003" / "007.png").write_bytes(b"no picture")
    for file in folder.rglob("*.*"):
        s3.upload_file(str(file), BUCKET, f"films/{file.relative_to(folder).as_posix()}")
    return folder


@pytest.fixture(scope="module")
def whole(films: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    out = tmp_path_factory.mktemp("sets") / "whole"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importlib.import_module("radpair.studyset.write"), "PART", 4)
        write(Pairs(root=films), out, size=64, processes=1, duplicates="keep")
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*.*")}


@pytest.fixture(autouse=True)
def parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("radpair.studyset.write"), "PART", 4)


def objects(s3: Any, prefix: str) -> dict[str, bytes]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=f"{prefix}/")
    keys = [entry["Key"] for page in pages for entry in page.get("Contents", ())]
    bodies = {key: s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys}
    return {key.removeprefix(f"{prefix}/"): body for key, body in bodies.items()}


def sent(source: Path | str, name: str, **options: Any) -> Any:
    made = Pairs(root=source)  # type: ignore[arg-type]
    return write(made, f"s3://{BUCKET}/{name}", size=64, duplicates="keep", **options)


@pytest.mark.parametrize("processes", [1, 2])
def test_from_a_store_to_a_store(s3: Any, whole: dict[str, bytes], processes: int) -> None:
    summary = sent(f"s3://{BUCKET}/films", f"set-{processes}", processes=processes)
    assert objects(s3, f"set-{processes}") == whole
    assert str(summary).startswith(f"Study set s3://{BUCKET}/set-{processes} is complete: 47")
    assert f"s3://{BUCKET}/set-{processes}/quarantine.parquet" in str(summary)
    again = sent(f"s3://{BUCKET}/films", f"set-{processes}", processes=processes)
    assert again.was_complete
    assert objects(s3, f"set-{processes}") == whole


def test_reading_through_a_copy(s3: Any, films: Path) -> None:
    sent(films, "read", processes=1)
    url = Path(f"s3://{BUCKET}/read")  # as the command line gives it
    studies = StudySet.open(url)
    assert studies.path.is_relative_to(os.environ["RADPAIR_CACHE"])
    assert studies.path.stat().st_mode & 0o077 == 0
    assert len(studies) == 47
    assert studies.pixels(0).shape == (40, 36)
    assert studies.verify() == len(studies.manifest["files"])
    before = {p: p.stat().st_mtime_ns for p in studies.path.rglob("*.*")}
    assert StudySet.open(url).path == studies.path
    assert {p: p.stat().st_mtime_ns for p in studies.path.rglob("*.*")} == before


def test_graphs_are_sent_back(s3: Any, films: Path) -> None:
    sent(films, "graphs", processes=1)
    url = f"s3://{BUCKET}/graphs"
    assert not StudySet.open(url).has_graphs
    give_graphs(Path(url))
    found = objects(s3, "graphs")
    assert {"graphs.parquet", "graphs.json"} <= found.keys()
    studies = StudySet.open(url)
    (studies.path / "graphs.json").unlink()
    assert StudySet.open(url).graphs()[0].entities  # type: ignore[union-attr]
    assert (studies.path / "graphs.json").read_bytes() == found["graphs.json"]
    s3.delete_object(Bucket=BUCKET, Key="graphs/graphs.json")
    assert not StudySet.open(url).has_graphs


CLIENT = """
import importlib, sys
from radpair.sources import Pairs
importlib.import_module("radpair.studyset.write").PART = 4
from radpair.studyset import write
if __name__ == "__main__":
    write(Pairs(root=sys.argv[1]), sys.argv[2], size=64, processes=1, duplicates="keep")
"""


def test_killed_and_run_again(
    s3: Any, films: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", CLIENT, str(films), f"s3://{BUCKET}/killed"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    run = subprocess.Popen(command, env=environment)
    while run.poll() is None and len(objects(s3, "killed")) < 7:
        time.sleep(0.005)
    run.kill()
    run.wait()
    left = objects(s3, "killed")
    if "manifest.json" not in left:
        with pytest.raises(StudySetError, match=r"the study set was not finished; run the same"):
            StudySet.open(f"s3://{BUCKET}/killed")
        with pytest.raises(StudySetError, match=r"options.size was 64 and is now 32"):
            write(Pairs(root=films), f"s3://{BUCKET}/killed", size=32, duplicates="keep")
    assert run.returncode == 0 or list(tmp_path.iterdir()), "nothing was left to remove"
    _sweep.cache_clear()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    sends = []
    send = store.send
    monkeypatch.setattr(store, "send", lambda file, to: (sends.append(to.name), send(file, to)))
    sent(films, "killed", processes=1)
    assert not list(tmp_path.iterdir())
    assert objects(s3, "killed") == whole
    again = {name for name in left if name.startswith(".parts/0")}
    assert not {Path(name).name for name in again} & set(sends)


def test_strict_names_the_url(films: Path) -> None:
    with pytest.raises(StudySetError, match=rf"^s3://{BUCKET}/strict: stopped by --strict: "):
        sent(films, "strict", processes=1, strict=True)


def test_another_plan_before_a_part_was_finished(
    s3: Any, films: Path, whole: dict[str, bytes]
) -> None:
    s3.put_object(Bucket=BUCKET, Key="begun/.parts/plan.json", Body=b"{}")
    s3.put_object(Bucket=BUCKET, Key="begun/pixels/00099.bin", Body=b"of the other plan")
    sent(films, "begun", processes=1)
    assert objects(s3, "begun") == whole


def test_two_plans_at_once(s3: Any, films: Path) -> None:
    def begin(done: int, total: int | None) -> None:
        if done == 8:
            s3.put_object(Bucket=BUCKET, Key="two/.parts/plan.json", Body=b"{}")

    with pytest.raises(StudySetError, match=r"/two: another process began another study set here"):
        sent(films, "two", processes=1, progress=begin)
    assert "pixels/00002.bin" not in objects(s3, "two")


def test_words_of_a_set_in_a_store(films: Path, tmp_path: Path) -> None:
    sent(films, "words", processes=1)
    url = Path(f"s3://{BUCKET}/words")
    assert scan(url).reports == 46
    with pytest.raises(GraphError, match=rf"^s3://{BUCKET}/words: is not on this machine; give"):
        label(url, "chexpert14")
    label(url, "chexpert14", tmp_path / "labels.csv")
    assert len((tmp_path / "labels.csv").read_text().splitlines()) == 48


def test_a_bucket_that_is_not_there(s3: Any, films: Path) -> None:
    with pytest.raises(PlaceError, match=r"reached \(The specified bucket does not exist"):
        write(Pairs(root=films), "s3://nobody/set", size=64, processes=1)


def test_foreign_objects_are_left_alone(s3: Any, films: Path) -> None:
    with pytest.raises(StudySetError, match=r"is not empty \(it holds patient-000\) and is"):
        sent(films, "films", processes=1)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../../outside.bin", "names the file '../../outside.bin', which no study set has"),
        ("/etc/passwd", "names the file '/etc/passwd', which no study set has"),
        ("pixels/../x.bin", "which no study set has"),
    ],
)
def test_a_manifest_that_leads_outside(
    s3: Any, whole: dict[str, bytes], name: str, told: str
) -> None:
    manifest = json.loads(whole["manifest.json"])
    manifest["files"][name] = {"bytes": 1, "sha256": "0" * 64}
    s3.put_object(Bucket=BUCKET, Key="evil/manifest.json", Body=json.dumps(manifest).encode())
    with pytest.raises(StudySetError, match=told):
        StudySet.open(f"s3://{BUCKET}/evil")


def test_altered_objects(
    s3: Any, films: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent(films, "altered", processes=1)
    studies = StudySet.open(f"s3://{BUCKET}/altered")
    body = objects(s3, "altered")["pixels/00001.bin"]
    s3.put_object(Bucket=BUCKET, Key="altered/pixels/00001.bin", Body=b"\1" + body[1:])
    assert body[:1] != b"\1"
    with pytest.raises(StudySetError, match=r"altered/pixels/00001.bin: was altered since"):
        studies.verify()
    monkeypatch.setenv("RADPAIR_CACHE", str(tmp_path))
    with pytest.raises(StudySetError, match=r"altered/pixels/00001.bin: was altered since"):
        StudySet.open(f"s3://{BUCKET}/altered")
    s3.put_object(Bucket=BUCKET, Key="altered/pixels/00001.bin", Body=body[1:])
    with pytest.raises(StudySetError, match=r"altered/pixels/00001.bin: has [\d,]+ bytes where"):
        sent(films, "altered", processes=1)


def test_an_object_that_verify_may_not_read(
    s3: Any, films: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent(films, "secret", processes=1)
    studies = StudySet.open(f"s3://{BUCKET}/secret")

    def refuse(*_: object) -> None:
        raise PermissionError(13, "the store refuses to give it")

    monkeypatch.setattr(store, "_streamed", refuse)
    with pytest.raises(StudySetError, match=r"secret/.*: cannot be read \(the store refuses"):
        studies.verify()


def test_nothing_there() -> None:
    with pytest.raises(StudySetError, match=rf"^s3://{BUCKET}/none: there is no study set here"):
        StudySet.open(f"s3://{BUCKET}/none")


def test_memory_is_seen_by_one_process(films: Path) -> None:
    with pytest.raises(StudySetError, match=r"seen by this process alone; give --processes 1"):
        write(Pairs(root=films), "memory://set", size=64)


def test_a_cluster_writes_to_a_store(s3: Any, whole: dict[str, bytes]) -> None:
    distributed = pytest.importorskip("distributed", reason="needs the extra 'cluster'")
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",
        host="127.0.0.1",
    ) as made:
        sent(located(f"s3://{BUCKET}/films"), "cluster", scheduler=made.scheduler_address)
    assert objects(s3, "cluster") == whole
