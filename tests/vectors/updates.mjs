// Real Yjs updates for the tests of the guard, with the reading of Yjs itself.

const hex = bytes => Buffer.from(bytes).toString('hex')

/** The updates of a client during `edit`: one for each transaction, and the whole document at the end. */
const written = (Y, clientID, edit, { gc = true } = {}) => {
  const doc = new Y.Doc({ gc })
  doc.clientID = clientID
  const updates = []
  const updatesV2 = []
  doc.on('update', update => updates.push(update))
  doc.on('updateV2', update => updatesV2.push(update))
  edit(doc)
  return { doc, updates, updatesV2, whole: Y.encodeStateAsUpdate(doc) }
}

/** Yjs' own reading of an update: [client, clock, length, content kind] and [client, clock, length]. */
const reading = (Y, update) => {
  const { structs, ds } = Y.decodeUpdate(update)
  const kind = struct => struct instanceof Y.GC ? 0 : struct instanceof Y.Skip ? 10 : struct.content.getRef()
  return {
    structs: structs.map(struct => [struct.id.client, struct.id.clock, struct.length, kind(struct)]),
    deletes: [...ds.clients].flatMap(([client, ranges]) => ranges.map(({ clock, len }) => [client, clock, len]))
  }
}

const text = Y => written(Y, 11, doc => {
  const text = doc.getText('t')
  'hello world'.split('').forEach((character, index) => text.insert(index, character))
  text.insert(5, ',')
  text.delete(0, 2)
  text.insert(0, 'Hé漢字')
})

const emoji = Y => written(Y, 12, doc => {
  const text = doc.getText('t')
  text.insert(0, 'a😀b👨‍👩‍👧c')
  text.insert(1, '🎉')
  text.delete(1, 2)
})

const formatting = Y => written(Y, 4294967295, doc => {
  const text = doc.getText('t')
  text.insert(0, 'The quick brown fox')
  text.format(4, 5, { bold: true, link: { href: 'https://example.org/"[{' } })
  text.format(0, 9, { italic: true })
  text.format(4, 5, { bold: null })
  text.insertEmbed(3, { image: 'a.png', alt: '½ [' })
  text.applyDelta([{ retain: 2 }, { insert: 'x', attributes: { color: '#fff' } }, { delete: 3 }])
})

const xml = Y => written(Y, 13, doc => {
  const fragment = doc.getXmlFragment('default')
  for (let i = 0; i < 4; i++) {
    const paragraph = new Y.XmlElement('paragraph')
    const run = new Y.XmlText()
    run.insert(0, `paragraph ${i}`)
    paragraph.setAttribute('level', String(i))
    paragraph.insert(0, [run])
    fragment.insert(i, [paragraph])
  }
  const list = new Y.XmlElement('bulletList')
  const item = new Y.XmlElement('listItem')
  list.insert(0, [item])
  item.insert(0, [new Y.XmlElement('paragraph'), new Y.XmlText('tail')])
  fragment.insert(2, [list])
  fragment.delete(0, 1)
})

const shared = Y => written(Y, 14, doc => {
  const map = doc.getMap('meta')
  map.set('title', 'Title')
  map.set('title', 'Title 2')
  map.set('numbers', [0, -1, 63, 64, -65, 2 ** 31, -(2 ** 53) + 1, 2 ** 53 - 1, 1.5, 1e300, NaN, Infinity, 12n])
  map.set('nested', { a: [true, false, null, undefined, { b: new Uint8Array([1, 2, 3]) }], 'ü': 'ß' })
  map.set('bytes', new Uint8Array([255, 0]))
  map.set('list', new Y.Array())
  map.get('list').push([1, 2, new Y.Map([['k', new Y.Text('v')]])])
  map.delete('title')
  doc.getArray('a').insert(0, ['x', 'y', 'z'])
  doc.getArray('a').delete(1, 1)
})

const kept = Y => written(Y, 15, doc => {
  const array = doc.getArray('a')
  array.push([new Y.Text('gone'), 'stays'])
  array.delete(0, 1)
}, { gc: false })

/** Ordinary calls that delete one surrogate of a pair: Yjs shows the other one as U+FFFD. */
const torn = Y => written(Y, 16, doc => {
  doc.getText('t').insert(0, 'a😀b')
  doc.getText('t').delete(1, 1)
})

const undone = Y => written(Y, 17, doc => {
  const text = doc.getText('t')
  const undo = new Y.UndoManager(text, { captureTimeout: 0 })
  text.insert(0, 'first ')
  text.insert(6, 'second')
  undo.undo()
  undo.redo()
  text.delete(0, 6)
  undo.undo()
})

const together = Y => {
  const docs = [21, 22, 4000000001].map(clientID => {
    const doc = new Y.Doc()
    doc.clientID = clientID
    return doc
  })
  const exchange = () => docs.forEach(from => docs.forEach(to => {
    Y.applyUpdate(to, Y.encodeStateAsUpdate(from, Y.encodeStateVector(to)))
  }))
  for (let round = 0; round < 5; round++) {
    docs.forEach((doc, index) => {
      const text = doc.getText('t')
      text.insert((round * 7 + index) % (text.length + 1), `<${index}${round}>`)
      if (round > 1) text.delete((index + round) % (text.length - 3), 3)
      if (round > 2) text.format(0, 4, { bold: round % 2 ? true : null })
    })
    if (round % 2) exchange()
  }
  exchange()
  return { whole: Y.encodeStateAsUpdate(docs[0]) }
}

/** The update of a client that lacks something in between: Yjs writes a Skip for the gap. */
const gap = Y => {
  const { updates } = text(Y)
  return Y.mergeUpdates([updates[0], updates[3], updates[4]])
}

const refused = Y => {
  const subdocument = written(Y, 31, doc => doc.getMap('m').set('d', new Y.Doc({ guid: 'g' }))).whole
  const hook = written(Y, 32, doc => doc.getXmlFragment('x').insert(0, [new Y.XmlHook('h')])).whole
  return {
    'a subdocument': subdocument,
    'an XML hook': hook,
    'the largest bigint': written(Y, 34, doc => doc.getMap('m').set('n', [2n ** 63n - 1n])).whole,
    'half a character in a mark': written(Y, 33, doc => {
      doc.getText('t').insert(0, 'x', { note: '\ud83d' })
    }).whole
  }
}

export const recordUpdates = (Y, version) => {
  const accepted = {}
  const v2 = {}
  const add = (name, update) => { accepted[name] = { hex: hex(update), ...reading(Y, update) } }
  for (const [name, make] of Object.entries({ text, emoji, formatting, xml, shared, kept, torn, undone })) {
    const { doc, updates, updatesV2, whole } = make(Y)
    updates.forEach((update, index) => add(`${name} ${index + 1}`, update))
    add(`${name} whole`, whole)
    add(`${name} deletions only`, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(doc)))
    updatesV2.forEach((update, index) => { v2[`${name} ${index + 1}`] = hex(update) })
    v2[`${name} whole`] = hex(Y.encodeStateAsUpdateV2(doc))
    v2[`${name} deletions only`] = hex(Y.encodeStateAsUpdateV2(doc, Y.encodeStateVector(doc)))
  }
  add('together', together(Y).whole)
  add('a gap', gap(Y))
  add('nothing', Y.encodeStateAsUpdate(new Y.Doc()))
  v2.nothing = hex(Y.encodeStateAsUpdateV2(new Y.Doc()))
  const harmful = Object.fromEntries(Object.entries(refused(Y)).map(([name, update]) => [name, hex(update)]))
  return { library: 'yjs', version, accepted, refused: harmful, v2 }
}
