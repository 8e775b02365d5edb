"""How often what happens in the simulated shop: every chance it takes, by name, in one place.

The figures are of the order that shops of this size report; nothing is fitted to a real one.
"""

from __future__ import annotations

from random import Random


class Chance(float):
    """How likely a turn of events is, from 0 to 1."""

    __slots__ = ()

    def falls(self, rng: Random) -> bool:
        """Whether it happens this time."""
        return rng.random() < self


#: Came before the month that is simulated.
KNOWN_BEFORE = Chance(0.5)
#: The shop knows them by a cookie only, until they say who they are.
COMES_UNKNOWN = Chance(0.3)
FRENCH = Chance(0.72)
PAYS_BY_TRANSFER = Chance(0.12)
#: A first visit ends with an account or the newsletter.
LEAVES_ADDRESS = Chance(0.8)
PREFERS_NEWSLETTER = Chance(0.27)
TELLS_BIRTHDAY = Chance(0.25)
TELLS_CHILDREN = Chance(0.15)
TELLS_POSTCODE = Chance(0.3)
FORGETS_PASSWORD = Chance(0.05)
CHANGES_ADDRESS = Chance(0.03)
CLOSES_ACCOUNT = Chance(0.015)
ASKS_FOR_HELP = Chance(0.07)
ASKS_FOR_GUIDE = Chance(0.07)
ENTERS_CONTEST = Chance(0.08)
WINS_CONTEST = Chance(0.1)
COLLECTS_POINTS = Chance(0.35)
CONFIRMS_OPT_IN = Chance(0.84)
#: Of those who confirmed: withdraws within two months.
WITHDRAWS = Chance(0.07)

SEARCHES = Chance(0.08)
#: Comes by an advertisement, and sees what the shop praises.
COMES_BY_AD = Chance(0.15)
SEES_PROMOTION = Chance(0.2)
LIKES_POST = Chance(0.05)
ADDS_TO_WISHLIST = Chance(0.03)
STAYS_ON_SHELF = Chance(0.7)
ADDS_TO_CART = Chance(0.13)
EMPTIES_CART = Chance(0.06)
CHECKS_OUT = Chance(0.62)
LEAVES_AT_STEP = Chance(0.07)
#: Is back within two days when a cart waits.
RETURNS_TO_CART = Chance(0.35)

CANCELS_ORDER = Chance(0.03)
TRANSFER_ON_TIME = Chance(0.55)
#: Of the transfers that are not on time: comes after a reminder.
TRANSFER_AFTER_REMINDER = Chance(0.7)
DELIVERED_LATE = Chance(0.08)
POSTS_REVIEW = Chance(0.17)
#: A thing has to be made first.
BACKORDERED = Chance(0.03)
ORDERS_FOR_COMPANY = Chance(0.05)
PAYS_INVOICE_ON_TIME = Chance(0.6)
SENDS_BACK = Chance(0.07)
ANSWERS_QUESTION = Chance(0.2)
#: Looks for a code before every order, and has one more often than not.
HUNTS_CODES = Chance(0.1)
HAS_CODE = Chance(0.8)
FINDS_CODE = Chance(0.08)
