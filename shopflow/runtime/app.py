"""Wiring: from a project folder to the parts that run it, its rules deployed in the store."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path

from shopflow import plugins
from shopflow.channel import OnUncertain, Sender
from shopflow.domain.event import Facts
from shopflow.domain.ruleset import Ruleset
from shopflow.domain.workflow import Workflow
from shopflow.engine import Rulebook, with_retained
from shopflow.errors import RulesInvalid, SettingsError
from shopflow.lang.calendars import zone
from shopflow.lang.project import DeliveryMode, Project
from shopflow.rulebook import LoadedProject, compile_workflow, load_project
from shopflow.runtime import upkeep
from shopflow.runtime.advance import Replay
from shopflow.runtime.carrier import Carrier, Delivery
from shopflow.runtime.codes import CodesAhead
from shopflow.runtime.deliver import Deliverer
from shopflow.runtime.embedded import Parts, StoreThread, replay_clock, wall_clock
from shopflow.runtime.envelope import Envelopes, Mode
from shopflow.runtime.hashes import Hashes, hashes_of, hold
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.keys import KeysNow
from shopflow.runtime.links import NOWHERE, Keyring, Links
from shopflow.runtime.meter import Meter
from shopflow.runtime.nightly import Nightly, Watch, starter
from shopflow.runtime.occasions import Occasions
from shopflow.runtime.pacing import outlets_of
from shopflow.runtime.process import Processor
from shopflow.runtime.products import ProductFacts
from shopflow.runtime.retirement import Retirement
from shopflow.runtime.retry import RetryPolicy
from shopflow.runtime.runner import only_runner
from shopflow.runtime.safety import Marks, SafetyLog, log_of, pause_if_restored
from shopflow.runtime.shelves import StoreShelves
from shopflow.runtime.stops import Stops
from shopflow.runtime.sweep import Sweeps
from shopflow.runtime.timers import Timers
from shopflow.runtime.tombstones import Tombstones
from shopflow.runtime.trials import Trials
from shopflow.runtime.wishes import Wishes
from shopflow.runtime.workset import Rules
from shopflow.store.keys import StoredKey
from shopflow.store.opening import open_store
from shopflow.store.protocol import Store
from shopflow.store.records import StoredRuleset, retained_workflows

log = logging.getLogger("shopflow.app")

#: Where the pages that links lead to are, and the secret that links are sealed with.
LINKS_URL, LINKS_SECRET = "SHOPFLOW_LINKS_URL", "SHOPFLOW_LINKS_SECRET"
#: Secrets that were used before, with spaces between them: their unsubscribes still count.
LINKS_FORMER_SECRETS = "SHOPFLOW_LINKS_FORMER_SECRETS"

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One installation, opened: its settings, its rules, its state."""

    loaded: LoadedProject
    store: Store
    event_clock: bool = False
    #: What this process counts by itself.
    meter: Meter = field(default_factory=Meter)
    #: Codes that this process has taken and not used.
    codes: CodesAhead | None = None

    @property
    def project(self) -> Project:
        """The settings."""
        return self.loaded.project

    def parts(self, *, deliver: bool = True, retry: RetryPolicy | None = None) -> Parts:
        """What the embedded runner runs; without `deliver`, messages stay in the outbox."""
        write = StoreThread()
        ingest = Ingest(self.loaded.events.schemas, event_clock=self.event_clock)
        products = ProductFacts(self.store.views)
        history = self.store.views.rulesets()
        rulebook = Rulebook(self._ruleset_with_history(history))
        rules = Rules(
            rulebook=rulebook,
            facts=Facts(
                products=products.known,
                live_since={} if self.event_clock else live_since(history),
                event_clock=self.event_clock,
                salt=salt_of(self.project, os.environ),
            ),
            secrets=ingest.secrets,
            codes=self.codes if self.loaded.ruleset.coupons else None,
            products=products,
            occasions=Occasions(self.store, rulebook),
            hashes=self.hashes,
            trials=Trials(self.store) if rulebook.has_trials else None,
            tombstones=Tombstones(self.hashes),
            safety=self.safety,
        )
        if rules.trials is not None and self.event_clock:
            rules.trials.advance = Replay(self.store, rules)
        return Parts(
            store=self.store,
            rulebook=rulebook,
            sweeps=Sweeps(self.store, rules),
            processor=Processor(self.store, rules, ingest),
            wishes=Wishes(self.store, rules, ingest),
            timers=Timers(self.store, rules),
            deliverer=self.deliverer(write, retry=retry) if deliver else None,
            write=write,
            meter=self.meter,
            event_clock=self.event_clock,
            nightly=() if self.event_clock else self.nightly(),
        )

    @property
    def hashes(self) -> Hashes:
        """By which suppressed addresses and erased persons are known."""
        return project_hashes(self.project)

    @property
    def safety(self) -> SafetyLog | None:
        """What a restored backup must not forget; a replay has nothing of the kind."""
        return None if self.event_clock else log_of(os.environ, self.project.root)

    def links(self) -> Links:
        """Makes and opens links by the keys that the store keeps."""
        return links_of(self.project, os.environ, KeysNow(self.store.keys.all))

    def nightly(self) -> tuple[Watch, ...]:
        """What is done every night: recommendations are computed, and what is old is forgotten.

        And every few minutes the marks that tell an old database.
        """
        safety = self.safety
        where = zone(self.project.timezone) or UTC
        url, partitions = database_url(self.project), self.store.partitions
        retirement = Retirement(hashes=self.hashes, log=safety)
        forget = upkeep.starter(url, partitions, self.loaded.ruleset.retention, retirement)
        return (
            Nightly(self.store, where, starter(url, partitions)),
            Nightly(self.store, where, forget, schedule=upkeep.SCHEDULE, hour=upkeep.HOUR),
            *([Marks(safety, self.store)] if safety is not None else []),
        )

    def deploy(self, now: datetime) -> bool:
        """The loaded rules are the newest revision of the store; False when they were already."""
        digest = self.loaded.ruleset.digest
        newest = self.store.views.newest_revision()
        if newest is not None and newest.digest == digest:
            return False
        document = {"workflows": {key: dict(one) for key, one in self.loaded.sources.items()}}
        self.store.deploy(digest, document, now)
        return True

    def _ruleset_with_history(self, history: Sequence[StoredRuleset]) -> Ruleset:
        """The ruleset with the versions that enrolments may still be pinned to."""
        current = {workflow.digest for workflow in self.loaded.ruleset.workflows.values()}
        retained: dict[str, Workflow] = {}
        for digest, document in retained_workflows(history).items():
            if digest in current or not isinstance(document, Mapping):
                continue
            try:
                workflow = compile_workflow(document, self.loaded.context)
            except RulesInvalid as e:
                log.warning("a workflow of an older revision cannot be run any more: %s", e)
                continue
            # Its identity is what it was compiled to then, not what today's program makes of it.
            retained[digest] = replace(workflow, digest=digest)
        return with_retained(self.loaded.ruleset, retained)

    def deliverer(
        self,
        write: StoreThread,
        *,
        owner: str = "embedded",
        carriers: Mapping[str, Carrier] | None = None,
        retry: RetryPolicy | None = None,
    ) -> Deliverer:
        """Delivers on all channels, or on these, as this owner."""
        project, safety = self.project, self.safety
        envelopes = Envelopes(
            ruleset=self.loaded.ruleset,
            templates=self.loaded.templates,
            links=self.links(),
            sender=Sender(
                legal_name=project.sender.legal_name,
                address=project.sender.address,
                contact=project.sender.contact,
                privacy_url=project.sender.privacy_url,
                sms_stop=project.sender.sms_stop,
            ),
            mode=Mode(project.delivery.mode.value),
            allowlist=project.delivery.allowlist,
            event_clock=self.event_clock,
            shelves=StoreShelves(self.store),
        )
        delivery = Delivery(
            store=self.store,
            envelopes=envelopes,
            write=write,
            clock=replay_clock if self.event_clock else wall_clock,
            owner=owner,
            retry=retry or RetryPolicy(),
            meter=self.meter,
            note_sent=safety.note_sent if safety is not None else lambda _: None,
            stopped=Stops(self.store.views, self.hashes).among,
        )
        return Deliverer(carriers_of(project) if carriers is None else carriers, delivery)


