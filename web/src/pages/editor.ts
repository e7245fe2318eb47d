/** The page of one document, `d/{document}`. The page adds a link to the list and the title to the element. */
import { html, render } from 'lit';
import '../collab-editor';
import type { CollabEditor, CollabEventDetails } from '../collab-editor';
import { Api } from './api';
import { documentAt } from './names';
import './account-menu';
import { currentAccount, hadToken, reloadOnSignIn, signIn } from './sign-in';
import { signInCard } from './sign-in-card';
import './sign-in-notice';
import './title';

const backArrow = html`<svg viewBox="0 0 20 20" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.8"
  stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M12.5 4.5 7 10l5.5 5.5" /></svg>`;

const page = document.querySelector('#page') as HTMLElement;
const name = documentAt(location.href, document.baseURI);
const account = signIn();

reloadOnSignIn();
if (account === null) showSignIn(hadToken());
else if (name === null) location.replace(document.baseURI);
else showEditor(name, account.token);

function showEditor(documentName: string, token: string): void {
  const api = new Api(() => currentAccount()?.token ?? token);
  const show = (writable: boolean) => render(editor(documentName, token, api, writable), page);
  page.addEventListener('collab-permission', event => {
    const { scope } = (event as CustomEvent<CollabEventDetails['collab-permission']>).detail;
    show(scope === 'read-write');
  });
  page.addEventListener('collab-token-expired', event => {
    // A text that is on the page stays there: some of it may not be saved.
    if ((event.target as CollabEditor).asJSON() === null) showSignIn(true);
  });
  show(false);
}

function editor(documentName: string, token: string, api: Api, writable: boolean) {
  return html`
    <collab-editor .document=${documentName} .token=${currentAccount()?.token ?? token} autofocus>
      <div slot="start" class="title">
        <a class="back" href=${document.baseURI} aria-label="All documents" title="All documents">${backArrow}</a>
        <collab-title .api=${api} .name=${documentName} .writable=${writable}></collab-title>
      </div>
      <collab-account-menu slot="end"></collab-account-menu>
      <collab-sign-in-notice slot="notice"></collab-sign-in-notice>
    </collab-editor>`;
}

function showSignIn(expired: boolean): void {
  document.title = 'Sign in · collab';
  document.body.classList.remove('editing');
  render(signInCard(expired), page);
}
