// Real Yjs, asked: one question a line of JSON on standard input, one answer a line on standard output.
//
//   {"ask": "read", "updates": [base64, …], "orders": [[index, …], …]}
//       For each order, a document that gets the updates in it: the hash of its content, its state vector, the
//       first index after which structs were pending (null: never), and whether they still are.
//   {"ask": "show", "updates": [base64, …]}
//       The content of a document that gets those updates, as JSON.
//   {"ask": "merge", "updates": [base64, …]}
//       Those updates merged into one, with a Skip where one in between is missing.
//   {"ask": "history", "seed": …, …}
//       A history (history.mjs).
//   {"ask": "values"}
//       The updates of a document with every kind of content (values.mjs).
//   {"ask": "resend", "updates": [base64, …]}
//       The SyncStep2 of a client whose document these updates make, for an empty server.
//   Also the questions to the simulated users (people.mjs).

import { createInterface } from 'node:readline'
import * as Y from 'yjs'
import { contentOf, hashOf, leaveUntidy } from './content.mjs'
import { makeHistory } from './history.mjs'
import * as people from './people.mjs'
import { resend, values } from './values.mjs'

const bytes = text => Buffer.from(text, 'base64')
const waits = doc => doc.store.pendingStructs !== null || doc.store.pendingDs !== null

const read = ({ updates, orders }) => {
  const payloads = updates.map(bytes)
  return orders.map(order => {
    const doc = leaveUntidy(new Y.Doc())
    let waited = null
    try {
      order.forEach((index, place) => {
        Y.applyUpdate(doc, payloads[index])
        if (waited === null && waits(doc)) waited = place
      })
      return { content: hashOf(doc), state: stateOf(doc), waited, waits: waits(doc), error: null }
    } catch (error) {
      return { content: '', state: {}, waited, waits: waits(doc), error: String(error) }
    }
  })
}

const show = ({ updates }) => {
  const doc = leaveUntidy(new Y.Doc())
  for (const update of updates) Y.applyUpdate(doc, bytes(update))
  return contentOf(doc)
}

const merge = ({ updates }) => Buffer.from(Y.mergeUpdates(updates.map(bytes))).toString('base64')

const history = question =>
  makeHistory(question).map(update => ({ ...update, bytes: Buffer.from(update.bytes).toString('base64') }))

const stateOf = doc => Object.fromEntries(Y.decodeStateVector(Y.encodeStateVector(doc)))

const answers = { read, show, merge, history, values, resend, ...people }
for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line)
  const outcome = {}
  try { outcome.answer = answers[question.ask](question) } catch (error) { outcome.error = String(error) }
  process.stdout.write(JSON.stringify(outcome) + '\n')
}
