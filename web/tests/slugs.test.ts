import { describe, expect, test } from 'vitest';
import { DENIALS, isKnown, OUTCOMES, outcomeOf, sentenceOf } from '../src/slugs';

test.each([
  ['token-expired: The token has expired; sign in anew.', 'signed-out'],
  ['permission-denied', 'forbidden'],
  ['document-deleted: The document was deleted.', 'deleted'],
  ['document-full: The document is as large as it may be.', 'full'],
  ['update-refused: The update nests shared types more than 32 deep.', 'change'],
  ['draining: This replica is shutting down; reconnect.', 'retry'],
] as const)('the slug of "%s" means %s', (reason, outcome) => expect(outcomeOf(reason)).toBe(outcome));

test('the words of a reason do not matter', () => {
  expect(outcomeOf('The document was deleted.')).toBe('other');
  expect(outcomeOf('store-unavailable: Your token was deleted and refused.')).toBe('retry');
});

test('a slug of a newer server is final, but not known', () => {
  expect(outcomeOf('brand-new: It is new.')).toBe('other');
  expect(isKnown('brand-new: It is new.')).toBe(false);
  expect(isKnown('provider_initiated')).toBe(false);
  expect(isKnown('room-closed')).toBe(true);
});

test('only the sentence of a reason is for people', () => {
  expect(sentenceOf('invalid-name: A name is too long: it has 300 characters.')).toBe(
    'A name is too long: it has 300 characters.',
  );
  expect(sentenceOf('A sentence alone.')).toBe('A sentence alone.');
  expect(sentenceOf('invalid-name')).toBe('');
});

describe.each(Object.entries(DENIALS))('%s', (denial, { happened, advice }) => {
  test('is told in whole sentences', () => {
    expect(happened).toMatch(/^[A-Z].*\.$/);
    expect(advice).toMatch(/^([A-Z].*\.)?$/);
  });

  test('is reached by a slug, or by the origin probe', () => {
    expect([...Object.values(OUTCOMES), 'origin']).toContain(denial);
  });
});
