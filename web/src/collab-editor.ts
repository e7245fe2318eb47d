/**
 * `<collab-editor server document token>`: the editor, for our own pages and for anybody's.
 *
 * The chrome (toolbar, state line, people) lives in the shadow root; the text is slotted from the light DOM,
 * because a contenteditable inside a shadow root loses text (the browsers' selection APIs differ there). The
 * text's styles are one sheet in a cascade layer, so that a page's own rules win.
 */
import type { Editor } from '@tiptap/core';
import { html, LitElement, nothing, type PropertyValues, unsafeCSS } from 'lit';
import { Announcer } from './announcer';
import chromeStyles from './chrome.css?inline';
import { colourOf, freeColour, isColour } from './colours';
import { foreignIn, watchForeign } from './foreign';
import { type Claims, claimsOf } from './jwt';
import { downloadCopy } from './keepsake';
import { comingsAndGoings, type Person, peopleIn, shownName } from './people';
import './people-list';
import './link-bar';
import { createRichText, FIELD, schema } from './rich-text';
import { adoptContentStyles, lendCreateRange, socketAddress } from './roots';
import { Session, type Token, type User } from './session';
import { type LineKind, type Scope, type StateLine, stateLine, waiting, writable } from './state';
import stripStyles from './strip.css?inline';
import './toolbar';
import type { CollabToolbar } from './toolbar';

/** How long Saved waits for the next key, so that the line does not flicker while somebody types. */
const SAVED_AFTER_MS = 400;

const CONNECTING: StateLine = { kind: 'connecting', text: 'Connecting…', waiting: 0 };
const TROUBLE: readonly LineKind[] = ['offline', 'reconnecting', 'refused', 'signed-out', 'denied'];
const FINAL: readonly LineKind[] = ['refused', 'signed-out', 'denied'];

/** What each event of the element carries. All bubble and cross shadow roots. */
export interface CollabEventDetails {
  /** The text is on the page. */
  'collab-ready': null;
  /** The state line changed. */
  'collab-status': StateLine;
  /** Our copy and the server's are the same as of now; again after every reconnect. */
  'collab-synced': null;
  /** Everything typed so far is committed. */
  'collab-saved': null;
  /** Some of it is not. */
  'collab-unsaved': { count: number };
  'collab-presence': { users: readonly Person[] };
  'collab-permission': { scope: Scope };
  'collab-error': { code: string; message: string; recoverable: boolean };
  /** The token is refused; set another one. Not needed where `token` is a function. */
  'collab-token-expired': null;
}

export class CollabEditor extends LitElement {
  static override properties = {
    server: { reflect: true },
    document: { reflect: true },
    token: {},
    readonly: { type: Boolean, reflect: true },
    placeholder: { reflect: true },
    toolbar: { reflect: true },
    autofocus: { type: Boolean, reflect: true },
    userName: { attribute: 'user-name', reflect: true },
    userColor: { attribute: 'user-color', reflect: true },
    line: { state: true },
    people: { state: true },
    editor: { state: true },
    foreign: { state: true },
    linking: { state: true },
    titled: { state: true },
  };
  static override styles = [unsafeCSS(chromeStyles), unsafeCSS(stripStyles)];

  /** WebSocket address, absolute or relative to the page's base. Default: `ws` there. */
  declare server: string;
  /** The document's name. Nothing happens before it is set. */
  declare document: string;
  /** A JWT, or a function that gets one; it is called for every connection and when one expires. */
  declare token: Token;
  /** Do not write, whatever the token allows. */
  declare readonly: boolean;
  declare placeholder: string;
  /** `full` or `none`. */
  declare toolbar: string;
  /** Shown to others where the token names nobody. */
  declare userName: string;
  /** `#rrggbb`. Default: the token's, else one of the palette by the user's id. */
  declare userColor: string;

  declare protected line: StateLine;
  declare protected people: readonly Person[];
  declare protected editor: Editor | null;
  /** What the document holds that this editor cannot show. */
  declare protected foreign: string | null;
  /** The link bar is open. */
  declare protected linking: boolean;
  /** The page has put something before the toolbar. */
  declare protected titled: boolean;

