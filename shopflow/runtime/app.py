"""Wiring: from a project folder to the parts that run it, its rules deployed in the store."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shopflow.channel import Sender
from shopflow.domain.event import Facts
from shopflow.domain.ruleset import Ramp
from shopflow.engine import RampedRulebook, Rulebook
from shopflow.gitops.bundle import RULE_SETTINGS
from shopflow.lang.calendars import zone
from shopflow.lang.project import DeliveryMode, Project
from shopflow.rulebook import LoadedProject, load_settings
from shopflow.runtime import upkeep
from shopflow.runtime.activation import (
    Activation,
    Lookout,
    activate,
    live_since,
    warn_of_difference,
)
from shopflow.runtime.addresses import fill_index
from shopflow.runtime.advance import Replay
from shopflow.runtime.carrier import Carrier, Delivery, carriers_of
from shopflow.runtime.codes import CodesAhead
from shopflow.runtime.contact import region_of
from shopflow.runtime.deliver import Deliverer
from shopflow.runtime.embedded import Parts, StoreThread, replay_clock, wall_clock
from shopflow.runtime.envelope import Envelopes, Mode
from shopflow.runtime.environment import hold_environment
from shopflow.runtime.hashes import Hashes, hold
from shopflow.runtime.ingest import Ingest
from shopflow.runtime.keys import KeysNow
from shopflow.runtime.links import Links
from shopflow.runtime.meter import Meter
from shopflow.runtime.nightly import Nightly, Watch, starter
from shopflow.runtime.occasions import Occasions
from shopflow.runtime.older_versions import with_older
from shopflow.runtime.process import Processor
from shopflow.runtime.products import ProductFacts
from shopflow.runtime.retirement import Retirement
from shopflow.runtime.retry import RetryPolicy
from shopflow.runtime.runner import only_runner
from shopflow.runtime.safety import Marks, SafetyLog, log_of, pause_if_restored
from shopflow.runtime.sealing import links_of, project_hashes, salt_of
from shopflow.runtime.shelves import StoreShelves
from shopflow.runtime.stops import Stops
from shopflow.runtime.sweep import Sweeps
from shopflow.runtime.timers import Timers
from shopflow.runtime.tombstones import Tombstones
from shopflow.runtime.trials import Trials
from shopflow.runtime.wishes import Wishes
from shopflow.runtime.workset import Rules
from shopflow.store.deployments import Deployment
from shopflow.store.opening import open_store
from shopflow.store.protocol import Store
from shopflow.store.records import Fence, StoredRuleset

log = logging.getLogger("shopflow.app")

_SQLITE = "sqlite:///"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """One installation, opened: its settings, its rules, its state."""

    loaded: LoadedProject
    store: Store
    #: What its rules were put to work by; None for those of the folder.
    deployment: Deployment | None = None
    #: Whose workflows are others meanwhile; None when everybody's are the same.
    ramp: Ramp | None = None
    event_clock: bool = False
    #: What this process counts by itself.
    meter: Meter = field(default_factory=Meter)
    #: Codes that this process has taken and not used.
    codes: CodesAhead | None = None

    @property
    def project(self) -> Project:
        """The settings."""
        return self.loaded.project

    def parts(
        self,
        *,
        deliver: bool = True,
        retry: RetryPolicy | None = None,
        write: StoreThread | None = None,
    ) -> Parts:
        """What the embedded runner runs; without `deliver`, messages stay in the outbox."""
        write = write or StoreThread()
        ingest = Ingest(
            self.loaded.events.schemas,
            event_clock=self.event_clock,
            region=region_of(self.loaded.project.locale),
        )
        products = ProductFacts(self.store.views)
        history = self.store.views.rulesets()
        ruleset = with_older(self.loaded, self.store, history)
        rulebook = RampedRulebook(ruleset, self.ramp) if self.ramp else Rulebook(ruleset)
        rules = Rules(
            rulebook=rulebook,
            facts=Facts(
                products=products.known,
                live_since={} if self.event_clock else self._live_since(history),
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

    def activated(self, active: Activation) -> App:
        """The same installation with these rules; its settings stay as they were at the start."""
        rules, project = active.loaded.project, self.project
        settings = {name: getattr(rules, name) for name in RULE_SETTINGS}
        kept: Any = replace(project, **settings)
        loaded = replace(active.loaded, project=kept)
        return replace(self, loaded=loaded, deployment=active.deployment, ramp=active.ramp)

    def lookout(self) -> Lookout:
        """Looks for rules that are deployed from here on."""
        active = Activation(loaded=self.loaded, deployment=self.deployment, ramp=self.ramp)
        return Lookout(self.project.root, self.store, active)

    def _live_since(self, history: Sequence[StoredRuleset]) -> dict[str, datetime]:
        deployments = self.store.deployments
        return live_since(history, deployments.history(), deployments.manifests())

    def deploy(self, now: datetime) -> bool:
        """The folder's rules are the newest revision of the store; False when they were already.

        Where something was deployed, the folder's rules are nobody's.
        """
        if self.deployment is not None:
            return False
        digest = self.loaded.ruleset.digest
        newest = self.store.views.newest_revision()
        if newest is not None and newest.digest == digest:
            return False
        document = {"workflows": {key: dict(one) for key, one in self.loaded.sources.items()}}
        self.store.deploy(digest, document, now)
        return True

    def deliverer(
        self,
        write: StoreThread,
        *,
        owner: str = "embedded",
        fence: Fence | None = None,
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
            recommending=self.loaded.templates.recommending(),
        )
        delivery = Delivery(
            store=self.store,
            envelopes=envelopes,
            write=write,
            clock=replay_clock if self.event_clock else wall_clock,
            owner=owner,
            fence=fence,
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

    Whoever has loaded it already hands it over; otherwise what was deployed to its database last
    is run, and the folder's own rules only where nothing ever was.

    Raises:
        RulesInvalid: The rules cannot be run; carries every problem.
        SettingsError: Another process runs on this state.
        StoreError: The state cannot be opened.
    """
    settings = loaded.project if loaded is not None else load_settings(root, strict=True)
    changes: Any = project or {}
    url = database_url(replace(settings, **changes))
    with only_runner(url):
        store = open_store(url, partitions=settings.partitions)
        try:
            hold_environment(store, settings)
            active = Activation(loaded=loaded) if loaded is not None else activate(root, store)
            warn_of_difference(root, active.deployment)
            loaded = replace(active.loaded, project=replace(active.loaded.project, **changes))
            hold(store, hashes := project_hashes(loaded.project))
            fill_index(store, hashes)
            codes = CodesAhead(store.codes, wall_clock)
            app = App(
                loaded=loaded,
                store=store,
                deployment=active.deployment,
                ramp=active.ramp,
                event_clock=event_clock,
                codes=codes,
            )
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
