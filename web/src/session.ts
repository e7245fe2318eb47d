/**
 * One document over one socket: the shared document, its provider, and the state that the element shows.
 *
 * It also decides when to reconnect: the provider does so by itself after a lost socket, but not after a denial,
 * nor after the server has closed the document on a socket that stays open.
 */
import { HocuspocusProvider, HocuspocusProviderWebsocket, WebSocketStatus } from '@hocuspocus/provider';
import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { refusesOrigin } from './origin-probe';
import { DENIALS, isKnown, outcomeOf } from './slugs';
import {
  type Action,
  initialState,
  isConnected,
  reduce,
  type Scope,
  type State,
  unsavedEdits,
} from './state';
import { nearlyFullIn, observedSocket, type ReceivedFrame, SIZE_WANTED } from './wire';

export type Token = string | (() => string | Promise<string>);

export interface User {
  readonly id?: string;
  readonly name: string;
  readonly color: string;
}

export interface SessionObserver {
  /** `session.state` changed. */
  changed(): void;
  /** The server's text has arrived for the first time. */
  textArrived(): void;
  peopleChanged(): void;
  /** The server did not accept the token, or no longer accepts it. */
  tokenRefused(): void;
}

const RECONNECT_DELAY_MS = 1000;
const RECONNECT_DELAY_MS_MAX = 15_000;
const CLOSE_POLL_MS = 250;

/** After so many sockets in a row that did not open, we ask whether the server refuses our origin. */
const UNOPENED_MAX = 2;

export class Session {
  readonly doc = new Y.Doc();
  readonly awareness: Awareness;
  state: State;

  readonly #observer: SessionObserver;
  readonly #socket: HocuspocusProviderWebsocket;
  readonly #provider: HocuspocusProvider;
  #token: Token;
  #delay = RECONNECT_DELAY_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  /** Number of sockets in a row that did not open. */
  #unopened = 0;
  /** True if the page's token function threw at the last attempt. */
  #tokenFailed = false;

