/**
 * What may be said about the text: Saved, Saving…, Offline, … decided from what happened on the wire.
 *
 * Pure. It stands between the socket (`wire.ts`) and every sentence a person reads. The provider's own
 * counter alone is not enough for the truth: it is reset to 1 on every connection and floors at 0, while
 * updates queued offline bring acknowledgements of their own, so it can read 0 with text still under way.
 * Hence this ledger: every frame that reached an open socket and is owed an answer, in order, with the number
 * of local edits that are certainly committed once the answer comes.
 */

export type Scope = 'read-write' | 'readonly';

/** Why the server will not serve this document to us; it stays so until a new token or a reload. */
export type Denial = 'signed-out' | 'site' | 'forbidden' | 'not-found' | 'deleted' | 'change' | 'other';

/** One frame that the server owes a SyncStatus for. */
interface Awaited {
  /** How many local edits, counted from the first, are committed once this is acknowledged. */
  readonly covers: number;
  /** Our whole document (SyncStep2), not one edit. */
  readonly whole: boolean;
}

export interface Situation {
  /** What the browser believes about its network. */
  readonly online: boolean;
  /** An open socket. */
  readonly connected: boolean;
  /** What we may do; null before the first answer. */
  readonly scope: Scope | null;
  readonly denial: Denial | null;
  /** The server's own words for the denial. */
  readonly reason: string;
  /** The server's text has arrived, on this connection and ever. */
  readonly synced: boolean;
  readonly syncedOnce: boolean;
  /** The first exchange was through: from now on one is not connecting but reconnecting. */
  readonly liveOnce: boolean;
  /** Local edits made, and how many of them, from the first, are committed. */
  readonly edits: number;
  readonly committed: number;
  /** The server refused a change of ours and has not accepted our whole document since. */
  readonly refused: boolean;
  /** The provider's counter of unacknowledged frames. */
  readonly unsynced: number;
  /** Answers still owed on this connection, oldest first. */
  readonly awaited: readonly Awaited[];
  /** Our SyncStep1 is out: the next SyncStep2 we send will be acknowledged. */
  readonly asked: boolean;
  /** Our SyncStep2 went out on this connection: from here on each update frame is the newest edit. */
  readonly told: boolean;
  /** Our SyncStep2 was acknowledged on this connection. */
  readonly confirmed: boolean;
}

export type Happening =
  | { readonly type: 'online'; readonly online: boolean }
  | { readonly type: 'opened' }
  | { readonly type: 'closed' }
  | { readonly type: 'authenticated'; readonly scope: Scope }
  | { readonly type: 'denied'; readonly denial: Denial; readonly reason: string }
  | { readonly type: 'edited' }
  | { readonly type: 'sent'; readonly frame: 'step1' | 'step2' | 'update' }
  | { readonly type: 'synced' }
  | { readonly type: 'answered'; readonly accepted: boolean }
  | { readonly type: 'unsynced'; readonly count: number };

export type LineKind =
  | 'connecting'
  | 'saving'
  | 'saved'
  | 'offline'
  | 'reconnecting'
  | 'read-only'
  | 'signed-out'
  | 'refused'
  | 'denied';

export interface StateLine {
  readonly kind: LineKind;
  /** One or two short sentences, ready to be shown. */
  readonly text: string;
  /** Local edits that are not known to be committed. */
  readonly waiting: number;
}

const NO_CONNECTION = {
  connected: false,
  synced: false,
  awaited: [],
  asked: false,
  told: false,
  confirmed: false,
} as const;

export function beginning(online: boolean): Situation {
  return {
    ...NO_CONNECTION,
    online,
    scope: null,
    denial: null,
    reason: '',
    syncedOnce: false,
    liveOnce: false,
    edits: 0,
    committed: 0,
    refused: false,
    unsynced: 0,
  };
}

export function reduce(now: Situation, happening: Happening): Situation {
  const next = happened(now, happening);
  return live(next) && !next.liveOnce ? { ...next, liveOnce: true } : next;
}

