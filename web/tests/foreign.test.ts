import { getSchema } from '@tiptap/core';
import { StarterKit } from '@tiptap/starter-kit';
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { foreignIn, watchForeign } from '../src/foreign';

const schema = getSchema([StarterKit.configure({ undoRedo: false })]);

function paragraph(text: string, marks: Record<string, object> = {}): Y.XmlElement {
  const element = new Y.XmlElement('paragraph');
  const content = new Y.XmlText();
  content.insert(0, text, marks);
  element.insert(0, [content]);
  return element;
}

function root(...children: (Y.XmlElement | Y.XmlText)[]): Y.XmlFragment {
  const fragment = new Y.Doc().getXmlFragment('default');
  fragment.insert(0, children);
  return fragment;
}

test('what the editor can show is at home', () => {
  const list = new Y.XmlElement('bulletList');
  const item = new Y.XmlElement('listItem');
  item.insert(0, [paragraph('one', { bold: {}, 'link--AbCdEf12': { href: 'https://example.org' } })]);
  list.insert(0, [item]);
  expect(foreignIn(root(paragraph('hello'), list), schema)).toBeNull();
});

test('an unknown element is found, however deep', () => {
  const quote = new Y.XmlElement('blockquote');
  quote.insert(0, [new Y.XmlElement('callout')]);
  expect(foreignIn(root(paragraph('hello'), quote), schema)).toBe('callout');
});

test('unknown marks, embeds and text outside of any block are found', () => {
  expect(foreignIn(root(paragraph('hello', { comment: {} })), schema)).toBe('comment');
  expect(foreignIn(root(new Y.XmlText('bare')), schema)).toBe('text');
  const fragment = root(paragraph('hello'));
  ((fragment.get(0) as Y.XmlElement).get(0) as Y.XmlText).insertEmbed(0, { image: 'x' });
  expect(foreignIn(fragment, schema)).toBe('embed');
});

test('a change that brings something foreign is noticed while it is applied', () => {
  const fragment = root(paragraph('hello'));
  const found: string[] = [];
  const end = watchForeign(fragment, schema, name => found.push(name));
  fragment.insert(1, [paragraph('fine')]);
  expect(found).toEqual([]);
  fragment.insert(1, [new Y.XmlElement('video')]);
  ((fragment.get(0) as Y.XmlElement).get(0) as Y.XmlText).format(0, 2, { glow: {} });
  expect(found).toEqual(['video', 'glow']);
  end();
  fragment.insert(0, [new Y.XmlElement('poll')]);
  expect(found).toHaveLength(2);
});
