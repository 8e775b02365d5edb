"""Bundles: the same rules are the same bytes, and nothing but rules comes out of one."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile

import orjson
import pytest
from support.small_project import PROJECT, project_files

from shopflow.errors import BundleRefused, SettingsError
from shopflow.gitops.bundle import (
    FORMAT,
    MANIFEST,
    Bundle,
    Provenance,
    bundle_of,
    folder_digest,
    is_digest,
)
from shopflow.gitops.deploying import compiled, compiled_folder

COMMIT = Provenance(revision="c0ffee" * 6 + "beef")


def made(root, provenance=COMMIT):
    return compiled_folder(root, provenance).bundle


@pytest.fixture
def root(folder):
    return folder(project_files())


def an_archive(*entries):
    """An archive of these names and contents, as somebody else might write one."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for entry, content in entries:
            info = entry if isinstance(entry, tarfile.TarInfo) else tarfile.TarInfo(entry)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def entries_of(bundle):
    return [(MANIFEST, bundle.manifest.to_json()), *bundle.files.items()]


def test_the_same_rules_are_the_same_bytes_whenever_they_were_written(root, tmp_path_factory):
    copy = tmp_path_factory.mktemp("copy")
    for name, text in reversed(project_files().items()):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text(text)
        os.utime(copy / name, (1, 1))
        (copy / name).chmod(0o600)
    first, second = made(root), made(copy)
    assert hashlib.sha256(first.to_bytes()).digest() == hashlib.sha256(second.to_bytes()).digest()
    assert is_digest(first.digest)
    assert folder_digest(root) == first.digest


def test_the_identity_is_of_the_content_and_not_of_the_commit(root):
    assert made(root).digest == made(root, Provenance(revision="another", dirty=True)).digest
    before = made(root).digest
    (root / "rules/templates/cart/reminder/log.en.txt").write_text("---\n---\nother")
    assert folder_digest(root) != before


def test_a_bundle_says_what_is_in_it_and_comes_back_as_it_was(root):
    bundle = made(root)
    again = Bundle.from_bytes(bundle.to_bytes())
    assert again == bundle
    assert again.manifest.provenance == COMMIT
    assert again.manifest.settings == {
        "timezone": "Europe/Paris",
        "locale": "en",
        "currency": "EUR",
    }
    assert list(again.manifest.workflows) == ["cart"]
    assert (
        compiled(root, again).loaded.ruleset.digest
        == compiled_folder(root, COMMIT).loaded.ruleset.digest
    )


def test_settings_of_an_environment_and_secrets_are_not_in_it(root):
    (root / "environments").mkdir()
    (root / "environments/production.yaml").write_text("kind: Environment\ndatabase: s3cret\n")
    (root / "rules/.env").write_text("PASSWORD=s3cret")
    packed = made(root).to_bytes()
    assert b"s3cret" not in packed
    assert b"localhost" not in packed


def test_a_setting_that_rules_mean_something_else_by_hangs_on_no_environment(folder):
    root = folder(project_files(**{"shopflow.yaml": {**PROJECT, "currency": "${CURRENCY:-EUR}"}}))
    with pytest.raises(SettingsError, match="`currency` in shopflow"):
        folder_digest(root)


def test_a_link_brings_nothing_in(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.yaml"
    outside.write_text("secret")
    (root / "rules/policies/extra.yaml").symlink_to(outside)
    with pytest.raises(SettingsError, match=r"rules/policies/extra\.yaml is a link"):
        folder_digest(root)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.yaml",
        "rules/../../outside.yaml",
        "/rules/outside.yaml",
        "rules//double.yaml",
        "rules/./here.yaml",
        "rules/.hidden.yaml",
        "rules\\windows.yaml",
        "rules",
        "shopflow.yaml",
        "rules/policies/consent.yaml",
    ],
)
def test_a_bundle_with_anything_but_its_own_files_is_refused(root, name):
    data = an_archive(*entries_of(made(root)), (name, b"x"))
    with pytest.raises(BundleRefused, match="and files under rules/"):
        Bundle.from_bytes(data)


def test_a_link_in_a_bundle_is_refused(root):
    link = tarfile.TarInfo("rules/link.yaml")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with pytest.raises(BundleRefused, match="which is no file"):
        Bundle.from_bytes(an_archive(*entries_of(made(root)), (link, b"")))


def test_a_bundle_that_was_changed_is_refused(root):
    bundle = made(root)
    changed = [(name, text.replace(b"1h", b"2h")) for name, text in entries_of(bundle)]
    with pytest.raises(BundleRefused, match="the bundle was changed"):
        Bundle.from_bytes(an_archive(*changed))
    with pytest.raises(BundleRefused, match="the bundle was changed"):
        Bundle.from_bytes(an_archive(*entries_of(bundle)[:-1]))


def test_settings_are_part_of_what_is_held_against_the_digest(root):
    bundle = made(root)
    manifest = orjson.loads(bundle.manifest.to_json())
    manifest["settings"]["timezone"] = "UTC"
    with pytest.raises(BundleRefused, match="the bundle was changed"):
        Bundle.from_bytes(an_archive((MANIFEST, orjson.dumps(manifest)), *bundle.files.items()))


def test_a_newer_bundle_is_refused_with_what_to_do(root):
    bundle = made(root)
    manifest = {**orjson.loads(bundle.manifest.to_json()), "format": FORMAT + 1}
    with pytest.raises(BundleRefused, match="upgrade shopflow here"):
        Bundle.from_bytes(an_archive((MANIFEST, orjson.dumps(manifest)), *bundle.files.items()))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no archive at all",
        an_archive(),
        an_archive((MANIFEST, b"{}")),
        an_archive((MANIFEST, b"[1]")),
        an_archive((MANIFEST, b"\xff")),
    ],
)
def test_what_is_no_bundle_is_refused(data):
    with pytest.raises(BundleRefused):
        Bundle.from_bytes(data)


def test_a_bundle_cut_off_is_refused(root):
    data = made(root).to_bytes()
    for length in range(0, len(data.rstrip(b"\0")), 777):
        with pytest.raises(BundleRefused):
            Bundle.from_bytes(data[:length])


def test_the_ruleset_of_a_bundle_is_that_of_its_folder(root):
    candidate = compiled_folder(root, COMMIT)
    assert bundle_of(root, candidate.loaded.ruleset, COMMIT) == candidate.bundle
