// One document with every kind of content, as real Yjs writes it.

import * as Y from 'yjs'

const FLOATS = Array.from({ length: 40 }, (_, n) => Math.sin(n + 1) * 10 ** (n - 20))

const VALUES = [
  0, -0, 1, -1, 63, 64, -64, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 53 - 1, 2 ** 53, -(2 ** 60), 1e21, 0.5, 0.1, -1 / 3,
  NaN, Infinity, -Infinity, Number.MAX_VALUE, Number.MIN_VALUE, ...FLOATS,
  5n, -5n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 62n + 1n, -(2n ** 63n),
  true, false, null, undefined, '', 'é', 'cat 🐈', new Uint8Array([0, 255]), new Uint8Array(),
  [], {}, [1, [null, undefined, [true]]],
  { b: 1, a: { z: 0.1, y: [new Uint8Array([1])], é: null, u: undefined }, big: 2n ** 60n }
]

const JSONS = [
  ...FLOATS, 0, -0, 12, 2 ** 53 + 2, 1e18, 1e20, 1e21, 1e-7, true, null, '', '"\\/\u2028', 'cat 🐈',
  { src: 'a/b', width: 0.1, alt: null }, { z: 1, a: { y: [1, 2.5, '3'], b: {} } }, [[], {}]
]

/** Its updates, one for each kind of content; lists of values are also written at once. */
export const values = () => {
  const doc = new Y.Doc()
  doc.clientID = 77
  const updates = []
  doc.on('update', update => updates.push(Buffer.from(update).toString('base64')))
  const list = doc.getArray('list')
  const listed = VALUES.map(value => typeof value === 'bigint' || value === undefined ? [value] : value) // Yjs does not accept it bare
  list.push(listed)
  for (const value of listed) list.push([value])
  VALUES.forEach((value, n) => doc.getMap('meta').set(`key ${n}`, value))
  const content = doc.getText('content')
  content.insert(0, 'text 🐈 and more')
  JSONS.forEach((value, n) => {
    content.insertEmbed(3, { value })
    content.format(n % 5, 2, { [`mark ${n}`]: value })
  })
  list.insert(2, [new Y.Array(), new Y.Map(), new Y.Text('in it'), new Y.XmlText('too')])
  const fragment = doc.getXmlFragment('default')
  fragment.push(['p', 'h1', 'é'].map(name => new Y.XmlElement(name)))
  fragment.push([new Y.XmlText('run'), new Y.XmlFragment()])
  list.delete(4, 3)
  content.delete(0, 2)
  doc.getMap('meta').delete('key 3')
  return updates
}

/** All that a client sends for an empty server if these updates make its document. */
export const resend = ({ updates }) => {
  const doc = new Y.Doc()
  for (const update of updates) Y.applyUpdate(doc, Buffer.from(update, 'base64'))
  return Buffer.from(Y.encodeStateAsUpdate(doc)).toString('base64')
}
