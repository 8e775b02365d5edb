"""The project's settings: environments, values from outside, and what must not be shown."""

from __future__ import annotations

import pytest

from shopflow.lang.project import DeliveryMode
from shopflow.lang.settings import read_settings, unknown_channel

HEAD = "apiVersion: shopflow/v1\nkind: Project\n"


@pytest.fixture
def read(folder):
    """Reads settings given as files; every channel takes every setting."""

    def read_them(project: str, env=None, *, strict=True, **environments: str):
        files = {"shopflow.yaml": HEAD + project}
        for name, text in environments.items():
            files[f"environments/{name}.yaml"] = (
                f"apiVersion: shopflow/v1\nkind: Environment\n{text}"
            )
        return read_settings(folder(files), env or {}, lambda *_: [], strict=strict)

    return read_them


def test_an_empty_project_has_safe_defaults(read):
    project = read("").project
    assert project.delivery.mode is DeliveryMode.SINK
    assert (project.environment, project.partitions, project.redis) == ("development", 64, "")
    assert project.database.startswith("sqlite")


def test_values_come_from_the_environment_or_their_default(read):
    text = """
database: ${DB}
redis: ${NOT_SET:-}
locale: ${LOCALE:-fr}
currency: ${EMPTY:-EUR}
partitions: ${PARTS:-8}
channels: {email: {port: "${PORT}", host: "mail.${DOMAIN:-example}"}}
"""
    env = {"DB": "postgresql+psycopg://u:p@h/d", "EMPTY": "", "PORT": "25"}
    settings = read(text, env)
    assert settings.problems == []
    project = settings.project
    assert project.database == "postgresql+psycopg://u:p@h/d"
    assert (project.redis, project.locale, project.currency, project.partitions) == (
        "",
        "fr",
        "EUR",
        8,
    )
    assert project.channels["email"] == {"port": "25", "host": "mail.example"}


def test_a_secret_comes_from_a_file(read, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n", encoding="utf-8")
    project = read(f"channels: {{email: {{password: '${{file:{secret}}}'}}}}").project
    assert project.channels["email"]["password"] == "hunter2"


def test_what_is_missing_is_named_with_its_setting(read):
    text = "database: ${DB}\nchannels: {email: {password: '${file:/nowhere/secret}'}}"
    messages = [problem.message for problem in read(text).problems]
    assert messages == [
        "`database` needs the environment variable DB",
        "`channels.email.password` needs the file /nowhere/secret: No such file or directory",
    ]


def test_lint_does_not_ask_for_secrets(read):
    assert read("database: ${DB}", strict=False).problems == []


def test_no_secret_is_shown(read):
    settings = read("database: ${DB}\ncurrency: ${CUR}", {"DB": "s3cret", "CUR": "s3cret"})
    assert settings.problems
    assert "s3cret" not in repr(settings.project)
    assert "s3cret" not in "".join(map(str, settings.problems))


def test_an_environment_is_laid_over_the_project(read):
    text = """
environment: ${SHOPFLOW_ENV:-development}
timezone: Europe/Paris
delivery: {mode: sink}
channels: {email: {host: localhost, port: 1025}, log: {}}
"""
    production = "delivery: {mode: live}\nchannels: {email: {host: smtp.shop.example}}\n"
    settings = read(text, {"SHOPFLOW_ENV": "production"}, production=production)
    assert settings.problems == []
    project = settings.project
    assert project.environment == "production"
    assert project.delivery.mode is DeliveryMode.LIVE
    assert project.timezone == "Europe/Paris"
    assert project.channels["email"] == {"host": "smtp.shop.example", "port": 1025}
    assert read(text, production=production).project.delivery.mode is DeliveryMode.SINK


def test_an_environment_file_is_checked_like_the_project(read):
    settings = read("environment: test\n", test="curency: EUR\n")
    (problem,) = settings.problems
    assert (problem.code, problem.location.path) == ("SF005", "environments/test.yaml")


def test_live_is_for_production(read):
    (problem,) = read("delivery: {mode: live}").problems
    assert problem.code == "SF015"


def test_an_allowlist_needs_its_list(read):
    (problem,) = read("delivery: {mode: allowlist}").problems
    assert "`allowlist` is missing in delivery" in problem.message
    delivery = read("delivery: {mode: allowlist, allowlist: ['*@shop.example']}").project.delivery
    assert delivery.allowlist == ("*@shop.example",)


def test_a_channel_that_is_not_installed_is_named_with_the_nearest(folder):
    root = folder({"shopflow.yaml": HEAD + "channels: {emial: {}}"})
    settings = read_settings(root, {}, lambda n, _: unknown_channel(n, {"email": 1}), strict=True)
    (problem,) = settings.problems
    assert "did you mean 'email'?" in problem.message
    assert problem.location.line == 3


def test_a_folder_without_project_says_so(tmp_path):
    settings = read_settings(tmp_path, {}, lambda *_: [], strict=True)
    assert [problem.code for problem in settings.problems] == ["SF014"]
    assert not settings.known
