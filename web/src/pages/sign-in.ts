/**
 * The token of the sign-in link. It is kept for one tab only, so that two people can use two tabs of one browser.
 */
import { claimsOf } from '../jwt';
import { shownName } from '../people';

const KEY = 'collab-token';

/** Used where the browser refuses storage: the token then lasts as long as the page. */
let memory = '';

export interface Account {
  readonly token: string;
  readonly name: string;
}

/** Take the token from the address, if it holds one. Return the person who is signed in, or null. */
export function signIn(): Account | null {
  const fromLink = new URLSearchParams(location.hash.slice(1)).get('token');
  if (fromLink !== null) {
    storeToken(fromLink);
    // The token is a secret: it must not stay in the address bar, the history or a copied link.
    history.replaceState(history.state, '', location.pathname + location.search);
  }
  const token = fromLink ?? storedToken();
  const { name, sub, exp } = claimsOf(token);
  if (token === '' || (exp !== undefined && exp * 1000 < Date.now())) return null;
  return { token, name: shownName(name ?? sub) };
}

/** Reload when a sign-in link is opened in a tab that already shows this page: only the fragment changes then. */
export function reloadOnSignIn(): void {
  addEventListener('hashchange', () => location.hash.startsWith('#token=') && location.reload());
}

/** True if there is a token, even an expired one. */
export function hadToken(): boolean {
  return storedToken() !== '';
}

function storedToken(): string {
  try {
    return sessionStorage.getItem(KEY) ?? memory;
  } catch {
    return memory;
  }
}

/** Forget who is signed in, in this tab. */
export function forgetToken(): void {
  storeToken('');
}

function storeToken(token: string): void {
  memory = token;
  try {
    sessionStorage.setItem(KEY, token);
  } catch {
    // storage is blocked: `memory` has it
  }
}
