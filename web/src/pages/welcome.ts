/** What a page says to somebody it does not know. */
import { html } from 'lit';

export function signInCard(expired: boolean) {
  return html`
    <section class="card">
      <h1>${expired ? 'Your sign-in link has expired' : 'You need a sign-in link'}</h1>
      <p>Open the link you were given, or ask whoever runs this server for one: it prints a link when it starts.</p>
    </section>`;
}
