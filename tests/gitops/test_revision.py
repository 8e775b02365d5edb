"""Reading a commit of a rules repository, and what is said where it cannot be read."""

from __future__ import annotations

import pytest
from support.repositories import commit, git, repository, write
from support.small_project import project_files

from shopflow.errors import SettingsError
from shopflow.gitops.git import commit_of
from shopflow.gitops.revision import revision

CART = "rules/workflows/shop/cart.yaml"


@pytest.fixture
def shop(tmp_path):
    return repository(tmp_path / "shop", project_files())


def cart_of(loaded):
    assert not loaded.errors
    return loaded.ruleset.workflows["cart"]


def test_a_commit_is_read_beside_the_working_tree(shop):
    first = git(shop, "rev-parse", "HEAD")
    write(shop, project_files({"title": "Not committed"}))
    git(shop, "add", "--all")
    with revision(shop, "main") as base:
        assert (base.ref, base.commit, base.short) == ("main", first, first[:12])
        assert cart_of(base.load()).title != "Not committed"
        folder = base.root
    assert not folder.exists()
    assert git(shop, "status", "--porcelain") == f"M  {CART}"


def test_what_was_loaded_outlives_its_folder(shop):
    with revision(shop, "HEAD") as base:
        loaded = base.load()
    assert loaded.context
    assert cart_of(loaded).digest in loaded.sources


@pytest.mark.parametrize("name", ["v1", "HEAD~1", "HEAD^{/begin}"])
def test_any_name_of_a_commit_will_do(shop, name):
    first = git(shop, "rev-parse", "HEAD")
    git(shop, "tag", "--annotate", "v1", "--message", "first")
    commit(shop, {CART: None})
    assert commit_of(shop, name) == first
    with revision(shop, name) as base:
        assert "cart" in base.load().ruleset.workflows


def test_the_project_may_be_a_folder_of_a_larger_repository(tmp_path):
    files = {f"marketing/rules repo/{name}": text for name, text in project_files().items()}
    top = repository(tmp_path / "shop", {**files, "src/app.py": "print()"})
    with revision(top / "marketing/rules repo", "main") as base:
        assert cart_of(base.load())
        assert not (base.root / "src").exists()


def test_a_link_out_of_the_repository_is_not_followed(shop, tmp_path):
    (shop / "rules/secret").symlink_to(tmp_path)
    commit(shop)
    with (
        pytest.raises(SettingsError, match="main cannot be laid out as files"),
        revision(shop, "main"),
    ):
        pass


@pytest.mark.parametrize(
    ("ref", "told"),
    [
        ("mian", "no revision 'mian'; did you mean 'main'\\?"),
        ("quite/else", "no revision 'quite/else'; see `git branch --all`"),
        ("--output=x", "no revision '--output=x'"),
        ("HEAD:shopflow.yaml", "no revision 'HEAD:shopflow.yaml'"),
        ("", "no revision ''"),
    ],
)
def test_an_unknown_revision_is_told(shop, ref, told):
    with pytest.raises(SettingsError, match=told):
        commit_of(shop, ref)


def test_a_shallow_clone_is_told_how_to_get_the_rest(shop, tmp_path):
    first = git(shop, "rev-parse", "HEAD")
    commit(shop, {CART: None})
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{shop}", "clone")
    with pytest.raises(SettingsError, match=r"clone is shallow .* fetch-depth: 0"):
        commit_of(tmp_path / "clone", first)


def test_no_repository_is_told(tmp_path):
    with pytest.raises(SettingsError, match="is in no git repository, so it has no main"):
        commit_of(tmp_path, "main")


def test_a_revision_without_the_project_is_told(tmp_path):
    shop = repository(tmp_path / "shop", {"README.md": "soon"})
    commit(shop, project_files())
    with (
        pytest.raises(SettingsError, match=r"HEAD~1 has no shopflow\.yaml; name a revision"),
        revision(shop, "HEAD~1"),
    ):
        pass
    with revision(shop, "HEAD") as head:
        assert cart_of(head.load())


def test_without_git_it_says_so(shop, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SettingsError, match="git is not installed"):
        commit_of(shop, "main")
