/**
 * `<collab-editor server document token>`: the editor, for our own pages and for any other site.
 *
 * The toolbar, the status line and the list of people live in the shadow root. The text is slotted from the light
 * DOM, because a contenteditable inside a shadow root loses text: the browsers' selection APIs differ there. Its
 * styles are one sheet in a cascade layer, so that a page's own rules win.
 */
import type { Editor } from '@tiptap/core';
import { html, LitElement, nothing, type PropertyValues, unsafeCSS } from 'lit';
import type { Doc } from 'yjs';
import { Announcer } from './announcer';
import chromeStyles from './chrome.css?inline';
import { colourOf, freeColour, isColour } from './colours';
import { adoptContentStyles, lendCreateRange, socketAddress } from './dom-roots';
import { downloadCopy } from './download';
import { type Claims, claimsOf } from './jwt';
import { describePresenceChange, type Person, peopleIn, shownName } from './people';
import './people-list';
import './link-bar';
import { createRichText, FIELD, schema } from './rich-text';
import { Session, type Token, type User } from './session';
import { readTitle, SharedTitle } from './shared-title';
import type { Denial } from './slugs';
import {
  headerText,
  isSynced,
  type LineKind,
  LOOKS,
  type Scope,
  type StateLine,
  stateLine,
  unsavedEdits,
  writable,
} from './state';
import stripStyles from './strip.css?inline';
import './toolbar';
import type { CollabToolbar } from './toolbar';
import { findUnsupported, watchUnsupported } from './unsupported';

/** How long we wait for another key before showing Saved, so that the line does not flicker during typing. */
const SAVED_AFTER_MS = 400;

const CONNECTING = lineWithoutSession('connecting');
const NO_DOCUMENT = lineWithoutSession('no-document');

