/** What a page says to somebody it does not know. */
import { html } from 'lit';

export function signInCard(expired: boolean) {
  const ask = expired ? 'Ask' : 'Open the link you were given, or ask';
  return html`
    <section class="card">
      <h1>${expired ? 'Your sign-in link has expired' : 'You need a sign-in link'}</h1>
      <p>${ask} whoever runs this server for a new one: it prints links when it starts.</p>
    </section>`;
}
