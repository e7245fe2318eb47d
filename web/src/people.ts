/**
 * The people in the document, read from awareness states. Pure. Other clients can write anything into theirs, so
 * everything is checked and shortened before it is shown.
 */
import { colourOf, isColour } from './colours';

export interface Person {
  /** The user's id if the server gave one, else an id for this client alone. */
  readonly key: string;
  readonly name: string;
  readonly colour: string;
  readonly self: boolean;
  /** The Yjs client ids of this person's tabs and devices. */
  readonly clients: readonly number[];
}

const NAME_CHARACTERS_MAX = 60;

/** Return one entry per person, however many tabs they use, sorted by name with oneself last. */
export function peopleIn(states: ReadonlyMap<number, unknown>, self: number): Person[] {
  const found = new Map<string, Person>();
  for (const [client, state] of states) {
    const user = userIn(state);
    if (user === null) continue;
    const key = user.id === '' ? `client ${client}` : `user ${user.id}`;
    const known = found.get(key);
    found.set(key, {
      key,
      name: user.name,
      colour: user.colour,
      self: client === self || (known?.self ?? false),
      clients: [...(known?.clients ?? []), client],
    });
  }
  return [...found.values()].sort(
    (a, b) => Number(a.self) - Number(b.self) || a.name.localeCompare(b.name) || a.key.localeCompare(b.key),
  );
}

interface User {
  readonly id: string;
  readonly name: string;
  readonly colour: string;
}

/** Return the checked `user` of an awareness state, or null if the client does not show one. */
export function userIn(state: unknown): User | null {
  const user = field(state, 'user');
  if (typeof user !== 'object' || user === null) return null;
  const id = field(user, 'id');
  const name = shownName(field(user, 'name'));
  const colour = field(user, 'color');
  return {
    id: typeof id === 'string' ? id : '',
    name,
    colour: isColour(colour) ? colour : colourOf(typeof id === 'string' && id !== '' ? id : name),
  };
}

export function shownName(name: unknown): string {
  const text = typeof name === 'string' ? name.replace(/\s+/g, ' ').trim() : '';
  return text === '' ? 'Guest' : [...text].slice(0, NAME_CHARACTERS_MAX).join('');
}

/** Return one or two letters for a round badge. */
export function initials(name: string): string {
  const words = name.split(/[\s._-]+/).filter(word => word !== '');
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];
  return letters
    .map(word => [...(word ?? '?')][0] ?? '')
    .join('')
    .toUpperCase();
}

/** Return the sentence to announce, such as "Ada joined.", or nothing. */
export function describePresenceChange(before: readonly Person[], after: readonly Person[]): string {
  const missing = (from: readonly Person[], others: readonly Person[]): string[] => {
    const keys = new Set(others.map(person => person.key));
    return from.filter(person => !person.self && !keys.has(person.key)).map(person => person.name);
  };
  const joined = missing(after, before);
  const left = missing(before, after);
  if (joined.length > 0) return `${listed(joined)} joined.`;
  return left.length > 0 ? `${listed(left)} left.` : '';
}

function listed(names: readonly string[]): string {
  if (names.length > 3) return `${names.length} people`;
  const last = names.at(-1) ?? '';
  return names.length > 1 ? `${names.slice(0, -1).join(', ')} and ${last}` : last;
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}
