/**
 * Finds content that this editor's schema does not know, before the editor sees it.
 *
 * The binding between the shared document and the editor deletes what it cannot display, for everybody. So the
 * editor must be closed before the binding meets such content.
 */
import type { Schema } from '@tiptap/pm/model';
import * as Y from 'yjs';

/** Return the name of the first thing below `root` that `schema` does not know, or null. */
export function findUnsupported(root: Y.XmlFragment, schema: Schema): string | null {
  for (const child of root.toArray()) {
    const found =
      child instanceof Y.XmlText && !(root instanceof Y.XmlElement) ? 'text' : unsupportedNode(child, schema);
    if (found !== null) return found;
  }
  return null;
}

/** Call `found` with a name as soon as a change brings unknown content. Return a function that stops watching. */
export function watchUnsupported(
  root: Y.XmlFragment,
  schema: Schema,
  found: (name: string) => void,
): () => void {
  const check = (events: Y.YEvent<Y.AbstractType<unknown>>[]): void => {
    const name = first(events, event => unsupportedInEvent(event, schema, root));
    if (name !== null) found(name);
  };
  root.observeDeep(check);
  return () => root.unobserveDeep(check);
}

function unsupportedInEvent(
  event: Y.YEvent<Y.AbstractType<unknown>>,
  schema: Schema,
  root: Y.XmlFragment,
): string | null {
  if (event.target instanceof Y.XmlText) return unsupportedInText(event.target, schema);
  return first(event.changes.added, item => {
    const type = item.content instanceof Y.ContentType ? item.content.type : null;
    if (type === null) return null;
    return event.target === root && type instanceof Y.XmlText ? 'text' : unsupportedNode(type, schema);
  });
}

function unsupportedNode(node: unknown, schema: Schema): string | null {
  if (node instanceof Y.XmlText) return unsupportedInText(node, schema);
  if (!(node instanceof Y.XmlElement)) return 'hook';
  return schema.nodes[node.nodeName] === undefined ? node.nodeName : findUnsupported(node, schema);
}

function unsupportedInText(text: Y.XmlText, schema: Schema): string | null {
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

function first<T>(things: Iterable<T>, check: (thing: T) => string | null): string | null {
  for (const thing of things) {
    const found = check(thing);
    if (found !== null) return found;
  }
  return null;
}
