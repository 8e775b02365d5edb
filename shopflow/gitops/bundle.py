"""Bundles: everything that a team has written in git, as one file that never changes.

A bundle is a tar archive of the files under `rules/`, with a manifest. Its identity is the digest
of its content: of every file, and of the settings that rules depend on. Where it came from (the
commit, the program that made it) is told by the manifest and is no part of the identity, so that
rules which are held back stay so under another commit. Settings of an environment, and secrets, are
never in it. The same input gives the same bytes: files are sorted, and have neither time nor owner.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import orjson

import shopflow
from shopflow.domain.ruleset import Ruleset
from shopflow.errors import BundleRefused, SettingsError
from shopflow.lang.repository import PROJECT_FILE, RULES, read_document
from shopflow.store.deployments import FEWEST, SHA256, SHORT

#: The layout of bundles that this program writes, and the newest that it reads.
FORMAT = 1
#: Settings of shopflow.yaml that say what rules mean, with what they are when they are not given.
RULE_SETTINGS: Mapping[str, str] = {"timezone": "UTC", "locale": "en", "currency": "EUR"}
MANIFEST = "manifest.json"
#: The most that a bundle may unpack to, in bytes and in files: far above any honest one.
MAX_BYTES, MAX_FILES = 512 * 1024 * 1024, 200_000
_DIGEST = re.compile(rf"(?:{SHA256})?[0-9a-f]{{{FEWEST},64}}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where rules come from: the commit, and whether the folder differed from it."""

    #: The full name of the commit; empty outside of git.
    revision: str = ""
    dirty: bool = False

    @property
    def shown(self) -> str:
        """The commit as people know it."""
        if not self.revision:
            return "no commit"
        return f"{self.revision[:SHORT]}{' with uncommitted changes' if self.dirty else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A workflow of a bundle: its label for people, and the digest that it compiled to."""

    version: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a bundle says of itself."""

    #: `sha256:` and 64 hexadecimal digits, over files and settings.
    digest: str
    provenance: Provenance = field(default_factory=Provenance)
    #: The version of the program that compiled it.
    engine: str = shopflow.__version__
    #: `timezone`, `locale` and `currency`, which come with the rules wherever they run.
    settings: Mapping[str, str] = field(default_factory=dict)
    workflows: Mapping[str, Labelled] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """The manifest as it stands in the archive and in the database."""
        document = {"format": FORMAT, **asdict(self)}
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """The manifest of such a text.

        Raises:
            BundleRefused: It is none, or of a newer format.
        """
        try:
            document: dict[str, Any] = orjson.loads(text)
            number = document["format"]
            if isinstance(number, int) and number > FORMAT:
                raise BundleRefused(
                    f"the bundle is of format {number}, and this program reads up to {FORMAT}: "
                    "upgrade shopflow here, or make the bundle with this version"
                )
            return cls(
                digest=str(document["digest"]),
                provenance=Provenance(**document["provenance"]),
                engine=str(document["engine"]),
                settings={name: str(document["settings"][name]) for name in RULE_SETTINGS},
                workflows={
                    str(name): Labelled(version=int(one["version"]), digest=str(one["digest"]))
                    for name, one in document["workflows"].items()
                },
            )
        except (LookupError, TypeError, ValueError, AttributeError) as e:
            raise BundleRefused(f"{MANIFEST} says not what a bundle holds") from e


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The files under `rules/`, by their path from the project's folder, with their manifest."""

    manifest: Manifest
    files: Mapping[str, bytes] = field(repr=False)

    @property
    def digest(self) -> str:
        """Its identity."""
        return self.manifest.digest

    def unpack(self, folder: Path) -> None:
        """Lays the files out under the folder."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def to_bytes(self) -> bytes:
        """The archive; the same for the same bundle, whenever and wherever it is made."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name, content in [(MANIFEST, self.manifest.to_json()), *sorted(self.files.items())]:
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
        return packed.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Bundle:
        """The bundle of an archive, held against its own digest.

        Raises:
            BundleRefused: It is no bundle, holds what no bundle may, or was changed.
        """
        try:
            files = dict(_entries(data))
        except (tarfile.TarError, EOFError, UnicodeError) as e:
            raise BundleRefused(f"the file is no bundle: {e}") from e
        manifest = Manifest.from_json(files.pop(MANIFEST, b""))
        found = content_digest(files, manifest.settings)
        if found != manifest.digest:
            raise BundleRefused(
                f"the bundle was changed: its files have the digest {found}, and its manifest "
                f"says {manifest.digest}; make it again with `shopflow bundle`"
            )
        return cls(manifest=manifest, files=files)


