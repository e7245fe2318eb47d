"""The sites whose pages were refused lately, so that the log names each once in a while.

A browser tells a page nothing about the reason, and most clients reconnect for ever. So the log has to say which site
it was and which setting allows it, and not every second. Origins come from strangers: no more than ``ORIGINS_MAX`` are
logged in ``REPEAT_S``.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from collab.observe.logs import get_logger

log = get_logger("origins")

REPEAT_S = 600
ORIGINS_MAX = 100
CHARACTERS_MAX = 255
SETTING = "COLLAB_ALLOWED_ORIGINS"


class RefusedOrigins:
    """Logs refused origins, each at most once in ``REPEAT_S``."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """``clock`` gives seconds, and never goes back."""
        self._clock = clock
        self._logged_s: OrderedDict[str, float] = OrderedDict()

    def report(self, origin: str) -> None:
        """Log that a page of ``origin`` was refused, unless it was logged a short time ago."""
        shown, now_s = origin[:CHARACTERS_MAX], self._clock()
        self._forget(now_s - REPEAT_S)
        if shown not in self._logged_s and len(self._logged_s) < ORIGINS_MAX:
            self._logged_s[shown] = now_s
            log.warning("origin_refused", origin=shown, setting=SETTING)

    def _forget(self, until_s: float) -> None:
        while self._logged_s and next(iter(self._logged_s.values())) <= until_s:
            self._logged_s.popitem(last=False)


class ReportingCors(CORSMiddleware):
    """CORS that also reports the sites whose REST requests a browser asks about in vain."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        refused: RefusedOrigins,
        allow_origins: Collection[str],
        allow_methods: Collection[str],
        allow_headers: Collection[str],
        expose_headers: Collection[str],
    ) -> None:
        super().__init__(
            app,
            allow_origins=tuple(allow_origins),
            allow_methods=tuple(allow_methods),
            allow_headers=tuple(allow_headers),
            expose_headers=tuple(expose_headers),
        )
        self._refused = refused

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer the question of a browser, and report the origin if the answer is no."""
        if not self.is_allowed_origin(request_headers["origin"]):
            self._refused.report(request_headers["origin"])
        return super().preflight_response(request_headers)