@contextmanager
def open_app(
    root: Path,
    *,
    event_clock: bool = False,
    project: Mapping[str, object] | None = None,
    loaded: LoadedProject | None = None,
) -> Iterator[App]:
    """The project under the folder, opened by its one runner; `project` overrides settings.

    Whoever has loaded it already hands it over.

    Raises:
        RulesInvalid: The rules cannot be run; carries every problem.
        SettingsError: Another process runs on this state.
        StoreError: The state cannot be opened.
    """
    loaded = loaded or load_project(root, kept=True).require()
    if project:
        loaded = replace(loaded, project=replace(loaded.project, **project))  # type: ignore[arg-type]
    url = database_url(loaded.project)
    with only_runner(url):
        store = open_store(url, partitions=loaded.project.partitions)
        try:
            hold(store, project_hashes(loaded.project))
            codes = CodesAhead(store.codes, wall_clock)
            app = App(loaded=loaded, store=store, event_clock=event_clock, codes=codes)
            app.deploy(wall_clock())
            if app.safety is not None:
                app.safety.check()
                if loaded.project.delivery.mode is not DeliveryMode.SINK:
                    pause_if_restored(app.safety, store, wall_clock())
            store.make_room(wall_clock() + upkeep.AHEAD)
            yield app
            codes.give_back()
        finally:
            store.close()


