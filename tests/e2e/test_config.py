"""Where options come from: flags, NBATCH_… variables, a configuration file, defaults."""
import json
import re

import pytest
from conftest import KEY, ROOT, read_results


@pytest.fixture
def config(nbatch, tmp_path):
    def call(*words, text=None, **keywords):
        if text is not None:
            (tmp_path / "ops.yaml").write_text(text, encoding="utf-8")
            words = ("--config", "ops.yaml", *words)
        return nbatch("config", *words, **keywords)

    return call


def show(done):
    """nbatch config's lines as {name: (value, origin)}, and lists as [(value, origin), …]."""
    assert done.code == 0, done
    found, name = {}, None
    for line in done.out.splitlines():
        text, _, origin = (part.strip() for part in line.rpartition("  # "))
        if line.startswith("  - "):
            found[name].append((text[2:], origin))
        elif not text:
            name = line.rstrip(":")
            found[name] = []
        else:
            name, _, value = text.removeprefix("# ").partition(":")
            found[name] = (value.strip(), origin)
    return found


def test_a_flag_goes_before_a_variable_before_the_file_before_the_default(config):
    text = "concurrency: 5\nburst: 6\nmax-attempts: 7\n"
    found = show(config("-c", "9", text=text, env={"NBATCH_CONCURRENCY": "8", "NBATCH_BURST": "10"}))
    assert found["concurrency"] == ("9", "flag")
    assert found["burst"] == ("10", "environment NBATCH_BURST")
    assert found["max-attempts"] == ("7", "ops.yaml:3")
    assert found["retry-delay"] == ("200ms", "default")
    assert found["cacert"] == ("", "not set")
    assert found["config"] == ("ops.yaml", "flag")


def test_the_file_can_be_named_by_a_variable(config, tmp_path):
    (tmp_path / "ops.yaml").write_text("rate: 20/s\n")
    found = show(config(env={"NBATCH_CONFIG": "ops.yaml"}))
    assert found["rate"] == ("20/s", "ops.yaml:1") and found["config"] == ("ops.yaml", "environment NBATCH_CONFIG")


def test_lists_add_up_and_the_same_name_is_overruled(config):
    text = "set: [obj_id=1, obj_inst_id=2]\nhalt: failed=5%\n"
    found = show(config("--set", "obj_id=4", "--halt", "failed=9%", "--halt", "rejected=3", text=text,
                        env={"NBATCH_SET": "mode=2"}))
    assert found["set"] == [("obj_inst_id=2", "ops.yaml:1"), ("mode=2", "environment NBATCH_SET"),
                            ("obj_id=4", "flag")]
    assert found["halt"] == [("failed=9%", "flag"), ("rejected=3", "flag")]


def test_what_is_shown_is_a_configuration(config, nbatch, tmp_path):
    words = ["--set", 'data=[{"res_id":5850,"val":"it\'s"}]', "--set", "x=\t", "--delimiter", ";", "--rate", "20/s",
             "--pass", "a,b", "--skip-invalid", "--output", "- x", "--set", "y=中文", "--map", "imei=a: b"]
    first = config(*words)
    assert first.code == 0, first
    (tmp_path / "again.yaml").write_text(first.out, encoding="utf-8")
    again = nbatch("config", "--config", "again.yaml")
    before, after = show(first), show(again)
    after.pop("config"), before.pop("config")
    strip = {name: [v for v, _ in value] if isinstance(value, list) else value[0] for name, value in before.items()}
    assert strip == {name: [v for v, _ in value] if isinstance(value, list) else value[0]
                     for name, value in after.items()}
    assert "again.yaml" in str(after["set"][0])


def test_every_option_is_shown(config, nbatch):
    found = show(config())
    helps = nbatch("run", "--help").out + nbatch("check", "--help").out
    listed = set(re.findall(r"^  (?:-.,|   ) --([a-z0-9-]+)", helps, re.M))
    assert len(listed) > 40
    assert listed - {"help", "version", "fix"} <= set(found)


@pytest.mark.parametrize("proxy,shown", [
    ("http://u:p@ss:hunter2@proxy.test:3128", "http://u:***@proxy.test:3128"),
    ("http://proxy.test:3128", "http://proxy.test:3128"), ("u:hunter2@proxy.test:1", "u:***@proxy.test:1")])
def test_secrets_are_not_shown(config, proxy, shown):
    for done in (config("--proxy", proxy), config(env={"NBATCH_PROXY": proxy}), config(text=f"proxy: {proxy}\n")):
        assert show(done)["proxy"][0].strip("'") == shown
        assert "hunter2" not in done.out + done.err and KEY not in done.out + done.err
    assert "# NBATCH_API_KEY is set, and not shown" in config().out


@pytest.mark.parametrize("name", ["api-key", "api_key", "access-key", "master-key", "API-KEY", "key"])
def test_a_key_cannot_stand_in_the_file(config, name):
    done = config(text=f"rate: 1/s\n{name}: {KEY}\n")
    assert done.code == 2 and "ops.yaml:2" in done.err and "api-key-file" in done.err
    assert KEY not in done.err + done.out


