/** The first page: the list of documents. */
import { html, LitElement, nothing } from 'lit';
import { claimsOf } from '../jwt';
import './account-menu';
import { ago } from './ago';
import { Api, type DocumentEntry, Problem } from './api';
import { reloadWhenSaved } from './leaving';
import { documentName, documentPath, generatedName, placed } from './names';
import { keepSignedIn } from './renewal';
import { type Account, currentAccount, hadToken, reloadOnSignIn, signIn } from './sign-in';
import { signInCard } from './sign-in-card';

/** The server sorts by name, but people look for what was edited last: we read so many before we show any. */
const BATCH = 1000;

class CollabDocuments extends LitElement {
  static override properties = {
    account: { state: true },
    documents: { state: true },
    next: { state: true },
    filter: { state: true },
    loading: { state: true },
    problem: { state: true },
    toDelete: { state: true },
    dialogProblem: { state: true },
    expired: { state: true },
  };

  declare account: Account | null;
  declare documents: readonly DocumentEntry[];
  /** Cursor of the next page, or null if all documents are loaded. */
  declare next: string | null;
  declare filter: string;
  declare loading: boolean;
  declare problem: string;
  /** The document that the delete dialog asks about. */
  declare toDelete: DocumentEntry | null;
  /** Why the document could not be created or deleted, for the open dialog. */
  declare dialogProblem: string;
  declare expired: boolean;

  #api = new Api('');

  constructor() {
    super();
    this.account = null;
    this.documents = [];
    this.next = null;
    this.filter = '';
    this.loading = true;
    this.problem = '';
    this.toDelete = null;
    this.dialogProblem = '';
    this.expired = false;
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
    void this.#reload();
    // Show what was edited while the person was on another page or tab.
    addEventListener('pageshow', event => event.persisted && this.#reload());
    document.addEventListener(
      'visibilitychange',
      () => document.visibilityState === 'visible' && this.#reload(),
    );
  }

  async #reload(): Promise<void> {
    await this.#load(null, []);
  }

