/**
 * What is said on the socket, as far as the truth about saving needs it.
 *
 * It stands under the provider as its WebSocket: only here is it known which frames really left on an open
 * socket, rather than waited in a queue that the next connection may drop. Frames are Hocuspocus v4:
 * varString address, varUint type, body; one message a frame.
 */
import { createDecoder, readVarString, readVarUint } from 'lib0/decoding';

const SYNC = 0;
const CLOSE = 7;
const SYNC_STATUS = 8;
const SYNC_KINDS = ['step1', 'step2', 'update'] as const;

export type SentFrame = (typeof SYNC_KINDS)[number];

export type ReceivedFrame =
  | { readonly kind: 'step2' }
  | { readonly kind: 'status'; readonly accepted: boolean }
  | { readonly kind: 'ended'; readonly reason: string };

/** The sync message in a frame of ours, or null when it is something else. */
export function readSent(frame: Uint8Array): SentFrame | null {
  const decoder = createDecoder(frame);
  if (frame.length < 3) return null; // a pong
  readVarString(decoder);
  return readVarUint(decoder) === SYNC ? (SYNC_KINDS[readVarUint(decoder)] ?? null) : null;
}

/** What a frame of the server's means for saving, or null when nothing. */
export function readReceived(frame: Uint8Array): ReceivedFrame | null {
  if (frame.length < 3) return null; // a ping
  const decoder = createDecoder(frame);
  readVarString(decoder);
  switch (readVarUint(decoder)) {
    case SYNC:
      return readVarUint(decoder) === 1 ? { kind: 'step2' } : null;
    case SYNC_STATUS:
      return { kind: 'status', accepted: readVarUint(decoder) === 1 };
    case CLOSE:
      return { kind: 'ended', reason: readVarString(decoder) };
    default:
      return null;
  }
}

export interface Watch {
  opened(): void;
  closed(code: number, reason: string): void;
  sent(frame: SentFrame): void;
  received(frame: ReceivedFrame): void;
}

/** A WebSocket class that tells `watch` about the newest socket made of it, and about no older one. */
export function watchedSocket(watch: Watch): typeof WebSocket {
  let newest: WebSocket | null = null;
  return class WatchedSocket extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      newest = this;
      // First of all: the provider speaks within its own listener.
      this.addEventListener('open', () => newest === this && watch.opened());
      this.addEventListener('close', event => newest === this && watch.closed(event.code, event.reason));
      // Last of all, when the provider has added its own: what a frame changes has then happened.
      queueMicrotask(() => this.addEventListener('message', event => this.#hear(event)));
    }

    #hear(event: MessageEvent): void {
      const frame = newest === this ? readReceived(new Uint8Array(event.data as ArrayBuffer)) : null;
      if (frame !== null) watch.received(frame);
    }

    override send(data: string | ArrayBufferLike | Blob | ArrayBufferView<ArrayBufferLike>): void {
      super.send(data as Uint8Array<ArrayBuffer>);
      if (newest !== this || this.readyState !== WebSocket.OPEN) return;
      const frame = data instanceof Uint8Array ? readSent(data) : null;
      if (frame !== null) watch.sent(frame);
    }
  };
}
