// Real JavaScript clients under remote control. One JSON request a line on stdin, one JSON answer a line on stdout:
//
//   {"id": 1, "do": "open", "client": "ada", "generation": "y-websocket 3.1.0", "how": {"document": "d", …}}
//   {"id": 1, "value": null}            or  {"id": 1, "error": "…"}
//
// Requests run concurrently; a request that waits for a condition answers once it is true. `generations` has what differs
// between the generations of clients; the rest uses Yjs and Awareness, as an editor does.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { gunzipSync } from 'node:zlib'
import { HocuspocusProvider as Hocuspocus4, HocuspocusProviderWebsocket as Socket4 } from '@hocuspocus/provider'
import { HocuspocusProvider as Hocuspocus2, HocuspocusProviderWebsocket as Socket2 } from 'hocuspocus-provider-2'
import { HocuspocusProvider as Hocuspocus3, HocuspocusProviderWebsocket as Socket3 } from 'hocuspocus-provider-3'
import * as decoding from 'lib0/decoding'
import { WebSocket } from 'ws'
import { WebsocketProvider as YWebsocket31 } from 'y-websocket'
import { WebsocketProvider as YWebsocket1 } from 'y-websocket-1'
import { WebsocketProvider as YWebsocket30 } from 'y-websocket-3-0'
import * as Y from 'yjs'
import { hashOf } from './content.mjs'

const BUFFERED_BYTES_MAX = 1 << 20
const EDITS_BETWEEN_BREATHS = 500

/** Counts frames on a socket, for one document: sync messages sent, sync statuses received. */
class Books {
  constructor (document, dialect) {
    Object.assign(this, { document, dialect, opened: 0, step1s: 0, updates: 0, statuses: 0, closes: [] })
  }

  /** A WebSocket class for a provider that counts in all of these books. */
  static socketClass (shelf) {
    return class extends WebSocket {
      constructor (...args) {
        super(...args)
        this.on('open', () => shelf.forEach(books => books.opened++))
        this.on('close', code => shelf.forEach(books => books.closes.push(code)))
        this.on('message', frame => shelf.forEach(books => books.received(frame)))
      }

      send (frame, ...rest) {
        shelf.forEach(books => books.sent(frame))
        super.send(frame, ...rest)
      }
    }
  }

  sent (frame) {
    const [type, kind] = this.read(frame)
    if (type === 0 && kind === 0) this.step1s++
    if (type === 0 && kind === 2) this.updates++
  }

  received (frame) {
    if (this.dialect === 'hocuspocus' && this.read(frame)[0] === 8) this.statuses++
    if (this.returned) this.keep(new Uint8Array(frame))
  }

  /** Keeps the content that comes back. */
  keep (frame) {
    const [type, kind] = this.read(frame)
    if (type !== 0 || kind === 0) return
    Y.applyUpdate(this.returned, decoding.readVarUint8Array(decoding.createDecoder(frame.subarray(2))))
  }

  read (frame) {
    const decoder = decoding.createDecoder(new Uint8Array(frame))
    if (this.dialect === 'hocuspocus' && (frame.length < 2 || decoding.readVarString(decoder) !== this.document)) return []
    const next = () => decoding.hasContent(decoder) ? decoding.readVarUint(decoder) : undefined
    return [next(), next()]
  }
}

const yWebsocket = Provider => class {
  constructor (doc, { server, document, token, param = 'token', awareness, tab, protocols, updates }) {
    this.books = new Books(document, 'y-websocket')
    this.doc = doc
    if (updates) this.books.returned = new Y.Doc()
    const options = { WebSocketPolyfill: Books.socketClass([this.books]), disableBc: !tab, ...(protocols && { protocols }) }
    this.provider = new Provider(server, document, doc, { params: { [param]: token }, ...options })
    this.param = param
    if (awareness === false) this.provider.awareness.setLocalState(null)
    this.denied = []
  }

  get synced () { return this.provider.synced }
  /** It counts nothing itself: an edit is saved once the server sends it back. For clients opened with `updates`. */
  get saved () { return this.synced && !waits(this.doc) && hashOf(this.books.returned) === hashOf(this.doc) }
  get socket () { return this.provider.ws }
  get awareness () { return this.provider.awareness }

  setToken (token) {
    this.provider.params = { [this.param]: token }
    if (!this.provider.url.includes(token)) { // version 1 makes its URL once
      this.provider.url = this.provider.url.replace(/\?.*/, `?${this.param}=${token}`)
    }
    this.provider.connect()
  }

  disconnect () { this.provider.disconnect() }
  connect () { this.provider.connect() }
  destroy () { this.provider.destroy() }
}

const shelves = new Map()