def bundle_of(root: Path, ruleset: Ruleset, provenance: Provenance) -> Bundle:
    """The bundle of the rules under a folder, which compile to this ruleset.

    Raises:
        SettingsError: A file, or a setting that rules depend on, cannot be in a bundle.
    """
    files, settings = rule_files(root), rule_settings(root)
    manifest = Manifest(
        digest=content_digest(files, settings),
        provenance=provenance,
        settings=settings,
        workflows=labelled(ruleset),
    )
    return Bundle(manifest=manifest, files=files)


def labelled(ruleset: Ruleset) -> dict[str, Labelled]:
    """The workflows of a ruleset as a manifest lists them."""
    return {
        name: Labelled(version=one.version, digest=one.digest)
        for name, one in sorted(ruleset.workflows.items())
    }


def folder_digest(root: Path) -> str:
    """The digest that a bundle of this folder would have; nothing is compiled.

    Raises:
        SettingsError: See `bundle_of`.
    """
    return content_digest(rule_files(root), rule_settings(root))


def content_digest(files: Mapping[str, bytes], settings: Mapping[str, str]) -> str:
    """The identity of these files and settings."""
    content = {
        "files": {name: hashlib.sha256(text).hexdigest() for name, text in files.items()},
        "settings": dict(settings),
    }
    plain = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return SHA256 + hashlib.sha256(plain).hexdigest()


def is_digest(text: str) -> bool:
    """True for the digest of a bundle, or the beginning of one."""
    return _DIGEST.fullmatch(text) is not None


def rule_files(root: Path) -> dict[str, bytes]:
    """Every file under `rules/` by its path from the root; hidden ones are nobody's rules.

    Raises:
        SettingsError: A link, which would bring in what is not in the repository.
    """
    files: dict[str, bytes] = {}
    for path in sorted((root / RULES).rglob("*")):
        name = path.relative_to(root).as_posix()
        if any(part.startswith(".") for part in PurePosixPath(name).parts):
            continue
        if path.is_symlink():
            raise SettingsError(
                f"{name} is a link: a bundle holds files only, so put the file here"
            )
        if path.is_file():
            files[name] = path.read_bytes()
    return files


def rule_settings(root: Path) -> dict[str, str]:
    """What shopflow.yaml itself says of the settings that rules depend on.

    Raises:
        SettingsError: One of them hangs on the environment.
    """
    document = read_document(root / PROJECT_FILE, PROJECT_FILE)
    data = document.root.data if document.root is not None else None
    given = data if isinstance(data, dict) else {}
    found = {name: str(given.get(name, usual)) for name, usual in RULE_SETTINGS.items()}
    for name, value in found.items():
        if "${" in value:
            raise SettingsError(
                f"`{name}` in {PROJECT_FILE} is {value}: it is part of what rules mean, and so of "
                "a bundle, which is the same in every environment; write the value itself"
            )
    return found


def _entries(data: bytes) -> Iterator[tuple[str, bytes]]:
    size = 0
    seen = set[str]()
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for number, entry in enumerate(archive):
            size += entry.size
            name = entry.name
            if size > MAX_BYTES or number > MAX_FILES:
                raise BundleRefused("the bundle is larger than any rules can be")
            if not entry.isreg():
                raise BundleRefused(f"the bundle holds {name!r}, which is no file")
            if name in seen or not (name == MANIFEST or _lies_in_rules(name)):
                raise BundleRefused(
                    f"the bundle holds {name!r}: only {MANIFEST} and files under {RULES}/ may be "
                    "in one, each once"
                )
            seen.add(name)
            content = archive.extractfile(entry)
            assert content is not None  # noqa: S101 - it is a regular file
            yield name, content.read()


def _lies_in_rules(name: str) -> bool:
    """True for a plain path below `rules/`, which leads nowhere else when it is laid out."""
    parts = name.split("/")
    plain = all(part and not part.startswith(".") and "\\" not in part for part in parts)
    return plain and parts[0] == RULES and len(parts) > 1 and "\0" not in name
