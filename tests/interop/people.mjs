// Simulated users: live documents of real Yjs, one per page, each with an undo manager and presence. They send the
// messages of a provider; the test delivers them.

import * as awarenessProtocol from 'y-protocols/awareness'
import * as Y from 'yjs'
import { ROOTS, contentOf, hashOf, leaveUntidy } from './content.mjs'
import { Dice, Writer } from './history.mjs'

const pages = new Map()
const text = bytes => Buffer.from(bytes).toString('base64')
const bytes = text => new Uint8Array(Buffer.from(text, 'base64'))

/** {"ask": "open", "page": …, "seed": …, "present": …, "tidies": …}: a page opens the document; its client id. */
export const open = ({ page, seed, present, tidies }) => {
  pages.get(page)?.doc.destroy()
  pages.set(page, new Page(seed, page, present, tidies))
  return pages.get(page).doc.clientID
}

/** {"ask": "close"}: all pages are closed. */
export const close = () => {
  for (const { doc } of pages.values()) doc.destroy()
  pages.clear()
  return null
}

/** {"ask": "edit", "page": …, "seed": …}: what a page sends after an edit, an undo or a redo. */
export const edit = ({ page, seed }) => pages.get(page).saying(person => person.work(new FullDice(seed)))

/** {"ask": "hear", "page": …, "frames": [[kind, base64], …]}: what a page sends in answer to frames. */
export const hear = ({ page, frames }) =>
  pages.get(page).saying(person => { for (const [kind, payload] of frames) person[kind](bytes(payload)) })

/** {"ask": "hello", "page": …}: what it sends on a new connection. {"ask": "renew"}: what it sends from time to time. */
export const hello = ({ page }) => pages.get(page).saying(person => person.hello())
export const renew = ({ page }) => pages.get(page).saying(person => person.renew())

/** {"ask": "look", "pages": [page, …]}: the content of each and its hash, its clocks, and the ids it waits for. */
export const look = ({ pages: asked }) => asked.map(page => {
  const { doc } = pages.get(page)
  return {
    content: contentOf(doc),
    hash: hashOf(doc),
    state: Object.fromEntries(Y.decodeStateVector(Y.encodeStateVector(doc))),
    awaits: awaited(doc.store)
  }
})

const awaited = ({ pendingStructs, pendingDs }) => {
  const deleted = pendingDs === null ? [] : [...Y.decodeUpdateV2(pendingDs).ds.clients]
  return [
    ...(pendingStructs?.missing ?? []),
    ...deleted.flatMap(([client, ranges]) => ranges.map(({ clock, len }) => [client, clock + len - 1]))
  ]
}

class Page extends Writer {
  constructor (seed, number, present, tidies) {
    super(new FullDice(seed), number, [])
    // A reader cannot send its tidying edits, and would see other formats than all others.
    if (!tidies) leaveUntidy(this.doc)
    this.said = []
    const roots = Object.keys(ROOTS).map(name => this.doc.get(name))
    // Edits are undone together until the capture is stopped: time plays no part.
    this.undo = new Y.UndoManager(roots, { captureTimeout: Infinity, trackedOrigins: new Set(['edit']) })
    this.doc.on('update', (update, origin) => { if (origin !== 'heard') this.say('update', update) })
    this.awareness = new awarenessProtocol.Awareness(this.doc)
    if (!present) this.awareness.setLocalState(null)
    // Providers relay the presence of all clients.
    this.awareness.on('update', ({ added, updated, removed }) => this.tell([...added, ...updated, ...removed]))
  }

  say (kind, payload) { this.said.push([kind, text(payload)]) }
  tell (clients) { this.say('presence', awarenessProtocol.encodeAwarenessUpdate(this.awareness, clients)) }

  /** What this page sends during `happen`. */
  saying (happen) {
    this.said = []
    happen(this)
    return this.said
  }

  hello () {
    const others = [...this.awareness.states.keys()].filter(client => client !== this.doc.clientID)
    awarenessProtocol.removeAwarenessStates(this.awareness, others, 'a new connection')
    this.said = []
    this.say('step1', Y.encodeStateVector(this.doc))
    if (this.awareness.getLocalState() !== null) this.tell([this.doc.clientID])
  }

  renew () {
    const state = this.awareness.getLocalState()
    if (state !== null) this.awareness.setLocalState(state)
  }

  step1 (state) { this.say('step2', Y.encodeStateAsUpdate(this.doc, state)) }
  step2 (update) { Y.applyUpdate(this.doc, update, 'heard') }
  update (update) { this.step2(update) }
  presence (update) { awarenessProtocol.applyAwarenessUpdate(this.awareness, update, 'heard') }

  work (dice) {
    this.dice = dice
    const kind = dice.integer(0, 9)
    if (dice.chance(0.5)) this.undo.stopCapturing()
    if (kind === 0 && this.undo.canRedo()) this.undo.redo()
    else if (kind <= 2 && this.undo.canUndo()) this.undo.undo()
    else this.edit(dice.integer(1, 3))
  }

  /** Half of all edits go to one text, so that they conflict. */
  choose () { return this.dice.chance(0.5) ? this.doc.get('content') : super.choose() }

  /** JavaScript counts UTF-16 code units, so an editor may come between two surrogates. */
  places (text) {
    this.cuts = this.dice.chance(0.3)
    return this.cuts ? units(text) : super.places(text)
  }

  /**
   * A mark between two surrogates must be a new one. Yjs does not send a mark that is there already, but still splits
   * the character: in this document alone.
   */
  marks () { return this.cuts ? { colour: this.dice.integer(0, 2 ** 31) } : super.marks() }
}

const units = text => Array.from({ length: text.length + 1 }, (_, at) => at)

class FullDice extends Dice {
  word () {
    return this.choose(['a', 'bc', 'def', 'é', '😀', '🐈x', '👩‍👩‍👧‍👦', '🇩🇪', '👍🏽', ' ', 'line\n'])
  }
}
