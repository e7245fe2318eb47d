/** A page with one message in its middle: what happened, and the ways on. */
import { html, type TemplateResult } from 'lit';

export function card(heading: string, text: TemplateResult, actions: TemplateResult) {
  return html`
    <section class="card">
      <img class="mark" src=${document.querySelector<HTMLLinkElement>('link[rel="icon"]')?.href ?? ''} alt="" width="40" height="40" />
      <h1>${heading}</h1>
      ${text}
      <div class="actions">${actions}</div>
    </section>`;
}
