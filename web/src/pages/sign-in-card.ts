/** What a page shows to a person who is not signed in: who could be, and a field for a link. */
import { html, nothing } from 'lit';
import { claimsOf } from '../jwt';
import { initials } from '../people';
import { type Account, hasEnded, isFromProvider } from './accounts';
import { Api, Problem } from './api';
import { leaveFor } from './leaving';
import { endedAccount, providerProblem, rememberedAccounts, revive, signInWith, switchTo } from './sign-in';
import './provider-link';
import './sign-in-form';

export function signInCard(expired: boolean) {
  void goOn();
  const known = rememberedAccounts().filter(account => !hasEnded(account));
  return html`
    <section class="card">
      <p class="brand"><img src=${iconAddress()} alt="" width="28" height="28" />collab</p>
      <h1>${expired ? 'Sign in again' : 'Sign in'}</h1>
      <p>${expired ? 'Your sign-in has ended. Your documents are safe on the server.' : 'Open your sign-in link, or paste it here.'}</p>
      ${known.length === 0 ? nothing : html`<ul class="accounts">${known.map(accountRow)}</ul>`}
      ${providerProblem() === '' ? nothing : html`<p class="provider-problem" role="alert">${providerProblem()}</p>`}
      <collab-provider-link></collab-provider-link>
      <collab-sign-in-form @signed-in=${signedIn}></collab-sign-in-form>
      <p class="where-from">${whereFrom()}</p>
    </section>`;
}

/** Where only the token has ended, and not the sign-in at the provider, no one has to do anything. */
async function goOn(): Promise<void> {
  const ended = endedAccount();
  if (ended === null || !isFromProvider(claimsOf(ended.token)) || providerProblem() !== '') return;
  try {
    revive(await new Api(ended.token).renewToken());
    await leaveFor(location.href);
  } catch (error) {
    if (!(error instanceof Problem)) throw error; // they have to sign in again
  }
}

function accountRow(account: Account) {
  return html`
    <li>
      <button type="button" class="item" @click=${() => take(account)}>
        <span class="initials" aria-hidden="true">${initials(account.name)}</span>Continue as ${account.name}
      </button>
    </li>`;
}

function take(account: Account): void {
  switchTo(account.id);
  void leaveFor(location.href);
}

function signedIn(event: CustomEvent<string>): void {
  signInWith(event.detail);
  void leaveFor(location.href);
}

function whereFrom() {
  const isOwnMachine = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
  return isOwnMachine
    ? html`No link? Print one in the folder where the server runs: <code>collab link --sub ada --name Ada</code>`
    : html`No link? Ask the administrator of this server for one.`;
}

function iconAddress(): string {
  return document.querySelector<HTMLLinkElement>('link[rel="icon"]')?.href ?? '';
}
