/** What a page shows to a person who is not signed in. */
import { html } from 'lit';

export function signInCard(expired: boolean) {
  const ask = expired
    ? 'Ask the administrator for a new one.'
    : 'Open the link you were given, or ask the administrator for one.';
  return html`
    <section class="card">
      <h1>${expired ? 'Your sign-in link has expired' : 'You need a sign-in link'}</h1>
      <p>${ask} The server prints sign-in links when it starts.</p>
    </section>`;
}
