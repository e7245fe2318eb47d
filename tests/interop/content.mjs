// The content of a document in a form for comparison: the four roots of these tests, with a normal form of everything
// that may differ between equal documents (the order of keys, the boundaries of text runs).

import { createHash } from 'node:crypto'
import * as Y from 'yjs'

export const ROOTS = { content: Y.Text, default: Y.XmlFragment, list: Y.Array, meta: Y.Map }

/** The content of a document as plain JSON, with sorted keys: the same for all equal documents. */
export const contentOf = doc =>
  Object.fromEntries(Object.entries(ROOTS).map(([name, type]) => [name, plain(doc.get(name, type))]))

/**
 * An editor tidies up after formatting by others: it deletes marks that seem useless, and sends that as an edit of its
 * own. Which marks these are depends on the order of the updates it got. A reader must not do that.
 */
export const leaveUntidy = doc => {
  doc.on('afterTransaction', transaction => { transaction._needFormattingCleanup = false })
  return doc
}

/** Equal content, equal hash. */
export const hashOf = doc => createHash('sha256').update(JSON.stringify(contentOf(doc))).digest('hex')

const plain = value => {
  if (value instanceof Y.XmlElement) {
    return { attributes: sorted(value.getAttributes()), children: value.toArray().map(plain), tag: value.nodeName }
  }
  if (value instanceof Y.XmlFragment || value instanceof Y.Array) return value.toArray().map(plain)
  if (value instanceof Y.Text) return { text: runs(value.toDelta()) }
  if (value instanceof Y.Map) return { map: sorted(Object.fromEntries(value.entries())) }
  return ordered(value)
}

const sorted = object =>
  Object.fromEntries(Object.keys(object).sort().map(key => [key, plain(object[key])]))

// Primitive values: embeds, attributes of text and plain objects, with their keys in order.
const ordered = value =>
  Array.isArray(value) ? value.map(ordered)
    : value !== null && typeof value === 'object' && value.constructor === Object ? sorted(value)
      : value === undefined ? null : value

// Adjacent runs with the same attributes are joined.
const runs = delta => {
  const merged = []
  for (const { insert, attributes = {} } of delta) {
    const marks = sorted(attributes)
    const last = merged.at(-1)
    const isText = typeof insert === 'string'
    if (isText && last && typeof last[0] === 'string' && JSON.stringify(last[1]) === JSON.stringify(marks)) {
      last[0] += insert
    } else merged.push([isText ? insert : plain(insert), marks])
  }
  return merged
}
