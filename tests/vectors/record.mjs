// Records the frames of the real JavaScript clients, for the codec tests: node record.mjs [directory]
//
// Each dialogue runs a client against a scripted server on loopback. The server's frames are written with lib0
// and y-protocols, never with our codec, and the client's events show that it understood them. Client ids are
// fixed, so that the same versions write the same files.

import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { recordUpdates } from './updates.mjs'

const here = dirname(fileURLToPath(import.meta.url))
const require = createRequire(join(here, '../interop/package.json'))
const Y = require('yjs')
const encoding = require('lib0/encoding')
const { Awareness, encodeAwarenessUpdate } = require('y-protocols/awareness')
const sync = require('y-protocols/sync')
const auth = require('y-protocols/auth')
const { WebsocketProvider } = require('y-websocket')
const { HocuspocusProvider, HocuspocusProviderWebsocket } = require('@hocuspocus/provider')
const { WebSocket, WebSocketServer } = require('ws')

const versionOf = name => JSON.parse(readFileSync(join(here, '../interop/node_modules', name, 'package.json'))).version
const hex = bytes => Buffer.from(bytes).toString('hex')

// --- a scripted server -----------------------------------------------------------------------------------

class Dialogue {
  constructor () {
    this.steps = []
    this.changed = () => {}
    this.server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
    this.server.on('connection', (socket, request) => {
      this.socket = socket
      this.steps.push({ path: request.url })
      socket.on('message', data => this.note({ client: hex(data) }))
    })
  }

  static async open () {
    const dialogue = new Dialogue()
    await new Promise(resolve => dialogue.server.once('listening', resolve))
    return dialogue
  }

  get url () { return `ws://127.0.0.1:${this.server.address().port}` }

  note (step) {
    this.steps.push(step)
    this.changed()
  }

  send (bytes) {
    this.note({ server: hex(bytes) })
    this.socket.send(bytes)
  }

  /** Waits for `count` more frames or events of the client. */
  async hear (count) {
    const goal = this.heard + count
    while (this.steps.filter(step => 'client' in step || 'event' in step).length < goal) {
      await new Promise((resolve, reject) => {
        this.changed = resolve
        setTimeout(() => reject(new Error(`waited in vain after ${JSON.stringify(this.steps, null, 1)}`)), 5000).unref()
      })
    }
    this.heard = goal
  }

  heard = 0

  end () {
    for (const socket of this.server.clients) socket.terminate()
    this.server.close()
    return this.steps
  }
}

const frame = (...write) => {
  const encoder = encoding.createEncoder()
  write.forEach(part => part(encoder))
  return encoding.toUint8Array(encoder)
}
const uint = number => encoder => encoding.writeVarUint(encoder, number)
const text = string => encoder => encoding.writeVarString(encoder, string)
const bytes = array => encoder => encoding.writeVarUint8Array(encoder, array)

/** The text and presence of another user: "hello" by client 9, named Zoë. */
const somebodyElse = () => {
  const doc = new Y.Doc()
  doc.clientID = 9
  doc.getText('t').insert(0, 'hello')
  const awareness = new Awareness(doc)
  awareness.setLocalState({ user: { name: 'Zoë' }, cursor: 1.5 })
  const told = encodeAwarenessUpdate(awareness, [9])
  awareness.destroy()
  return { doc, told }
}

const newDoc = () => {
  const doc = new Y.Doc()
  doc.clientID = 7
  return doc
}

// --- y-websocket -----------------------------------------------------------------------------------------

const yWebsocket = (dialogue, doc) => {
  const provider = new WebsocketProvider(dialogue.url, 'a b', doc, { WebSocketPolyfill: WebSocket, disableBc: true })
  provider.on('sync', synced => dialogue.note({ event: `sync ${synced}` }))
  provider.on('closed', ({ code }) => dialogue.note({ event: `closed ${code}` }))
  return provider
}

const yEditing = async () => {
  const dialogue = await Dialogue.open()
  const doc = newDoc()
  const other = somebodyElse()
  const provider = yWebsocket(dialogue, doc)
  await dialogue.hear(2) // SyncStep1, own awareness
  dialogue.send(frame(uint(0), encoder => sync.writeSyncStep1(encoder, new Y.Doc())))
  await dialogue.hear(1) // SyncStep2
  dialogue.send(frame(uint(0), encoder => sync.writeSyncStep2(encoder, new Y.Doc())))
  await dialogue.hear(1) // synced
  dialogue.send(frame(uint(0), encoder => sync.writeUpdate(encoder, Y.encodeStateAsUpdate(other.doc))))
  dialogue.send(frame(uint(1), bytes(other.told)))
  await dialogue.hear(1) // it sends others' awareness back
  dialogue.send(frame(uint(1), bytes(Uint8Array.of(0)))) // keepalive
  doc.getText('m').insert(0, 'hi')
  await dialogue.hear(1) // Update
  dialogue.send(Buffer.from(dialogue.steps.at(-1).client, 'hex')) // the echo that says "saved"
  provider.awareness.setLocalState({ u: 1 })
  await dialogue.hear(1) // awareness
  dialogue.send(frame(uint(3)))
  await dialogue.hear(1) // the awareness it knows: its own and Zoë's
  doc.getText('t').insert(5, ' 👋 you')
  await dialogue.hear(1) // Update after Zoë's text
  dialogue.send(frame(uint(0), encoder => sync.writeSyncStep1(encoder, other.doc)))
  await dialogue.hear(1) // SyncStep2 without what Zoë has
  doc.getText('t').delete(1, 3)
  await dialogue.hear(1) // a deletion
  provider.awareness.setLocalState(null)
  await dialogue.hear(1)
  provider.destroy()
  return dialogue.end()
}

