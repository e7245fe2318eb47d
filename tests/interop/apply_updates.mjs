// Applies sequences of updates to documents in real Yjs, and reports failures:
// node apply_updates.mjs < {"base": hex, "lives": [[hex, …], …]}

import { readFileSync } from 'node:fs'
import * as Y from 'yjs'

const { base, lives } = JSON.parse(readFileSync(0, 'utf8'))
const bytes = hex => Buffer.from(hex, 'hex')
const failures = []
let applied = 0

for (const life of lives) {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, bytes(base))
  try {
    for (const update of life) {
      Y.applyUpdate(doc, bytes(update))
      applied++
      if (doc.store.pendingStructs !== null || doc.store.pendingDs !== null) throw new Error('structs are pending')
    }
    Y.applyUpdate(new Y.Doc(), Y.encodeStateAsUpdate(doc))
  } catch (error) {
    failures.push({ error: String(error), life })
  }
}
console.log(JSON.stringify({ applied, failures }))
