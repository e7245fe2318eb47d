"""The editor's pages, as built from ``web/`` and committed under ``static/``.

The pages hold no secret and need no token: a page asks REST and the WebSocket for what it shows.
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
@router.get("/bin")
@router.get("/new")
async def documents_page(request: Request) -> Response:
    """Serve the list of documents, the bin, or a new document. The page looks at its own address."""
    return _page(request, "index.html")


@router.get("/d/{document:path}")
async def editor_page(request: Request, document: str) -> Response:
    """Serve the editor of one document. The page reads the name from its own address."""
    return _page(request, "editor.html")


@router.get("/assets/{path:path}")
async def asset(path: str) -> Response:
    """Serve a file whose name holds the hash of its content, so browsers may keep it for ever."""
    return _file(STATIC / "assets", path, FOREVER)


@router.get("/collab-editor.js")
async def element() -> Response:
    """Serve ``<collab-editor>`` as one file at a stable address, for pages of other sites."""
    return _file(STATIC, "collab-editor.js", FILE_HEADERS | {"Access-Control-Allow-Origin": "*"})


@router.get("/theme.js")
async def theme() -> Response:
    """Serve the script that applies the chosen theme before a page is drawn."""
    return _file(STATIC, "theme.js", FILE_HEADERS)


@router.get("/licenses.md")
async def licenses() -> Response:
    """Serve the licences of everything in the build."""
    return _file(STATIC, "licenses.md", FILE_HEADERS)


def wants_page(request: Request) -> bool:
    """Return True if a person's browser asks for a page, and not a program or a page for a file."""
    path, accepted = request.url.path, request.headers.get("accept", "")
    return request.method in ("GET", "HEAD") and "text/html" in accepted and "/api/" not in path and "." not in path


def not_found(request: Request) -> Response:
    """Answer with a page that says so: the list's, which does not know the address either."""
    return _page(request, "index.html", status=404)


def _page(request: Request, name: str, *, status: int = 200) -> Response:
    base = escape(request.scope.get("root_path", "").rstrip("/") + "/", quote=True)
    page = _source(name).replace('<base href="/" />', f'<base href="{base}" />')
    return HTMLResponse(page, status, headers=PAGE_HEADERS)


@cache
def _source(name: str) -> str:
    return (STATIC / name).read_text()


def _file(root: Path, path: str, headers: dict[str, str]) -> Response:
    try:
        file = (root / path).resolve()
        is_served = file.is_relative_to(root) and file.is_file()
    except (ValueError, OSError):  # a name that no file system allows
        is_served = False
    if not is_served:
        raise HTTPException(404, "This file does not exist.")
    return FileResponse(file, headers=headers)
