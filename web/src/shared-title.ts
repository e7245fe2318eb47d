/**
 * The title of a document: the string `title` in its map `meta`. It is shared, saved and merged like the text, and has
 * an undo of its own. The list of documents follows it by itself.
 */
import * as Y from 'yjs';

const META = 'meta';
const TITLE = 'title';

export const TITLE_CHARACTERS_MAX = 500;

export class SharedTitle {
  readonly #doc: Y.Doc;
  readonly #meta: Y.Map<unknown>;
  readonly #undo: Y.UndoManager;
  readonly #changed: (event: Y.YMapEvent<unknown>) => void;

  /** `changed` is called when anybody has changed the title. */
  constructor(doc: Y.Doc, changed: () => void) {
    this.#doc = doc;
    this.#meta = doc.getMap(META);
    this.#undo = new Y.UndoManager(this.#meta, { trackedOrigins: new Set([this]) });
    this.#changed = event => event.keysChanged.has(TITLE) && changed();
    this.#meta.observe(this.#changed);
  }

  /** The title, or null if the document has never had one. */
  get text(): string | null {
    return readTitle(this.#doc);
  }

  set text(text: string) {
    if (text === this.text) return;
    this.#doc.transact(() => this.#meta.set(TITLE, text), this);
  }

  /** Take back the last change of ours. */
  undo(): void {
    this.#undo.undo();
  }

  redo(): void {
    this.#undo.redo();
  }

  close(): void {
    this.#meta.unobserve(this.#changed);
    this.#undo.destroy();
  }
}

/** Return the title of a document, or null if it has none. Another client may have put anything there. */
export function readTitle(doc: Y.Doc): string | null {
  const value = doc.getMap(META).get(TITLE);
  if (value instanceof Y.Text) return oneLine(value.toString());
  return typeof value === 'string' ? oneLine(value) : null;
}

/** Return what was typed or pasted as one line. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, TITLE_CHARACTERS_MAX);
}

/** Return where a caret at `at` in `before` belongs in `after`, which somebody else has made of it. */
export function caretAfter(before: string, after: string, at: number): number {
  let head = 0;
  while (head < at && head < after.length && before[head] === after[head]) head++;
  if (head === at) return at;
  return Math.max(head, after.length - (before.length - at));
}
