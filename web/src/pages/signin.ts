/**
 * Who sits at this tab: the token of the sign-in link, kept for the tab alone, so that two people can use
 * two tabs of one browser.
 */
import { claimsOf } from '../jwt';
import { shownName } from '../people';

const KEY = 'collab-token';

/** Where a browser refuses storage, the token lasts as long as the page. */
let memory = '';

export interface Bearer {
  readonly token: string;
  readonly name: string;
}

/** Takes a token from the address, if there is one, and says who is signed in; null when nobody. */
export function signIn(): Bearer | null {
  const fromLink = new URLSearchParams(location.hash.slice(1)).get('token');
  if (fromLink !== null) {
    keep(fromLink);
    // The secret must not stay in the address bar, the history or a copied link.
    history.replaceState(history.state, '', location.pathname + location.search);
  }
  const token = fromLink ?? kept();
  const { name, sub, exp } = claimsOf(token);
  if (token === '' || (exp !== undefined && exp * 1000 < Date.now())) return null;
  return { token, name: shownName(name ?? sub) };
}

/** A sign-in link opened in a tab that shows this page already changes only the fragment. */
export function reloadOnSignIn(): void {
  addEventListener('hashchange', () => location.hash.startsWith('#token=') && location.reload());
}

/** Is there a token at all, though perhaps an expired one? */
export function hadToken(): boolean {
  return kept() !== '';
}

function kept(): string {
  try {
    return sessionStorage.getItem(KEY) ?? memory;
  } catch {
    return memory;
  }
}

function keep(token: string): void {
  memory = token;
  try {
    sessionStorage.setItem(KEY, token);
  } catch {
    // blocked: `memory` has it
  }
}
