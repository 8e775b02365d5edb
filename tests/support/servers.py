"""Redis and PostgreSQL for tests: those that are named, else those here, else private ones.

A private server is a process of this test run on a free port, its data in a folder of its own, and
may be killed, stopped and started as a test likes. PostgreSQL is private wherever it is installed:
one that need not wait for the disk makes and drops databases ten times as fast.
"""

from __future__ import annotations

import atexit
import fcntl
import getpass
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest
import redis as redis_client

REDIS_HERE = "redis://127.0.0.1:6379/9"
POSTGRES_HERE = f"postgresql://{getpass.getuser()}@127.0.0.1:5432/postgres"
#: Set to `no`, servers on the standard ports of this machine are left alone.
LOCALHOST = "SHOPFLOW_TEST_LOCALHOST"
#: Seconds that a server may take to start on a busy machine.
PATIENCE = 120


class Missing(Exception):  # noqa: N818 - the name is the claim
    """Raised when there is no server; says what to do."""


def missing(what):
    """The test cannot run without a server: a failure in CI, where nobody reads of a skip."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(str(what))


@cache
def redis_url():
    """The URL of the Redis server that tests share."""
    return _found("SHOPFLOW_TEST_REDIS", REDIS_HERE, _redis_answers, PrivateRedis)


@cache
def postgres_url():
    """The URL of the PostgreSQL server that tests share, as one who may make databases."""
    pytest.importorskip("psycopg", reason="PostgreSQL's driver is not installed")
    own = _installed("postgres") and _installed("initdb")
    here = None if own else POSTGRES_HERE
    return _found("SHOPFLOW_TEST_POSTGRES", here, _postgres_answers, PrivatePostgres)


def _found(variable, here, answers, private):
    if named := os.environ.get(variable):
        if not answers(named):
            pytest.fail(f"{variable} names a server that does not let us in: {named}")
        return named
    if here and os.environ.get(LOCALHOST) != "no" and answers(here):
        return here
    try:
        server = private()
    except Missing as error:
        missing(error)
    atexit.register(server.end)
    server.start()
    return server.url


def _redis_answers(url):
    with suppress(redis_client.RedisError), redis_client.Redis.from_url(url) as redis:
        return redis.ping()
    return False


def _postgres_answers(url):
    """True when databases may be made there."""
    import psycopg  # noqa: PLC0415 - the fixture has made sure of it

    may = "SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = current_user"
    with suppress(psycopg.Error), psycopg.connect(url, connect_timeout=3) as connection:
        return connection.execute(may).fetchone()[0]
    return False


def program(name, package, variable):
    """The path of an installed program; installs Debian's package where that is ours to do."""
    if path := _installed(name):
        return path
    if os.geteuid() == 0 and shutil.which("apt-get"):
        with Path(tempfile.gettempdir(), "shopflow-tests-apt.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _installed(name):
                _install(package)
        if path := _installed(name):
            return path
    also = f", or name a server in {variable}" if variable else ""
    raise Missing(f"{name} is not installed: apt-get install {package}{also}")


def tool(name, packages):
    """The path of a program that a test cannot do without."""
    try:
        return program(name, packages, "")
    except Missing as error:
        missing(error)


def _installed(name):
    if path := shutil.which(name):
        return path
    # Debian keeps each version of PostgreSQL in a folder of its own.
    found = Path("/usr/lib/postgresql").glob(f"*/bin/{name}")
    return str(max(found, key=_version, default="")) or None


def _version(path):
    version = path.parent.parent.name
    return int(version) if version.isdigit() else 0


def _install(package):
    install = ["install", "-qq", "-y", "--no-install-recommends", *package.split()]
    for words in (install, ["update"], install):
        done = subprocess.run(
            ["apt-get", *words],
            capture_output=True,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            check=False,
        )
        if words is install and done.returncode == 0:
            return


class FalseClock:
    """The wall clock of some processes, which may be set like that of a machine."""

    def __init__(self, folder):
        library = Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")
        found = next(library, None)
        if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
            _install("libfaketime")
            found = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
        if found is None:
            raise Missing("libfaketime is not installed: apt-get install libfaketime")
        self.path = folder / f"clock-{free_port()}"
        self.set("+0")
        self.environment = {
            "LD_PRELOAD": str(found),
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, ahead):
        """So far ahead of the true time from now on, for all of them: `+2h`, `-30m`."""
        # In one step: nobody finds a file in which nothing is said yet.
        new = self.path.with_suffix(".new")
        new.write_text(f"{ahead}\n", encoding="utf-8")
        new.chmod(0o644)
        new.replace(self.path)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def _unprivileged():
    names = {user.pw_name: user for user in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]


class Private:
    """A server of one's own; it keeps its port and its data from one start to the next."""

    #: The signal that ends it as its keeper would.
    gently = signal.SIGTERM

    def __init__(self, environment=None):
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="shopflow-test-"))
        self.environment = {**os.environ, **(environment or {})}
        self.process = None
        self.run_as = {}
        if os.geteuid() == 0:
            # PostgreSQL refuses to be run by root.
            user = _unprivileged()
            shutil.chown(self.folder, user.pw_uid, user.pw_gid)
            self.run_as = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def start(self):
        """It runs and answers."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env=self.environment,
                # A group of its own: Ctrl-C is not for it, and all of it can be held up.
                start_new_session=True,
                **self.run_as,
            )
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            gone = self.process.poll() is not None or time.monotonic() > deadline
            assert not gone, (self.folder / "log").read_text(encoding="utf-8", errors="replace")
            time.sleep(0.05)
        return self

    def stop(self, how=None):
        """It is gone: gently, or by the signal."""
        self.process.send_signal(how or self.gently)
        self.process.wait(PATIENCE)

    @contextmanager
    def held_up(self):
        """None of its processes gets on meanwhile, and nobody is told."""
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)

    def end(self):
        """It is gone, and its data too."""
        if self.process is not None and self.process.poll() is None:
            self.stop(signal.SIGKILL if self.gently is signal.SIGTERM else signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.end()


class PrivateRedis(Private):
    """A Redis that keeps nothing on disk: started again, it is empty."""

    def __init__(self, environment=None):
        self.program = program("redis-server", "redis-server", "SHOPFLOW_TEST_REDIS")
        super().__init__(environment)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self):
        words = {"port": self.port, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        return [self.program, *(word for key in words for word in (f"--{key}", str(words[key])))]

    def answers(self):
        return _redis_answers(self.url)


class PrivatePostgres(Private):
    """A PostgreSQL with these settings; what was committed outlives its processes."""

    gently = signal.SIGINT

    def __init__(self, environment=None, **settings):
        self.program = program("postgres", "postgresql", "SHOPFLOW_TEST_POSTGRES")
        initdb = program("initdb", "postgresql", "SHOPFLOW_TEST_POSTGRES")
        super().__init__(environment)
        self.data = self.folder / "data"
        self.settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            # A kill is no power cut: what was handed to the system outlives the processes.
            "fsync": "off",
            **settings,
        }
        words = [
            "-D",
            self.data,
            "-U",
            "shopflow",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-locale",
            "-N",
        ]
        made = subprocess.run(
            [initdb, *words], capture_output=True, text=True, check=False, **self.run_as
        )
        assert made.returncode == 0, made.stderr

    @property
    def url(self):
        return f"postgresql://shopflow@127.0.0.1:{self.port}/postgres"

    def command(self):
        settings = (word for key in self.settings for word in ("-c", f"{key}={self.settings[key]}"))
        return [self.program, "-D", str(self.data), *settings]

    def answers(self):
        return _postgres_answers(self.url)

    def crash(self):
        """Every one of its processes is killed at once; the next start recovers."""
        self.stop(signal.SIGQUIT)
