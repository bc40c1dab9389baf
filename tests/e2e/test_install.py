"""What is installed: the tree of cmake --install, and the systemd units. The Debian package is .ci/package's."""
import gzip
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from conftest import KEY, NBATCH, ROOT, read_results

BUILD = Path(NBATCH).resolve().parent


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    prefix = tmp_path_factory.mktemp("installed")
    subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix], check=True, capture_output=True)
    return prefix


def test_everything_has_its_place(tree):
    files = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    assert {"bin/nbatch", "share/man/man1/nbatch.1.gz", "share/man/man5/nbatch-input.5.gz",
            "share/man/man5/nbatch-results.5.gz", "share/bash-completion/completions/nbatch",
            "share/zsh/site-functions/_nbatch", "share/fish/vendor_completions.d/nbatch.fish",
            "lib/systemd/system/nbatch@.service", "lib/systemd/system/nbatch@.timer",
            "share/nbatch/samples/fleet.csv", "share/doc/nbatch/README.md", "share/doc/nbatch/README.zh-CN.md",
            "share/doc/nbatch/CHANGELOG.md"} <= files
    assert {f"share/nbatch/samples/{path.name}" for path in (ROOT / "samples").iterdir()
            if ".results." not in path.name} <= files


def test_the_version_is_the_same_everywhere(nbatch):
    version = re.search(r"project\(nbatch VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())[1]
    versions = re.findall(r"^## \[(\d\S*)\] - \d{4}-\d\d-\d\d$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert versions[0] == version and nbatch("--version").out == f"nbatch {version}\n"


def test_the_license_of_the_package_is_that_of_the_source():
    license_text = (ROOT / "LICENSE").read_text()
    copyright_text = (ROOT / "src/packaging/copyright").read_text().replace("\n .\n", "\n\n").replace("\n ", "\n")
    assert license_text.split("\n\n", 2)[2] in copyright_text
    assert re.search(r"\(c\) (.*)", license_text)[1] in copyright_text


def test_what_is_generated_is_what_the_program_prints(tree, nbatch):
    for page, words in (("1/nbatch.1", []), ("5/nbatch-input.5", ["input"]), ("5/nbatch-results.5", ["results"])):
        for folder, language in ((".", "en"), ("zh_CN", "zh")):
            text = gzip.open(tree / f"share/man/{folder}/man{page}.gz", "rt", encoding="utf-8").read()
            assert text == nbatch("help", "man", *words, "--lang", language).out
    for shell, path in (("bash", "bash-completion/completions/nbatch"), ("zsh", "zsh/site-functions/_nbatch"),
                        ("fish", "fish/vendor_completions.d/nbatch.fish")):
        assert (tree / "share" / path).read_text() == nbatch("completion", shell).out


def test_the_installed_program_runs_the_installed_sample(tree, nbatch, tmp_path):
    done = nbatch("run", tree / "share/nbatch/samples/fleet.csv", "--simulate", "-o", "out.csv", binary=tree / "bin/nbatch")
    assert done.code == 0, done
    assert {row["status"] for row in read_results(tmp_path / "out.csv")} == {"accepted"}


@pytest.fixture
def units(tree, tmp_path):
    """The units, of an instance named fleet, with the program that is there."""
    for name in ("service", "timer"):
        text = (tree / f"lib/systemd/system/nbatch@.{name}").read_text()
        (tmp_path / f"nbatch@fleet.{name}").write_text(re.sub(r"ExecStart=\S+", f"ExecStart={tree}/bin/nbatch", text))
    return tmp_path


def test_systemd_takes_the_units(units):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", units / "nbatch@fleet.service",
                           units / "nbatch@fleet.timer"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "nbatch" not in done.stderr, done.stderr


def test_the_service_is_hardened(units):
    done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=15",
                           units / "nbatch@fleet.service"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-400:] + done.stderr


def test_what_the_service_starts_works(units, simulator, fleet, tmp_path):
    """The command as systemd would start it: in the state folder, with the credential, without a terminal."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "credentials").mkdir(mode=0o700)
    (tmp_path / "credentials/api-key").write_text(KEY + "\n")
    (tmp_path / "credentials/api-key").chmod(0o400)
    key = tmp_path / "simulator.key"
    key.write_text(KEY)
    key.chmod(0o600)
    sim = simulator("--api-key-file", str(key))
    (tmp_path / "etc/fleet.yaml").write_text(f"endpoint: {sim.url}\nrate: 100/s\n")
    fleet(5, name="input.csv")
    command = re.search(r"^ExecStart=(.*)$", (units / "nbatch@fleet.service").read_text(), re.M)[1]
    command = command.replace("/etc/nbatch/%i", f"{tmp_path}/etc/fleet").replace("%i", "fleet")
    assert "%" not in command and "$" not in command
    done = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
                          env={"PATH": os.environ["PATH"], "CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")})
    assert done.returncode == 0, done.stderr
    assert len(read_results(tmp_path / "fleet.latest.results.csv")) == 5 and len(sim.audit()) == 5
    assert (tmp_path / "log.jsonl").exists()


def test_the_service_refuses_a_key_that_others_can_read(units):
    folder = Path(tempfile.mkdtemp())  # tmp_path is root's alone
    folder.chmod(0o755)
    key = folder / "fleet.key"
    line = re.search(r"^ExecStartPre=(.*)$", (units / "nbatch@fleet.service").read_text(), re.M)[1]
    command = [word.replace("$$", "$").replace("/etc/nbatch/%i.key", str(key)) for word in shlex.split(line)]
    # Root may read everything; the service is somebody else.
    user = {"user": 65534, "group": 65534} if os.geteuid() == 0 else {}

    def start():
        return subprocess.run(command, capture_output=True, text=True, check=False, **user)

    try:
        assert start().returncode == 0, "a credential from elsewhere"
        key.write_text(KEY)
        key.chmod(0o644)
        done = start()
        assert done.returncode == 2 and done.stderr == f"{key}: others may read it; run chmod 600 on it\n"
        key.chmod(0o000)
        assert start().returncode == 0
    finally:
        shutil.rmtree(folder)


def test_every_system_call_of_a_run_is_allowed_to_the_service(units, fleet, tmp_path):
    def calls(*names):
        done = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", *names], capture_output=True, text=True,
                              check=True)
        found, nested = set(), []
        for line in done.stdout.splitlines():
            word = line.strip()
            if line.startswith("    ") and word.startswith("@"):
                nested.append(word)
            elif line.startswith("    ") and not word.startswith("#"):
                found.add(word)
        return found | (calls(*nested) if nested else set())

    filters = re.findall(r"^SystemCallFilter=(~?)(\S+)$", (units / "nbatch@fleet.service").read_text(), re.M)
    allowed = set()
    for inverted, name in filters:
        allowed = allowed - calls(name) if inverted else allowed | calls(name)
    trace = tmp_path / "trace"
    # LeakSanitizer cannot work under a tracer, and is not what is looked at here.
    done = subprocess.run(["strace", "-f", "-qq", "-o", trace, NBATCH, "run", fleet(50), "--simulate", "--log", "a.jsonl",
                           "--metrics-file", "m.prom"], cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert done.returncode == 0, done.stderr
    used = set(re.findall(r"^\d+ +(?:<\.\.\. )?([a-z_0-9]+)[( ]", trace.read_text(), re.M))
    assert "epoll_wait" in used or "epoll_pwait" in used
    assert used - allowed - {"execve"} == set()
