/** The bin: documents that were deleted. They can be restored, or deleted for good. */
import { html, LitElement, nothing } from 'lit';
import { repeat } from 'lit/directives/repeat.js';
import { ago } from './ago';
import { type Api, type DocumentEntry, Problem } from './api';
import { Listing } from './listing';
import { documentPath, folderOf, titleOf } from './names';
import './toast';

export class CollabBin extends LitElement {
  static override properties = {
    api: { attribute: false },
    toPurge: { state: true },
    typed: { state: true },
    dialogProblem: { state: true },
  };

  declare api: Api;
  /** The document that the dialog asks about. */
  declare protected toPurge: DocumentEntry | null;
  declare protected typed: string;
  declare protected dialogProblem: string;

  readonly #listing = new Listing(this, {
    api: () => this.api,
    query: () => ({ sort: 'updated', words: '', folder: '', bin: true }),
    signedOut: () => this.dispatchEvent(new Event('signed-out')),
  });

  constructor() {
    super();
    this.toPurge = null;
    this.typed = '';
    this.dialogProblem = '';
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // it is the page, and styled by it
  }

  async #restore(entry: DocumentEntry): Promise<void> {
    const toast = this.querySelector('collab-toast');
    try {
      await this.api.restore(entry.name);
      this.#listing.leaveOut(entry.name);
      const open = (): void => location.assign(new URL(documentPath(entry.name), document.baseURI));
      toast?.show(`“${titleOf(entry)}” is back.`, { label: 'Open', run: open });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      toast?.show(error.message);
    }
  }

  async #openDialog(entry: DocumentEntry): Promise<void> {
    this.toPurge = entry;
    this.typed = '';
    this.dialogProblem = '';
    await this.updateComplete;
    this.#dialog.showModal();
  }

  async #purge(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const { toPurge } = this;
    if (toPurge === null || !this.#isTyped) return;
    try {
      await this.api.purge(toPurge.name);
      this.#listing.leaveOut(toPurge.name);
      this.#dialog.close();
      this.querySelector('collab-toast')?.show(`“${titleOf(toPurge)}” is deleted for good.`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.dialogProblem = error.message;
    }
  }

  get #dialog(): HTMLDialogElement {
    return this.querySelector('dialog') as HTMLDialogElement;
  }

  get #isTyped(): boolean {
    return this.toPurge !== null && this.typed.trim() === titleOf(this.toPurge);
  }

  // --- rendering ----------------------------------------------------------------------------------------

  protected override render() {
    const { documents, next, problem, loading } = this.#listing;
    document.title = 'Bin · collab';
    return html`
      <div class="row"><h1><a class="way" href=${document.baseURI}>Documents</a> <span aria-hidden="true">/</span> Bin</h1></div>
      ${problem === '' ? nothing : html`<p class="strip" role="alert"><span>${problem}</span></p>`}
      ${
        documents.length > 0
          ? html`<ul class="documents plain">${repeat(
              documents,
              entry => entry.name,
              entry => this.#row(entry),
            )}</ul>`
          : html`<p class="empty" role="status">${loading ? 'Loading…' : problem === '' ? 'The bin is empty.' : ''}</p>`
      }
      ${next === null ? nothing : html`<button type="button" class="more" @click=${() => this.#listing.more()}>Show more</button>`}
      ${this.#purgeDialog()}
      <collab-toast></collab-toast>`;
  }

  #row(entry: DocumentEntry) {
    const title = titleOf(entry);
    const deleted = new Date(entry.deleted_at ?? entry.updated_at);
    const folder = folderOf(entry.name);
    return html`
      <li>
        <div class="what">
          <span class="name">${title}</span>
          ${folder === '' ? nothing : html`<span class="aside">${folder}</span>`}
          <time datetime=${deleted.toISOString()} title=${deleted.toLocaleString()}>deleted ${ago(deleted, new Date())}</time>
        </div>
        <button type="button" class="act" aria-label=${`Restore ${title}`} @click=${() => this.#restore(entry)}>Restore</button>
        <button type="button" class="act plain-bad" aria-label=${`Delete forever: ${title}`}
          @click=${() => this.#openDialog(entry)}>Delete forever</button>
      </li>`;
  }

  #purgeDialog() {
    const title = this.toPurge === null ? '' : titleOf(this.toPurge);
    return html`
      <dialog id="purge" aria-labelledby="purge-title">
        <form @submit=${this.#purge}>
          <h2 id="purge-title">Delete “${title}” forever?</h2>
          <p>Its text and its history will be gone for everyone. This can’t be undone.</p>
          <label><span>Type <b class="quoted">${title}</b> to confirm</span>
            <input name="typed" autocomplete="off" spellcheck="false" .value=${this.typed}
              @input=${(event: InputEvent) => {
                this.typed = (event.target as HTMLInputElement).value;
              }} /></label>
          ${this.dialogProblem === '' ? nothing : html`<p class="problem" role="alert">${this.dialogProblem}</p>`}
          <div class="buttons">
            <button type="button" @click=${() => this.#dialog.close()}>Cancel</button>
            <button type="submit" class="main bad" ?disabled=${!this.#isTyped}>Delete forever</button>
          </div>
        </form>
      </dialog>`;
  }
}

customElements.define('collab-bin', CollabBin);