  #session: Session | null = null;
  #claims: Claims = {};
  /** The colours of those who were here before us. */
  #taken: ReadonlySet<string> = new Set();
  #content: HTMLElement | null = null;
  #endForeignWatch: () => void = () => {};
  #told: { line: StateLine; synced: boolean; scope: Scope | null } | null = null;
  #savedTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #announcer = new Announcer(() => this.renderRoot.querySelector('.announcer'));

  constructor() {
    super();
    this.server = 'ws';
    this.document = '';
    this.token = '';
    this.readonly = false;
    this.placeholder = 'Write something…';
    this.toolbar = 'full';
    this.autofocus = false;
    this.userName = '';
    this.userColor = '';
    this.line = CONNECTING;
    this.people = [];
    this.editor = null;
    this.foreign = null;
    this.linking = false;
    this.titled = false;
  }

  // --- what a page may ask ----------------------------------------------------------------------------

  override focus(): void {
    this.editor?.view.focus(); // at once: the editor's own command waits a frame, in which a key would be lost
  }

  /** What the state line says, without its small delays. */
  get status(): StateLine {
    return this.#session === null ? CONNECTING : stateLine(this.#session.situation);
  }

  asText(): string {
    return this.editor?.getText() ?? '';
  }

  asHTML(): string {
    return this.editor?.getHTML() ?? '';
  }

  /** The text as ProseMirror JSON, or null before it is there. */
  asJSON(): object | null {
    return this.editor?.getJSON() ?? null;
  }

  /** Resolves once everything typed so far is committed. */
  async whenSaved(): Promise<void> {
    while (this.status.kind !== 'saved' && this.status.kind !== 'read-only') {
      await new Promise(resolve => this.addEventListener('collab-status', resolve, { once: true }));
    }
  }

  // --- life -------------------------------------------------------------------------------------------

