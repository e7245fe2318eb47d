/** The pages beside the editor: the list of documents, the bin, `/new`, and what stands at an unknown address. */
import { html, LitElement, type TemplateResult } from 'lit';
import { claimsOf } from '../jwt';
import './account-menu';
import { Api, Problem } from './api';
import './bin';
import { card } from './card';
import './document-list';
import { reloadWhenSaved } from './leaving';
import { documentPath, generatedName, placed } from './names';
import { keepSignedIn } from './renewal';
import { type Account, currentAccount, hadToken, reloadOnSignIn, signIn } from './sign-in';
import { signInCard } from './sign-in-card';
import './theme';
import './toast';

/** What an address of this site leads to. */
type Place = 'documents' | 'bin' | 'new' | 'nowhere';

class CollabDocuments extends LitElement {
  static override properties = {
    account: { state: true },
    expired: { state: true },
    problem: { state: true },
  };

  declare protected account: Account | null;
  declare protected expired: boolean;
  /** Why no new document could be created. */
  declare protected problem: string;

  readonly #place = placeOf(location.href, document.baseURI);
  #api = new Api('');

  constructor() {
    super();
    this.account = null;
    this.expired = false;
    this.problem = '';
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // it is the page, and styled by it
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.account = signIn();
    this.expired = this.account === null && hadToken();
    reloadOnSignIn();
    if (this.account === null) return;
    const { token } = this.account;
    this.#api = new Api(() => currentAccount()?.token ?? token);
    keepSignedIn();
    addEventListener('collab-signed-out', reloadWhenSaved);
    if (this.#place === 'new') void this.#create();
  }

  /** Create a document and go to it, so that "back" does not create another one. */
  async #create(): Promise<void> {
    const name = placed(generatedName(), claimsOf(this.account?.token ?? '').grants);
    try {
      await this.#api.create(name);
      location.replace(new URL(documentPath(name), document.baseURI));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.problem = error.message;
    }
  }

  #signedOut(): void {
    this.account = null;
    this.expired = true;
  }

  // --- rendering ----------------------------------------------------------------------------------------

  protected override render() {
    if (this.#place === 'nowhere') return this.#nowhere();
    if (this.account === null) {
      document.title = 'Sign in · collab';
      return html`<main>${signInCard(this.expired)}</main>`;
    }
    return html`
      <header class="top">
        <a class="brand" href=${document.baseURI}><img src=${iconAddress()} alt="" width="24" height="24" />collab</a>
        <div class="tools">
          <collab-theme></collab-theme>
          <collab-account-menu named></collab-account-menu>
        </div>
      </header>
      <main class="column">${this.#content()}</main>`;
  }

  #content(): TemplateResult {
    switch (this.#place) {
      case 'bin':
        return html`<collab-bin .api=${this.#api} @signed-out=${this.#signedOut}></collab-bin>`;
      case 'new':
        document.title = 'New document · collab';
        return this.problem === ''
          ? html`<h1>New document</h1><p class="empty" role="status">One moment…</p>`
          : card('You can’t create a document here', html`<p>${this.problem}</p>`, homeLink());
      default:
        return html`<collab-document-list .api=${this.#api} @signed-out=${this.#signedOut}></collab-document-list>`;
    }
  }

  #nowhere() {
    document.title = 'Page not found · collab';
    return html`<main>${card(
      'There is nothing at this address',
      html`<p>Check the link for a typo. Documents have addresses like <code>${new URL('d/…', document.baseURI).host}/d/…</code></p>`,
      homeLink(),
    )}</main>`;
  }
}

function placeOf(address: string, base: string): Place {
  const path = new URL(address).pathname;
  const root = new URL(base).pathname;
  const rest = path.startsWith(root) ? path.slice(root.length) : 'elsewhere';
  if (rest === '' || rest === 'index.html') return 'documents';
  return rest === 'bin' || rest === 'new' ? rest : 'nowhere';
}

function homeLink() {
  return html`<a class="button main" href=${document.baseURI}>Go to my documents</a>`;
}

function iconAddress(): string {
  return document.querySelector<HTMLLinkElement>('link[rel="icon"]')?.href ?? '';
}

customElements.define('collab-documents', CollabDocuments);
