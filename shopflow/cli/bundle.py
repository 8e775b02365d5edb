"""`shopflow bundle`: the rules as one file that never changes."""

from __future__ import annotations

import json
from pathlib import Path

import click

from shopflow.cli.options import FORMAT, PROJECT, tell
from shopflow.cli.reading import open_for_reading
from shopflow.errors import BundleRefused, SettingsError
from shopflow.gitops.bundle import Bundle, Manifest, is_digest
from shopflow.gitops.deploying import compiled_folder
from shopflow.gitops.revision import provenance_of
from shopflow.store.deployments import FEWEST, named, short
from shopflow.store.protocol import Store


@click.group(invoke_without_command=True)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write; `rules-DIGEST.bundle` here unless told.",
)
@FORMAT
@PROJECT
@click.pass_context
def bundle(ctx: click.Context, out: Path | None, style: str, project: Path) -> None:
    """Make one file of all rules, to test, promote and deploy as it is.

    It holds everything under rules/, the time zone, locale and currency of shopflow.yaml, the
    commit, and the digest of it all: no settings of an environment, and no secrets. The same rules
    of the same commit always make the same file.
    """
    if ctx.invoked_subcommand is not None:
        return
    made = compiled_folder(project, provenance_of(project)).bundle
    path = out or Path(f"rules-{short(made.digest)}.bundle")
    try:
        path.write_bytes(made.to_bytes())
    except OSError as e:
        raise SettingsError(f"{path} cannot be written: {e.strerror}") from e
    manifest = made.manifest
    told = {"file": str(path), **json.loads(manifest.to_json())}
    count = len(manifest.workflows)
    text = f"{path}: {count} workflows of {manifest.provenance.shown}\n{made.digest}"
    tell(style, told, text)


@bundle.command
@click.argument("bundle")
@FORMAT
@PROJECT
def show(bundle: str, style: str, project: Path) -> None:
    """Say what is in a BUNDLE, after its files were held against its digest.

    It is a file, or the digest of one that was deployed to the project's database.
    """
    if not is_digest(bundle):
        found = read_bundle(bundle)
    else:
        with open_for_reading(project) as (_, store):
            found = kept_bundle(store, bundle)
    tell(style, json.loads(found.manifest.to_json()), _shown(found.manifest, len(found.files)))


def read_bundle(name: str) -> Bundle:
    """The bundle in a file.

    Raises:
        BundleRefused: It is none, or was changed.
        SettingsError: It cannot be read.
    """
    path = Path(name)
    if not path.is_file():
        raise SettingsError(
            f"there is no file {name}: name one of `shopflow bundle`, or a digest, of which "
            f"{FEWEST} signs do, that `shopflow versions` lists"
        )
    try:
        return Bundle.from_bytes(path.read_bytes())
    except OSError as e:
        raise SettingsError(f"{name} cannot be read: {e.strerror}") from e
    except BundleRefused as e:
        raise BundleRefused(f"{name}: {e}") from e


def kept_bundle(store: Store, digest: str) -> Bundle:
    """The bundle of that digest, or beginning of one, which the store keeps.

    Raises:
        SettingsError: It keeps none, or several begin so.
        BundleRefused: What it keeps is damaged.
    """
    found = named(store.deployments.manifests(), digest)
    kept = store.deployments.bundle(found) if found is not None else None
    if kept is None:
        raise SettingsError(
            f"the database keeps no bundle {digest}, or several that begin so: name a file, or the "
            "digest of one that `shopflow versions` lists"
        )
    return Bundle.from_bytes(kept.content)


def _shown(manifest: Manifest, files: int) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in manifest.settings.items())
    lines = [
        manifest.digest,
        f"made of {manifest.provenance.shown} by shopflow {manifest.engine}",
        f"{files} files, {len(manifest.workflows)} workflows; {settings}",
    ]
    lines += [
        f"  {name} version {one.version} ({one.digest[:12]})"
        for name, one in manifest.workflows.items()
    ]
    return "\n".join(lines)
