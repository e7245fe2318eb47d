/**
 * The frames on the socket, as far as saving depends on them.
 *
 * The provider uses this class as its WebSocket: only here can we tell which frames really left on an open
 * socket, and which still wait in a queue that the next connection may drop. Frames are Hocuspocus v4:
 * varString address, varUint type, body; one message per frame.
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

/** Return which sync message a frame of ours holds, or null if it holds something else. */
export function readSent(frame: Uint8Array): SentFrame | null {
  const decoder = createDecoder(frame);
  if (frame.length < 3) return null; // a pong
  readVarString(decoder);
  return readVarUint(decoder) === SYNC ? (SYNC_KINDS[readVarUint(decoder)] ?? null) : null;
}

/** Return what a frame from the server means for saving, or null if it means nothing. */
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

/** The stateless message that asks the server to say when the document is nearly as large as it may be. */
export const SIZE_WANTED = '{"type":"collab.size"}';

/** Return what a stateless message says of that, or null if it is an application's own. */
export function nearlyFullIn(payload: string): boolean | null {
  try {
    const message: unknown = JSON.parse(payload);
    const told = message as { type?: unknown; nearly_full?: unknown } | null;
    return told?.type === 'collab.size' && typeof told.nearly_full === 'boolean' ? told.nearly_full : null;
  } catch {
    return null;
  }
}

export interface SocketObserver {
  opened(): void;
  closed(): void;
  sent(frame: SentFrame): void;
  received(frame: ReceivedFrame): void;
}

/** Return a WebSocket class that reports to `observer` what happens on the newest of its sockets. */
export function observedSocket(observer: SocketObserver): typeof WebSocket {
  let newest: WebSocket | null = null;
  return class ObservedSocket extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      newest = this;
      // Before the provider's listener, which already sends frames.
      this.addEventListener('open', () => newest === this && observer.opened());
      this.addEventListener('close', () => newest === this && observer.closed());
      // After the provider's listener, so that the frame has already taken effect.
      queueMicrotask(() => this.addEventListener('message', event => this.#received(event)));
    }

    #received(event: MessageEvent): void {
      const frame = newest === this ? readReceived(new Uint8Array(event.data as ArrayBuffer)) : null;
      if (frame !== null) observer.received(frame);
    }

    override send(data: string | ArrayBufferLike | Blob | ArrayBufferView<ArrayBufferLike>): void {
      super.send(data as Uint8Array<ArrayBuffer>);
      if (newest !== this || this.readyState !== WebSocket.OPEN) return;
      const frame = data instanceof Uint8Array ? readSent(data) : null;
      if (frame !== null) observer.sent(frame);
    }
  };
}
