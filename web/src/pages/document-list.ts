/** The list of documents: sorted and searched by the server, with what a person may do in a menu on each row. */
import { html, LitElement, nothing } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { claimsOf } from '../jwt';
import { ago } from './ago';
import { type Api, type DocumentEntry, type ListQuery, Problem, type Sort } from './api';
import { Listing } from './listing';
import type { MenuItem } from './menu';
import './menu';
import {
  documentPath,
  folderAt,
  folderOf,
  foldersIn,
  generatedName,
  listPath,
  placed,
  titleOf,
} from './names';
import { currentAccount } from './sign-in';
import './toast';

/** How long the search waits for another key. */
const SEARCH_AFTER_MS = 200;

export class CollabDocumentList extends LitElement {
  static override properties = {
    api: { attribute: false },
    words: { state: true },
    sort: { state: true },
    renamed: { state: true },
    busy: { state: true },
    dialogProblem: { state: true },
  };

  declare api: Api;
  declare protected words: string;
  declare protected sort: Sort;
  /** The document that the rename dialog is about. */
  declare protected renamed: DocumentEntry | null;
  /** True while a new document is being made. */
  declare protected busy: boolean;
  declare protected dialogProblem: string;

  readonly #folder = folderAt(location.href);
  #searchTimer: ReturnType<typeof setTimeout> | undefined;

