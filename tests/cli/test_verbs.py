"""The verbs as a user types them."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from radpair.cli import main
from radpair.studyset import StudySet


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence of a refused command."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    message = capsys.readouterr().err.strip()
    assert "Traceback" not in message
    return message


def test_help_names_every_verb_without_heavy_imports() -> None:
    script = (
        "import sys\nfrom radpair.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'timm', 'transformers', 'cv2', 'pyarrow'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    for verb in ("demo", "embed", "evaluate", "graphs", "ingest", "pretrain", "verify"):
        assert verb in done.stdout


def test_phantom_set_graphs_and_verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "set")
    main(["ingest", "phantom", "--out", out, "--studies", "12", "--size", "64", "--processes", "1"])
    main(["graphs", out, "--processes", "1"])
    main(["verify", out])
    printed = capsys.readouterr().out
    assert "12 studies" in printed
    assert "12 graphs for 12 studies" in printed
    assert "sound" in printed
    studies = StudySet.open(out)
    rules = studies.graphs()
    main(["graphs", out, "--from", "source"])
    assert StudySet.open(out).graphs() != rules
    pixels = next(Path(out).glob("pixels/*.bin"))
    content = bytearray(pixels.read_bytes())
    content[100] ^= 255
    pixels.write_bytes(bytes(content))
    assert pixels.name in refused(["verify", out], capsys)


def test_graphs_from_a_file(disc_set: Path, tmp_path: Path, capsys) -> None:
    from radpair.graphs.radgraph_json import write

    studies = StudySet.open(disc_set)
    graphs = dict(zip(studies.study_ids, studies.graphs(), strict=True))
    write(tmp_path / "graphs.json", graphs)
    main(["graphs", str(disc_set), "--from", str(tmp_path / "graphs.json")])
    assert StudySet.open(disc_set).graphs() == studies.graphs()
    (tmp_path / "other.json").write_text('{"nobody": {"text": "x", "entities": {}}}')
    message = refused(["graphs", str(disc_set), "--from", str(tmp_path / "other.json")], capsys)
    assert "key the graphs by study id" in message


def test_linear_embed_and_retrieval(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path, capsys
) -> None:
    run = tmp_path / "run"
    arguments = ["pretrain", "igc-small", "--data", str(disc_set), "--out", str(run)]
    main([*arguments, "--device", "cpu", "--set", *tiny, "training.epochs=2"])
    model = str(run / "model")
    results = tmp_path / "linear.json"
    main(
        [
            *("evaluate", "linear", "--model", model, "--data", str(disc_set)),
            *("--labels", "Disc", "--fractions", "0.5", "1.0"),
            *("--draws", "2", "--out", str(results)),
        ]
    )
    found = json.loads(results.read_text())
    assert [row["model"] for row in found["rows"]] == ["random:run", "run"] * 2
    assert found["labels"] == ["Disc"]
    kept = tmp_path / "retrieval.json"
    main(["evaluate", "retrieval", "--model", model, "--data", str(disc_set), "--out", str(kept)])
    rests = json.loads(kept.read_text())[0]["provenance"]
    assert rests["study_set"]["graphs"] == StudySet.open(disc_set).graphs_hash
    assert rests["settings"] == {"seed": 0, "resamples": 1000}
    assert "image → graph" in capsys.readouterr().out
    table = tmp_path / "codes.parquet"
    main(["embed", "--model", model, "--data", str(disc_set), "--out", str(table)])
    rows = pq.read_table(table)
    assert rows.num_rows == 96
    assert np.isclose(np.linalg.norm(rows["projection"][0].as_py()), 1, atol=1e-3)
    message = refused(["evaluate", "zero-shot", "--model", model, "--data", str(disc_set)], capsys)
    assert "prompts" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pretran"], 'Did you mean "pretrain"'),
        (["pretrain", "igc-smal", "--data", "x", "--out", "y"], "did you mean 'igc-small'"),
        (["pretrain", "igc-small", "--data", "nowhere", "--out", "y"], "radpair ingest"),
        (["graphs", "nowhere"], "radpair ingest"),
        (["evaluate", "linear", "--model", "nowhere", "--data", "x"], "no study set"),
        (["demo", "--studies", "3"], "at least 400"),
    ],
)
def test_mistakes_end_with_code_2_and_the_remedy(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    assert words in " ".join(refused(arguments, capsys).replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence(disc_set: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    out = tmp_path / "results.json"
    arguments = ["evaluate", "linear", "--model", "random:test_resnet", "--data", str(disc_set)]
    message = refused([*arguments, "--labels", "Disc", "--out", str(out)], capsys)
    assert "No space left on device" in message
    assert str(out) in message
    message = refused([*arguments, "--cache", str(tmp_path / "cache")], capsys)
    assert "No space left on device" in message
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_unknown_label_names_the_nearest(disc_set: Path, capsys) -> None:
    message = refused(
        [
            *("evaluate", "linear", "--model", "random:resnet10t"),
            *("--data", str(disc_set), "--labels", "Disk"),
        ],
        capsys,
    )
    assert "did you mean 'Disc'" in message


def test_pretraining_without_graphs_says_how_to_get_them(tmp_path: Path, capsys) -> None:
    out = str(tmp_path / "set")
    main(["ingest", "phantom", "--out", out, "--studies", "12", "--size", "64", "--processes", "1"])
    run = tmp_path / "run"
    message = refused(["pretrain", "igc-small", "--data", out, "--out", str(run)], capsys)
    assert f"run: radpair graphs {out}" in message
    assert not run.exists()


def test_a_mistake_in_a_table_does_not_block_its_correction(tmp_path: Path, capsys) -> None:
    film = np.random.default_rng(0).integers(0, 255, (48, 48), dtype=np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), film)
    table, out = tmp_path / "films.csv", tmp_path / "set"
    arguments = ["ingest", "table", str(table), "--out", str(out), "--patient-column", "who"]
    table.write_text("path,who,Edema\na.png,p1,yes\n")
    words = [*arguments, "--label-columns", "Edema", "--processes", "1", "--image-column"]
    assert "did you mean 'path'" in refused([*words, "paht"], capsys)
    assert "Edema" in refused([*words, "path"], capsys)
    table.write_text("path,who,Edema\na.png,p1,1\n")
    main([*words, "path"])
    assert len(StudySet.open(out)) == 1
    run = ["pretrain", "igc-small", "--data", str(out), "--out"]
    assert "is a study set" in refused([*run, str(out), "--set", "partner=text"], capsys)
    assert "no reports" in refused(["graphs", str(out)], capsys)


def test_a_damaged_model_is_written_again(
    disc_set: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    arguments = ["pretrain", "igc-small", "--data", str(disc_set), "--out", str(tmp_path / "run")]
    arguments += ["--device", "cpu", "--set", *tiny, "training.epochs=1"]
    main(arguments)
    weights = tmp_path / "run" / "model" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-9])
    main(arguments)
    assert weights.read_bytes() == whole


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "random:test_resnet", "--seed", "-1"], "seed is -1"),
        (["--model", "random:test_resnet", "--out", "."], "is a folder"),
        (["--model", "random:test_resnet", "--device", "tpu"], "'tpu' is not to be had"),
    ],
)
def test_evaluation_looks_before_it_encodes(
    arguments: list[str], words: str, disc_set: Path, capsys
) -> None:
    message = refused(["evaluate", "linear", "--data", str(disc_set), *arguments], capsys)
    assert words in message
