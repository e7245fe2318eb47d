/**
 * One document over one socket: the shared document, its provider, and what may be said about both.
 *
 * It stands between the wire and the element, and knows nothing of the page's look. It also decides when to
 * come back: the provider reconnects by itself after a lost socket, but not after a denial, nor after the
 * server ended the document on a socket that stays open.
 */
import { HocuspocusProvider, HocuspocusProviderWebsocket, WebSocketStatus } from '@hocuspocus/provider';
import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { beginning, type Denial, type Happening, reduce, type Scope, type Situation, waiting } from './state';
import { turnsAway } from './turned-away';
import { type ReceivedFrame, watchedSocket } from './wire';

export type Token = string | (() => string | Promise<string>);

export interface User {
  readonly id?: string;
  readonly name: string;
  readonly color: string;
}

export interface SessionWatch {
  /** Something in `session.situation` changed. */
  changed(): void;
  /** The server's text has arrived for the first time. */
  arrived(): void;
  peopleChanged(): void;
  /** The server does not take the token (any more). */
  tokenRefused(): void;
}

const RECONNECT_DELAY_MS = 1000;
const RECONNECT_DELAY_MS_MAX = 15_000;
const CLOSE_POLL_MS = 250;

/** Sockets that did not open, one after another, before we wonder whether the server wants us at all. */
const UNOPENED_MAX = 2;

export class Session {
  readonly doc = new Y.Doc();
  readonly awareness: Awareness;
  situation: Situation;

  readonly #watch: SessionWatch;
  readonly #socket: HocuspocusProviderWebsocket;
  readonly #provider: HocuspocusProvider;
  #token: Token;
  #delay = RECONNECT_DELAY_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  /** Sockets in a row that did not open. */
  #unopened = 0;

