"""Which requests are served: those of the page itself, and of those who have the token."""

import hmac
from urllib.parse import urlsplit

from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp

COOKIE = 'mmpolar_studio'
LOOPBACK = ('127.0.0.1', 'localhost', '::1')
#: Nothing but the page's own files, in no other page's frame.
_HEADERS = {
    'content-security-policy': "default-src 'self'; img-src 'self' blob: data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
}


class Guard(BaseHTTPMiddleware):
    """Refuses requests of other pages, under other names, and without the token.

    A page of the internet can make a browser send requests to 127.0.0.1, directly or under a name of its
    own that leads there. Such requests have another ``Origin`` or ``Host``.

    Args:
        app: The application behind.
        token: What has to be known; None where only this machine can connect.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        super().__init__(app)
        self.token = token

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Serve or refuse a request."""
        refusal = self._refuse(request)
        if refusal is not None:
            return refusal
        response = await call_next(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    def _refuse(self, request: Request) -> Response | None:
        """The answer to a request that is not served, None for one that is."""
        headers = request.headers
        host, origin = headers.get('host', ''), headers.get('origin')
        if self.token is None and urlsplit(f'//{host}').hostname not in LOOPBACK:
            return PlainTextResponse('this name does not lead here', 403)
        is_foreign = origin is not None and urlsplit(origin).netloc != host
        site, mode = headers.get('sec-fetch-site', 'none'), headers.get('sec-fetch-mode')
        is_embedded = site not in ('none', 'same-origin') and mode != 'navigate'
        if is_foreign or is_embedded:
            return PlainTextResponse('requests of other pages are refused', 403)
        return None if self.token is None else self._ask_for_token(request)

    def _ask_for_token(self, request: Request) -> Response | None:
        given = request.query_params.get('token', '')
        if request.url.path == '/' and self._is_token(given):
            response = RedirectResponse('/', 303)
            response.set_cookie(COOKIE, given, httponly=True, samesite='strict')
            return response
        if self._is_token(request.cookies.get(COOKIE, '')):
            return None
        return PlainTextResponse('open the address that mmpolar studio has printed', 401)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self.token.encode())