const yDenied = async () => {
  const dialogue = await Dialogue.open()
  const warn = console.warn
  const provider = yWebsocket(dialogue, newDoc())
  await dialogue.hear(2)
  console.warn = message => dialogue.note({ event: `warning ${message.split('\n')[1]}` })
  dialogue.send(frame(uint(2), encoder => auth.writePermissionDenied(encoder, 'Kein Zugang für dich ☕')))
  await dialogue.hear(1)
  console.warn = warn
  dialogue.socket.close(4403)
  await dialogue.hear(1)
  provider.destroy()
  return dialogue.end()
}

// --- Hocuspocus ------------------------------------------------------------------------------------------

const hocuspocus = async (dialogue, doc, name, options = {}) => {
  const socket = new HocuspocusProviderWebsocket({ url: dialogue.url, WebSocketPolyfill: WebSocket })
  const provider = new HocuspocusProvider({
    websocketProvider: socket,
    name,
    document: doc,
    token: 'tök',
    onAuthenticated: ({ scope }) => dialogue.note({ event: `authenticated ${scope}` }),
    onAuthenticationFailed: ({ reason }) => dialogue.note({ event: `denied ${reason}` }),
    onSynced: ({ state }) => dialogue.note({ event: `synced ${state}` }),
    onUnsyncedChanges: ({ number }) => dialogue.note({ event: `unsynced ${number}` }),
    onStateless: ({ payload }) => dialogue.note({ event: `stateless ${payload}` }),
    onClose: ({ event }) => dialogue.note({ event: `close ${event.reason}` }),
    ...options
  })
  if (options.sessionAwareness) provider.sessionId = 'A'
  provider.attach()
  await dialogue.hear(options.awareness === null ? 3 : 4) // token, unsynced 1, SyncStep1, own awareness
  return { provider, socket }
}

const hEditing = async () => {
  const dialogue = await Dialogue.open()
  const doc = newDoc()
  const other = somebodyElse()
  const { provider, socket } = await hocuspocus(dialogue, doc, 'd')
  const say = (...write) => dialogue.send(frame(text('d'), ...write))
  say(uint(2), uint(2), text('read-write'))
  await dialogue.hear(1)
  say(uint(1), bytes(other.told))
  say(uint(0), encoder => sync.writeSyncStep1(encoder, new Y.Doc()))
  await dialogue.hear(1) // SyncStep2
  say(uint(0), encoder => sync.writeSyncStep2(encoder, other.doc))
  await dialogue.hear(1) // synced
  say(uint(8), uint(1))
  await dialogue.hear(1) // unsynced 0
  doc.getText('t').insert(5, '!')
  await dialogue.hear(2) // Update, unsynced 1
  say(uint(8), uint(0)) // refused: the counter stays
  say(uint(8), uint(1))
  await dialogue.hear(1)
  provider.sendStateless('{"café":1}')
  await dialogue.hear(1)
  say(uint(5), text('naïve'))
  await dialogue.hear(1)
  say(uint(2), uint(0)) // the token again, please
  await dialogue.hear(1)
  say(uint(2), uint(2), text('readonly'))
  await dialogue.hear(1)
  say(uint(1), bytes(Uint8Array.of(0))) // keepalive
  dialogue.send(Uint8Array.of(9))
  await dialogue.hear(1) // 0a
  say(uint(3))
  await dialogue.hear(1) // the awareness it knows
  provider.destroy()
  await dialogue.hear(2) // null, and it leaves
  socket.destroy()
  return dialogue.end()
}

const hDenied = async () => {
  const dialogue = await Dialogue.open()
  const { provider, socket } = await hocuspocus(dialogue, newDoc(), 'd', { token: null })
  dialogue.send(frame(text('d'), uint(2), uint(1), text('permission-denied')))
  await dialogue.hear(1)
  provider.destroy()
  socket.destroy()
  return dialogue.end()
}

const hSession = async () => {
  const dialogue = await Dialogue.open()
  const name = 'Notizen/Größe ☕'
  const { provider, socket } = await hocuspocus(dialogue, newDoc(), name, { sessionAwareness: true, awareness: null })
  dialogue.send(frame(text(`${name}\0A`), uint(2), uint(2), text('read-write')))
  await dialogue.hear(1)
  dialogue.send(frame(text(`${name}\0A`), uint(7), text('gekündigt')))
  await dialogue.hear(1)
  provider.destroy()
  socket.destroy()
  return dialogue.end()
}

// --- files -----------------------------------------------------------------------------------------------

const directory = process.argv[2] ?? here
const write = (file, value) => writeFileSync(join(directory, file), JSON.stringify(value, null, 1) + '\n')

write('y-websocket.json', {
  client: 'y-websocket',
  version: versionOf('y-websocket'),
  editing: await yEditing(),
  denied: await yDenied()
})
write('hocuspocus.json', {
  client: '@hocuspocus/provider',
  version: versionOf('@hocuspocus/provider'),
  editing: await hEditing(),
  denied: await hDenied(),
  session: await hSession()
})
write('updates.json', recordUpdates(Y, versionOf('yjs')))
process.exit(0)