  override connectedCallback(): void {
    super.connectedCallback();
    const root = this.getRootNode();
    adoptContentStyles(root);
    lendCreateRange(root);
    this.editor?.view.updateRoot();
    if (this.hasUpdated && this.#session === null) this.#open();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    // An element that is only moved is back before this runs, and keeps its session.
    queueMicrotask(() => this.isConnected || this.#close());
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (changed.has('document') || changed.has('server')) {
      this.#close();
      if (this.isConnected) this.#open();
      return;
    }
    if (changed.has('token')) this.#session?.use(this.#currentToken());
    if (changed.has('token') || changed.has('userName') || changed.has('userColor')) {
      this.#session?.show(this.#user());
    }
    if (changed.has('readonly')) this.#permit();
  }

  #open(): void {
    if (this.document === '') return;
    // What a session that is over, or not quite there, has to say is not for us.
    let session: Session | null = null;
    const mine = (act: (session: Session) => void) => () => {
      if (session !== null && session === this.#session) act(session);
    };
    session = new Session({
      url: socketAddress(this.server),
      document: this.document,
      token: this.#currentToken(),
      user: this.#user(),
      watch: {
        changed: mine(from => this.#changed(from)),
        arrived: mine(from => this.#mount(from)),
        peopleChanged: mine(from => this.#peopleChanged(from)),
        tokenRefused: mine(() => this.#tell('collab-token-expired', null)),
      },
    });
    this.#session = session;
    this.#changed(session);
    this.#peopleChanged(session);
  }

  #close(): void {
    clearTimeout(this.#savedTimer);
    this.#unmount();
    this.#session?.close();
    this.#session = null;
    this.#told = null;
    this.line = CONNECTING;
    this.people = [];
    this.foreign = null;
  }

  /** The session's token; what it says of its bearer is learnt on the way. */
  #currentToken(): Token {
    const { token } = this;
    this.#claims = typeof token === 'string' ? claimsOf(token) : this.#claims;
    if (typeof token === 'string') return token;
    return async () => {
      const fresh = await token();
      this.#claims = claimsOf(fresh);
      this.#session?.show(this.#user());
      return fresh;
    };
  }

  #user(): User {
    const { sub = '', name, color } = this.#claims;
    const shown = shownName(name ?? (this.userName || sub));
    const chosen = [this.userColor, color].find(isColour) ?? freeColour(colourOf(sub || shown), this.#taken);
    return { ...(sub === '' ? {} : { id: sub }), name: shown, color: chosen };
  }

  /** Once the others are known: no two people of one colour, as far as the palette goes. */
  #dress(session: Session): void {
    const others = peopleIn(session.awareness.getStates(), session.doc.clientID).filter(
      person => !person.self,
    );
    this.#taken = new Set(others.map(person => person.colour));
    session.show(this.#user());
  }

  // --- the text ---------------------------------------------------------------------------------------

  #mount(session: Session): void {
    this.#dress(session);
    const fragment = session.doc.getXmlFragment(FIELD);
    const found = foreignIn(fragment, schema);
    if (found !== null) {
      this.#shut(found);
      return;
    }
    this.#endForeignWatch = watchForeign(fragment, schema, name => this.#shut(name));
    this.#content = Object.assign(document.createElement('div'), {
      slot: 'content',
      className: 'collab-content',
    });
    this.append(this.#content);
    this.editor = createRichText({
      element: this.#content,
      doc: session.doc,
      awareness: session.awareness,
      editable: this.#writable,
      autofocus: this.autofocus,
      placeholder: () => this.placeholder,
      label: () => `Text of ${this.document}`,
      onLink: () => this.#editLink(),
      onToolbar: () => this.renderRoot.querySelector<CollabToolbar>('collab-toolbar')?.focus(),
    });
    this.#content.addEventListener('collab-link-wanted', () => this.#editLink());
    this.#tell('collab-ready', null);
  }

  #unmount(): void {
    this.#endForeignWatch();
    this.#endForeignWatch = () => {};
    this.editor?.destroy();
    this.editor = null;
    this.#content?.remove();
    this.#content = null;
    this.linking = false;
  }

  /** Takes the text off the page before the editor deletes from it what it does not know. */
  #shut(name: string): void {
    this.#unmount();
    this.foreign = name;
    this.#tell('collab-error', { code: 'foreign-content', message: foreignText(name), recoverable: false });
  }

  get #writable(): boolean {
    return !this.readonly && this.#session !== null && writable(this.#session.situation);
  }

  #permit(): void {
    if (this.editor !== null && this.editor.isEditable !== this.#writable) {
      this.editor.setEditable(this.#writable, false);
    }
    if (!this.#writable) this.linking = false;
    this.requestUpdate();
  }

  #editLink(): void {
    this.linking = this.#writable;
  }

  // --- what is told -----------------------------------------------------------------------------------

