"""The command line is called as a person calls it; only its process is ours, to be quick."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import coloured, encoded, ready_dataset
from PIL import Image

from toolkit import bundle, manifest, paths
from toolkit.cli import VERBS, main


def test_help_lists_every_verb(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_its_options(verb, capsys):
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    assert "--json" in capsys.readouterr().out


def test_an_unknown_word_is_answered_with_the_one_that_was_meant(complaint):
    assert "expected a verb, got 'trian'; did you mean train? see `toolkit --help`" in complaint("trian")
    assert "got 'xyz'; see `toolkit --help`" in complaint("xyz")
    said = complaint("resize", "pets", "--sise", "3")
    assert "unrecognized arguments: --sise 3; did you mean --size? see `toolkit resize --help`" in said


def test_help_is_a_verb_too(capsys):
    assert main(["help"]) == 0
    assert "To begin with: toolkit learn" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["help", "dedup"])
    assert "--curve" in capsys.readouterr().out


@pytest.mark.slow
def test_a_name_that_is_not_there_is_answered_with_those_that_are(run, complaint):
    assert "there are: pets; make one" in complaint("show", "pest")
    assert "there are: pets/vgg" in complaint("evaluate", "nope")


def test_a_file_of_settings_is_found_from_any_folder(run, tmp_path, monkeypatch, complaint):
    monkeypatch.chdir(tmp_path)
    (run.folder / "best.json").write_text('{"network": "vgg", "epochs": 0}')
    assert "epochs" in complaint("train", "pets", "--config", "models/pets/vgg/best.json")


def test_pictures_are_told_by_the_names_they_came_with(run, capsys):
    table = manifest.load("pets")
    names = [f"pictures/{label}/{number}.png@1" for number, label in enumerate(table.table["label"])]
    table.assign(source=["folder"] * len(table), source_id=names).save()
    assert main(["failures", "pets"]) == 0
    assert re.search(r"(cars|tanks)/\d+\.png \([0-9a-f]{8}\)", capsys.readouterr().out)


def test_the_stages_can_be_called_one_by_one(pictures, capsys):
    assert main(["scrape", f"folder:{pictures}", "--into", "mine"]) == 0
    for words in (["verify", "mine"], ["dedup", "mine"], ["resize", "mine", "--size", "32"], ["split", "mine"]):
        assert main(words) == 0
    assert "train" in capsys.readouterr().out
    assert len(list((paths.dataset("mine") / "sized" / "32").rglob("*.png"))) == 32


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_squares_can_be_asked_for_in_other_ways(pictures, capsys, complaint):
    assert main(["scrape", f"folder:{pictures}", "--into", "mine"]) == 0
    assert main(["verify", "mine"]) == 0
    assert main(["resize", "mine", "--size", "16", "--mode", "letterbox", "--format", "jpeg", "--quality", "80"]) == 0
    assert len(list((paths.dataset("mine") / "sized" / "16-letterbox-jpeg80").rglob("*.jpg"))) > 0
    assert main(["resize", "mine", "--size", "400", "--no-enlarge"]) == 0
    said = capsys.readouterr()
    assert "too small" in said.out
    assert "warning: no picture of 'cars' is in use: 16 too small\n" in said.err
    assert "expected a mode of crop, letterbox, squash" in complaint("resize", "mine", "--mode", "stretch")


@pytest.mark.slow
@pytest.mark.filterwarnings("default:no picture of")
def test_limits_judge_what_was_verified_before_and_leaks_and_the_curve_are_told(pictures, capsys):
    assert main(["scrape", f"folder:{pictures}", "--into", "mine"]) == 0
    assert main(["verify", "mine"]) == 0
    assert main(["verify", "mine", "--min-side", "5000"]) == 0
    assert "too small" in capsys.readouterr().out
    assert main(["verify", "mine", "--min-side", "16"]) == 0
    capsys.readouterr()
    assert main(["dedup", "mine", "--curve", "--max-distance", "3", "--json"]) == 0
    assert [row["distance"] for row in json.loads(capsys.readouterr().out)["curve"]] == [0, 1, 2, 3]
    table = manifest.load("mine")
    table.assign(split=["train", "test"] * (len(table) // 2)).save()
    assert main(["dedup", "mine", "--max-distance", "64", "--max-difference", "4", "--json"]) == 0
    leaks = json.loads(capsys.readouterr().out)["leaks"]
    assert leaks
    assert all({leak["split"], leak["other_split"]} == {"train", "test"} for leak in leaks)


def test_json_is_all_that_is_printed_when_asked_for(pictures, capsys):
    assert main(["scrape", f"folder:{pictures}", "--into", "mine", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["status"]["cars"] == {"new": 16, "total": 16}


def test_licences_are_named_with_commas(complaint):
    words = ("scrape", "openverse:pizza=pizza", "--into", "mine", "--licenses", "cc0, gpl")
    assert "expected licences among cc0, pdm" in complaint(*words)


@pytest.mark.slow
def test_show_says_what_there_is_where_from_and_what_was_left_out_and_draws_it(pictures, capsys):
    (pictures / "cars" / "small.png").write_bytes(encoded(coloured(0, 99, side=8)))
    (pictures / "tanks" / "huge.png").write_bytes(encoded(coloured(1, 99)) + bytes(26 << 20))
    (pictures / "tanks" / "film.mov").write_bytes(b"x")
    assert main(["scrape", f"folder:{pictures}", "--into", "mine", "--max-bytes", str(25 << 20)]) == 0
    assert "1 passed over (1 × ending .mov); `toolkit show mine` says more" in capsys.readouterr().out
    assert main(["verify", "mine"]) == 0
    capsys.readouterr()
    assert main(["show", "mine"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert f"folder:{pictures.name} ending .mov 1 tanks/film.mov notes none" in said
    assert "too small the shortest side is below 32 1" in said
    assert "folder more than the limit of 26,214,400 bytes 1" in said
    assert "source licence pictures thumbnails folder unknown 33 0" in said
    for label in ("cars", "tanks"):
        sheet = paths.dataset("mine") / "sheets" / f"{label}-1.png"
        assert str(sheet) in said
        assert sheet.read_bytes().startswith(b"\x89PNG")


def test_show_gives_the_same_to_programs_and_draws_nothing_if_told_so(pictures, capsys):
    assert main(["scrape", f"folder:{pictures}", "--into", "mine"]) == 0
    capsys.readouterr()
    assert main(["show", "mine", "--no-sheets", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["provenance"] == [{"source": "folder", "license": "unknown", "pictures": 32, "thumbnails": 0}]
    assert all(told[name] == [] for name in ("left_out", "failed", "passed_over", "notes", "sheets"))
    assert not (paths.dataset("mine") / "sheets").exists()


@pytest.mark.slow
def test_run_does_all_of_it_and_again_does_nothing_new(pictures, capsys):
    words = ["run", f"folder:{pictures}", "--into", "mine", "--networks", "vgg", "--style", "modern"]
    words += ["--size", "16", "--epochs", "2", "--patience", "1"]
    assert main(words) == 0
    first = capsys.readouterr().out
    assert "report: " in first
    assert (paths.home() / "models" / "mine" / "report.html").exists()
    model = paths.home() / "models" / "mine" / "vgg" / "model.keras"
    before = model.stat().st_mtime_ns
    assert main(words) == 0
    assert model.stat().st_mtime_ns == before
    assert main(["predict", "mine/vgg", str(pictures / "cars")]) == 0
    assert capsys.readouterr().out.count(".png: ") == 16


def test_predict_prints_the_label_and_the_probabilities_and_draws_the_picture(run, pictures, tmp_path, capsys):
    assert main(["predict", "pets/vgg", str(pictures / "cars" / "1.png"), "--show", str(tmp_path / "seen.png")]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"{pictures}/cars/1.png: ")
    assert "cars 0." in shown
    assert (tmp_path / "seen.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_the_doubt_in_an_answer_is_printed_where_it_was_asked_for_several_times(run, pictures, capsys):
    words = ["predict", "pets/vgg", str(pictures / "cars" / "1.png")]
    assert main(words) == 0
    assert "entropy" not in capsys.readouterr().out
    assert main([*words, "--views"]) == 0
    told = capsys.readouterr().out
    assert main([*words, "--views", "--json"]) == 0
    (facts,) = json.loads(capsys.readouterr().out)
    assert told.endswith(f"  entropy {facts['entropy']:.3f}, disagreement {facts['disagreement']:.3f} bits\n")


def test_predict_goes_on_after_a_file_that_is_no_picture(run, pictures, capsys):
    (pictures / "cars" / "a.jpg").write_text("hello")
    assert main(["predict", "pets/vgg", str(pictures / "cars"), "--json"]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert len(answers) == 17
    assert [("error" in answer) for answer in answers].count(True) == 1


@pytest.mark.slow
def test_evaluate_compare_and_report_take_a_dataset_for_all_its_runs(run, capsys):
    assert main(["evaluate", "pets"]) == 0
    assert main(["compare", "pets", "--json"]) == 0
    assert "95 % interval" in capsys.readouterr().out


def test_a_missing_folder_is_one_clear_line(tmp_path, complaint):
    assert "check the path" in complaint("scrape", f"folder:{tmp_path / 'no'}", "--into", "mine")


@pytest.mark.filterwarnings("default")
def test_an_empty_class_is_one_clear_line(pictures, capsys):
    (pictures / "empty").mkdir()
    assert main(["scrape", f"folder:{pictures}", "--into", "mine"]) == 0
    assert capsys.readouterr().err == "warning: no pictures in empty (1 × empty folder)\n"


def test_one_class_after_the_other_can_be_brought_in_but_not_be_trained_on_alone(pictures, capsys, complaint):
    assert main(["scrape", f"folder:{pictures / 'cars'}=cars", "--into", "mine"]) == 0
    assert "one class so far; add another before training" in capsys.readouterr().out
    said = complaint("learn", f"folder:{pictures / 'cars'}=cars", "--into", "mine", "--network", "vgg")
    assert "at least two classes, got only 'cars'" in said
    assert main(["scrape", f"folder:{pictures / 'tanks'}=tanks", "--into", "mine"]) == 0
    assert "one class" not in capsys.readouterr().out
    assert manifest.load("mine").classes == ("cars", "tanks")


def test_a_path_is_a_folder_source(pictures, capsys, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    assert main(["scrape", "pictures", "--into", "mine"]) == 0
    assert len(manifest.load("mine")) == 32


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("folder:picturez", "expected pictures at picturez, found nothing; check the path"),
        ("picturez", "got 'picturez'; the kinds are folder, zip, imagefolder"),
        ("nowhere:x", "page, practice"),
        ("google:cats=cats", "its terms forbid automated queries"),
    ],
)
def test_a_source_that_cannot_be_is_told_before_weights_are_looked_for_and_leaves_nothing(source, said, complaint):
    words = ("run", source, "--into", "mine", "--networks", "xception", "--weights", "gone.h5")
    assert said in complaint(*words)
    assert said in complaint("scrape", source, "--into", "mine")
    assert not paths.dataset("mine").exists()


def test_a_source_that_has_no_pictures_leaves_no_dataset(tmp_path, complaint):
    (tmp_path / "empty").mkdir()
    assert "found none" in complaint("scrape", f"folder:{tmp_path / 'empty'}", "--into", "mine")
    assert not paths.dataset("mine").exists()


def test_an_unknown_network_is_one_clear_line(run, complaint):
    assert "dual_stack, small_cnn, vgg" in complaint("train", "pets", "--network", "resnet")


@pytest.mark.slow
def test_a_frozen_backbone_is_trained_judged_in_folds_and_tuned_on_features(capsys, tmp_path):
    ready_dataset(paths.dataset("pets"), per_class=14)
    network = ("pets", "--network", "xception", "--weights", "cifar10", "--style", "modern", "--size", "32")
    assert main(["train", *network]) == 0
    assert "the backbone is frozen: its features are computed once" in capsys.readouterr().out
    show = tmp_path / "folds.png"
    assert main(["crossval", *network, "--folds", "3", "--show", str(show)]) == 0
    assert "28 cross-validated pictures" in capsys.readouterr().out
    assert show.read_bytes().startswith(b"\x89PNG")
    assert main(["tune", *network, "--folds", "2", "--trials", "3", "--vary", "C=0.001..1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["trials"] == 3
    assert json.loads(Path(found["config"]).read_text())["C"] == found["best"]["C"]


def test_what_is_to_be_varied_must_be_a_setting(complaint):
    ready_dataset(paths.dataset("pets"), per_class=14)
    assert "got 'speed'" in complaint("tune", "pets", "--network", "vgg", "--vary", "speed=1,2")
    assert "such as C=0.001..10" in complaint("tune", "pets", "--network", "vgg", "--vary", "speed")


@pytest.mark.slow
def test_a_recipe_is_trained_with_what_is_said_besides(capsys):
    ready_dataset(paths.dataset("slices"), per_class=10)
    words = ["train", "slices", "--recipe", "pizza", "--size", "32", "--epochs", "2", "--option", "width=0.1"]
    assert main([*words, "--schedule", "1=0.0001", "--tensorboard", "--json"]) == 0
    config = json.loads(capsys.readouterr().out)["config"]
    assert (config["network"], config["monitor"], config["size"]) == ("small_cnn", "val_accuracy", 32)
    assert (config["epochs"], config["patience"], config["schedule"]) == (2, 1, {"1": 0.0001})
    assert (paths.home() / "models" / "slices" / "small_cnn" / "events" / "train").is_dir()


def test_a_recipe_or_a_schedule_that_makes_no_sense_is_one_clear_line(run, complaint):
    assert "cars_tanks, cifar10, hand_digits" in complaint("train", "pets", "--recipe", "cake")
    assert "EPOCH=RATE" in complaint("train", "pets", "--network", "vgg", "--schedule", "1=a")
    assert "vgg, dual_stack, xception" in complaint("train", "pets", "--recipe", "cars_tanks", "--name", "x")


def test_a_dataset_after_fine_tune_is_not_taken_for_its_epochs(complaint):
    said = complaint("train", "--network", "mobilenet", "--fine-tune", "cars_tanks")
    assert "give EPOCHS after --fine-tune, or put it last; got 'cars_tanks'" in said


def test_no_network_is_one_clear_line(pictures, complaint):
    said = complaint("run", f"folder:{pictures}", "--into", "mine", "--networks", ",")
    assert "at least one network" in said


def test_missing_credentials_are_one_clear_line(monkeypatch, tmp_path, complaint):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert "praw_client_id" in complaint("scrape", "reddit:carporn=cars", "--into", "mine")


def test_a_text_file_named_jpg_is_one_clear_line(run, tmp_path, complaint):
    (tmp_path / "a.jpg").write_text("hello")
    assert "not a picture" in complaint("predict", "pets/vgg", str(tmp_path / "a.jpg"))


def test_a_damaged_bundle_is_one_clear_line(run, pictures, complaint):
    (run.folder / "model.keras").write_bytes(b"damaged")
    assert "train the run again" in complaint("predict", "pets/vgg", str(pictures / "cars" / "1.png"))


def test_a_missing_dataset_is_one_clear_line(complaint):
    assert "toolkit scrape" in complaint("verify", "nothing")


def test_debug_shows_where_an_error_came_from():
    from toolkit.errors import DatasetError

    with pytest.raises(DatasetError):
        main(["verify", "nothing", "--debug"])


def test_the_installed_command_answers():
    done = subprocess.run([sys.executable, "-m", "toolkit", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip()


def test_what_is_said_of_a_source_reaches_its_options(monkeypatch):
    taken = []
    monkeypatch.setattr("toolkit.scrape.collect", lambda wanted, into, options: taken.append(options) or sys.exit(0))
    words = ["--i-have-permission", "--allow", "10.0.0.0/8", "--allow", "::1/128", "--sort", "all", "--over-18"]
    with pytest.raises(SystemExit):
        main(["scrape", "reddit:carporn=cars", "--into", "cars", *words])
    (options,) = taken
    assert options.permission and options.over_18 and options.sort == "all"
    assert list(options.allow) == ["10.0.0.0/8", "::1/128"]


def test_an_exclusion_keeps_its_reason_when_repeated_and_can_be_undone(run, complaint):
    path = manifest.load("pets").table["path"][0]
    assert main(["exclude", "pets", path, "--reason", "is a boat"]) == 0
    assert main(["exclude", "pets", path]) == 0
    assert manifest.load("pets").table["reason"][0] == "is a boat"
    assert main(["exclude", "pets", path, "--undo"]) == 0
    row = manifest.load("pets").table.iloc[0]
    assert (row["status"], row["reason"]) == ("ok", "")
    assert "expected excluded pictures" in complaint("exclude", "pets", path, "--undo")


@pytest.mark.parametrize("verb", ["split", "dedup"])
def test_what_needs_verified_pictures_says_so(pictures, verb, complaint):
    assert main(["scrape", str(pictures), "--into", "mine"]) == 0
    assert "got none; run `toolkit verify mine` first" in complaint(verb, "mine")


def test_a_model_named_by_its_file_knows_its_classes(run, capsys):
    picture = str(manifest.load("pets").files[0])
    assert main(["predict", str(run.folder / "model.keras"), picture]) == 0
    assert "cars 0." in capsys.readouterr().out


def test_a_picture_can_be_excluded_by_the_end_of_its_path(run, capsys, complaint):
    path = manifest.load("pets").table["path"][0]
    assert main(["exclude", "pets", path[-20:], "--reason", "is a boat"]) == 0
    capsys.readouterr()
    row = manifest.load("pets").table.set_index("path").loc[path]
    assert (row["status"], row["reason"]) == ("excluded", "is a boat")
    assert "which 0 have" in complaint("exclude", "pets", "nothing.jpg")


def test_what_argparse_has_to_say_is_one_line_too(complaint):
    assert "--into" in complaint("run", "folder:x")
    assert "invalid int value" in complaint("resize", "pets", "--size", "abc")


def test_a_network_that_cannot_work_is_refused_before_anything_is_scraped(pictures, tmp_path, complaint):
    for words in (["--size", "32", "--weights", str(tmp_path / "no.h5")], ["--networks", "vgg", "--size", "8"]):
        complaint("run", f"folder:{pictures}", "--into", "mine", *words)
        assert not paths.dataset("mine").exists()


def test_the_networks_of_a_run_are_those_of_its_weights(pictures, complaint):
    words = ("run", f"folder:{pictures}", "--into", "mine", "--size", "31")
    assert "at least 32 pixels for efficientnet_lite0, got 31" in complaint(*words)
    assert "at least 32 pixels for xception, got 31" in complaint(*words, "--weights", "cifar10")


def test_options_of_a_network_reach_it(pictures, complaint):
    said = complaint("run", f"folder:{pictures}", "--into", "mine", "--networks", "vgg", "--option", "depth=3")
    assert "depth" in said


def test_the_same_run_twice_is_compared_once(run, capsys):
    assert main(["compare", "pets", "pets/vgg", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["comparison"]) == 1


def test_a_dataset_without_runs_is_one_clear_line(complaint):
    ready_dataset(paths.dataset("bare"), per_class=10)
    assert "toolkit train" in complaint("evaluate", "bare")


@pytest.mark.slow
def test_explain_draws_where_a_network_looked(run, pictures, tmp_path, capsys):
    asked = sorted(str(file) for file in (pictures / "cars").iterdir())[:2]
    assert main(["explain", "pets/vgg", *asked, "--into", str(tmp_path / "heat.png"), "--check", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["answers"]) == 2 and told["labels"] == told["answers"]
    with Image.open(tmp_path / "heat.png") as drawn:
        assert drawn.width > 600
    assert [set(check) for check in told["checks"]] == [{"glowing", "rest"}] * 2
    assert main(["explain", "pets/vgg", asked[0], "--show", str(tmp_path / "heat.png"), "--check"]) == 0
    assert re.search(
        r"covering what glows costs .* the probability.*: the check (agrees|does)", capsys.readouterr().out
    )


@pytest.mark.slow
def test_a_comparison_first_asks_a_run_that_was_not_asked_yet(run, tmp_path, capsys):
    (run.folder / bundle.METRICS).unlink()
    assert main(["compare", "pets/vgg", "--into", str(tmp_path / "front.png")]) == 0
    assert (tmp_path / "front.png").read_bytes().startswith(b"\x89PNG")
    said = capsys.readouterr().out
    assert "test pictures (95 % interval" in said and "95 of 100 within, ms" in said
    assert run.metrics["accuracy"] <= 1 and "ECE" in said and "memory, MB" in said


@pytest.mark.slow
def test_failures_and_robustness_speak_of_evaluated_runs(run, tmp_path, capsys):
    assert main(["evaluate", "pets"]) == 0
    assert main(["failures", "pets", "--count", "3"]) == 0
    assert "vgg: most hesitant" in capsys.readouterr().out
    assert main(["robustness", "pets", "--into", str(tmp_path / "curves.png"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {row["disturbance"] for row in told["pets/vgg"]["curves"]} >= {"blur", "noise", "rotation"}
    nonsense = told["pets/vgg"]["nonsense"]
    assert 0 <= nonsense["threshold"] <= 1
    assert (tmp_path / "curves.png").exists()
    assert main(["robustness", "pets"]) == 0
    advice = f"{nonsense['threshold']:.3f} keeps {nonsense['kept']:.0%} of the right answers"
    assert advice in capsys.readouterr().out


@pytest.mark.slow
def test_export_prints_what_each_format_costs(run, capsys):
    assert main(["export", "pets/vgg"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[0].startswith("on ") and said.splitlines()[0].endswith(" test pictures")
    assert said.splitlines()[1].split()[:4] == ["format", "right", "same", "difference"]
    assert "float16.tflite" in said
    assert main(["predict", "pets/vgg/export/float16.tflite", str(manifest.load("pets").files[0])]) == 0


@pytest.mark.slow
def test_export_says_why_a_format_is_refused_and_which_to_take(run, monkeypatch, complaint):
    from toolkit.export import check

    monkeypatch.setattr(check, "objection", lambda *_, **__: "too bad")
    refused = complaint("export", "pets/vgg", "--format", "litert-float16")
    assert "litert-float16 is refused: too bad; take litert-float32 instead" in refused
    assert "expected --format or --all, got both" in complaint("export", "pets/vgg", "--all", "--format", "onnx")


@pytest.mark.slow
def test_pictures_come_from_files_folders_patterns_lists_and_standard_input(run, capsys, monkeypatch, tmp_path):
    import io

    raw = manifest.load("pets").root / "raw"
    files = sorted(str(file) for file in raw.rglob("*.png"))

    def names(*words, given=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
        assert main(["predict", str(run.folder), *words, "--json"]) == 0
        return [row["picture"] for row in json.loads(capsys.readouterr().out)]

    (tmp_path / "names.txt").write_text("\n".join(files[:3]) + "\n\n")
    assert names(files[0], files[1]) == files[:2]
    assert sorted(names(str(raw))) == files
    assert sorted(names(f"{raw}/**/*.png")) == files
    assert names("--list", str(tmp_path / "names.txt")) == files[:3]
    content = Path(files[0]).read_bytes()
    assert names("-", given=content) == ["standard input"]


def test_many_answers_go_into_tables_and_what_cannot_be_read_is_a_row(run, capsys, tmp_path):
    import pandas as pd

    raw = manifest.load("pets").root / "raw"
    (tmp_path / "notes.jpg").write_text("milk")
    written = ["--csv", str(tmp_path / "out.csv"), "--jsonl", str(tmp_path / "out.jsonl")]
    assert main(["predict", str(run.folder), str(raw), str(tmp_path / "notes.jpg"), *written]) == 0
    assert "21 pictures: " in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "out.csv")
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert len(table) == len(lines) == 21
    assert list(table["status"]) == ["ok"] * 20 + ["unreadable"]
    assert "not a picture" in table["reason"].iloc[-1]
    assert [line["label"] for line in lines[:-1]] == list(table["label"][:-1])
    assert lines[-1]["label"] is None


def test_what_cannot_be_watched_is_said_in_a_line(run, tmp_path, complaint):
    assert "expected pictures, --camera or --video, one of them" in complaint("predict", str(run.folder))
    video = ("--video", str(tmp_path / "gone.mp4"))
    assert "found no file at" in complaint("predict", str(run.folder), *video)
    assert "expected --views with pictures" in complaint("predict", str(run.folder), *video, "--views")


def test_a_package_that_is_not_installed_is_named_with_what_brings_it(run, monkeypatch, complaint):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.delitem(sys.modules, "toolkit.model.live", raising=False)
    said = complaint("predict", str(run.folder), "--video", "gone.mp4")
    assert "expected the package cv2, which is not installed; install it with `pip install " in said
    assert '[predict]"`' in said
