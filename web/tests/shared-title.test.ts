import { describe, expect, test } from 'vitest';
import * as Y from 'yjs';
import { caretAfter, oneLine, readTitle, SharedTitle } from '../src/shared-title';

describe('the title in the shared document', () => {
  test('is null before anybody has set one', () => {
    expect(readTitle(new Y.Doc())).toBeNull();
  });

  test('is told to everybody, and undone by its author alone', () => {
    const [ours, theirs] = [new Y.Doc(), new Y.Doc()];
    ours.on('update', update => Y.applyUpdate(theirs, update));
    theirs.on('update', update => Y.applyUpdate(ours, update));
    const told: (string | null)[] = [];
    const mine = new SharedTitle(ours, () => told.push(mine.text));
    const other = new SharedTitle(theirs, () => {});
    mine.text = 'Minutes';
    expect(other.text).toBe('Minutes');
    other.undo();
    expect(mine.text).toBe('Minutes');
    mine.undo();
    expect(other.text).toBeNull();
    mine.redo();
    expect(other.text).toBe('Minutes');
    expect(told).toEqual(['Minutes', null, 'Minutes']);
  });

  test('may have been written by another client in another way', () => {
    const doc = new Y.Doc();
    doc.getMap('meta').set('title', new Y.Text('Shared text'));
    expect(readTitle(doc)).toBe('Shared text');
    doc.getMap('meta').set('title', 7);
    expect(readTitle(doc)).toBeNull();
  });

  test('is one line', () => {
    expect(oneLine('one\r\ntwo\u2028three')).toBe('one two three');
  });
});

test('a caret stays in its place in the words when somebody else types', () => {
  expect(caretAfter('engine', 'The engine', 6)).toBe(10);
  expect(caretAfter('engine', 'engines', 3)).toBe(3);
  expect(caretAfter('The engine', 'engine', 10)).toBe(6);
  expect(caretAfter('abc', '', 2)).toBe(0);
  expect(caretAfter('', 'abc', 0)).toBe(0);
});
