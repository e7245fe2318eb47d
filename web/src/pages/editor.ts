/** The page of one document, `d/{document}`: the editor with the title above the text, or why there is none. */
import { html, LitElement, nothing, render } from 'lit';
import type { Doc } from 'yjs';
import '../collab-editor';
import type { CollabEditor, CollabEventDetails } from '../collab-editor';
import './account-menu';
import { Api, Problem } from './api';
import { closedDocument } from './closed-document';
import { documentAt, folderOf, listPath, titleOf } from './names';
import { type Account, currentAccount, forgetToken, hadToken, reloadOnSignIn, signIn } from './sign-in';
import { signInCard } from './sign-in-card';
import './sign-in-notice';
import './theme';
import './title';
import type { CollabTitle } from './title';
import { Unseen } from './unseen';

type Closed = CollabEventDetails['collab-error'];

/** How long the server may stay silent before the page says more than "Connecting…". */
const AWAY_AFTER_MS = 6000;

const backArrow = html`<svg viewBox="0 0 20 20" width="20" height="20" fill="none" stroke="currentColor" stroke-width="1.8"
  stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M12.5 4.5 7 10l5.5 5.5" /></svg>`;

class DocumentPage extends LitElement {
  static override properties = {
    name: { attribute: false },
    account: { attribute: false },
    doc: { state: true },
    writable: { state: true },
    listed: { state: true },
    closed: { state: true },
    isAway: { state: true },
    asked: { state: true },
    problem: { state: true },
    shownTitle: { state: true },
    unseen: { state: true },
    isScrolled: { state: true },
  };

  declare name: string;
  declare account: Account;
  declare protected doc: Doc | null;
  declare protected writable: boolean;
  /** The title that the list has. It is asked for where the document itself has none. */
  declare protected listed: string;
  declare protected closed: Closed | null;
  /** True if the server has not answered for a while. */
  declare protected isAway: boolean;
  declare protected asked: boolean;
  /** Why a way on did not work. */
  declare protected problem: string;
  declare protected shownTitle: string;
  /** Number of places in the text that others have changed while the tab was in the background. */
  declare protected unseen: number;
  /** True if the heading is out of sight. */
  declare protected isScrolled: boolean;