/** What each event of the element carries. All bubble and cross shadow roots. */
export interface CollabEventDetails {
  /** The text is on the page. */
  'collab-ready': null;
  /** The status line changed. */
  'collab-status': StateLine;
  /** Our copy has caught up with the server's; sent again after every reconnect. */
  'collab-synced': null;
  /** Everything typed so far is committed. */
  'collab-saved': null;
  /** Some of it is not committed yet. */
  'collab-unsaved': { count: number };
  'collab-presence': { users: readonly Person[] };
  'collab-permission': { scope: Scope };
  'collab-error': { code: string; reason: Denial | 'unsupported'; message: string; recoverable: boolean };
  /** The server refused the token: set another one. Not needed where `token` is a function. */
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
    unsupported: { state: true },
    linkBarOpen: { state: true },
    titled: { state: true },
  };
  static override styles = [unsafeCSS(chromeStyles), unsafeCSS(stripStyles)];

  /** WebSocket address, absolute or relative to the page's base. Default: `ws` there. */
  declare server: string;
  /** The document's name. Before it is set, the line says that there is no document. */
  declare document: string;
  /** A JWT, or a function that returns one. It is called for every connection and when a token expires. */
  declare token: Token;
  /** Forbids editing, whatever the token allows. */
  declare readonly: boolean;
  declare placeholder: string;
  /** `full` or `none`. */
  declare toolbar: string;
  /** Name to show to others if the token holds none. */
  declare userName: string;
  /** `#rrggbb`. Default: the token's, else one from the palette, chosen by the user's id. */
  declare userColor: string;

  declare protected line: StateLine;
  declare protected people: readonly Person[];
  declare protected editor: Editor | null;
  /** Name of something in the document that this editor cannot display. */
  declare protected unsupported: string | null;
  declare protected linkBarOpen: boolean;
  /** True if the page has put something before the toolbar. */
  declare protected titled: boolean;

  #session: Session | null = null;
  #claims: Claims = {};
  /** The colours of the people who were here before us. */
  #taken: ReadonlySet<string> = new Set();
  #content: HTMLElement | null = null;
  #title: SharedTitle | null = null;
  #stopWatching: () => void = () => {};
  #reported: { line: StateLine; synced: boolean; scope: Scope | null } | null = null;
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
    this.line = NO_DOCUMENT;
    this.people = [];
    this.editor = null;
    this.unsupported = null;
    this.linkBarOpen = false;
    this.titled = false;
  }

  // --- the methods of the element ---------------------------------------------------------------------

  /** Put the caret into the text, where it was or at the start. */
  override focus({ at = 'caret' }: FocusOptions & { readonly at?: 'caret' | 'start' } = {}): void {
    if (at === 'start') this.editor?.commands.setTextSelection(0);
    this.editor?.view.focus(); // the editor's own command waits for a frame, in which a key would be lost
  }

  /** The shared document, or null before its text has arrived. */
  get doc(): Doc | null {
    return this.#session !== null && this.#session.state.reached !== 'nothing' ? this.#session.doc : null;
  }

  /** What the status line says, without its short delays. */
  get status(): StateLine {
    if (this.#session === null) return this.#idleLine;
    return stateLine(this.#session.state, this.readonly);
  }

  asText(): string {
    return this.editor?.getText() ?? '';
  }

  asHTML(): string {
    return this.editor?.getHTML() ?? '';
  }

  /** The text as ProseMirror JSON, or null before it has arrived. */
  asJSON(): object | null {
    return this.editor?.getJSON() ?? null;
  }

  /** Wait until everything typed so far is committed. */
  async whenSaved(): Promise<void> {
    while (this.status.kind !== 'saved' && this.status.kind !== 'read-only') {
      await new Promise(resolve => this.addEventListener('collab-status', resolve, { once: true }));
    }
  }

  // --- opening and closing ----------------------------------------------------------------------------

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
    // An element that is only moved is connected again before this runs, and keeps its session.
    queueMicrotask(() => this.isConnected || this.#close());
  }

  protected override updated(changed: PropertyValues<this>): void {
    if (changed.has('document') || changed.has('server')) {
      this.#close();
      if (this.isConnected) this.#open();
      return;
    }
    if (changed.has('token')) this.#session?.setToken(this.#currentToken());
    if (changed.has('token') || changed.has('userName') || changed.has('userColor')) {
      this.#session?.setUser(this.#user());
    }
    if (changed.has('readonly') && this.#session !== null) this.#changed(this.#session);
  }

  #open(): void {
    if (this.document === '') return;
    // Ignores what an earlier session still reports, and this one before it is in place.
    let session: Session | null = null;
    const ifCurrent = (act: (session: Session) => void) => () => {
      if (session !== null && session === this.#session) act(session);
    };
    session = new Session({
      url: socketAddress(this.server),
      document: this.document,
      token: this.#currentToken(),
      user: this.#user(),
      observer: {
        changed: ifCurrent(from => this.#changed(from)),
        textArrived: ifCurrent(from => this.#mount(from)),
        peopleChanged: ifCurrent(from => this.#peopleChanged(from)),
        tokenRefused: ifCurrent(() => this.#emit('collab-token-expired', null)),
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
    this.#reported = null;
    this.line = this.#idleLine;
    this.people = [];
    this.unsupported = null;
  }

  get #idleLine(): StateLine {
    return this.document === '' ? NO_DOCUMENT : CONNECTING;
  }

  /** Return the token for the session, and remember what it says about the user. */
  #currentToken(): Token {
    const { token } = this;
    this.#claims = typeof token === 'string' ? claimsOf(token) : this.#claims;
    if (typeof token === 'string') return token;
    return async () => {
      const fresh = await token();
      this.#claims = claimsOf(fresh);
      this.#session?.setUser(this.#user());
      return fresh;
    };
  }

  #user(): User {
    const { sub = '', name, color } = this.#claims;
    const shown = shownName(name ?? (this.userName || sub));
    const chosen = [this.userColor, color].find(isColour) ?? freeColour(colourOf(sub || shown), this.#taken);
    return { ...(sub === '' ? {} : { id: sub }), name: shown, color: chosen };
  }

  /** Take a colour that the people already here do not have, as far as the palette goes. */
  #chooseColour(session: Session): void {
    const others = peopleIn(session.awareness.getStates(), session.doc.clientID).filter(
      person => !person.self,
    );
    this.#taken = new Set(others.map(person => person.colour));
    session.setUser(this.#user());
  }

  // --- the text ---------------------------------------------------------------------------------------

  #mount(session: Session): void {
    this.#chooseColour(session);
    const fragment = session.doc.getXmlFragment(FIELD);
    const found = findUnsupported(fragment, schema);
    if (found !== null) {
      this.#closeUnsupported(found);
      return;
    }
    this.#stopWatching = watchUnsupported(fragment, schema, name => this.#closeUnsupported(name));
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
      label: () => `Text of ${readTitle(session.doc) || this.document}`,
      onLink: () => this.#openLinkBar(),
      onToolbar: () => this.renderRoot.querySelector<CollabToolbar>('collab-toolbar')?.focus(),
    });
    this.#title = new SharedTitle(session.doc, () => {
      this.editor?.view.updateState(this.editor.state); // its label has changed
    });
    this.#content.addEventListener('collab-link-wanted', () => this.#openLinkBar());
    this.#emit('collab-ready', null);
  }

  #unmount(): void {
    this.#title?.close();
    this.#title = null;
    this.#stopWatching();
    this.#stopWatching = () => {};
    this.editor?.destroy();
    this.editor = null;
    this.#content?.remove();
    this.#content = null;
    this.linkBarOpen = false;
  }

  /** Remove the editor before its binding deletes from the document what it does not know. */
  #closeUnsupported(name: string): void {
    this.#unmount();
    this.unsupported = name;
    const message = unsupportedText(name);
    this.#emit('collab-error', {
      code: 'foreign-content',
      reason: 'unsupported',
      message,
      recoverable: false,
    });
  }

  get #writable(): boolean {
    return !this.readonly && this.#session !== null && writable(this.#session.state);
  }

  #updateEditable(): void {
    if (this.editor !== null && this.editor.isEditable !== this.#writable) {
      this.editor.setEditable(this.#writable, false);
    }
    if (!this.#writable) this.linkBarOpen = false;
    this.requestUpdate();
  }

  #openLinkBar(): void {
    this.linkBarOpen = this.#writable;
  }

  // --- events, the status line and announcements ------------------------------------------------------

  #changed(session: Session): void {
    const { state } = session;
    const synced = isSynced(state);
    const line = stateLine(state, this.readonly);
    const before = this.#reported;
    this.#reported = { line, synced, scope: state.scope };
    this.#showLine(line);
    if (state.scope !== null && state.scope !== before?.scope) {
      this.#emit('collab-permission', { scope: state.scope });
    }
    this.#updateEditable();
    if (synced && !before?.synced) this.#emit('collab-synced', null);
    if (line.waiting > 0 && line.waiting !== before?.line.waiting) {
      this.#emit('collab-unsaved', { count: unsavedEdits(state) });
    }
    if (line.kind !== before?.line.kind || line.text !== before.line.text) {
      this.#emit('collab-status', line);
      this.#announceLine(line, before?.line ?? null);
    }
  }

  #announceLine(line: StateLine, before: StateLine | null): void {
    if (line.kind === before?.kind) return;
    if (line.kind === 'saved') this.#emit('collab-saved', null);
    if (isClosed(line.kind)) {
      const recoverable = line.kind === 'signed-out';
      const reason = this.#session?.state.denial ?? 'change';
      this.#emit('collab-error', { code: line.kind, reason, message: line.text, recoverable });
    }
    const recovered = before !== null && LOOKS[before.kind].severity !== 'normal';
    if (LOOKS[line.kind].severity !== 'normal' || line.kind === 'read-only' || recovered)
      this.#announcer.say(line.text);
  }

  /** Show the line at once, but Saved only when nothing has been typed for a moment. */
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
    const news = this.people.length > 0 ? describePresenceChange(this.people, people) : '';
    if (news !== '' && isSynced(session.state)) this.#announcer.say(news);
    this.people = people;
    this.#emit('collab-presence', { users: people });
  }

  #findPerson(person: Person): void {
    for (const client of person.clients) {
      const caret = this.#content?.querySelector(`[data-caret-of="${client}"]`);
      if (caret == null) continue;
      caret.classList.add('named');
      caret.scrollIntoView({ block: 'center' });
      return;
    }
    this.#announcer.say(`${person.name} is here, but their cursor is not in the text.`);
  }

  #emit<Name extends keyof CollabEventDetails>(name: Name, detail: CollabEventDetails[Name]): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  // --- rendering --------------------------------------------------------------------------------------

  protected override render() {
    const kind = this.#shownKind;
    const tools = this.toolbar !== 'none' && this.editor !== null && this.#writable;
    return html`
      <header part="header" class=${this.titled ? 'titled' : ''}>
        <slot name="start" @slotchange=${this.#slotted}></slot>
        ${tools ? html`<collab-toolbar part="toolbar" .editor=${this.editor}></collab-toolbar>` : nothing}
        <div class="meta">
          <span class="state" part="status" data-kind=${kind} title=${this.line.text}>${headerText({ ...this.line, kind })}</span>
          <collab-people part="people" .people=${this.people} ?hidden=${this.editor === null && isClosed(kind)}
            @find-person=${(event: CustomEvent<Person>) => this.#findPerson(event.detail)}></collab-people>
          <slot name="end"></slot>
        </div>
      </header>
      ${this.linkBarOpen ? html`<collab-link-bar .editor=${this.editor} @done=${this.#closeLinkBar}></collab-link-bar>` : nothing}
      ${this.#notice()}
      <slot name="notice"></slot>
      <div class="sheet" part="content">
        <slot name="heading"></slot>
        <slot name="content">${isClosed(kind) || kind === 'no-document' ? nothing : skeleton}</slot>
      </div>
      <div class="announcer" role="status" aria-live="polite"></div>`;
  }

  #slotted(event: Event): void {
    this.titled = (event.target as HTMLSlotElement).assignedElements().length > 0;
  }

  #closeLinkBar(): void {
    this.linkBarOpen = false;
  }

  /** Content that we cannot display closes the document like a denial. */
  get #shownKind(): LineKind {
    return this.unsupported === null ? this.line.kind : 'denied';
  }

  #notice() {
    if (!isClosed(this.#shownKind)) return nothing;
    const text = this.unsupported === null ? this.line.text : unsupportedText(this.unsupported);
    const unsaved = this.editor !== null && this.line.waiting > 0;
    return html`
      <div class="strip notice" role="alert">
        <span>${text}</span>
        ${unsaved ? html`<button type="button" @click=${this.#download}>Download a copy</button>` : nothing}
        <slot name="notice-action"></slot>
      </div>`;
  }

  #download(): void {
    downloadCopy(this.document, this.asHTML());
  }
}

const skeleton = html`<div class="skeleton" aria-hidden="true"><i></i><i></i><i></i></div>`;

function lineWithoutSession(kind: LineKind): StateLine {
  return { kind, text: LOOKS[kind].label, waiting: 0, nearlyFull: false };
}

function isClosed(kind: LineKind): boolean {
  return LOOKS[kind].severity === 'closed';
}

function unsupportedText(name: string): string {
  return (
    `This editor cannot display part of this document (“${name}”). ` +
    'The document is safe and unchanged: open it in the app that created it.'
  );
}

// A page may load two copies of this file.
if (customElements.get('collab-editor') === undefined) customElements.define('collab-editor', CollabEditor);

declare global {
  interface HTMLElementTagNameMap {
    'collab-editor': CollabEditor;
  }
}
