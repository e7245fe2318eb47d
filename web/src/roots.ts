/**
 * What the element needs of the tree it stands in: the page's document, or a host's shadow root.
 */
import contentStyles from './content.css?inline';

let sheet: CSSStyleSheet | null = null;

/** Gives `root` the styles of the text, once. A constructed sheet: no inline style for a CSP to refuse. */
export function adoptContentStyles(root: Node): void {
  if (!(root instanceof Document || root instanceof ShadowRoot)) return;
  if (sheet === null) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(contentStyles);
  }
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
}

/**
 * Gives a host's shadow root the `createRange` of the document. Without it the editor's binding throws
 * while it applies a change of somebody else's, and the next key deletes their text for everybody.
 */
export function lendCreateRange(root: Node): void {
  if (root instanceof ShadowRoot && !('createRange' in root)) {
    Object.defineProperty(root, 'createRange', { value: () => document.createRange() });
  }
}

/** The WebSocket address that `server` means on this page. */
export function socketAddress(server: string, base: string = document.baseURI): string {
  const url = new URL(server, base);
  url.protocol = { 'http:': 'ws:', 'https:': 'wss:' }[url.protocol] ?? url.protocol;
  return url.href;
}