  #api: Api | null = null;
  #awayTimer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.doc = null;
    this.writable = false;
    this.listed = '';
    this.closed = null;
    this.isAway = false;
    this.asked = false;
    this.problem = '';
    this.shownTitle = '';
    this.unseen = 0;
    this.isScrolled = false;
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // it is the page, and styled by it
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.#api = new Api(() => this.#token);
    this.#awaitServer();
  }

  protected override firstUpdated(): void {
    const heading = this.querySelector('collab-title');
    if (heading === null) return;
    new IntersectionObserver(([entry]) => {
      this.isScrolled = entry !== undefined && !entry.isIntersecting && heading.clientHeight > 0;
    }).observe(heading);
  }

  // --- what the editor tells ------------------------------------------------------------------------------

  async #ready(): Promise<void> {
    const doc = this.#editor?.doc ?? null;
    if (doc === null) return;
    this.doc = doc;
    new Unseen(doc, count => {
      this.unseen = count;
    });
    await this.updateComplete;
    const heading = this.querySelector('collab-title');
    await heading?.updateComplete;
    this.#placeCaret(heading);
    // A document that is really new has no entry yet, and asking for it would be an error in the console.
    if (heading?.text === '' && doc.store.clients.size > 0) await this.#readListedTitle();
  }

  /** Put the caret into the title of an empty document, else into the text. */
  #placeCaret(heading: CollabTitle | null): void {
    if (!this.writable || heading === null) return;
    const isNew = heading.text === '' && this.#editor?.asText() === '';
    if (isNew) heading.focus();
    else this.#editor?.focus();
  }

  async #readListedTitle(): Promise<void> {
    try {
      this.listed = (await this.#api?.find(this.name))?.title ?? '';
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
  }

  #permission(event: CustomEvent<CollabEventDetails['collab-permission']>): void {
    this.writable = event.detail.scope === 'read-write';
  }

  #status(event: CustomEvent<CollabEventDetails['collab-status']>): void {
    const { kind } = event.detail;
    if (kind === 'connecting' || kind === 'offline') this.#awaitServer();
    else {
      clearTimeout(this.#awayTimer);
      this.isAway = false;
    }
  }

  #awaitServer(): void {
    clearTimeout(this.#awayTimer);
    this.#awayTimer = setTimeout(() => {
      this.isAway = this.doc === null && this.closed === null;
    }, AWAY_AFTER_MS);
  }

  #failed(event: CustomEvent<Closed>): void {
    this.closed = event.detail;
  }

  /** The newest token: it is renewed while the page is open. */
  get #token(): string {
    return currentAccount()?.token ?? this.account.token;
  }

  get #editor(): CollabEditor | null {
    return this.querySelector('collab-editor');
  }

  // --- ways on ----------------------------------------------------------------------------------------------

  async #restore(): Promise<void> {
    await this.#try(async () => {
      await this.#api?.restore(this.name);
      location.reload();
    });
  }

  async #askForAccess(): Promise<void> {
    await this.#try(async () => {
      await this.#api?.askForAccess(this.name);
      this.asked = true;
    });
  }

  async #try(action: () => Promise<void>): Promise<void> {
    this.problem = '';
    try {
      await action();
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.problem = error.message;
    }
  }

  #switchAccount(): void {
    forgetToken();
    location.reload();
  }

  // --- rendering --------------------------------------------------------------------------------------------

  protected override render() {
    const { closed } = this;
    this.#nameTab();
    // A text that is on the page stays there: some of it may not be saved.
    if (closed !== null && this.doc === null) {
      document.body.classList.remove('editing');
      if (closed.reason === 'signed-out') return signInCard(true);
      return closedDocument(closed.reason, closed.message, {
        person: this.account.name,
        restore: () => void this.#restore(),
        ask: () => void this.#askForAccess(),
        asked: this.asked,
        switchAccount: () => this.#switchAccount(),
        problem: this.problem,
      });
    }
    return html`
      <collab-editor .document=${this.name} .token=${this.#token} @collab-ready=${this.#ready}
        @collab-permission=${this.#permission} @collab-status=${this.#status} @collab-error=${this.#failed}>
        <div slot="start" class="crumbs">
          <a class="back" href=${document.baseURI} aria-label="All documents" title="All documents">${backArrow}</a>
          ${this.#folder()}
          <span class=${this.isScrolled ? 'crumb' : 'crumb hidden'} aria-hidden="true">${this.#title}</span>
        </div>
        <div slot="heading" class="heading">
          ${this.isAway ? this.#awayNote() : nothing}
          <collab-title .doc=${this.doc} .name=${this.name} .listed=${this.listed} .writable=${this.writable}
            @title-shown=${(event: CustomEvent<string>) => {
              this.shownTitle = event.detail;
            }}></collab-title>
        </div>
        ${this.#noticeActions()}
        <collab-theme slot="end"></collab-theme>
        <collab-account-menu slot="end"></collab-account-menu>
        <collab-sign-in-notice slot="notice"></collab-sign-in-notice>
      </collab-editor>`;
  }

  get #title(): string {
    return titleOf({ name: this.name, title: this.shownTitle });
  }

  #nameTab(): void {
    const count = this.unseen > 0 ? `(${this.unseen}) ` : '';
    document.title = `${count}${this.#title} · collab`;
  }

  #folder() {
    const folder = folderOf(this.name);
    if (folder === '') return nothing;
    return html`<a class="folder" href=${new URL(listPath(folder), document.baseURI).href}>${folder}</a>
      <span class="slash" aria-hidden="true">/</span>`;
  }

  /** Ways on beside the editor's own notice, where a document was closed that is on the page. */
  #noticeActions() {
    if (this.closed?.reason !== 'deleted') return nothing;
    return html`
      <div slot="notice-action" class="notice-actions">
        <button type="button" @click=${this.#restore}>Restore</button>
        ${this.problem === '' ? nothing : html`<span role="alert">${this.problem}</span>`}
      </div>`;
  }

  #awayNote() {
    return html`
      <div class="strip" role="status">
        <span>The server isn’t answering. This page keeps trying.</span>
        <button type="button" @click=${() => location.reload()}>Try now</button>
      </div>`;
  }
}

customElements.define('collab-document-page', DocumentPage);

const page = document.querySelector('#page') as HTMLElement;
const name = documentAt(location.href, document.baseURI);
const account = signIn();

reloadOnSignIn();
if (account === null) {
  document.title = 'Sign in · collab';
  document.body.classList.remove('editing');
  render(signInCard(hadToken()), page);
} else if (name === null) location.replace(document.baseURI);
else {
  render(html`<collab-document-page .name=${name} .account=${account}></collab-document-page>`, page);
}
