/**
 * Finds what this editor's schema does not know, before the editor sees it.
 *
 * The binding between the shared document and the editor deletes elements and text that it cannot show, for
 * everybody. So an editor that meets something foreign must be shut before the binding runs.
 */
import type { Schema } from '@tiptap/pm/model';
import * as Y from 'yjs';

/** The name of the first thing in `root` and below that `schema` has no word for, or null. */
export function foreignIn(root: Y.XmlFragment, schema: Schema): string | null {
  for (const child of root.toArray()) {
    const found =
      child instanceof Y.XmlText && !(root instanceof Y.XmlElement) ? 'text' : foreign(child, schema);
    if (found !== null) return found;
  }
  return null;
}

/** Calls `found` with a name as soon as a change brings something foreign; returns what ends the watch. */
export function watchForeign(root: Y.XmlFragment, schema: Schema, found: (name: string) => void): () => void {
  const look = (events: Y.YEvent<Y.AbstractType<unknown>>[]): void => {
    const name = first(events, event => foreignInEvent(event, schema, root));
    if (name !== null) found(name);
  };
  root.observeDeep(look);
  return () => root.unobserveDeep(look);
}

function foreignInEvent(
  event: Y.YEvent<Y.AbstractType<unknown>>,
  schema: Schema,
  root: Y.XmlFragment,
): string | null {
  if (event.target instanceof Y.XmlText) return foreignInText(event.target, schema);
  return first(event.changes.added, item => {
    const type = item.content instanceof Y.ContentType ? item.content.type : null;
    if (type === null) return null;
    return event.target === root && type instanceof Y.XmlText ? 'text' : foreign(type, schema);
  });
}

function foreign(node: unknown, schema: Schema): string | null {
  if (node instanceof Y.XmlText) return foreignInText(node, schema);
  if (!(node instanceof Y.XmlElement)) return 'hook';
  return schema.nodes[node.nodeName] === undefined ? node.nodeName : foreignIn(node, schema);
}

function foreignInText(text: Y.XmlText, schema: Schema): string | null {
  return first(text.toDelta() as Delta[], part => {
    if (typeof part.insert !== 'string') return 'embed';
    // A mark that may overlap itself is stored as its name, "--" and a hash.
    const names = Object.keys(part.attributes ?? {}).map(key => key.replace(/--[a-zA-Z0-9+/=]{8}$/, ''));
    return names.find(name => schema.marks[name] === undefined) ?? null;
  });
}

interface Delta {
  readonly insert: unknown;
  readonly attributes?: Record<string, unknown>;
}

function first<T>(things: Iterable<T>, look: (thing: T) => string | null): string | null {
  for (const thing of things) {
    const found = look(thing);
    if (found !== null) return found;
  }
  return null;
}
