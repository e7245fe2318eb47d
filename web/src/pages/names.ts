/** Document names, as people type them and as addresses hold them. */

/** What a person typed, as a document name may be: one line, composed, no empty or dot-only segments. */
export function documentName(typed: string): string {
  const line = typed.normalize('NFC').replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ');
  const segments = line.split('/').map(segment => segment.trim());
  return segments.filter(segment => !['', '.', '..'].includes(segment)).join('/');
}

/** A name for a document that was given none. */
export function inventedName(random: () => number = Math.random): string {
  return `untitled-${Math.floor(random() * 36 ** 5)
    .toString(36)
    .padStart(5, '0')}`;
}

/** The editor's address for a document, relative to the base of the site. */
export function documentPath(name: string): string {
  return `d/${name.split('/').map(encodeURIComponent).join('/')}`;
}

/** The document that `address` names, or null when it names none. */
export function documentAt(address: string, base: string): string | null {
  const root = new URL('d/', base).pathname;
  const path = new URL(address).pathname;
  if (!path.startsWith(root)) return null;
  try {
    return decodeURIComponent(path.slice(root.length)) || null;
  } catch {
    return null;
  }
}
