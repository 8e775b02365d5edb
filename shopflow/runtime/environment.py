"""A database knows its environment, so that a copy of production is not taken for another one."""

from __future__ import annotations

from shopflow.errors import SettingsError
from shopflow.lang.project import Project
from shopflow.store.protocol import Store

_NAME = "environment"


def hold_environment(store: Store, project: Project) -> None:
    """The store is of the project's environment; whoever uses it first says of which.

    Raises:
        SettingsError: It is of another one.
    """
    kept = environment_of(store, project)
    if kept == project.environment:
        return
    raise SettingsError(
        f"the database belongs to the environment '{kept}', and this is '{project.environment}': "
        "name another database, or set SHOPFLOW_ENV; if it is a copy that is to be "
        f"'{project.environment}' from now on, run `shopflow db stamp`"
    )


def environment_of(store: Store, project: Project) -> str:
    """The environment that the store is of; the project's where it was of none yet."""
    return store.people.hold_setting(_NAME, project.environment)


def stamp(store: Store, project: Project) -> str:
    """The store is of the project's environment from now on; returns of which it was."""
    kept = environment_of(store, project)
    store.people.set_setting(_NAME, project.environment)
    return kept