  async #more(): Promise<void> {
    await this.#load(this.next, this.documents);
  }

  /** Read the documents after `known`, until all are loaded or a batch is full. */
  async #load(after: string | null, known: readonly DocumentEntry[]): Promise<void> {
    let documents = known;
    let next = after;
    try {
      do {
        const page = await this.#api.list(next);
        documents = [...documents, ...page.documents];
        next = page.next;
      } while (next !== null && documents.length < known.length + BATCH);
      this.documents = documents;
      this.next = next;
      this.problem = '';
    } catch (error) {
      this.#showProblem(error);
    } finally {
      this.loading = false;
    }
  }

  #showProblem(error: unknown): void {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 401) {
      this.account = null;
      this.expired = true;
    } else this.problem = error.message;
  }

  #search(event: InputEvent): void {
    this.filter = (event.target as HTMLInputElement).value;
  }

  /** The documents that match the search, last edited first. */
  get #found(): readonly DocumentEntry[] {
    const words = this.filter.toLocaleLowerCase().split(/\s+/).filter(Boolean);
    return this.documents
      .filter(({ name, title }) => {
        const text = `${title} ${name}`.toLocaleLowerCase();
        return words.every(word => text.includes(word));
      })
      .sort((a, b) => Date.parse(b.updated_at) - Date.parse(a.updated_at));
  }

  // --- dialogs ------------------------------------------------------------------------------------------

  #dialog(id: string): HTMLDialogElement {
    return this.querySelector(`#${id}`) as HTMLDialogElement;
  }

  #openNewDialog(): void {
    this.dialogProblem = '';
    this.#dialog('new').showModal();
  }

  async #create(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const typed = new FormData(event.target as HTMLFormElement).get('name');
    const chosen = documentName(String(typed ?? '')) || generatedName();
    const name = placed(chosen, claimsOf(this.account?.token ?? '').grants);
    try {
      await this.#api.create(name);
      location.assign(new URL(documentPath(name), document.baseURI));
    } catch (error) {
      this.#showDialogProblem(error);
    }
  }

  async #openDeleteDialog(entry: DocumentEntry): Promise<void> {
    this.dialogProblem = '';
    this.toDelete = entry;
    await this.updateComplete;
    this.#dialog('delete').showModal();
  }

  async #delete(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const { toDelete } = this;
    if (toDelete === null) return;
    try {
      await this.#api.remove(toDelete.name);
      this.documents = this.documents.filter(entry => entry.name !== toDelete.name);
      this.#dialog('delete').close();
    } catch (error) {
      this.#showDialogProblem(error);
    }
  }

  #showDialogProblem(error: unknown): void {
    this.#showProblem(error);
    [this.dialogProblem, this.problem] = [this.problem, ''];
  }

  // --- rendering ----------------------------------------------------------------------------------------

  protected override render() {
    if (this.account === null) return html`<main>${signInCard(this.expired)}</main>`;
    return html`
      <header class="top">
        <span class="brand"><img src=${iconAddress()} alt="" width="24" height="24" />collab</span>
        <collab-account-menu named></collab-account-menu>
      </header>
      <main class="column">
        <div class="row">
          <h1>Documents</h1>
          <button type="button" class="main" @click=${this.#openNewDialog}>New document</button>
        </div>
        <input class="search" type="search" placeholder="Search documents" aria-label="Search documents"
          autocomplete="off" .value=${this.filter} @input=${this.#search} />
        ${this.problem === '' ? nothing : this.#problemStrip()}
        ${this.#list()}
      </main>
      ${this.#newDialog()} ${this.#deleteDialog()}`;
  }

  #problemStrip() {
    return html`
      <p class="strip" role="alert">
        <span>${this.problem}</span> <button type="button" @click=${this.#reload}>Try again</button>
      </p>`;
  }

  #list() {
    const found = this.#found;
    if (found.length === 0) return html`<p class="empty" role="status">${this.#emptyText()}</p>`;
    return html`
      <ul class="documents">${found.map(entry => this.#row(entry))}</ul>
      ${this.next === null ? nothing : html`<button type="button" class="more" @click=${this.#more}>Show more</button>`}`;
  }

  #emptyText(): string {
    if (this.loading) return 'Loading…';
    if (this.problem !== '') return '';
    return this.documents.length === 0
      ? 'No documents yet. Create your first one.'
      : 'No documents match your search.';
  }

  #row(entry: DocumentEntry) {
    const title = entry.title || entry.name;
    const edited = new Date(entry.updated_at);
    return html`
      <li>
        <a href=${new URL(documentPath(entry.name), document.baseURI).href}>
          <span class="name">${title}</span>
          ${title.toLowerCase() === entry.name.toLowerCase() ? nothing : html`<span class="aside">${entry.name}</span>`}
        </a>
        <time datetime=${entry.updated_at} title=${edited.toLocaleString()}>${ago(edited, new Date())}</time>
        <button type="button" class="quiet" aria-label=${`Delete ${title}`} title="Delete"
          @click=${() => this.#openDeleteDialog(entry)}>${bin}</button>
      </li>`;
  }

  #newDialog() {
    return html`
      <dialog id="new" aria-labelledby="new-title">
        <form @submit=${this.#create}>
          <h2 id="new-title">New document</h2>
          <label>Name <input name="name" maxlength="255" autocomplete="off" placeholder="Untitled" autofocus /></label>
          ${this.#dialogProblemLine()}
          <div class="buttons">
            <button type="button" @click=${() => this.#dialog('new').close()}>Cancel</button>
            <button type="submit" class="main">Create</button>
          </div>
        </form>
      </dialog>`;
  }

  #deleteDialog() {
    return html`
      <dialog id="delete" aria-labelledby="delete-title">
        <form @submit=${this.#delete}>
          <h2 id="delete-title">Delete “${this.toDelete?.title || this.toDelete?.name}”?</h2>
          <p>It will be deleted for everyone. You cannot undo this.</p>
          ${this.#dialogProblemLine()}
          <div class="buttons">
            <button type="button" autofocus @click=${() => this.#dialog('delete').close()}>Cancel</button>
            <button type="submit" class="main bad">Delete</button>
          </div>
        </form>
      </dialog>`;
  }

  #dialogProblemLine() {
    return this.dialogProblem === ''
      ? nothing
      : html`<p class="problem" role="alert">${this.dialogProblem}</p>`;
  }
}

const bin = html`<svg viewBox="0 0 20 20" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.5"
  stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
  <path d="M4 5.5h12M8 5.5V4h4v1.5M5.5 5.5l.7 10.5h7.600l.7-10.5M8.5 8.5v4.5M11.5 8.5v4.5" /></svg>`;

function iconAddress(): string {
  return document.querySelector<HTMLLinkElement>('link[rel="icon"]')?.href ?? '';
}

customElements.define('collab-documents', CollabDocuments);
