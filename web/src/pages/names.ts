/** Document names, as people type them and as they appear in addresses. */

/** Turn what a person typed into a valid name: one line, in normal form C, no empty or dot-only segments. */
export function documentName(typed: string): string {
  const line = typed.normalize('NFC').replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ');
  const segments = line.split('/').map(segment => segment.trim());
  return segments.filter(segment => !['', '.', '..'].includes(segment)).join('/');
}

const LETTERS = 'bcdfghjkmnpqrstvwxyz'; // no vowels: they would make words
const GENERATED = new RegExp(`^[${LETTERS}]{4}[2-9][${LETTERS}]{4}$`);

/** Return a short name for a new document: it is an address, and never shown as a title. */
export function generatedName(random: () => number = Math.random): string {
  const one = (of: string): string => of[Math.floor(random() * of.length)] ?? '';
  const four = (): string => [1, 2, 3, 4].map(() => one(LETTERS)).join('');
  return `${four()}${one('23456789')}${four()}`;
}

/** Return what to call a document: its title, else the last part of its name if a person chose that. */
export function titleOf({ name, title }: { name: string; title: string }): string {
  const last = name.split('/').at(-1) ?? name;
  return title || (GENERATED.test(last) ? 'Untitled' : last);
}

/** Return the folder of a document, without the last slash; empty at the top. */
export function folderOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('/')));
}

/** Return the address of the list of a folder's documents, relative to the base of the site. */
export function listPath(folder: string): string {
  return folder === '' ? '' : `?${new URLSearchParams({ folder })}`;
}

/** Return the folder that the address of a list names; empty for all documents. */
export function folderAt(address: string): string {
  return documentName(new URL(address).searchParams.get('folder') ?? '');
}

/** Return the names of the folders right below `folder` that hold some of these documents, sorted. */
export function foldersIn(folder: string, documents: readonly { readonly name: string }[]): string[] {
  const start = folder === '' ? '' : `${folder}/`;
  const rests = documents
    .filter(({ name }) => name.startsWith(start))
    .map(({ name }) => name.slice(start.length).split('/'));
  const found = new Set(rests.filter(parts => parts.length > 1).map(([first]) => first ?? ''));
  return [...found].sort((a, b) => a.localeCompare(b));
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
