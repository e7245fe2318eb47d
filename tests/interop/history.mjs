// Histories: the updates of several writers in real Yjs who sometimes sync with each other.
// The same seed makes the same bytes.

import * as Y from 'yjs'
import { ROOTS } from './content.mjs'

/**
 * One history: `edits` updates by `writers` writers.
 *
 * Returns the updates in the order in which they were made, so dependencies come first, each with its writer and
 * whether it is a `resync`: all that its writer had and an older state lacked, as in the answer to a SyncStep1. It
 * repeats other updates, and its structs may begin before theirs or end after them. There are `resyncs` of them,
 * besides the edits.
 */
export const makeHistory = ({ seed, writers, edits, resyncs = 0, calls = 2 }) => {
  const dice = new Dice(seed)
  const made = []
  const people = Array.from({ length: writers }, (_, writer) => new Writer(dice, writer, made))
  const olderStates = [Y.encodeStateVector(new Y.Doc())]
  const resync = () => {
    const who = dice.choose(people)
    made.push({ bytes: Y.encodeStateAsUpdate(who.doc, dice.choose(olderStates)), writer: who.number, resync: true })
  }
  let edited = 0
  let resynced = 0
  while (edited < edits) {
    const before = made.length
    dice.choose(people).edit(dice.integer(1, calls))
    edited += made.length - before
    if (dice.chance(0.3)) olderStates.push(Y.encodeStateVector(dice.choose(people).doc))
    if (resynced < resyncs * edited / edits && dice.chance(0.5)) { resync(); resynced++ }
    for (const other of people) {
      const before = made.length
      if (dice.chance(0.35)) other.hear(dice.choose(people))
      edited += made.length - before
    }
  }
  for (; resynced < resyncs; resynced++) resync()
  return made
}

export class Writer {
  constructor (dice, number, made) {
    this.dice = dice
    this.number = number
    this.doc = new Y.Doc()
    this.doc.clientID = dice.integer(1, 2 ** 32 - 1)
    for (const [name, type] of Object.entries(ROOTS)) this.doc.get(name, type)
    // Yjs also tidies up after formatting by others; providers send that too, so it belongs here.
    this.doc.on('update', (bytes, origin) => {
      if (origin !== 'heard') made.push({ bytes, writer: number, resync: false })
    })
  }

  hear (other) {
    if (other === this) return
    Y.applyUpdate(this.doc, Y.encodeStateAsUpdate(other.doc, Y.encodeStateVector(this.doc)), 'heard')
  }

  /** One update of this many calls, on any types in the document. */
  edit (calls) {
    this.doc.transact(() => {
      for (let i = 0; i < calls; i++) {
        const type = this.choose()
        if (type instanceof Y.Text) this.writeText(type)
        else if (type instanceof Y.Map) this.writeMap(type)
        else if (type instanceof Y.XmlFragment) this.writeTree(type)
        else this.writeList(type)
      }
    }, 'edit')
  }

  /** The type to edit. */
  choose () { return this.dice.choose([...Object.keys(ROOTS).map(name => this.doc.get(name)), ...inside(this.doc)]) }

  /** The places in a text where an edit may happen. */
  places (text) { return boundaries(text) }

  /** The attributes of a format. */
  marks () { return this.dice.choose(MARKS) }

  writeText (text) {
    const { dice } = this
    const places = this.places(text)
    const at = dice.choose(places)
    const rest = places.filter(place => place > at).slice(0, 4)
    const kind = dice.integer(0, 9)
    if (kind < 3 && rest.length) text.delete(at, dice.choose(rest) - at)
    else if (kind < 5 && rest.length) text.format(at, dice.choose(rest) - at, this.marks())
    else if (kind === 5) text.insertEmbed(at, { image: dice.word() })
    else if (kind === 6) text.insert(at, dice.word(), dice.choose(MARKS))
    else text.insert(at, dice.word())
  }

  writeMap (map) {
    const key = this.dice.choose(['title', 'kind', 'k'])
    if (this.dice.chance(0.25)) map.delete(key)
    else map.set(key, this.value())
  }

  writeList (list) {
    const at = this.dice.integer(0, list.length)
    if (at < list.length && this.dice.chance(0.4)) list.delete(at, this.dice.integer(1, Math.min(3, list.length - at)))
    else list.insert(at, Array.from({ length: this.dice.integer(1, 3) }, () => this.value()))
  }

  writeTree (parent) {
    const { dice } = this
    const at = dice.integer(0, parent.length)
    const kind = dice.integer(0, 9)
    if (kind < 3 && parent instanceof Y.XmlElement) {
      if (dice.chance(0.3)) parent.removeAttribute('align')
      else parent.setAttribute('align', dice.choose(['left', 'right', 3]))
    } else if (kind < 5 && at < parent.length) parent.delete(at, dice.integer(1, Math.min(2, parent.length - at)))
    else if (kind < 7) parent.insert(at, [new Y.XmlText(dice.word())])
    else {
      const element = new Y.XmlElement(dice.choose(['paragraph', 'heading', 'blockquote']))
      if (dice.chance(0.7)) element.insert(0, [new Y.XmlText(dice.word())])
      parent.insert(at, [element])
    }
  }

  value () {
    const { dice } = this
    return dice.choose([
      () => dice.word(), () => dice.integer(-3, 300), () => null, () => true, () => 0.5,
      () => ({ a: [dice.word()] }), () => new Y.Map([['in', dice.word()]]), () => Y.Array.from([1, dice.word()])
    ])()
  }
}

const MARKS = [{ bold: true }, { bold: null }, { italic: true }, { link: { href: 'x' } }, { link: null, bold: true }]

/** Every shared type in the document, except its roots. */
const inside = doc => {
  const found = []
  const stack = Object.keys(ROOTS).map(name => doc.get(name))
  while (stack.length) {
    const type = stack.pop()
    const children = type instanceof Y.Map ? [...type.values()] : type instanceof Y.Text ? [] : type.toArray()
    for (const child of children) {
      if (child instanceof Y.AbstractType) { found.push(child); stack.push(child) }
    }
  }
  return found
}

/** The places of a text between whole characters; people.mjs also splits characters. */
const boundaries = text => {
  const places = [0]
  for (const { insert } of text.toDelta()) {
    for (const piece of typeof insert === 'string' ? insert : [' ']) places.push(places.at(-1) + piece.length)
  }
  return places
}

/** Mulberry32: random enough for tests, and the same everywhere. */
export class Dice {
  constructor (seed) { this.state = seed >>> 0 }

  roll () {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  integer (least, most) { return least + Math.floor(this.roll() * (most - least + 1)) }
  chance (probability) { return this.roll() < probability }
  choose (from) { return from[this.integer(0, from.length - 1)] }
  word () { return this.choose(['a', 'bc', 'def', 'é', '😀', 'x😀y', ' ', 'line\n', 'nine more']) }
}
