/** What the element needs from the root of its tree: the page's document, or the shadow root of another element. */
import contentStyles from './content.css?inline';

let sheet: CSSStyleSheet | null = null;

/** Add the styles of the text to `root`, once. A constructed sheet is used because a CSP may forbid inline styles. */
export function adoptContentStyles(root: Node): void {
  if (!(root instanceof Document || root instanceof ShadowRoot)) return;
  if (sheet === null) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(contentStyles);
  }
  if (!root.adoptedStyleSheets.includes(sheet)) root.adoptedStyleSheets.push(sheet);
}

/**
 * Give a shadow root the `createRange` of the document. Without it the editor's binding throws while it applies
 * a remote change, and the next key press deletes that text for everybody.
 */
export function lendCreateRange(root: Node): void {
  if (root instanceof ShadowRoot && !('createRange' in root)) {
    Object.defineProperty(root, 'createRange', { value: () => document.createRange() });
  }
}

/** Return the WebSocket address that `server` stands for on this page. */
export function socketAddress(server: string, base: string = document.baseURI): string {
  const url = new URL(server, base);
  url.protocol = { 'http:': 'ws:', 'https:': 'wss:' }[url.protocol] ?? url.protocol;
  return url.href;
}
