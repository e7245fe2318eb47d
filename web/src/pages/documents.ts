/**
 * The first page: the list of documents, one click to a new one.
 */
import { html, LitElement, nothing } from 'lit';
import { initials } from '../people';
import { ago } from './ago';
import { Api, type DocumentEntry, Problem } from './api';
import { documentName, documentPath, inventedName } from './names';
import { type Bearer, hadToken, reloadOnSignIn, signIn } from './signin';
import { signInCard } from './welcome';

/** The server pages by name, people look for what was edited last: so many are read before they are shown. */
const AT_ONCE = 1000;

class CollabDocuments extends LitElement {
  static override properties = {
    bearer: { state: true },
    documents: { state: true },
    next: { state: true },
    filter: { state: true },
    loading: { state: true },
    problem: { state: true },
    doomed: { state: true },
    refusal: { state: true },
    expired: { state: true },
  };

  declare bearer: Bearer | null;
  declare documents: readonly DocumentEntry[];
  /** The cursor of the next page, or null when all are here. */
  declare next: string | null;
  declare filter: string;
  declare loading: boolean;
  declare problem: string;
  /** The document that the open dialog asks about. */
  declare doomed: DocumentEntry | null;
  /** Why the last creation or deletion failed. */
  declare refusal: string;
  declare expired: boolean;

  #api = new Api('');

  constructor() {
    super();
    this.bearer = null;
    this.documents = [];
    this.next = null;
    this.filter = '';
    this.loading = true;
    this.problem = '';
    this.doomed = null;
    this.refusal = '';
    this.expired = false;
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // a page, not a component: its styles are the page's
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.bearer = signIn();
    this.expired = this.bearer === null && hadToken();
    reloadOnSignIn();
    if (this.bearer === null) return;
    this.#api = new Api(this.bearer.token);
    void this.#reload();
    // Coming back from a document, or from another tab: what was edited meanwhile?
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

  /** Reads on after `known` until all are here, or as many more as one sitting shows. */
  async #load(after: string | null, known: readonly DocumentEntry[]): Promise<void> {
    let documents = known;
    let next = after;
    try {
      do {
        const page = await this.#api.list(next);
        documents = [...documents, ...page.documents];
        next = page.next;
      } while (next !== null && documents.length < known.length + AT_ONCE);
      this.documents = documents;
      this.next = next;
      this.problem = '';
    } catch (error) {
      this.#failed(error);
    } finally {
      this.loading = false;
    }
  }

  #failed(error: unknown): void {
    if (!(error instanceof Problem)) throw error;
    if (error.status === 401) {
      this.bearer = null;
      this.expired = true;
    } else this.problem = error.message;
  }

  #search(event: InputEvent): void {
    this.filter = (event.target as HTMLInputElement).value;
  }

  /** What the search finds, last edited first. */
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

  #askName(): void {
    this.refusal = '';
    this.#dialog('new').showModal();
  }

  async #create(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const typed = new FormData(event.target as HTMLFormElement).get('name');
    const name = documentName(String(typed ?? '')) || inventedName();
    try {
      await this.#api.create(name);
      location.assign(new URL(documentPath(name), document.baseURI));
    } catch (error) {
      this.#refused(error);
    }
  }

  async #askDelete(entry: DocumentEntry): Promise<void> {
    this.refusal = '';
    this.doomed = entry;
    await this.updateComplete;
    this.#dialog('delete').showModal();
  }

  async #delete(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const { doomed } = this;
    if (doomed === null) return;
    try {
      await this.#api.remove(doomed.name);
      this.documents = this.documents.filter(entry => entry.name !== doomed.name);
      this.#dialog('delete').close();
    } catch (error) {
      this.#refused(error);
    }
  }

  #refused(error: unknown): void {
    this.#failed(error);
    [this.refusal, this.problem] = [this.problem, ''];
  }

  // --- the look -----------------------------------------------------------------------------------------

  protected override render() {
    if (this.bearer === null) return html`<main>${signInCard(this.expired)}</main>`;
    return html`
      <header class="top">
        <span class="brand"><img src=${iconAddress()} alt="" width="24" height="24" />collab</span>
        <span class="bearer" title=${`Signed in as ${this.bearer.name}`}>
          <span class="initials" aria-hidden="true">${initials(this.bearer.name)}</span>${this.bearer.name}
        </span>
      </header>
      <main class="column">
        <div class="row">
          <h1>Documents</h1>
          <button type="button" class="main" @click=${this.#askName}>New document</button>
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
    if (found.length === 0) return html`<p class="empty" role="status">${this.#emptiness()}</p>`;
    return html`
      <ul class="documents">${found.map(entry => this.#row(entry))}</ul>
      ${this.next === null ? nothing : html`<button type="button" class="more" @click=${this.#more}>Show more</button>`}`;
  }

  #emptiness(): string {
    if (this.loading) return 'Loading…';
    if (this.problem !== '') return '';
    return this.documents.length === 0 ? 'No documents yet. Begin with a new one.' : 'No document matches.';
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
          @click=${() => this.#askDelete(entry)}>${bin}</button>
      </li>`;
  }

  #newDialog() {
    return html`
      <dialog id="new" aria-labelledby="new-title">
        <form @submit=${this.#create}>
          <h2 id="new-title">New document</h2>
          <label>Name <input name="name" maxlength="255" autocomplete="off" placeholder="Untitled" autofocus /></label>
          ${this.#refusalLine()}
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
          <h2 id="delete-title">Delete “${this.doomed?.title || this.doomed?.name}”?</h2>
          <p>People who have it open cannot go on writing.</p>
          ${this.#refusalLine()}
          <div class="buttons">
            <button type="button" autofocus @click=${() => this.#dialog('delete').close()}>Cancel</button>
            <button type="submit" class="main bad">Delete</button>
          </div>
        </form>
      </dialog>`;
  }

  #refusalLine() {
    return this.refusal === '' ? nothing : html`<p class="refusal" role="alert">${this.refusal}</p>`;
  }
}

const bin = html`<svg viewBox="0 0 20 20" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.5"
  stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
  <path d="M4 5.5h12M8 5.5V4h4v1.5M5.5 5.5l.7 10.5h7.600l.7-10.5M8.5 8.5v4.5M11.5 8.5v4.5" /></svg>`;

function iconAddress(): string {
  return document.querySelector<HTMLLinkElement>('link[rel="icon"]')?.href ?? '';
}

customElements.define('collab-documents', CollabDocuments);
