/** Keeps the page's token fresh: asks the server for another one at once after a link, then halfway through its life. */
import { claimsOf } from '../jwt';
import { renewalDue } from './accounts';
import { Api, Problem } from './api';
import { currentAccount, isNewSignIn, renewWith } from './sign-in';

const RETRY_MS = 20_000;
/** A browser's timers count neither more than 24 days nor, reliably, while the device sleeps. */
const CHECK_MS_MAX = 600_000;

let timer: ReturnType<typeof setTimeout> | undefined;
/** The token that the server will not renew. */
let final = '';

/** Renew the token of this page as long as it is open. */
export function keepSignedIn(): void {
  document.addEventListener('visibilitychange', check);
  addEventListener('online', check);
  addEventListener('collab-token', check);
  check();
}

function check(): void {
  clearTimeout(timer);
  const account = currentAccount();
  if (account === null || account.token === final) return;
  const due = renewalDue(claimsOf(account.token));
  if (due === null) return;
  const waitMs = isNewSignIn() ? 0 : due - Date.now();
  if (waitMs <= 0) void renew(account.token);
  else timer = setTimeout(check, Math.min(waitMs, CHECK_MS_MAX));
}

async function renew(token: string): Promise<void> {
  try {
    const fresh = await new Api(token).renewToken();
    if (currentAccount()?.token === token) renewWith(fresh);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 401 || error.status === 403) final = token;
    else timer = setTimeout(check, RETRY_MS);
  }
}
