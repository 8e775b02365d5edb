"""Reaching the Redis that a project names."""

from __future__ import annotations

from redis import AuthenticationError, Redis, RedisError

from shopflow.errors import SettingsError, StoreError
from shopflow.lang.project import Project


def redis_of(project: Project, **options: float) -> Redis:
    """The server that the project names, with options of the client; not yet reached.

    Raises:
        SettingsError: What is named is no address.
    """
    try:
        return Redis.from_url(project.redis, protocol=2, **options)
    except ValueError as e:
        raise SettingsError(
            "`redis` in shopflow.yaml is no address of a server; give one such as "
            "redis://localhost:6379/0, or set the variable that it names"
        ) from e


def connect(project: Project) -> Redis:
    """The project's Redis, reached.

    Raises:
        SettingsError: None is named, or it does not know the password.
        StoreError: It cannot be reached just now.
    """
    if not project.redis:
        raise SettingsError(
            "`redis` in shopflow.yaml is empty: name a server, or use `shopflow run`, "
            "which needs none"
        )
    redis = redis_of(project)
    try:
        redis.ping()
    except AuthenticationError as e:
        raise SettingsError(f"Redis refuses us; check `redis` in shopflow.yaml: {e}") from e
    except RedisError as e:
        message = f"Redis cannot be reached; check `redis` in shopflow.yaml: {e}"
        raise StoreError(message, retryable=True) from e
    return redis