function happened(now: Situation, happening: Happening): Situation {
  switch (happening.type) {
    case 'online':
      return { ...now, online: happening.online };
    case 'opened':
      return { ...now, ...NO_CONNECTION, connected: true };
    case 'closed':
      return { ...now, ...NO_CONNECTION };
    case 'authenticated':
      return { ...now, scope: happening.scope, denial: null, reason: '' };
    case 'denied':
      return { ...now, denial: happening.denial, reason: happening.reason };
    case 'edited':
      return { ...now, edits: now.edits + 1 };
    case 'sent':
      return sent(now, happening.frame);
    case 'synced':
      return now.connected ? { ...now, synced: true, syncedOnce: true } : now;
    case 'answered':
      return answered(now, happening.accepted);
    case 'unsynced':
      return { ...now, unsynced: happening.count };
  }
}

function sent(now: Situation, frame: 'step1' | 'step2' | 'update'): Situation {
  if (!now.connected) return now;
  switch (frame) {
    case 'step1':
      return { ...now, asked: true };
    case 'step2': // one that answers a later question of the server's gets no acknowledgement
      if (!now.asked) return now;
      return {
        ...now,
        asked: false,
        told: true,
        awaited: [...now.awaited, { covers: now.edits, whole: true }],
      };
    case 'update': {
      // Before our SyncStep2 a frame may be an old one from the queue: its answer proves nothing.
      const covers = now.told ? now.edits : 0;
      return { ...now, awaited: [...now.awaited, { covers, whole: false }] };
    }
  }
}

function answered(now: Situation, accepted: boolean): Situation {
  const [oldest, ...awaited] = now.awaited;
  if (oldest === undefined) return now;
  if (!accepted) return { ...now, awaited, refused: true };
  if (now.refused && !oldest.whole) return { ...now, awaited };
  return {
    ...now,
    awaited,
    committed: Math.max(now.committed, oldest.covers),
    confirmed: now.confirmed || oldest.whole,
    refused: now.refused && !oldest.whole,
  };
}

/** Local edits that would be lost with this tab. */
export function waiting(now: Situation): number {
  return now.edits - now.committed;
}

/** May a person write here: known scope, whole text seen once, nothing denied. Being offline does not matter. */
export function writable(now: Situation): boolean {
  return now.scope === 'read-write' && now.syncedOnce && now.denial === null;
}

export function stateLine(now: Situation): StateLine {
  const count = waiting(now);
  const line = (kind: LineKind, text: string): StateLine => ({ kind, text, waiting: count });

  if (now.denial === 'change' || (now.refused && now.denial === null && now.scope !== 'readonly')) {
    return line('refused', 'Not saved: the server refused the change. Keep a copy.');
  }
  if (now.denial !== null) {
    const kind = now.denial === 'signed-out' ? 'signed-out' : 'denied';
    const sentence = now.reason.replace(/^[a-z-]+: /, ''); // the word before it is for programs
    const said = now.denial === 'other' && sentence.endsWith('.') ? sentence : DENIED[now.denial];
    return line(kind, count > 0 ? `${said} ${unsaved(count)}` : said);
  }
  if (now.refused && count > 0) {
    return line('refused', 'Not saved: you may only read this document now. Keep a copy.');
  }
  if (!live(now) || (!now.online && count > 0)) return line(...awayLine(now, count));
  if (count > 0 || (now.scope === 'read-write' && now.unsynced > 0)) return line('saving', 'Saving…');
  return now.scope === 'readonly' ? line('read-only', 'Read only') : line('saved', 'Saved');
}

/** The exchange with the server is through, both ways; with edits waiting, their answers tell the rest. */
function live(now: Situation): boolean {
  const told = now.confirmed || now.scope === 'readonly' || waiting(now) > 0;
  return now.connected && now.synced && told;
}

const DENIED: Record<Exclude<Denial, 'change'>, string> = {
  'signed-out': 'Signed out. Sign in again to go on.',
  site: 'This server opens no documents on this site. Whoever runs it can allow the site.',
  forbidden: 'You may not open this document.',
  'not-found': 'There is no such document.',
  deleted: 'This document was deleted.',
  other: 'The server refused this document.',
};

function awayLine(now: Situation, count: number): [LineKind, string] {
  const rest = count > 0 ? ` ${waits(count)}` : '';
  if (!now.online) return ['offline', count > 0 ? `Offline.${rest}` : 'Offline'];
  return now.liveOnce ? ['reconnecting', `Reconnecting…${rest}`] : ['connecting', `Connecting…${rest}`];
}

function waits(count: number): string {
  return count === 1 ? '1 change waits on this device.' : `${count} changes wait on this device.`;
}

function unsaved(count: number): string {
  return count === 1 ? '1 change is not saved: keep a copy.' : `${count} changes are not saved: keep a copy.`;
}
