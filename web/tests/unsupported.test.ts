import { getSchema } from '@tiptap/core';
import { StarterKit } from '@tiptap/starter-kit';
import { expect, test } from 'vitest';
import * as Y from 'yjs';
import { findUnsupported, watchUnsupported } from '../src/unsupported';

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

test('content that the editor can display is accepted', () => {
  const list = new Y.XmlElement('bulletList');
  const item = new Y.XmlElement('listItem');
  item.insert(0, [paragraph('one', { bold: {}, 'link--AbCdEf12': { href: 'https://example.org' } })]);
  list.insert(0, [item]);
  expect(findUnsupported(root(paragraph('hello'), list), schema)).toBeNull();
});

test('an unknown element is found, however deep', () => {
  const quote = new Y.XmlElement('blockquote');
  quote.insert(0, [new Y.XmlElement('callout')]);
  expect(findUnsupported(root(paragraph('hello'), quote), schema)).toBe('callout');
});

test('unknown marks, embeds and text outside a block are found', () => {
  expect(findUnsupported(root(paragraph('hello', { comment: {} })), schema)).toBe('comment');
  expect(findUnsupported(root(new Y.XmlText('bare')), schema)).toBe('text');
  const fragment = root(paragraph('hello'));
  ((fragment.get(0) as Y.XmlElement).get(0) as Y.XmlText).insertEmbed(0, { image: 'x' });
  expect(findUnsupported(fragment, schema)).toBe('embed');
});

test('a change that brings unknown content is noticed while it is applied', () => {
  const fragment = root(paragraph('hello'));
  const found: string[] = [];
  const end = watchUnsupported(fragment, schema, name => found.push(name));
  fragment.insert(1, [paragraph('fine')]);
  expect(found).toEqual([]);
  fragment.insert(1, [new Y.XmlElement('video')]);
  ((fragment.get(0) as Y.XmlElement).get(0) as Y.XmlText).format(0, 2, { glow: {} });
  expect(found).toEqual(['video', 'glow']);
  end();
  fragment.insert(0, [new Y.XmlElement('poll')]);
  expect(found).toHaveLength(2);
});
