import { afterEach, expect, test, vi } from 'vitest';
import { refusesOrigin } from '../src/origin-probe';

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

test('a server that sends files to another site but opens no socket refuses the origin', async () => {
  const asked = serverAnswers(() => new Response('the element'));
  expect(await refusesOrigin('wss://docs.example/collab/ws', PAGE)).toBe(true);
  expect(await refusesOrigin('ws://docs.example/ws/', PAGE)).toBe(true);
  expect(asked).toEqual([
    'https://docs.example/collab/collab-editor.js',
    'http://docs.example/collab-editor.js',
  ]);
});

test('a server that is down or behind a failing proxy does not refuse the origin', async () => {
  serverAnswers(() => Promise.reject(new TypeError('Failed to fetch')));
  expect(await refusesOrigin('wss://docs.example/ws', PAGE)).toBe(false);
  serverAnswers(() => new Response('bad gateway', { status: 502 }));
  expect(await refusesOrigin('wss://docs.example/ws', PAGE)).toBe(false);
});

test('a page of the server itself is never refused', async () => {
  const asked = serverAnswers(() => new Response('the element'));
  expect(await refusesOrigin('wss://site.example/ws', PAGE)).toBe(false);
  expect(asked).toEqual([]);
});
