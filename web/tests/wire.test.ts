import { expect, test } from 'vitest';
import { nearlyFullIn, readReceived, readSent, SIZE_WANTED } from '../src/wire';

const frame = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], byte => Number.parseInt(byte, 16));

// "d-v4", as a provider and a server were recorded to write it.
const ADDRESS = '04642d7634';

test('our sync messages are distinguished', () => {
  expect(readSent(frame(`${ADDRESS}00000100`))).toBe('step1');
  expect(readSent(frame(`${ADDRESS}0001020000`))).toBe('step2');
  expect(readSent(frame(`${ADDRESS}00020c0101070004010464656661756c`))).toBe('update');
});

test('other frames of ours are ignored', () => {
  expect(readSent(frame(`${ADDRESS}010601070002 7b7d`.replace(' ', '')))).toBeNull();
  expect(readSent(frame(`${ADDRESS}020003746f6b05342e382e30`))).toBeNull();
  expect(readSent(frame(`${ADDRESS}07`))).toBeNull();
  expect(readSent(frame('0a'))).toBeNull();
});

test('answers, the text of the server and the end of a document are read', () => {
  expect(readReceived(frame(`${ADDRESS}0801`))).toEqual({ kind: 'status', accepted: true });
  expect(readReceived(frame(`${ADDRESS}0800`))).toEqual({ kind: 'status', accepted: false });
  expect(readReceived(frame(`${ADDRESS}0001020000`))).toEqual({ kind: 'step2' });
  expect(readReceived(frame(`${ADDRESS}07066b69636b6564`))).toEqual({ kind: 'ended', reason: 'kicked' });
});

test('other frames of the server are ignored', () => {
  expect(readReceived(frame(`${ADDRESS}00000100`))).toBeNull();
  expect(readReceived(frame(`${ADDRESS}010100`))).toBeNull();
  expect(readReceived(frame(`${ADDRESS}02020a726561642d7772697465`))).toBeNull();
  expect(readReceived(frame('09'))).toBeNull();
});

test('a word about the size is told from an application’s own messages', () => {
  expect(nearlyFullIn('{"type":"collab.size","nearly_full":true,"bytes":9,"bytes_max":10}')).toBe(true);
  expect(nearlyFullIn('{"type":"collab.size","nearly_full":false}')).toBe(false);
  for (const other of ['', 'null', '{"type":"chat"}', SIZE_WANTED, '7'])
    expect(nearlyFullIn(other)).toBeNull();
});
