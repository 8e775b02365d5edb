"""`GET /v1/recommendations/{strategy}`: products to show on a page of the shop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from shopflow.domain.recommendation import MOST, About, Strategy
from shopflow.errors import StoreError, WrongRequest
from shopflow.runtime.advice import Advice, Question

#: Products that one question may start from, and letters of any of its words.
MOST_SKUS, LONGEST = 50, 500
#: Questions that are looked up at a time, and seconds that one may take.
AT_A_TIME, PATIENCE = 4, 5.0
#: What is recommended to nobody in particular may be kept so long; to somebody, not at all.
FOR_ANYBODY, FOR_SOMEBODY = "private, max-age=60", "private, no-store"

_PARAMETERS: Mapping[About, frozenset[str]] = {
    About.PRODUCTS: frozenset({"sku"}),
    About.WORDS: frozenset({"query"}),
    About.CUSTOMER: frozenset(),
    About.SHOP: frozenset({"category"}),
}
_ANY = frozenset({"customer_id", "limit"})


class _Refusal(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def route(advice: Advice, may_ask: Callable[[Request], bool]) -> Route:
    """The route; `may_ask` looks at the key that a request shows."""
    threads = ThreadPoolExecutor(max_workers=AT_A_TIME, thread_name_prefix="recommend")

    async def recommendations(request: Request) -> Response:
        try:
            _check_key(may_ask(request))
            question = _question(request.path_params["strategy"], request.query_params)
            _check_traits(advice.missing_traits(question))
            answer = asyncio.get_running_loop().run_in_executor(threads, advice.products, question)
            async with asyncio.timeout(PATIENCE):
                products = await answer
        except _Refusal as e:
            return JSONResponse({"error": e.message}, status_code=e.status)
        except WrongRequest as e:
            return JSONResponse({"error": str(e)}, status_code=400)
        except (StoreError, TimeoutError):
            return JSONResponse({"error": "the database does not answer"}, status_code=503)
        kept = FOR_SOMEBODY if question.customer_id else FOR_ANYBODY
        return JSONResponse(
            {"strategy": str(question.strategy), "products": products},
            headers={"cache-control": kept, "vary": "authorization"},
        )

    return Route("/v1/recommendations/{strategy}", recommendations)


def _check_key(may_ask: bool) -> None:  # noqa: FBT001 - a fact
    if not may_ask:
        raise _Refusal(401, "show the API key: Authorization: Bearer KEY")


def _check_traits(missing: Sequence[str]) -> None:
    if missing:
        names = " and ".join(missing)
        raise _Refusal(501, f"nobody knows what a customer has: rules declare no {names}")


def _question(name: str, given: QueryParams) -> Question:
    if name not in set(Strategy):
        raise _Refusal(404, f"no strategy of that name; there are {', '.join(Strategy)}")
    strategy = Strategy(name)
    allowed = _PARAMETERS[strategy.about] | _ANY
    if unknown := sorted(set(given) - allowed):
        known = ", ".join(sorted(allowed))
        raise _Refusal(400, f"{strategy} takes no '{unknown[0][:60]}'; it takes {known}")
    skus = given.getlist("sku")
    if len(skus) > MOST_SKUS:
        raise _Refusal(400, f"{len(skus)} skus; at most {MOST_SKUS} are looked at")
    if any(len(value) > LONGEST or "\0" in value for value in given.values()):
        raise _Refusal(400, f"a value of more than {LONGEST} letters, or one that is no text")
    repeated = [key for key in given if key != "sku" and len(given.getlist(key)) > 1]
    if repeated:
        raise _Refusal(400, f"'{repeated[0]}' is given twice")
    return Question(
        strategy=strategy,
        skus=skus,
        query=given.get("query", ""),
        category=given.get("category"),
        customer_id=given.get("customer_id", ""),
        limit=_limit(given.get("limit", "4")),
    )


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST):
        raise _Refusal(400, f"limit is a whole number from 1 to {MOST}")
    return int(text)