const hocuspocus = (Provider, Socket) => class {
  constructor (doc, { server, document, token, tokenLater, awareness, shared, tab }) {
    this.books = new Books(document, 'hocuspocus')
    this.denied = []
    this.scope = null
    this.lowest = 0
    this.key = shared ?? this
    const shelf = shelves.get(this.key) ?? { books: [] }
    shelves.set(this.key, shelf)
    shelf.books.push(this.books)
    shelf.socket ??= new Socket({ url: server, WebSocketPolyfill: Books.socketClass(shelf.books) })
    this.token = tokenLater ? new Promise(resolve => { this.giveToken = resolve }) : token
    this.provider = new Provider({
      websocketProvider: shelf.socket,
      name: document,
      document: doc,
      token: () => this.token,
      broadcast: Boolean(tab),
      ...(awareness === false && { awareness: null }),
      onAuthenticated: () => { this.scope = this.provider.authorizedScope },
      onAuthenticationFailed: ({ reason }) => this.denied.push(reason)
    })
    this.provider.on('unsyncedChanges', () => { this.lowest = Math.min(this.lowest, this.provider.unsyncedChanges) })
    this.provider.attach?.()
  }

  get synced () { return this.provider.synced }
  get saved () { return this.provider.synced && !this.provider.hasUnsyncedChanges }
  get socket () { return this.shared.webSocket }
  get shared () { return shelves.get(this.key).socket }
  get awareness () { return this.provider.awareness }

  setToken (token) {
    if (this.giveToken) return this.giveToken(token)
    this.token = token
    if (this.provider.sendToken) this.provider.sendToken()
    else this.provider.connect() // version 2 left the socket when it was denied
  }

  disconnect () { this.shared.disconnect() }
  connect () { this.shared.connect() }
  destroy () { this.provider.destroy(); if (this.key === this) this.shared.destroy() }
}

const generations = {
  'y-websocket 1.5.4': yWebsocket(YWebsocket1),
  'y-websocket 3.0.0': yWebsocket(YWebsocket30),
  'y-websocket 3.1.0': yWebsocket(YWebsocket31),
  'hocuspocus 2.15.3': hocuspocus(Hocuspocus2, Socket2),
  'hocuspocus 3.4.4': hocuspocus(Hocuspocus3, Socket3),
  'hocuspocus 4.8.0': hocuspocus(Hocuspocus4, Socket4)
}
const clients = new Map()

// --- requests ------------------------------------------------------------------------------------

const requests = {
  async open ({ client, generation, how: { wait = true, inherits, ...how } }) {
    const doc = new Y.Doc()
    for (const update of how.updates ?? []) Y.applyUpdate(doc, Buffer.from(update, 'base64'))
    if (inherits) Y.applyUpdate(doc, Y.encodeStateAsUpdate(clients.get(inherits).doc))
    const one = Object.assign(new generations[generation](doc, how), { doc, text: doc.getText('content'), missed: [] })
    clients.set(client, one)
    one.awareness?.on('change', ({ removed }) => one.missed.push(...removed))
    if (wait) await until(() => one.synced)
  },

  synced ({ client }) { return until(() => clients.get(client).synced) },

  insert ({ client, at, text, times = 1 }) {
    for (let time = 0; time < times; time++) clients.get(client).text.insert(at, text)
  },

  remove ({ client, at, length }) { clients.get(client).text.delete(at, length) },

  /** Makes the edits of a trace as fast as the socket takes them; the number of edits. */
  async replay ({ client, trace, from = 0, to }) {
    const txns = readTrace(trace).txns.slice(from, to)
    const one = clients.get(client)
    let edits = 0
    for (const { patches } of txns) {
      for (const patch of patches) {
        edit(one.text, patch)
        if (++edits % EDITS_BETWEEN_BREATHS === 0) await until(() => (one.socket?.bufferedAmount ?? 0) < BUFFERED_BYTES_MAX)
      }
    }
    return edits
  },

  /** Replays a trace with one client for each of its writers, at the same time; the number of edits. */
  async replay_together ({ names, trace }) {
    const { txns, updates, needs } = rehearse(readTrace(trace), names.length)
    await Promise.all(names.map(async (name, agent) => {
      const { doc } = clients.get(name)
      for (let index = 0; index < txns.length; index++) {
        if (txns[index].agent !== agent) continue
        const isHere = () => [...needs[index]].every(([client, clock]) => Y.getState(doc.store, client) >= clock)
        if (index % EDITS_BETWEEN_BREATHS === 0 || !isHere()) await until(isHere)
        Y.applyUpdate(doc, updates[index])
      }
    }))
    return txns.length
  },

  client_id ({ client }) { return clients.get(client).doc.clientID },

  text ({ client }) { return clients.get(client).text.toString() },

  /** Waits until the text is this one, by its SHA-256. */
  reads ({ client, sha256 }) {
    const one = clients.get(client)
    return until(() => createHash('sha256').update(one.text.toString()).digest('hex') === sha256, 50)
  },

  /** Waits until no struct is pending in its document and its content has this hash (content.mjs). */
  holds ({ client, content }) {
    const { doc } = clients.get(client)
    return until(() => !waits(doc) && hashOf(doc) === content, 50)
  },

  /** Waits until the text contains all of these pieces. */
  has ({ client, pieces }) {
    const one = clients.get(client)
    return until(() => pieces.every(piece => one.text.toString().includes(piece)), 50)
  },

  /** Waits until the client counts everything as saved. */
  saved ({ client }) { return until(() => clients.get(client).saved) },

  /** Waits until it was denied this many times; the reasons. */
  async denied ({ client, times = 1 }) {
    const one = clients.get(client)
    await until(() => one.denied.length >= times)
    return one.denied
  },

  /** Waits until its socket was closed this many times; the codes. */
  async closed ({ client, times = 1 }) {
    const { closes } = clients.get(client).books
    await until(() => closes.length >= times)
    return closes
  },

  books ({ client }) {
    const { books: { opened, step1s, updates, statuses, closes }, lowest = 0, missed, scope = null, provider } = clients.get(client)
    return { opened, step1s, updates, statuses, closes, lowest, missed, scope, unsaved: provider.unsyncedChanges ?? 0 }
  },

  give_token ({ client, token }) { clients.get(client).setToken(token) },

  present ({ client, state }) { clients.get(client).awareness.setLocalStateField('user', state) },

  /** Waits until it sees exactly these other users, by name. */
  sees ({ client, names }) {
    const wanted = JSON.stringify([...names].sort())
    return until(() => JSON.stringify(namesOf(clients.get(client))) === wanted)
  },

  disconnect ({ client }) { clients.get(client).disconnect() },

  connect ({ client }) { clients.get(client).connect() },

  /** The network fails: there is no close frame. */
  break ({ client }) { clients.get(client).socket.terminate() },

  close ({ client }) {
    clients.get(client).destroy()
    clients.delete(client)
  }
}