def database_url(project: Project) -> str:
    """The project's database; a relative file lies in the project's folder, wherever we stand."""
    if not project.database.startswith(_SQLITE):
        return project.database
    path = project.database.removeprefix(_SQLITE)
    return project.database if path.startswith("/") else f"{_SQLITE}{project.root / path}"


def carriers_of(project: Project) -> dict[str, Carrier]:
    """The project's channels, built."""
    installed = plugins.find_channels()
    carriers = {}
    for name, settings in project.channels.items():
        channel = plugins.build(name, settings, installed)
        connections = settings.get("connections")
        wanted = settings.get("on_uncertain")
        deliverers = settings.get("deliverers")
        carriers[name] = Carrier(
            name=name,
            channel=channel,
            slots=connections if isinstance(connections, int) else 4,
            on_uncertain=OnUncertain(str(wanted)) if wanted else channel.on_uncertain,
            cost=Decimal(str(settings.get("cost", 0))),
            outlets=outlets_of(settings),
            deliverers=deliverers if isinstance(deliverers, int) else 1,
        )
    return carriers


def links_of(
    project: Project,
    environment: Mapping[str, str],
    keys: Callable[[], Sequence[StoredKey]] = lambda: (),
) -> Links:
    """How links are made here, by these keys.

    Outside of production they lead nowhere unless told otherwise. In production a link that leads
    nowhere must not be sent: without an address there is none, and no marketing mail either.
    """
    live = Mode(project.delivery.mode.value) is Mode.LIVE
    url, secret = environment.get(LINKS_URL, ""), environment.get(LINKS_SECRET, "").encode()
    if url and not secret:
        raise SettingsError(
            f"{LINKS_SECRET}: is missing; links to {url} need a secret to seal them"
        )
    if live and not url:
        log.warning("%s is not set: mails that need a way out will not be sent", LINKS_URL)
    former = environment.get(LINKS_FORMER_SECRETS, "").encode().split()
    return Links(
        keyring=Keyring(secrets=(secret or _own_key(project), *former), read=keys),
        base_url=url or ("" if live else NOWHERE),
        contact=project.sender.contact,
    )


def project_hashes(project: Project) -> Hashes:
    """By which the project knows suppressed addresses and erased persons."""
    key = os.environ.get(LINKS_SECRET, "").encode() or _own_key(project)
    return hashes_of(os.environ, key, project)


def salt_of(project: Project, environment: Mapping[str, str]) -> str:
    """What makes codes hard to guess here: it follows from the secret that seals links."""
    key = environment.get(LINKS_SECRET, "").encode() or _own_key(project)
    return blake2b(key, person=b"shopflow codes").hexdigest()


def _own_key(project: Project) -> bytes:
    # Without a secret of its own a development machine seals with what it is, which proves nothing.
    return blake2b(f"development {project.root}".encode()).digest()


def live_since(history: Sequence[StoredRuleset]) -> dict[str, datetime]:
    """Since which revision each workflow has been deployed without a gap."""
    since: dict[str, datetime] = {}
    for revision in reversed(history):
        documents = revision.document.get("workflows", {})
        workflows = documents.values() if isinstance(documents, Mapping) else ()
        ids = {str(one["id"]) for one in workflows if isinstance(one, Mapping) and "id" in one}
        since = {name: since.get(name, revision.deployed_at) for name in ids}
    return since
