/**
 * What others changed while the tab was in the background: a count in the tab's title, and a dot on its icon.
 *
 * Keys are not counted but places: paragraphs, lists, tables, whatever stands at the top of the text.
 */
import type { AbstractType, Doc, XmlFragment, YEvent } from 'yjs';
import dotted from './icon-unseen.svg';

// biome-ignore lint/suspicious/noExplicitAny: the type of the events of any shared type, as Yjs declares it
type Shared = AbstractType<any>;

/** The root name of rich text in the shared document. */
const FIELD = 'default';

export class Unseen {
  readonly #places = new Set<unknown>();
  readonly #fragment: XmlFragment;
  readonly #changed: (count: number) => void;
  readonly #icon = document.querySelector<HTMLLinkElement>('link[rel="icon"]');
  readonly #plain = this.#icon?.href ?? '';

  /** `changed` is told how many places have changed since the person looked. */
  constructor(doc: Doc, changed: (count: number) => void) {
    this.#fragment = doc.getXmlFragment(FIELD);
    this.#changed = changed;
    this.#fragment.observeDeep((events, transaction) => {
      if (!transaction.local && document.hidden) this.#note(events);
    });
    document.addEventListener('visibilitychange', () => this.#seen());
  }

  #note(events: readonly YEvent<Shared>[]): void {
    for (const event of events) {
      if (event.target === this.#fragment) {
        for (const item of event.changes.added) this.#places.add(item);
        if (event.changes.added.size === 0) this.#places.add(this.#fragment); // something was deleted
      } else this.#places.add(this.#topOf(event.target)?._item);
    }
    this.#show();
  }

  #topOf(target: Shared): Shared | null {
    let node: Shared | null = target;
    while (node !== null && node.parent !== this.#fragment) node = node.parent as Shared | null;
    return node;
  }

  #seen(): void {
    if (document.hidden || this.#places.size === 0) return;
    this.#places.clear();
    this.#show();
  }

  #show(): void {
    if (this.#icon !== null) this.#icon.href = this.#places.size > 0 ? dotted : this.#plain;
    this.#changed(this.#places.size);
  }
}