/** Positions in a trace count code points: the same as UTF-16 code units if all are in the basic plane. */
const readTrace = path => {
  const trace = JSON.parse(gunzipSync(readFileSync(path)))
  const text = trace.txns.flatMap(({ patches }) => patches.map(([, , inserted]) => inserted)).join('')
  if (/[\uD800-\uDFFF]/.test(text)) throw new Error(`${path} has surrogate pairs`)
  return trace
}

const edit = (text, [at, removed, inserted]) => {
  if (removed > 0) text.delete(at, removed)
  if (inserted !== '') text.insert(at, inserted)
}

/** For every edit of a concurrent trace, its update and the state that its writer had before. */
const rehearse = ({ txns }, agents) => {
  const docs = Array.from({ length: agents }, () => new Y.Doc())
  // If both insert at one place, the trace puts the first writer's text first; Yjs does so for the lower client id.
  docs.forEach((doc, agent) => { doc.clientID = agent + 1 })
  const seen = docs.map(() => new Set())
  const updates = []
  const needs = []
  const show = (agent, index) => {
    const missing = []
    for (const stack = [index]; stack.length > 0;) {
      const next = stack.pop()
      if (seen[agent].has(next)) continue
      seen[agent].add(next)
      missing.push(next)
      stack.push(...txns[next].parents)
    }
    for (const each of missing.sort((a, b) => a - b)) Y.applyUpdate(docs[agent], updates[each])
  }
  docs.forEach((doc, agent) => doc.on('update', (update, origin) => { if (origin === agent) updates.push(update) }))
  txns.forEach(({ agent, parents, patches }, index) => {
    parents.forEach(parent => show(agent, parent))
    const doc = docs[agent]
    needs.push(Y.decodeStateVector(Y.encodeStateVector(doc)))
    doc.transact(() => patches.forEach(patch => edit(doc.getText('content'), patch)), agent)
    seen[agent].add(index)
  })
  return { txns, updates, needs }
}

const namesOf = ({ awareness, doc }) => [...awareness.getStates()]
  .filter(([client, state]) => client !== doc.clientID && state.user).map(([, state]) => state.user.name).sort()

const waits = doc => doc.store.pendingStructs !== null || doc.store.pendingDs !== null

/** Resolves once the condition is true; the test has the timeout. Sockets and timers run in between. */
const until = (condition, pauseMs = 2) => new Promise(resolve => {
  const look = () => condition() ? resolve() : setTimeout(look, pauseMs)
  setImmediate(look)
})

// --- the protocol -----------------------------------------------------------------------------------

const answer = value => process.stdout.write(JSON.stringify(value) + '\n')

createInterface({ input: process.stdin }).on('line', async line => {
  const { id, do: what, ...details } = JSON.parse(line)
  try {
    answer({ id, value: await requests[what](details) ?? null })
  } catch (error) {
    answer({ id, error: error.stack })
  }
}).on('close', () => process.exit(0))
