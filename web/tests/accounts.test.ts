import { describe, expect, test } from 'vitest';
import {
  Accounts,
  accountOf,
  endOf,
  memoryStore,
  renewalDue,
  type Store,
  tokenIn,
  warningDue,
} from '../src/pages/accounts';

const NOW = 1_800_000_000_000;
const HOUR = 3_600_000;

function token(sub: string, { endMs = NOW + HOUR, ...more }: { endMs?: number; iss?: string } = {}): string {
  const claims = { sub, name: sub.toUpperCase(), exp: endMs / 1000, ...more };
  return `eyJhbGciOiJIUzI1NiJ9.${btoa(JSON.stringify(claims)).replace(/=/g, '')}.signature`;
}

function browser(): { device: Store; tab: () => Accounts } {
  const device = memoryStore();
  return { device, tab: () => new Accounts('/', device, memoryStore()) };
}

describe('the people of a browser', () => {
  test('a new tab belongs to the last one who used any', () => {
    const { tab } = browser();
    const [first, second] = [tab(), tab()];
    first.signIn(token('ada'), NOW);
    second.signIn(token('grace'), NOW + 1);
    expect([first.current()?.name, second.current()?.name, tab().current()?.name]).toEqual([
      'ADA',
      'GRACE',
      'GRACE',
    ]);
    first.use('ada', NOW + 2);
    expect(tab().current()?.name).toBe('ADA');
  });

  test('a new link of the same person replaces the old one', () => {
    const { tab } = browser();
    const accounts = tab();
    accounts.signIn(token('ada'), NOW);
    accounts.signIn(token('ada', { endMs: NOW + 2 * HOUR }), NOW);
    expect(accounts.all(NOW).map(endOf)).toEqual([NOW + 2 * HOUR]);
  });

  test('the same user id of another issuer is another person', () => {
    const { tab } = browser();
    const accounts = tab();
    accounts.signIn(token('ada'), NOW);
    accounts.signIn(token('ada', { iss: 'https://id.example.com' }), NOW);
    expect(accounts.all(NOW)).toHaveLength(2);
  });

  test('who signs out is gone, and the tab asks who comes next', () => {
    const { device, tab } = browser();
    const accounts = tab();
    accounts.signIn(token('ada'), NOW);
    accounts.signIn(token('grace'), NOW);
    accounts.forget('grace');
    expect(accounts.current()).toBeNull();
    expect(tab().current()?.name).toBe('ADA');
    accounts.forget('ada');
    expect(device.getItem('collab-accounts')).toBeNull();
  });

  test('an account that ended a month ago is forgotten', () => {
    const { tab } = browser();
    const accounts = tab();
    accounts.signIn(token('ada'), NOW);
    expect(accounts.all(NOW + 29 * 24 * HOUR)).toHaveLength(1);
    expect(accounts.all(NOW + 32 * 24 * HOUR)).toHaveLength(0);
  });

  test('a damaged storage holds nobody', () => {
    for (const damaged of ['', '{', '{"a":1}', '[null, 3, {"token":"x","usedAt":1}]']) {
      const device = memoryStore();
      device.setItem('collab-accounts', damaged);
      expect(new Accounts('/', device, memoryStore()).all(NOW)).toEqual([]);
    }
  });

  test('two servers on one origin keep their people apart', () => {
    const device = memoryStore();
    new Accounts('/', device, memoryStore()).signIn(token('ada'), NOW);
    expect(new Accounts('/collab/', device, memoryStore()).all(NOW)).toEqual([]);
  });
});

test('a token is renewed at half of its life, and its end announced ten minutes before', () => {
  const [iat, exp] = [1000, 1000 + 24 * 3600];
  expect(renewalDue({ iat, exp, signedIn: iat })).toBe((iat + 12 * 3600) * 1000);
  expect(renewalDue({ iat, exp })).toBeNull();
  expect(warningDue({ iat, exp })).toBe((exp - 600) * 1000);
  expect(warningDue({ iat, exp: iat + 400 })).toBe((iat + 300) * 1000);
  expect(warningDue({ iat })).toBeNull();
});

test('a link or a token can be pasted', () => {
  const good = token('ada');
  expect(tokenIn(` https://host/d/welcome#token=${good}\n`)).toBe(good);
  expect(tokenIn(good)).toBe(good);
  expect(accountOf(good, 0).name).toBe('ADA');
  for (const bad of ['', 'hello', 'https://host/d/welcome', 'https://host/#token=abc']) {
    expect(tokenIn(bad)).toBeNull();
  }
});