  constructor(options: {
    url: string;
    document: string;
    token: Token;
    user: User;
    observer: SessionObserver;
  }) {
    this.#observer = options.observer;
    this.#token = options.token;
    this.state = initialState(navigator.onLine);
    // Registered before the provider's own listener, so that an edit is counted before its frame leaves.
    this.doc.on('update', (_update: Uint8Array, origin: unknown) => {
      if (origin !== this.#provider) this.#dispatch({ type: 'edited' });
    });
    this.#socket = new HocuspocusProviderWebsocket({
      url: options.url,
      // Random, so that a thousand tabs do not reconnect at the same moment. The provider never connects if the
      // delay is no integer or below minDelay.
      delay: Math.round(RECONNECT_DELAY_MS * (0.5 + Math.random())),
      minDelay: RECONNECT_DELAY_MS / 2,
      maxDelay: RECONNECT_DELAY_MS_MAX,
      WebSocketPolyfill: observedSocket({
        opened: () => this.#dispatch({ type: 'opened' }),
        closed: () => this.#socketClosed(options.url),
        sent: frame => this.#dispatch({ type: 'sent', frame }),
        received: frame => this.#received(frame),
      }),
    });
    this.#provider = new HocuspocusProvider({
      websocketProvider: this.#socket,
      name: options.document,
      document: this.doc,
      token: () => this.#readToken(),
      onAuthenticated: ({ scope }) => this.#authenticated(scope === 'readonly' ? 'readonly' : 'read-write'),
      onAuthenticationFailed: ({ reason }) => this.#refused(reason),
      onStateless: ({ payload }) => this.#told(payload),
      onUnsyncedChanges: ({ number }) => this.#dispatch({ type: 'unsynced', count: number }),
      onDisconnect: () => this.#dispatch({ type: 'closed' }),
    });
    this.awareness = this.#provider.awareness as Awareness;
    this.awareness.on('change', () => this.#observer.peopleChanged());
    this.setUser(options.user);
    this.#provider.attach();
    window.addEventListener('online', this.#networkChanged);
    window.addEventListener('offline', this.#networkChanged);
    window.addEventListener('pageshow', this.#restored);
    document.addEventListener('visibilitychange', this.#reconnectNow);
  }

  /** Tell the others who we are. The server replaces the name and id with those of the token. */
  setUser(user: User): void {
    this.awareness.setLocalStateField('user', user);
  }

  /** Use this token from now on, and reconnect with it if the old one was refused. */
  setToken(token: Token): void {
    this.#token = token;
    if (this.state.denial !== null) this.#reconnect(0);
    else if (isConnected(this.state)) void this.#provider.sendToken();
  }

  /** End the session. Edits that the server has not acknowledged are lost. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    window.removeEventListener('online', this.#networkChanged);
    window.removeEventListener('offline', this.#networkChanged);
    window.removeEventListener('pageshow', this.#restored);
    window.removeEventListener('beforeunload', askBeforeLeaving);
    document.removeEventListener('visibilitychange', this.#reconnectNow);
    this.#provider.destroy();
    this.#socket.destroy();
    this.doc.destroy();
  }

  #dispatch(action: Action): void {
    if (this.#closed) return;
    const before = this.state;
    this.state = reduce(before, action);
    if (this.state === before) return;
    if (unsavedEdits(this.state) > 0) window.addEventListener('beforeunload', askBeforeLeaving);
    else window.removeEventListener('beforeunload', askBeforeLeaving);
    this.#observer.changed();
  }

  #socketClosed(url: string): void {
    this.#unopened = isConnected(this.state) ? 0 : this.#unopened + 1;
    this.#dispatch({ type: 'closed' });
    if (this.#unopened >= UNOPENED_MAX && this.state.denial === null) void this.#probeOrigin(url);
  }

  /** Say so if the server refuses our origin. The provider keeps trying: the server may only just have started. */
  async #probeOrigin(url: string): Promise<void> {
    const refused = await refusesOrigin(url);
    if (refused && !isConnected(this.state)) this.#dispatch({ type: 'denied', denial: 'origin', reason: '' });
  }

  async #readToken(): Promise<string> {
    if (typeof this.#token === 'string') return this.#token;
    try {
      return await this.#token();
    } catch (error) {
      this.#tokenFailed = true; // the provider reports it as a refusal, which it is not
      throw error;
    }
  }

  #received(frame: ReceivedFrame): void {
    switch (frame.kind) {
      case 'step2': {
        const first = this.state.reached === 'nothing';
        this.#delay = RECONNECT_DELAY_MS;
        this.#dispatch({ type: 'synced' });
        if (first && !this.#closed) this.#observer.textArrived();
        return;
      }
      case 'status':
        this.#dispatch({ type: 'answered', accepted: frame.accepted });
        return;
      case 'ended':
        this.#dispatch({ type: 'closed' });
        // Other servers end a document with words of their own; only a reason that we know is final.
        if (isKnown(frame.reason)) this.#refused(frame.reason);
        else this.#retry();
    }
  }

  #authenticated(scope: Scope): void {
    const promoted = this.state.scope === 'readonly' && scope === 'read-write';
    this.#dispatch({ type: 'authenticated', scope });
    this.#provider.sendStateless(SIZE_WANTED);
    // A new exchange offers the edits again that were refused while we could only read.
    if (promoted && unsavedEdits(this.state) > 0) this.#reconnect(0);
  }

  /** Take in a message outside of the document. Of an application's own messages we know nothing. */
  #told(payload: string): void {
    const nearlyFull = nearlyFullIn(payload);
    if (nearlyFull !== null) this.#dispatch({ type: 'size', nearlyFull });
  }

  #refused(reason: string): void {
    if (this.#closed) return;
    const outcome = this.#tokenFailed ? 'retry' : outcomeOf(reason);
    this.#tokenFailed = false;
    if (outcome === 'retry') {
      this.#retry();
      return;
    }
    this.#dispatch({ type: 'denied', denial: outcome, reason });
    this.#socket.disconnect();
    if (DENIALS[outcome].kind !== 'signed-out') return;
    this.#observer.tokenRefused();
    if (typeof this.#token === 'function') this.#retry();
  }

  #retry(): void {
    if (this.#closed) return;
    this.#reconnect(this.#delay * (0.5 + Math.random()));
    this.#delay = Math.min(this.#delay * 2, RECONNECT_DELAY_MS_MAX);
  }

  /** Close the socket and open another once it is closed: the provider ignores `connect` before that. */
  #reconnect(afterMs: number): void {
    this.#socket.disconnect();
    const connect = (): void => {
      if (this.#closed || this.#socket.shouldConnect) return; // another call was faster
      if (this.#socket.status === WebSocketStatus.Connected) {
        this.#timer = setTimeout(connect, CLOSE_POLL_MS);
      } else {
        void this.#socket.connect();
      }
    };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(connect, afterMs);
  }

  readonly #networkChanged = (): void => {
    this.#dispatch({ type: 'online', online: navigator.onLine });
    this.#reconnectNow();
  };

  /** The page is back from the browser's page cache, which closed the socket and removed us from the list of people. */
  readonly #restored = (event: PageTransitionEvent): void => {
    if (event.persisted && this.state.denial === null) this.#reconnect(0);
  };

  /** The person is looking at the page again: do not wait for a long delay to end. */
  readonly #reconnectNow = (): void => {
    const idle = this.#socket.status === WebSocketStatus.Disconnected && this.state.denial === null;
    if (idle && document.visibilityState === 'visible' && navigator.onLine) void this.#socket.connect();
  };
}

function askBeforeLeaving(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
