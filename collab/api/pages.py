"""The editor's pages: the build of ``web/``, as committed under ``static/``.

The pages carry no secret and need no token; what they show they ask REST and the socket for.
"""

from functools import cache
from html import escape
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.exceptions import HTTPException

STATIC = Path(__file__).parent / "static"
POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "connect-src 'self' ws: wss:; img-src 'self' data: blob:; object-src 'none'; base-uri 'self'; "
    "frame-ancestors 'none'"
)
PAGE_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
FILE_HEADERS = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
FOREVER = FILE_HEADERS | {"Cache-Control": "public, max-age=31536000, immutable"}

router = APIRouter(include_in_schema=False)


@router.get("/")
async def documents_page(request: Request) -> Response:
    """The list of documents."""
    return _page(request, "index.html")


@router.get("/d/{document:path}")
async def editor_page(request: Request, document: str) -> Response:
    """One document. Its name is read by the page itself."""
    return _page(request, "editor.html")


@router.get("/assets/{path:path}")
async def asset(path: str) -> Response:
    """A file whose name holds the hash of its content."""
    return _file(STATIC / "assets", path, FOREVER)


@router.get("/collab-editor.js")
async def element() -> Response:
    """The element as one file at a stable name, for pages of other sites."""
    return _file(STATIC, "collab-editor.js", FILE_HEADERS | {"Access-Control-Allow-Origin": "*"})


@router.get("/licenses.md")
async def licenses() -> Response:
    """Licences of everything in the bundle."""
    return _file(STATIC, "licenses.md", FILE_HEADERS)


def _page(request: Request, name: str) -> Response:
    base = escape(request.scope.get("root_path", "").rstrip("/") + "/", quote=True)
    return HTMLResponse(_source(name).replace('<base href="/" />', f'<base href="{base}" />'), headers=PAGE_HEADERS)


@cache
def _source(name: str) -> str:
    return (STATIC / name).read_text()


def _file(root: Path, path: str, headers: dict[str, str]) -> Response:
    try:
        file = (root / path).resolve()
        is_ours = file.is_relative_to(root) and file.is_file()
    except (ValueError, OSError):  # no file system has such a name
        is_ours = False
    if not is_ours:
        raise HTTPException(404, "There is no such file.")
    return FileResponse(file, headers=headers)
