"""Who comes to the simulated shop: names, languages, and what each thinks of being written to."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from random import Random

from shopflow.demo import habits


class Attitude(StrEnum):
    """What someone thinks of marketing: agrees to it, tolerates it after buying, or refuses."""

    KEEN = "keen"
    EASY = "easy"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One customer of the simulated shop; the address lies in a domain that nobody can own."""

    id: str
    first_name: str
    last_name: str
    email: str
    locale: str
    country: str
    timezone: str
    attitude: Attitude
    #: Mean days between two visits.
    rhythm: float
    #: Likes to pay by bank transfer.
    pays_by_transfer: bool
    #: Looks for a code before every order.
    hunts_codes: bool
    #: Is a member of the points programme.
    collects_points: bool

    @property
    def contact(self) -> dict[str, object]:
        """What the person fills into a form."""
        return {
            "email": self.email,
            "first_name": self.first_name,
            "last_name": self.last_name,
            "locale": self.locale,
            "country": self.country,
            "timezone": self.timezone,
        }


_FIRST = {
    "fr": (
        "Anna Baptiste Camille Chloé Clément Élise Émile Fanny Gabriel Hélène Inès Jeanne Jules "
        "Karim Léa Louis Manon Marius Mathilde Nadia Noé Océane Paul Rémi Sarah Sofiane Théo "
        "Valentine Yasmine Zoé"
    ),
    "en": (
        "Adam Alice Amelia Arthur Beth Callum Daisy Edward Emma Freya George Grace Harriet Henry "
        "Imogen Isla Jack James Lily Lucy Maisie Noah Oliver Olivia Poppy Ruth Samuel Sophie "
        "Thomas William"
    ),
}
_LAST = {
    "fr": (
        "Bernard Blanc Bonnet Chevalier Dubois Dupont Durand Faure Fontaine Fournier Garnier "
        "Girard Henry Lambert Laurent Lefèvre Legrand Leroy Martin Mercier Moreau Morel Petit "
        "Perrin Renaud Robert Rousseau Roux Simon Vidal"
    ),
    "en": (
        "Adams Baker Bennett Brown Carter Clarke Cooper Davies Evans Foster Green Hall Harris "
        "Hughes Jackson Kelly King Lewis Mitchell Moore Murphy Parker Price Reed Shaw Taylor "
        "Turner Walker Ward Young"
    ),
}
#: Country and time zone by language, with how often each is met.
_HOMES = {
    "fr": (
        (("FR", "Europe/Paris"), 84),
        (("BE", "Europe/Brussels"), 10),
        (("CH", "Europe/Zurich"), 6),
    ),
    "en": ((("GB", "Europe/London"), 80), (("IE", "Europe/Dublin"), 20)),
}
_MAIL_DOMAINS = ("example.com", "example.org", "example.net", "courriel.example")


def _plain(text: str) -> str:
    """The text in lower-case ASCII, for a mail address."""
    folded = unicodedata.normalize("NFKD", text)
    return folded.encode("ascii", "ignore").decode("ascii").lower()


def make_person(number: int, rng: Random) -> Person:
    """The customer of that number; the same number and randomness give the same person."""
    locale = "fr" if habits.FRENCH.falls(rng) else "en"
    first, last = rng.choice(_FIRST[locale].split()), rng.choice(_LAST[locale].split())
    homes, weights = zip(*_HOMES[locale], strict=True)
    country, timezone = rng.choices(homes, weights)[0]
    return Person(
        id=f"c-{number:05}",
        first_name=first,
        last_name=last,
        email=f"{_plain(first)}.{_plain(last)}{number}@{rng.choice(_MAIL_DOMAINS)}",
        locale=locale,
        country=country,
        timezone=timezone,
        attitude=rng.choices(list(Attitude), (45, 33, 22))[0],
        rhythm=rng.lognormvariate(3.05, 0.7),
        pays_by_transfer=habits.PAYS_BY_TRANSFER.falls(rng),
        hunts_codes=habits.HUNTS_CODES.falls(rng),
        collects_points=habits.COLLECTS_POINTS.falls(rng),
    )


def nearest_store(person: Person) -> dict[str, object]:
    """The store that is nearest to the person, and how far they live from it."""
    town = "Grenoble" if person.locale == "fr" else "London"
    return {
        "name": town,
        # Anywhere within the reach of a train, always the same for the same person.
        "distance_km": float(int(person.id.rpartition("-")[2]) * 7 % 90),
        "url": f"https://boutique.example/{person.locale}/{town.lower()}",
    }
