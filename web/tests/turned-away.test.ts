import { afterEach, expect, test, vi } from 'vitest';
import { turnsAway } from '../src/turned-away';

const PAGE = 'https://site.example/page';

function serverAnswers(answer: () => Response | Promise<Response>): string[] {
  const asked: string[] = [];
  vi.stubGlobal('fetch', async (url: URL) => {
    asked.push(url.href);
    return answer();
  });
  return asked;
}

afterEach(() => vi.unstubAllGlobals());

test('a server that answers files to a foreign page but opens no socket turns it away', async () => {
  const asked = serverAnswers(() => new Response('the element'));
  expect(await turnsAway('wss://docs.example/collab/ws', PAGE)).toBe(true);
  expect(await turnsAway('ws://docs.example/ws/', PAGE)).toBe(true);
  expect(asked).toEqual([
    'https://docs.example/collab/collab-editor.js',
    'http://docs.example/collab-editor.js',
  ]);
});

test('a server that is down, or in front of which somebody else answers, turns nobody away', async () => {
  serverAnswers(() => Promise.reject(new TypeError('Failed to fetch')));
  expect(await turnsAway('wss://docs.example/ws', PAGE)).toBe(false);
  serverAnswers(() => new Response('bad gateway', { status: 502 }));
  expect(await turnsAway('wss://docs.example/ws', PAGE)).toBe(false);
});

test('a page of the server itself is never turned away', async () => {
  const asked = serverAnswers(() => new Response('the element'));
  expect(await turnsAway('wss://site.example/ws', PAGE)).toBe(false);
  expect(asked).toEqual([]);
});