@pytest.mark.parametrize("text,wanted", [
    ("concurency: 3\n", "ops.yaml:1: concurency: no option has this name; did you mean concurrency?"),
    ("latancy: 3\n", "did you mean latency?"),
    ("help: true\n", "ops.yaml:1: help: no option has this name"),
    ("config: other.yaml\n", "ops.yaml:1: config: no option has this name"),
    ("\nconcurrency: 0\n", "ops.yaml:2: concurrency: 0: must be a whole number of 1–1024"),
    ("skip-invalid: maybe\n", "ops.yaml:1: skip-invalid: maybe: must be true or false"),
    ("skip-invalid:\n", "ops.yaml:1: skip-invalid: must be true or false"),
    ("output:\n", "ops.yaml:1: output: the value is empty"),
    ("rate: [1/s]\n", "takes one value, not a list"),
    ("rate: 1/s\nramp: 1/s..2/s:1m\n", "ops.yaml:1: rate and ops.yaml:2: ramp exclude each other"),
    ("rate 1/s\n", "name: value"),
])
def test_what_is_wrong_is_told_with_file_and_line(config, nbatch, fleet, text, wanted):
    done = config(text=text)
    assert done.code == 2 and wanted in done.err, done
    done = nbatch("run", fleet(1), "--config", "ops.yaml")
    assert done.code == 2 and wanted in done.err, done


def test_of_options_that_exclude_each_other_the_higher_place_holds(config):
    found = show(config("--ramp", "1/s..2/s:1m", text="rate: 5/s\n"))
    assert found["rate"] == ("", "not set") and found["ramp"][1] == "flag"
    found = show(config("--rate", "5/s", text="ramp: 1/s..2/s:1m\n"))
    assert found["ramp"] == ("", "not set") and found["rate"][1] == "flag"
    found = show(config("--simulate", text="endpoint: https://platform.test\nhttp2: true\n"))
    assert found["endpoint"][1] == "default" and found["http2"] == ("false", "default")


def test_a_rehearsal_in_the_file_does_not_end_silently(config):
    done = config("--endpoint", "https://platform.test", text="simulate:\n")
    assert done.code == 2 and "ops.yaml:1: simulate and --endpoint exclude each other" in done.err


def test_a_run_goes_by_the_file(nbatch, fleet, simulator, tmp_path):
    sim = simulator()
    (tmp_path / "ops.yaml").write_text(f"endpoint: {sim.url}\noutput: out.jsonl\npass: res:5850\njson: true\n"
                                       "latency: 20ms\nsplit-valid: other-subcommands-are-passed-over.csv\n")
    done = nbatch("run", fleet(3), "--config", "ops.yaml", "--pass", "imei")
    assert done.code == 2 and "imei" in done.err, done
    done = nbatch("run", fleet(3), "--config", "ops.yaml")
    assert done.code == 0 and json.loads(done.out)["accepted"] == 3, done
    assert (tmp_path / "out.jsonl").exists() and len(sim.audit()) == 3


def test_the_simulator_goes_by_the_file_and_by_variables(tmp_path, simulator, nbatch, fleet, monkeypatch):
    (tmp_path / "ops.yaml").write_text("fault: [errno-5106:100%]\nrate: 1/s\n")
    sim = simulator("--config", str(tmp_path / "ops.yaml"))
    done = nbatch("run", fleet(3), "--endpoint", sim.url)
    assert done.code == 1 and "5106" in done.err, done
    monkeypatch.setenv("NBATCH_FAULT", "errno-1:100%")
    sim = simulator()
    done = nbatch("run", fleet(3), "--endpoint", sim.url, "-o", "2.csv")
    assert done.code == 1 and "errno 1 " in done.err, done


def test_help_is_given_whatever_the_file_says(nbatch, tmp_path):
    (tmp_path / "ops.yaml").write_text("nonsense: 1\n")
    assert nbatch("run", "--config", "ops.yaml", "--help").code == 0
    assert nbatch("check", "--help", env={"NBATCH_MAX_ROW_BYTES": "x"}).code == 0
    assert nbatch("run", "--config", "nowhere.yaml", "x.csv").code == 2


def test_the_sample_does_what_it_says(nbatch, config, tmp_path):
    sample = ROOT / "samples/ops.yaml"
    found = show(config("--config", sample))
    assert found["rate"] == ("20/s", f"{sample}:5") and len(found["set"]) == 5 and len(found["halt"]) == 2
    done = nbatch("run", ROOT / "samples/imeis.csv", "--simulate", "--config", sample, "--rate", "1000/s",
                  "--canary", "2", "-o", "out.csv")
    assert done.code == 0, done
    assert {row["status"] for row in read_results(tmp_path / "out.csv")} == {"accepted"}