  #changed(session: Session): void {
    const { situation } = session;
    const line = stateLine(situation);
    const before = this.#told;
    this.#told = { line, synced: situation.synced, scope: situation.scope };
    this.#showLine(line);
    if (situation.scope !== null && situation.scope !== before?.scope) {
      this.#tell('collab-permission', { scope: situation.scope });
    }
    this.#permit();
    if (situation.synced && !before?.synced) this.#tell('collab-synced', null);
    if (line.waiting > 0 && line.waiting !== before?.line.waiting) {
      this.#tell('collab-unsaved', { count: waiting(situation) });
    }
    if (line.kind !== before?.line.kind || line.text !== before.line.text) {
      this.#tell('collab-status', line);
      this.#announceLine(line, before?.line ?? null);
    }
  }

  #announceLine(line: StateLine, before: StateLine | null): void {
    if (line.kind === before?.kind) return;
    if (line.kind === 'saved') this.#tell('collab-saved', null);
    if (FINAL.includes(line.kind)) {
      const recoverable = line.kind === 'signed-out';
      this.#tell('collab-error', { code: line.kind, message: line.text, recoverable });
    }
    const over = before !== null && TROUBLE.includes(before.kind);
    if (TROUBLE.includes(line.kind) || line.kind === 'read-only' || over) this.#announcer.say(line.text);
  }

  /** Every other line at once; Saved when nothing was typed for a moment. */
  #showLine(line: StateLine): void {
    clearTimeout(this.#savedTimer);
    if (line.kind === 'saved' && this.line.kind === 'saving') {
      this.#savedTimer = setTimeout(() => {
        this.line = line;
      }, SAVED_AFTER_MS);
    } else if (line.kind !== this.line.kind || line.text !== this.line.text) {
      this.line = line;
    }
  }

  #peopleChanged(session: Session): void {
    const people = peopleIn(session.awareness.getStates(), session.doc.clientID);
    if (JSON.stringify(people) === JSON.stringify(this.people)) return;
    const news = this.people.length > 0 ? comingsAndGoings(this.people, people) : '';
    if (news !== '' && session.situation.synced) this.#announcer.say(news);
    this.people = people;
    this.#tell('collab-presence', { users: people });
  }

  #findPerson(person: Person): void {
    for (const client of person.clients) {
      const caret = this.#content?.querySelector(`[data-caret-of="${client}"]`);
      if (caret == null) continue;
      caret.classList.add('named');
      caret.scrollIntoView({ block: 'center' });
      return;
    }
    this.#announcer.say(`${person.name} is reading, without a caret in the text.`);
  }

  #tell<Name extends keyof CollabEventDetails>(name: Name, detail: CollabEventDetails[Name]): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  // --- the look ---------------------------------------------------------------------------------------

  protected override render() {
    const kind: LineKind = this.foreign === null ? this.line.kind : 'denied';
    const tools = this.toolbar !== 'none' && this.editor !== null && this.#writable;
    return html`
      <header part="header" class=${this.titled ? 'titled' : ''}>
        <slot name="start" @slotchange=${this.#slotted}></slot>
        ${tools ? html`<collab-toolbar part="toolbar" .editor=${this.editor}></collab-toolbar>` : nothing}
        <div class="meta">
          <span class="state" part="status" data-kind=${kind}>${SHORT[kind] ?? this.line.text}</span>
          <collab-people part="people" .people=${this.people} ?hidden=${this.editor === null && FINAL.includes(kind)}
            @find-person=${(event: CustomEvent<Person>) => this.#findPerson(event.detail)}></collab-people>
          <slot name="end"></slot>
        </div>
      </header>
      ${this.linking ? html`<collab-link-bar .editor=${this.editor} @done=${this.#leaveLink}></collab-link-bar>` : nothing}
      ${this.#notice()}
      <div class="sheet" part="content">
        <slot name="content">${this.foreign === null && !FINAL.includes(this.line.kind) ? skeleton : nothing}</slot>
      </div>
      <div class="announcer" role="status" aria-live="polite"></div>`;
  }

  #slotted(event: Event): void {
    this.titled = (event.target as HTMLSlotElement).assignedElements().length > 0;
  }

  #leaveLink(): void {
    this.linking = false;
  }

  #notice() {
    const text = this.foreign === null ? this.line.text : foreignText(this.foreign);
    if (this.foreign === null && !FINAL.includes(this.line.kind)) return nothing;
    const keep = this.editor !== null && this.line.waiting > 0;
    return html`
      <div class="strip notice" role="alert">
        <span>${text}</span>
        ${keep ? html`<button type="button" @click=${this.#keepCopy}>Download a copy</button>` : nothing}
      </div>`;
  }

  #keepCopy(): void {
    downloadCopy(this.document, this.asHTML());
  }
}

const skeleton = html`<div class="skeleton" aria-hidden="true"><i></i><i></i><i></i></div>`;

/** In the header a long sentence would push everything else aside: the notice below has it in full. */
const SHORT: Partial<Record<LineKind, string>> = {
  refused: 'Not saved',
  denied: 'Not open',
  'signed-out': 'Signed out',
};

function foreignText(name: string): string {
  return `This document holds something this editor cannot show (“${name}”). It stays shut so that nothing is lost.`;
}

// A page may load two copies of this file.
if (customElements.get('collab-editor') === undefined) customElements.define('collab-editor', CollabEditor);

declare global {
  interface HTMLElementTagNameMap {
    'collab-editor': CollabEditor;
  }
}
