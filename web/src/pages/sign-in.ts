/**
 * Who is signed in on this page, and with which token: taken from a sign-in link, remembered (`accounts`), renewed in
 * time (`renewal`), and given up when the person signs out in any tab.
 */
import { claimsOf } from '../jwt';
import { type Account, Accounts, accountOf, hasEnded, memoryStore, type Store } from './accounts';

export type { Account } from './accounts';

const accounts = new Accounts(
  new URL(document.baseURI).pathname,
  storage(() => localStorage),
  storage(() => sessionStorage),
);

/** What this page works with. It keeps its token also while the storage has another, or none. */
let current: Account | null = null;
/** True if a link or a remembered sign-in had ended when the page was opened. */
let ended = false;
/** True if the token is that of a link, which is meant to be opened soon and lasts no longer than that. */
let isNew = false;

/** Why the way back from a provider brought no token. */
let problem: string | null = null;

export interface SignInEvents {
  /** The token of this page was replaced. */
  'collab-token': null;
  /** The person of this page has signed out, here or in another tab. */
  'collab-signed-out': null;
}

/** Return the person who is signed in, or null. The token is taken from the address, if it holds one. */
export function signIn(): Account | null {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const fromLink = fragment.get('token');
  problem = fragment.get('sign-in-problem');
  if (fromLink !== null || problem !== null) {
    // The token is a secret: it must not stay in the address bar, the history or a copied link.
    history.replaceState(history.state, '', location.pathname + location.search);
  }
  const found = fromLink === null ? accounts.current() : accountOf(fromLink, Date.now());
  ended = found !== null && hasEnded(found);
  if (found === null || ended || problem !== null || claimsOf(found.token).sub === undefined) return null;
  if (fromLink === null) accounts.use(found.id);
  else accounts.signIn(fromLink);
  isNew = fromLink !== null;
  current = found;
  return found;
}

/** Sign a person in on this page, or in place of an ended sign-in of theirs, with nothing on the page lost. */
export function signInWith(token: string): void {
  current = accounts.signIn(token);
  isNew = true;
  tell('collab-token');
}

/** Use a renewed token from now on, in all tabs. */
export function renewWith(token: string): void {
  if (current === null) return;
  current = { ...current, token };
  isNew = false;
  accounts.renew(token);
  tell('collab-token');
}

/** True if the token is that of a link, and was not renewed yet. */
export function isNewSignIn(): boolean {
  return isNew;
}

/** Return why the sign-in at a provider did not work; empty if it did, or was not tried. */
export function providerProblem(): string {
  if (problem === null) return '';
  return problem === 'unavailable'
    ? 'The sign-in service does not answer. Your documents are safe. Try again in a moment.'
    : 'The sign-in did not work. Start it again.';
}

/** The person of this tab whose sign-in had ended when the page was opened; null if there is none. */
export function endedAccount(): Account | null {
  const found = accounts.current();
  return ended && found !== null && hasEnded(found) ? found : null;
}

/** Use a fresh token of an account that had ended. The page has to be loaded again. */
export function revive(token: string): void {
  accounts.renew(token);
}

export function currentAccount(): Account | null {
  return current;
}

/** The people who are remembered, last used first. */
export function rememberedAccounts(): readonly Account[] {
  return accounts.all();
}

/** Make the tab another person's. The page has to be loaded again. */
export function switchTo(id: string): void {
  accounts.use(id);
}

/** Take the tab from its person, so that the page asks who it is when it is loaded again. */
export function forgetToken(): void {
  accounts.release();
}

/** Erase what this device keeps of a person. The page has to be left. */
export function signOut(id: string): void {
  accounts.forget(id);
}

/** Reload when a sign-in link is opened in a tab that already shows this page: only the fragment changes then. */
export function reloadOnSignIn(): void {
  addEventListener('hashchange', () => /^#(token|sign-in-problem)=/.test(location.hash) && location.reload());
}

/** True if the person was signed in until some time before the page was opened. */
export function hadToken(): boolean {
  return ended;
}

/** The last tab that a person looked at decides whose a new tab is: also one opened from here by Ctrl+click. */
function noteUse(): void {
  const isKnown = current !== null && accounts.all().some(({ id }) => id === current?.id);
  if (current !== null && isKnown && document.visibilityState === 'visible') accounts.use(current.id);
}

/** Follow what other tabs do to this tab's person: a newer token, or a sign-out. */
function followOtherTabs(event: StorageEvent): void {
  if (current === null || !accounts.isAbout(event.key)) return;
  const stored = accounts.all().find(({ id }) => id === current?.id);
  if (stored === undefined) leave(current.id);
  else if (stored.token !== current.token && !hasEnded(stored)) {
    current = stored;
    tell('collab-token');
  }
}

/** The person has signed out in another tab: forget here too what only this tab has kept. */
function leave(id: string): void {
  accounts.forget(id);
  tell('collab-signed-out');
}

/** A page that comes back from the browser's page cache has missed what other tabs did. */
function followAfterReturn(event: PageTransitionEvent): void {
  if (event.persisted && current !== null && accounts.all().every(({ id }) => id !== current?.id))
    leave(current.id);
}

function tell(name: keyof SignInEvents): void {
  dispatchEvent(new CustomEvent(name));
}

/** Return the browser's storage, or one for this page where the browser refuses it. */
function storage(get: () => Storage): Store {
  try {
    const found = get();
    found.setItem('collab-test', '');
    found.removeItem('collab-test');
    return found;
  } catch {
    return memoryStore();
  }
}

addEventListener('storage', followOtherTabs);
addEventListener('pageshow', followAfterReturn);
addEventListener('focus', noteUse);
document.addEventListener('visibilitychange', noteUse);
