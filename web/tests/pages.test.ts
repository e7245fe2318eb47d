import { describe, expect, test } from 'vitest';
import { claimsOf } from '../src/jwt';
import { ago } from '../src/pages/ago';
import { documentAt, documentName, documentPath, folderOf, generatedName, titleOf } from '../src/pages/names';

describe('document names', () => {
  test('a name survives its address, under any prefix', () => {
    for (const name of ['welcome', 'notes/42', 'Über uns?', '100% # sure', '日本/語', 'a&b=c']) {
      for (const base of ['https://host/', 'https://host/collab/']) {
        expect(documentAt(new URL(documentPath(name), base).href, base)).toBe(name);
      }
    }
  });

  test('an address of another page holds no document name', () => {
    expect(documentAt('https://host/other', 'https://host/')).toBeNull();
    expect(documentAt('https://host/d/', 'https://host/')).toBeNull();
    expect(documentAt('https://host/d/%E0%A4%A', 'https://host/')).toBeNull();
  });

  test('typed text becomes a name that the server accepts', () => {
    expect(documentName('  Meeting \t notes ')).toBe('Meeting notes');
    expect(documentName('/a//./b/../c /')).toBe('a/b/c');
    expect(documentName('e\u0301te\u0301')).toBe('\u00e9t\u00e9');
    expect(documentName(' / ')).toBe('');
  });

  test('a new document gets a short name that is never shown as a title', () => {
    expect(generatedName(() => 0)).toBe('bbbb2bbbb');
    expect(generatedName(() => 0.999999999)).toBe('zzzz9zzzz');
    for (let times = 0; times < 50; times++) {
      expect(titleOf({ name: `notes/${generatedName()}`, title: '' })).toBe('Untitled');
    }
  });

  test('a document is called by its title, else by the last part of a name that a person chose', () => {
    expect(titleOf({ name: 'notes/42', title: 'Minutes' })).toBe('Minutes');
    expect(titleOf({ name: 'notes/42', title: '' })).toBe('42');
    expect(titleOf({ name: 'strength', title: '' })).toBe('strength');
  });

  test('the folder of a document is what stands before the last slash', () => {
    expect(['a', 'a/b', 'a/b/c'].map(folderOf)).toEqual(['', 'a', 'a/b']);
  });
});

test('times are shown in words', () => {
  const now = new Date('2026-11-24T12:00:00Z');
  const before = (seconds: number) => ago(new Date(now.getTime() - seconds * 1000), now);
  expect(before(5)).toBe('just now');
  expect(before(-30)).toBe('just now');
  expect(before(60)).toBe('1 minute ago');
  expect(before(2 * 3600 + 5)).toBe('2 hours ago');
  expect(before(86_400)).toBe('yesterday');
  expect(before(30 * 86_400)).toBe('Oct 25, 2026');
  expect(ago(new Date('nonsense'), now)).toBe('');
});

test('claims are read from a token in any script, and from nothing else', () => {
  const payload = Buffer.from(JSON.stringify({ sub: 'z', name: 'Žofie 😀', exp: 7, color: 3 })).toString(
    'base64url',
  );
  expect(claimsOf(`head.${payload}.signature`)).toEqual({
    sub: 'z',
    name: 'Žofie 😀',
    exp: 7,
    color: undefined,
  });
  for (const text of ['', 'abc', 'a.b.c', 'a..c', `a.${Buffer.from('7').toString('base64url')}.c`]) {
    expect(claimsOf(text)).toEqual({});
  }
});