  constructor(options: { url: string; document: string; token: Token; user: User; watch: SessionWatch }) {
    this.#watch = options.watch;
    this.#token = options.token;
    this.situation = beginning(navigator.onLine);
    // Before the provider's own listener: an edit is counted before its frame leaves.
    this.doc.on('update', (_update: Uint8Array, origin: unknown) => {
      if (origin !== this.#provider) this.#happened({ type: 'edited' });
    });
    this.#socket = new HocuspocusProviderWebsocket({
      url: options.url,
      // A thousand tabs do not come back in one moment. Not an integer, or below minDelay: never connects.
      delay: Math.round(RECONNECT_DELAY_MS * (0.5 + Math.random())),
      minDelay: RECONNECT_DELAY_MS / 2,
      maxDelay: RECONNECT_DELAY_MS_MAX,
      WebSocketPolyfill: watchedSocket({
        opened: () => this.#happened({ type: 'opened' }),
        closed: () => this.#socketClosed(options.url),
        sent: frame => this.#happened({ type: 'sent', frame }),
        received: frame => this.#received(frame),
      }),
    });
    this.#provider = new HocuspocusProvider({
      websocketProvider: this.#socket,
      name: options.document,
      document: this.doc,
      token: async () => (typeof this.#token === 'function' ? await this.#token() : this.#token),
      onAuthenticated: ({ scope }) => this.#authenticated(scope === 'readonly' ? 'readonly' : 'read-write'),
      onAuthenticationFailed: ({ reason }) => this.#refused(reason),
      onUnsyncedChanges: ({ number }) => this.#happened({ type: 'unsynced', count: number }),
      onDisconnect: () => this.#happened({ type: 'closed' }),
    });
    this.awareness = this.#provider.awareness as Awareness;
    this.awareness.on('change', () => this.#watch.peopleChanged());
    this.show(options.user);
    this.#provider.attach();
    window.addEventListener('online', this.#online);
    window.addEventListener('offline', this.#online);
    window.addEventListener('pageshow', this.#shown);
    document.addEventListener('visibilitychange', this.#hurry);
  }

  /** Tells the others who we are; the server replaces name and id by those of the token. */
  show(user: User): void {
    this.awareness.setLocalStateField('user', user);
  }

  /** Takes a new token and, if the old one was refused, tries again with it. */
  use(token: Token): void {
    this.#token = token;
    if (this.situation.denial !== null) this.#reconnect(0);
    else if (this.situation.connected) void this.#provider.sendToken();
  }

  /** Ends it; text that the server has not acknowledged is gone with it. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    window.removeEventListener('online', this.#online);
    window.removeEventListener('offline', this.#online);
    window.removeEventListener('pageshow', this.#shown);
    window.removeEventListener('beforeunload', keepOpen);
    document.removeEventListener('visibilitychange', this.#hurry);
    this.#provider.destroy();
    this.#socket.destroy();
    this.doc.destroy();
  }

  #happened(happening: Happening): void {
    if (this.#closed) return;
    const before = this.situation;
    this.situation = reduce(before, happening);
    if (this.situation === before) return;
    if (waiting(this.situation) > 0) window.addEventListener('beforeunload', keepOpen);
    else window.removeEventListener('beforeunload', keepOpen);
    this.#watch.changed();
  }

  #socketClosed(url: string): void {
    this.#unopened = this.situation.connected ? 0 : this.#unopened + 1;
    this.#happened({ type: 'closed' });
    if (this.#unopened >= UNOPENED_MAX && this.situation.denial === null) void this.#wonder(url);
  }

  /** Says so if our site is turned away; and tries on, since the server may have started a moment ago. */
  async #wonder(url: string): Promise<void> {
    const away = await turnsAway(url);
    if (away && !this.situation.connected) this.#happened({ type: 'denied', denial: 'site', reason: '' });
  }

  #received(frame: ReceivedFrame): void {
    switch (frame.kind) {
      case 'step2': {
        const first = !this.situation.syncedOnce;
        this.#delay = RECONNECT_DELAY_MS;
        this.#happened({ type: 'synced' });
        if (first && !this.#closed) this.#watch.arrived();
        return;
      }
      case 'status':
        this.#happened({ type: 'answered', accepted: frame.accepted });
        return;
      case 'ended':
        this.#happened({ type: 'closed' });
        this.#refused(frame.reason === '' ? 'unavailable' : frame.reason, true);
    }
  }

  #authenticated(scope: Scope): void {
    const promoted = this.situation.scope === 'readonly' && scope === 'read-write';
    this.#happened({ type: 'authenticated', scope });
    // What was refused to a reader is offered again by a whole new exchange.
    if (promoted && waiting(this.situation) > 0) this.#reconnect(0);
  }

  #refused(reason: string, ended = false): void {
    if (this.#closed) return;
    const denial = denialOf(reason);
    if (denial === null || (ended && denial === 'other')) {
      this.#reconnect(this.#backoff());
      return;
    }
    this.#happened({ type: 'denied', denial, reason });
    this.#socket.disconnect();
    if (denial !== 'signed-out') return;
    this.#watch.tokenRefused();
    if (typeof this.#token === 'function') this.#reconnect(this.#backoff());
  }

  #backoff(): number {
    const delay = this.#delay * (0.5 + Math.random());
    this.#delay = Math.min(this.#delay * 2, RECONNECT_DELAY_MS_MAX);
    return delay;
  }

  /** Closes the socket and opens another once it is closed: the provider ignores `connect` before that. */
  #reconnect(afterMs: number): void {
    this.#socket.disconnect();
    const connect = (): void => {
      if (this.#closed || this.#socket.shouldConnect) return; // somebody was faster
      if (this.#socket.status === WebSocketStatus.Connected) {
        this.#timer = setTimeout(connect, CLOSE_POLL_MS);
      } else {
        void this.#socket.connect();
      }
    };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(connect, afterMs);
  }

  readonly #online = (): void => {
    this.#happened({ type: 'online', online: navigator.onLine });
    this.#hurry();
  };

  /** Back from the browser's page cache: it closed the socket and took us off the list of people. */
  readonly #shown = (event: PageTransitionEvent): void => {
    if (event.persisted && this.situation.denial === null) this.#reconnect(0);
  };

  /** Somebody is looking again: do not sit out a long wait. */
  readonly #hurry = (): void => {
    const idle = this.#socket.status === WebSocketStatus.Disconnected && this.situation.denial === null;
    if (idle && document.visibilityState === 'visible' && navigator.onLine) void this.#socket.connect();
  };
}

/** Errors by the names that a server may give them, as `slug` or `slug: sentence`. */
const SLUGS: Record<string, Denial> = {
  'not-authenticated': 'signed-out',
  'permission-denied': 'forbidden',
  'document-not-found': 'not-found',
  'document-deleted': 'deleted',
  'update-refused': 'change',
};

/** Else by the words of the sentence; the first that fits. Null: it will pass by itself. */
const WORDS: readonly [RegExp, Denial | null][] = [
  [/failed to get token|unavailable|overload|drain|room-closed|try again|reconnect|not answer/i, null],
  [/\btoken|authenticat|signed? in/i, 'signed-out'],
  [/\bupdate\b|\bedits\b|refused|harmful|too large/i, 'change'],
  [/deleted/i, 'deleted'],
  [/not found|no such/i, 'not-found'],
  [/no access|permission|forbidden|\brole\b|not allow|you are .* of this document/i, 'forbidden'],
];

/** What a server's words mean; null when it will pass by itself. */
export function denialOf(reason: string): Denial | null {
  const slug = SLUGS[reason.split(':', 1)[0] ?? ''];
  if (slug !== undefined) return slug;
  const fitting = WORDS.find(([words]) => words.test(reason));
  return fitting === undefined ? 'other' : fitting[1];
}

function keepOpen(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