  readonly #listing = new Listing(this, {
    api: () => this.api,
    query: () => this.#query,
    signedOut: () => this.dispatchEvent(new Event('signed-out')),
  });

  constructor() {
    super();
    this.words = '';
    this.sort = 'updated';
    this.renamed = null;
    this.busy = false;
    this.dialogProblem = '';
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // it is the page, and styled by it
  }

  get #query(): ListQuery {
    return { sort: this.sort, words: this.words.trim(), folder: this.#folder, bin: false };
  }

  #search(event: InputEvent): void {
    this.words = (event.target as HTMLInputElement).value;
    clearTimeout(this.#searchTimer);
    this.#searchTimer = setTimeout(() => void this.#listing.restart(), SEARCH_AFTER_MS);
  }

  #sortBy(event: Event): void {
    this.sort = (event.target as HTMLSelectElement).value as Sort;
    void this.#listing.restart();
  }

  // --- what a person can do -----------------------------------------------------------------------------

  async #create(): Promise<void> {
    const name = placed(
      inFolder(this.#folder, generatedName()),
      claimsOf(currentAccount()?.token ?? '').grants,
    );
    this.busy = true;
    await this.#try(async () => {
      await this.api.create(name);
      location.assign(addressOf(name));
    });
    this.busy = false;
  }

  async #copyLink(entry: DocumentEntry): Promise<void> {
    try {
      await navigator.clipboard.writeText(addressOf(entry.name).href);
      this.#toast('Link copied. People need access to open it.');
    } catch {
      this.#toast(addressOf(entry.name).href); // the browser does not allow it: show what to copy
    }
  }

  async #duplicate(entry: DocumentEntry): Promise<void> {
    const copy = inFolder(folderOf(entry.name), generatedName());
    const title = `Copy of ${titleOf(entry)}`;
    await this.#try(async () => {
      await this.api.duplicate(entry.name, copy, title);
      this.#toast(`Made “${title}”.`, { label: 'Open', run: () => location.assign(addressOf(copy)) });
      await this.#listing.reload();
    });
  }

  async #remove(entry: DocumentEntry): Promise<void> {
    await this.#try(async () => {
      await this.api.remove(entry.name);
      this.#listing.leaveOut(entry.name);
      const undo = (): void => void this.#try(() => this.#takeBack(entry));
      this.#toast(`“${titleOf(entry)}” is in the bin.`, { label: 'Undo', run: undo });
    });
  }

  async #takeBack(entry: DocumentEntry): Promise<void> {
    await this.api.restore(entry.name);
    await this.#listing.reload();
    this.#toast(`“${titleOf(entry)}” is back.`);
  }

  async #openRenameDialog(entry: DocumentEntry): Promise<void> {
    this.dialogProblem = '';
    this.renamed = entry;
    await this.updateComplete;
    const dialog = this.#renameDialog;
    const field = dialog.querySelector('input') as HTMLInputElement;
    field.value = entry.title;
    dialog.showModal();
    field.select();
  }

  async #rename(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const { renamed } = this;
    if (renamed === null) return;
    const title = String(new FormData(event.target as HTMLFormElement).get('title') ?? '').trim();
    try {
      await this.api.retitle(renamed.name, title);
      this.#listing.change(renamed.name, title);
      this.#renameDialog.close();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.dialogProblem = error.message;
    }
  }

  get #renameDialog(): HTMLDialogElement {
    return this.querySelector('dialog') as HTMLDialogElement;
  }

  /** Do something; if it does not work, say why. */
  async #try(action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.#toast(error.message);
    }
  }

  #toast(text: string, action: { label: string; run: () => void } | null = null): void {
    this.querySelector('collab-toast')?.show(text, action);
  }

  // --- rendering ----------------------------------------------------------------------------------------

  protected override render() {
    const { problem } = this.#listing;
    document.title = `${this.#folder || 'Documents'} · collab`;
    return html`
      <div class="row">
        <h1>${this.#heading()}</h1>
        <button type="button" class="main" ?disabled=${this.busy} @click=${this.#create}>New document</button>
      </div>
      <div class="filters">
        <input class="search" type="search" placeholder="Search documents" aria-label="Search documents"
          autocomplete="off" .value=${this.words} @input=${this.#search} />
        <select aria-label="Sort by" @change=${this.#sortBy}>
          <option value="updated" selected>Last edited</option>
          <option value="title">Title</option>
        </select>
      </div>
      ${
        problem === ''
          ? nothing
          : html`<p class="strip" role="alert"><span>${problem}</span>
              <button type="button" @click=${() => this.#listing.reload()}>Try again</button></p>`
      }
      ${this.#folders()} ${this.#list()}
      <p class="elsewhere"><a href=${new URL('bin', document.baseURI).href}>Bin</a></p>
      ${this.#dialog()}
      <collab-toast></collab-toast>`;
  }

  /** "Documents", or the way from there to this folder. */
  #heading() {
    if (this.#folder === '') return 'Documents';
    const parts = this.#folder.split('/');
    const above = parts.slice(0, -1).map((part, index) => {
      const path = parts.slice(0, index + 1).join('/');
      return html`<a class="way" href=${new URL(listPath(path), document.baseURI).href}>${part}</a> <span aria-hidden="true">/</span> `;
    });
    return html`<a class="way" href=${document.baseURI}>Documents</a> <span aria-hidden="true">/</span> ${above}${parts.at(-1)}`;
  }

  #folders() {
    const folders = this.words === '' ? foldersIn(this.#folder, this.#listing.documents) : [];
    if (folders.length === 0) return nothing;
    return html`<ul class="folders" aria-label="Folders">${folders.map(
      folder => html`
      <li><a href=${new URL(listPath(inFolder(this.#folder, folder)), document.baseURI).href}>${folderIcon}${folder}</a></li>`,
    )}</ul>`;
  }

  #list() {
    const { documents, next } = this.#listing;
    if (documents.length === 0) return this.#empty();
    const now = new Date();
    return html`
      <ul class="documents">${repeat(
        documents,
        entry => entry.name,
        entry => this.#row(entry, now),
      )}</ul>
      ${next === null ? nothing : html`<button type="button" class="more" @click=${() => this.#listing.more()}>Show more</button>`}`;
  }

  #empty() {
    const { loading, problem } = this.#listing;
    if (loading) return html`<p class="empty" role="status">Loading…</p>`;
    if (problem !== '') return nothing;
    if (this.words.trim() !== '') {
      return html`<p class="empty" role="status">No documents match “${this.words.trim()}”.</p>`;
    }
    return html`<p class="empty" role="status">
      ${this.#folder === '' ? 'No documents yet. Create the first one, or ask somebody to share one with you.' : 'This folder is empty.'}</p>`;
  }

  #row(entry: DocumentEntry, now: Date) {
    const title = titleOf(entry);
    const edited = new Date(entry.updated_at);
    const folder = folderOf(entry.name).slice(this.#folder === '' ? 0 : this.#folder.length + 1);
    return html`
      <li>
        <a href=${addressOf(entry.name).href}>
          <span class=${title === 'Untitled' ? 'name untitled' : 'name'}>${title}</span>
          ${folder === '' ? nothing : html`<span class="aside">${folder}</span>`}
        </a>
        <time datetime=${entry.updated_at} title=${edited.toLocaleString()}>${ago(edited, now)}</time>
        <collab-menu .label=${`Actions for ${title}`} .items=${this.#actions(entry)}></collab-menu>
      </li>`;
  }

  /** What this person may do with a document. */
  #actions(entry: DocumentEntry): MenuItem[] {
    const mayWrite = entry.role == null || entry.role === 'editor' || entry.role === 'owner';
    const mayManage = entry.role == null || entry.role === 'owner';
    return [
      { label: 'Open in new tab', run: () => window.open(addressOf(entry.name), '_blank', 'noopener') },
      { label: 'Copy link', run: () => void this.#copyLink(entry) },
      ...(mayWrite ? [{ label: 'Rename', run: () => void this.#openRenameDialog(entry) }] : []),
      { label: 'Duplicate', run: () => void this.#duplicate(entry) },
      ...(mayManage ? [{ label: 'Delete', run: () => void this.#remove(entry), bad: true }] : []),
    ];
  }

  #dialog() {
    return html`
      <dialog id="rename" aria-labelledby="rename-title">
        <form @submit=${this.#rename}>
          <h2 id="rename-title">Rename “${this.renamed === null ? '' : titleOf(this.renamed)}”</h2>
          <label>Title <input name="title" maxlength="500" autocomplete="off" placeholder="Untitled" /></label>
          ${this.dialogProblem === '' ? nothing : html`<p class="problem" role="alert">${this.dialogProblem}</p>`}
          <div class="buttons">
            <button type="button" @click=${() => this.#renameDialog.close()}>Cancel</button>
            <button type="submit" class="main">Rename</button>
          </div>
        </form>
      </dialog>`;
  }
}

function inFolder(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

function addressOf(name: string): URL {
  return new URL(documentPath(name), document.baseURI);
}

const folderIcon = html`<svg viewBox="0 0 20 20" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.5"
  stroke-linejoin="round" aria-hidden="true"><path d="M3 5.5h5l1.500 2H17v8H3z" /></svg>`;

customElements.define('collab-document-list', CollabDocumentList);
