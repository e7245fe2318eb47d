// Real JavaScript clients under remote control. One JSON request a line on stdin, one JSON answer a line on stdout:
//
//   {"id": 1, "do": "open", "client": "ada", "dialect": "y-websocket", "server": "ws://…/ws", "document": "d", "token": "…"}
//   {"id": 1, "value": null}            or  {"id": 1, "error": "…"}
//
// Requests are carried out side by side; a request that waits answers when what it waits for has come. What is
// unusual about a client is in `dialects`; everything else is done through Yjs and Awareness, as an editor would.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { gunzipSync } from 'node:zlib'
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import { WebSocket } from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const BUFFERED_BYTES_MAX = 1 << 20
const EDITS_BETWEEN_BREATHS = 500

class YWebsocketClient {
  constructor (doc, { server, document, token }) {
    this.provider = new WebsocketProvider(server, document, doc, {
      params: { token }, WebSocketPolyfill: WebSocket, disableBc: true
    })
  }

  get synced () { return this.provider.synced }
  get awareness () { return this.provider.awareness }
  get bufferedBytes () { return this.provider.ws?.bufferedAmount ?? 0 }
  disconnect () { this.provider.disconnect() }
  connect () { this.provider.connect() }
  destroy () { this.provider.destroy() }
}

class HocuspocusClient {
  constructor (doc, { server, document, token }) {
    this.socket = new HocuspocusProviderWebsocket({ url: server, WebSocketPolyfill: WebSocket })
    this.provider = new HocuspocusProvider({ websocketProvider: this.socket, name: document, document: doc, token })
    this.provider.attach()
  }

  get synced () { return this.provider.synced }
  get saved () { return this.provider.synced && !this.provider.hasUnsyncedChanges }
  get awareness () { return this.provider.awareness }
  get bufferedBytes () { return this.socket.webSocket?.bufferedAmount ?? 0 }
  disconnect () { this.socket.disconnect() }
  connect () { this.socket.connect() }
  destroy () { this.provider.destroy(); this.socket.destroy() }
}

const dialects = { 'y-websocket': YWebsocketClient, hocuspocus: HocuspocusClient }
const clients = new Map()

// --- what can be asked ------------------------------------------------------------------------------------

const requests = {
  async open ({ client, dialect, ...where }) {
    const doc = new Y.Doc()
    clients.set(client, Object.assign(new dialects[dialect](doc, where), { doc, text: doc.getText('content') }))
    await until(() => clients.get(client).synced)
  },

  insert ({ client, at, text }) { clients.get(client).text.insert(at, text) },

  remove ({ client, at, length }) { clients.get(client).text.delete(at, length) },

  /** Makes the edits of a trace as fast as the socket takes them; how many they were. */
  async replay ({ client, trace }) {
    const { txns } = JSON.parse(gunzipSync(readFileSync(trace)))
    const one = clients.get(client)
    let edits = 0
    for (const { patches } of txns) {
      for (const [at, removed, inserted] of patches) {
        if (removed > 0) one.text.delete(at, removed)
        if (inserted !== '') one.text.insert(at, inserted)
        if (++edits % EDITS_BETWEEN_BREATHS === 0) await until(() => one.bufferedBytes < BUFFERED_BYTES_MAX)
      }
    }
    return edits
  },

  text ({ client }) { return clients.get(client).text.toString() },

  /** Waits until the text is this one, by its SHA-256. */
  reads ({ client, sha256 }) {
    const one = clients.get(client)
    return until(() => createHash('sha256').update(one.text.toString()).digest('hex') === sha256, 50)
  },

  /** Waits until the client itself would show that everything is saved. */
  saved ({ client }) { return until(() => clients.get(client).saved) },

  present ({ client, state }) { clients.get(client).awareness.setLocalStateField('user', state) },

  /** Waits until exactly these others are here, by name. */
  sees ({ client, names }) {
    const wanted = JSON.stringify([...names].sort())
    return until(() => JSON.stringify(namesOf(clients.get(client))) === wanted)
  },

  disconnect ({ client }) { clients.get(client).disconnect() },

  connect ({ client }) { clients.get(client).connect() },

  close ({ client }) {
    clients.get(client).destroy()
    clients.delete(client)
  }
}

const namesOf = ({ awareness, doc }) => [...awareness.getStates()]
  .filter(([client]) => client !== doc.clientID).map(([, state]) => state.user?.name).sort()

/** Resolves once the condition holds; whoever asked has the patience. Also lets sockets and timers have their turn. */
const until = (condition, pauseMs = 2) => new Promise(resolve => {
  const look = () => condition() ? resolve() : setTimeout(look, pauseMs)
  setImmediate(look)
})

// --- the remote control -----------------------------------------------------------------------------------

const answer = value => process.stdout.write(JSON.stringify(value) + '\n')

createInterface({ input: process.stdin }).on('line', async line => {
  const { id, do: what, ...details } = JSON.parse(line)
  try {
    answer({ id, value: await requests[what](details) ?? null })
  } catch (error) {
    answer({ id, error: error.stack })
  }
}).on('close', () => process.exit(0))
