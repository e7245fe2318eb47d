/**
 * The people that this browser remembers, and which of them this tab belongs to.
 *
 * Tokens are kept in `localStorage`, so that a new tab and a restarted browser are signed in. A tab keeps its own
 * person in `sessionStorage`, so that two people can use two tabs of one browser. The element for other sites never
 * comes here: its page gives it a token.
 */
import { type Claims, claimsOf } from '../jwt';
import { shownName } from '../people';

export interface Account {
  /** Says who it is: the user id, and the issuer where there is one. */
  readonly id: string;
  readonly name: string;
  readonly token: string;
  /** When this person last used a tab, in milliseconds since 1970. */
  readonly usedAt: number;
}

/** The part of the browser's storage that is needed here. */
export type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/** How long an ended account is still offered on the sign-in page, by its name. */
const ENDED_KEPT_MS = 30 * 24 * 3600 * 1000;

export class Accounts {
  readonly #key: string;
  readonly #device: Store;
  readonly #tab: Store;

  /** `path`: where the server is mounted; another server may live on the same origin. */
  constructor(path: string, device: Store, tab: Store) {
    this.#key = path === '/' ? 'collab-accounts' : `collab-accounts ${path}`;
    this.#device = device;
    this.#tab = tab;
  }

  /** True if a change of this key of the storage is about accounts. A cleared storage has the key null. */
  isAbout(key: string | null): boolean {
    return key === null || key === this.#key;
  }

  /** Everybody who is remembered, last used first. */
  all(now = Date.now()): Account[] {
    return read(this.#device.getItem(this.#key))
      .filter(account => endOf(account) + ENDED_KEPT_MS > now)
      .sort((a, b) => b.usedAt - a.usedAt);
  }

  /** This tab's person, or the last one who used any tab. Null also if this tab's person is gone. */
  current(): Account | null {
    const id = this.#tab.getItem(this.#key);
    const all = this.all();
    return (id === null ? all[0] : all.find(account => account.id === id)) ?? null;
  }

  /** Remember the person of this token, and give the tab to them. */
  signIn(token: string, now = Date.now()): Account {
    const account = accountOf(token, now);
    this.#write([account, ...this.all(now).filter(({ id }) => id !== account.id)]);
    this.#tab.setItem(this.#key, account.id);
    return account;
  }

  /** Replace the token of a person who is remembered. */
  renew(token: string): void {
    const { id } = accountOf(token, 0);
    this.#write(this.all().map(known => (known.id === id ? { ...known, token } : known)));
  }

  /** Give the tab to this person, who is now the last one who used a tab. */
  use(id: string, now = Date.now()): void {
    this.#tab.setItem(this.#key, id);
    this.#write(this.all(now).map(known => (known.id === id ? { ...known, usedAt: now } : known)));
  }

  /** Take the tab from its person, so that the page asks who it is. */
  release(): void {
    this.#tab.setItem(this.#key, '');
  }

  /** Forget a person on this device. The tab is nobody's then, also where other people are remembered. */
  forget(id: string): void {
    const others = this.all().filter(known => known.id !== id);
    this.#write(others);
    if (others.length === 0) this.#tab.removeItem(this.#key);
    else this.release();
  }

  #write(accounts: readonly Account[]): void {
    if (accounts.length === 0) this.#device.removeItem(this.#key);
    else
      this.#device.setItem(
        this.#key,
        JSON.stringify(accounts.map(({ token, usedAt }) => ({ token, usedAt }))),
      );
  }
}

/** Return the person of a token as they would be remembered. */
export function accountOf(token: string, usedAt: number): Account {
  const { sub = '', iss, name } = claimsOf(token);
  return { id: iss === undefined ? sub : `${iss} ${sub}`, name: shownName(name ?? sub), token, usedAt };
}

/** When the account's token ends, in milliseconds since 1970. */
export function endOf({ token }: { readonly token: string }): number {
  const { exp } = claimsOf(token);
  return exp === undefined ? Number.POSITIVE_INFINITY : exp * 1000;
}

export function hasEnded(account: { readonly token: string }, now = Date.now()): boolean {
  return endOf(account) <= now;
}

/** True if the person has signed in at a provider: a cookie, which scripts cannot read, brings the next token. */
export function isFromProvider({ sub = '', iss }: Claims): boolean {
  return iss === undefined && sub.startsWith('oidc:');
}

/** When a token should be renewed: halfway through its life. Null if it cannot be. */
export function renewalDue(claims: Claims): number | null {
  const { iat, exp, signedIn } = claims;
  if (iat === undefined || exp === undefined) return null;
  if (signedIn === undefined && !isFromProvider(claims)) return null;
  return ((iat + exp) / 2) * 1000;
}

/** How long before its end a person is told that a sign-in ends: ten minutes, or less of a short one. */
export function warningDue({ iat, exp }: Claims): number | null {
  if (exp === undefined) return null;
  const life = iat === undefined ? Number.POSITIVE_INFINITY : exp - iat;
  return (exp - Math.min(600, life / 4)) * 1000;
}

/** Return the token in what a person pasted, a sign-in link or the token alone; null if there is none. */
export function tokenIn(pasted: string): string | null {
  const text = pasted.trim();
  const fragment = /#(.*)$/s.exec(text)?.[1];
  const token = fragment === undefined ? text : new URLSearchParams(fragment).get('token');
  return token !== null && claimsOf(token).sub !== undefined ? token : null;
}

/** A storage that lasts as long as the page, for browsers that refuse theirs. */
export function memoryStore(): Store {
  const items = new Map<string, string>();
  return {
    getItem: key => items.get(key) ?? null,
    setItem: (key, value) => void items.set(key, value),
    removeItem: key => void items.delete(key),
  };
}

function read(stored: string | null): Account[] {
  try {
    const entries: unknown = JSON.parse(stored ?? '[]');
    return Array.isArray(entries)
      ? entries.filter(isEntry).map(entry => accountOf(entry.token, entry.usedAt))
      : [];
  } catch {
    return [];
  }
}

function isEntry(entry: unknown): entry is { token: string; usedAt: number } {
  const { token, usedAt } = (entry ?? {}) as { token?: unknown; usedAt?: unknown };
  return typeof token === 'string' && typeof usedAt === 'number' && claimsOf(token).sub !== undefined;
}
