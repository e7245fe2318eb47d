/**
 * The page of one document: `d/{document}`. The element fills it; the page adds the way back and the name.
 */
import { html, render } from 'lit';
import '../collab-editor';
import { documentAt } from './names';
import { hadToken, reloadOnSignIn, signIn } from './signin';
import { signInCard } from './welcome';

const backArrow = html`<svg viewBox="0 0 20 20" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.8"
  stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M12.5 4.5 7 10l5.5 5.5" /></svg>`;

const page = document.querySelector('#page') as HTMLElement;
const name = documentAt(location.href, document.baseURI);
const bearer = signIn();

reloadOnSignIn();
if (bearer === null) showSignIn(hadToken());
else if (name === null) location.replace(document.baseURI);
else showEditor(name, bearer.token);

function showEditor(documentName: string, token: string): void {
  document.title = `${documentName} · collab`;
  render(
    html`
      <collab-editor .document=${documentName} .token=${token} autofocus>
        <div slot="start" class="title">
          <a class="back" href=${document.baseURI} aria-label="All documents" title="All documents">${backArrow}</a>
          <h1 title=${documentName}>${documentName}</h1>
        </div>
      </collab-editor>`,
    page,
  );
}

function showSignIn(expired: boolean): void {
  document.title = 'Sign in · collab';
  document.body.classList.remove('writing');
  render(signInCard(expired), page);
}
