import { expect, test } from 'vitest';
import { describePresenceChange, initials, peopleIn, shownName } from '../src/people';

const state = (name: unknown, id?: string, color?: unknown) => ({ user: { name, id, color } });

test('tabs of one user are one person', () => {
  const people = peopleIn(
    new Map([
      [1, state('Ada', 'a')],
      [2, state('Ada', 'a')],
      [3, state('Grace', 'g')],
    ]),
    2,
  );
  expect(people.map(person => [person.name, person.clients, person.self])).toEqual([
    ['Grace', [3], false],
    ['Ada', [1, 2], true],
  ]);
});

test('people without an id are listed separately; clients without a user are not shown', () => {
  const states = new Map<number, unknown>([
    [1, state('Guest')],
    [2, state('Guest')],
    [3, {}],
    [4, null],
    [5, { user: 7 }],
  ]);
  expect(peopleIn(states, 9)).toHaveLength(2);
});

test('names and colours from other clients are checked', () => {
  const [person] = peopleIn(new Map([[1, state(`  A\n\tb ${'x'.repeat(500)}`, 'a', 'url(evil)')]]), 2);
  expect(person?.name.startsWith('A b xxx')).toBe(true);
  expect(person?.name.length).toBeLessThanOrEqual(60);
  expect(person?.colour).toMatch(/^#[0-9a-f]{6}$/);
  expect(shownName({})).toBe('Guest');
  expect(shownName('   ')).toBe('Guest');
});

test('initials are one or two letters, of any script', () => {
  expect(initials('Ada Lovelace')).toBe('AL');
  expect(initials('Grace Brewster Hopper')).toBe('GH');
  expect(initials('lin')).toBe('L');
  expect(initials('😀 face')).toBe('😀F');
  expect(initials('')).toBe('?');
});

test('a change of people is described in one sentence', () => {
  const [ada, grace, lin] = peopleIn(
    new Map([
      [1, state('Ada', 'a')],
      [2, state('Grace', 'g')],
      [3, state('Lin', 'l')],
    ]),
    9,
  );
  if (ada === undefined || grace === undefined || lin === undefined) throw new Error('three people');
  expect(describePresenceChange([ada], [ada, grace, lin])).toBe('Grace and Lin joined.');
  expect(describePresenceChange([ada, grace], [ada])).toBe('Grace left.');
  expect(describePresenceChange([ada], [ada])).toBe('');
});
