/** Document names, as people type them and as they appear in addresses. */

/** Turn what a person typed into a valid name: one line, in normal form C, no empty or dot-only segments. */
export function documentName(typed: string): string {
  const line = typed.normalize('NFC').replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ');
  const segments = line.split('/').map(segment => segment.trim());
  return segments.filter(segment => !['', '.', '..'].includes(segment)).join('/');
}

/** Return a name for a new document that was not given one. */
export function generatedName(random: () => number = Math.random): string {
  return `untitled-${Math.floor(random() * 36 ** 5)
    .toString(36)
    .padStart(5, '0')}`;
}

/** Put a new document into a folder that the person may write, where not every name is theirs to choose. */
export function placed(name: string, grants: Readonly<Record<string, unknown>> = {}): string {
  const writable = Object.keys(grants).filter(pattern =>
    ['editor', 'owner'].includes(String(grants[pattern])),
  );
  const folders = writable
    .filter(pattern => /^[^*]*\/\*\*?$/.test(pattern))
    .map(it => it.replace(/\*+$/, ''));
  const isOpen = writable.some(pattern => pattern === '**' || pattern === '*');
  const isPlaced = folders.some(folder => name.startsWith(folder));
  return isOpen || isPlaced || folders[0] === undefined ? name : folders[0] + name;
}

/** Return the address of a document's page, relative to the base of the site. */
export function documentPath(name: string): string {
  return `d/${name.split('/').map(encodeURIComponent).join('/')}`;
}

/** Return the name of the document at `address`, or null if it is not a document's address. */
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
