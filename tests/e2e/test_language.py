"""The language: what chooses it, and that what programs read is the same in each."""
import pytest

ENGLISH, CHINESE = "did you mean nbatch run?", "是不是 nbatch run？"
SILENT = {name: None for name in ("LC_ALL", "LC_MESSAGES", "LANG", "LANGUAGE", "NBATCH_LANG")}


@pytest.mark.parametrize("variables", [
    {"LANG": "zh_CN.UTF-8"}, {"LC_ALL": "zh_CN"}, {"LC_MESSAGES": "zh_CN.UTF-8", "LANG": "C"}, {"LANG": "C.UTF-8", "LANGUAGE": "zh_CN"},
    {"LANG": "de_DE.UTF-8", "LANGUAGE": "de:zh_CN:en"}, {"NBATCH_LANG": "zh"}, {"NBATCH_LANG": "zh", "LANG": "en_US.UTF-8"},
    {"LANG": "zh_HK.UTF-8"}], ids=str)
def test_the_environment_may_ask_for_chinese(nbatch, variables):
    """Of which no locale need be installed."""
    assert CHINESE in nbatch("rnu", env={**SILENT, **variables}).err


@pytest.mark.parametrize("variables", [
    {}, {"LANG": "C.UTF-8"}, {"LANG": "en_US.UTF-8"}, {"LC_ALL": "C", "LANG": "zh_CN.UTF-8"}, {"LC_ALL": "C", "LANGUAGE": "zh_CN"},
    {"LANG": "zh_CN.UTF-8", "LANGUAGE": "en:zh"}, {"NBATCH_LANG": "en", "LANG": "zh_CN.UTF-8"}, {"LC_CTYPE": "zh_CN.UTF-8"},
    {"LANGUAGE": "zh_CN"}], ids=str)
def test_else_it_is_english(nbatch, variables):
    assert ENGLISH in nbatch("rnu", env={**SILENT, **variables}).err


def test_the_words_go_before_the_environment(nbatch):
    chinese = {**SILENT, "LANG": "zh_CN.UTF-8"}
    assert ENGLISH in nbatch("--lang", "en", "rnu", env=chinese).err
    assert CHINESE in nbatch("rnu", "--lang=zh", env=SILENT).err
    assert nbatch("help", "--lang", "zh", "errno", env=SILENT).code == 0
    assert nbatch("--lang", "zh", "version", env=SILENT).code == 0


def test_a_language_that_there_is_not_is_refused(nbatch, fleet):
    done = nbatch("check", fleet(1), "--lang", "de", env=SILENT)
    assert done.code == 2 and "--lang" in done.err


def test_a_configuration_may_name_the_language(nbatch, fleet, tmp_path):
    (tmp_path / "ops.yaml").write_text("lang: zh\n")
    done = nbatch("run", fleet(1), "--simulate=fault=errno-5106:100%", "--config", "ops.yaml", env=SILENT)
    assert "平台拒绝了" in done.err
