/** A link to sign in at the provider, where the server has one. Otherwise it shows nothing. */
import { html, LitElement, nothing } from 'lit';
import { readProvider } from './api';

class CollabProviderLink extends LitElement {
  static override properties = { beside: { type: Boolean }, provider: { state: true } };

  /** Sign in in another tab, because the text of this one is not to be left. */
  declare beside: boolean;
  declare protected provider: string | null;

  constructor() {
    super();
    this.beside = false;
    this.provider = null;
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // part of the page, and styled by it
  }

  override async connectedCallback(): Promise<void> {
    super.connectedCallback();
    this.provider = await readProvider();
  }

  protected override render() {
    if (this.provider === null) return nothing;
    const root = new URL(document.baseURI).pathname;
    const to = location.pathname.startsWith(`${root}d/`) ? decoded(location.pathname.slice(root.length)) : '';
    const address = new URL(`sign-in/oidc?${new URLSearchParams({ to })}`, document.baseURI);
    return html`<a class="provider" href=${address.href} target=${this.beside ? '_blank' : nothing}
      rel=${this.beside ? 'noopener' : nothing}>Sign in with ${this.provider}</a>`;
  }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return '';
  }
}

customElements.define('collab-provider-link', CollabProviderLink);
