/**
 * What we may say about the text: Saved, Saving…, Offline and so on, derived from what happened on the wire.
 *
 * Pure. The provider's own counter cannot be trusted alone: every connection resets it to 1 and it never goes
 * below 0, while updates queued offline bring acknowledgements of their own, so it can read 0 with text still on
 * its way. `awaited` is the exact account: every frame that left on an open socket and will be answered, in order,
 * with the number of local edits that are committed once the answer comes.
 */
import { DENIALS, type Denial, sentenceOf } from './slugs';

export type Scope = 'read-write' | 'readonly';

/** One frame that the server will answer with a SyncStatus. */
interface AwaitedAnswer {
  /** How many local edits, counted from the first, are committed once this is acknowledged. */
  readonly covers: number;
  /** True for our whole document (SyncStep2), false for a single edit. */
  readonly whole: boolean;
}

/**
 * What this connection has done so far. Each direction advances on its own: the server's text may arrive
 * before or after ours has been sent.
 */
interface Connection {
  /** `synced`: the socket is open and the server's text has arrived on it. */
  readonly phase: 'closed' | 'open' | 'synced';
  /** Our SyncStep2: from `sent` on, each update frame is the newest edit; `acknowledged` means it is committed. */
  readonly ownText: 'unsent' | 'sent' | 'acknowledged';
  /** True if the next SyncStep2 that we send will be acknowledged, because our SyncStep1 is out. */
  readonly step2Counts: boolean;
  /** Answers still to come on this connection, oldest first. */
  readonly awaited: readonly AwaitedAnswer[];
}

export interface State {
  /** What the browser believes about its network. */
  readonly online: boolean;
  /** True if the browser has lost its network and the server has not been heard since: the socket may be dead. */
  readonly doubted: boolean;
  readonly connection: Connection;
  /** The furthest that any connection got: nothing yet, the server's text, or a finished exchange both ways. */
  readonly reached: 'nothing' | 'text' | 'exchange';
  /** What we may do; null before the first answer. */
  readonly scope: Scope | null;
  readonly denial: Denial | null;
  /** The server's own words for the denial. */
  readonly reason: string;
  /** Local edits made, and how many of them, from the first, are committed. */
  readonly edits: number;
  readonly committed: number;
  /** True if the server refused a change of ours and has not accepted our whole document since. */
  readonly refused: boolean;
  /** The provider's counter of unacknowledged frames. */
  readonly unsynced: number;
  /** True once the server has said that the document is nearly as large as it may be. */
  readonly nearlyFull: boolean;
}

export type Action =
  | { readonly type: 'online'; readonly online: boolean }
  | { readonly type: 'opened' }
  | { readonly type: 'closed' }
  | { readonly type: 'authenticated'; readonly scope: Scope }
  | { readonly type: 'denied'; readonly denial: Denial; readonly reason: string }
  | { readonly type: 'edited' }
  | { readonly type: 'sent'; readonly frame: 'step1' | 'step2' | 'update' }
  | { readonly type: 'synced' }
  | { readonly type: 'answered'; readonly accepted: boolean }
  | { readonly type: 'unsynced'; readonly count: number }
  | { readonly type: 'size'; readonly nearlyFull: boolean };

export type LineKind =
  | 'no-document'
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
  /** Number of local edits that are not known to be committed. */
  readonly waiting: number;
  /** True if the document is nearly as large as it may be, which is said where there is nothing worse to say. */
  readonly nearlyFull: boolean;
}

interface Look {
  /** One or two words for the header; the notice below it says more about a closed document. */
  readonly label: string;
  /** `trouble`: edits do not reach the server, but will. `closed`: nothing more will be saved from this tab. */
  readonly severity: 'normal' | 'trouble' | 'closed';
}

export const LOOKS: Readonly<Record<LineKind, Look>> = {
  'no-document': { label: 'No document', severity: 'normal' },
  connecting: { label: 'Connecting…', severity: 'normal' },
  saving: { label: 'Saving…', severity: 'normal' },
  saved: { label: 'Saved', severity: 'normal' },
  'read-only': { label: 'Read only', severity: 'normal' },
  offline: { label: 'Offline', severity: 'trouble' },
  reconnecting: { label: 'Reconnecting…', severity: 'trouble' },
  'signed-out': { label: 'Not signed in', severity: 'closed' },
  refused: { label: 'Not saved', severity: 'closed' },
  denied: { label: 'Unavailable', severity: 'closed' },
};

const CLOSED: Connection = { phase: 'closed', ownText: 'unsent', step2Counts: false, awaited: [] };

export function initialState(online: boolean): State {
  return {
    online,
    doubted: !online,
    connection: CLOSED,
    reached: 'nothing',
    scope: null,
    denial: null,
    reason: '',
    edits: 0,
    committed: 0,
    refused: false,
    unsynced: 0,
    nearlyFull: false,
  };
}

export function reduce(state: State, action: Action): State {
  const next = apply(state, action);
  return next.reached !== 'exchange' && isLive(next) ? { ...next, reached: 'exchange' } : next;
}

function apply(state: State, action: Action): State {
  switch (action.type) {
    case 'online':
      return { ...state, online: action.online, doubted: !action.online };
    case 'opened':
      return { ...state, connection: { ...CLOSED, phase: 'open' } };
    case 'closed':
      return { ...state, connection: CLOSED };
    case 'authenticated':
      return { ...state, scope: action.scope, denial: null, reason: '' };
    case 'denied':
      return { ...state, denial: action.denial, reason: action.reason };
    case 'edited':
      return { ...state, edits: state.edits + 1 };
    case 'sent': {
      const connection = frameSent(state.connection, action.frame, state.edits);
      return connection === state.connection ? state : { ...state, connection };
    }
    case 'synced':
      return textArrived(state);
    case 'answered':
      return answered(state, action.accepted);
    case 'unsynced':
      return { ...state, unsynced: action.count };
    case 'size':
      return { ...state, nearlyFull: action.nearlyFull };
  }
}

function frameSent(connection: Connection, frame: 'step1' | 'step2' | 'update', edits: number): Connection {
  if (connection.phase === 'closed') return connection;
  const { ownText, step2Counts, awaited } = connection;
  switch (frame) {
    case 'step1':
      return { ...connection, step2Counts: true };
    case 'step2': // one that answers a later question of the server is not acknowledged
      if (!step2Counts) return connection;
      return {
        ...connection,
        step2Counts: false,
        ownText: ownText === 'unsent' ? 'sent' : ownText,
        awaited: [...awaited, { covers: edits, whole: true }],
      };
    case 'update': {
      // Before our SyncStep2 a frame may be an old one from the queue: its answer proves nothing.
      const covers = ownText === 'unsent' ? 0 : edits;
      return { ...connection, awaited: [...awaited, { covers, whole: false }] };
    }
  }
}

function textArrived(state: State): State {
  if (state.connection.phase === 'closed') return state;
  return {
    ...state,
    doubted: false,
    connection: { ...state.connection, phase: 'synced' },
    reached: state.reached === 'nothing' ? 'text' : state.reached,
  };
}

function answered(before: State, accepted: boolean): State {
  const state = before.doubted ? { ...before, doubted: false } : before;
  const [oldest, ...awaited] = state.connection.awaited;
  if (oldest === undefined) return state;
  const connection = { ...state.connection, awaited };
  if (!accepted) return { ...state, connection, refused: true };
  if (state.refused && !oldest.whole) return { ...state, connection };
  return {
    ...state,
    connection: oldest.whole ? { ...connection, ownText: 'acknowledged' } : connection,
    committed: Math.max(state.committed, oldest.covers),
    refused: state.refused && !oldest.whole,
  };
}

/** Return the number of local edits that would be lost with this tab. */
export function unsavedEdits(state: State): number {
  return state.edits - state.committed;
}

/** True if a person may write: the role allows it, the text has been here once, nothing is denied. Offline is fine. */
export function writable(state: State): boolean {
  return state.scope === 'read-write' && state.reached !== 'nothing' && state.denial === null;
}

export function isConnected(state: State): boolean {
  return state.connection.phase !== 'closed';
}

export function isSynced(state: State): boolean {
  return state.connection.phase === 'synced';
}

/** Return what the status line says. `readonly`: the page forbids editing, whatever the token allows. */
export function stateLine(state: State, readonly = false): StateLine {
  const kind = kindOf(state, readonly);
  const nearlyFull = state.nearlyFull && kind === 'saved';
  return { kind, text: textOf(state, kind), waiting: unsavedEdits(state), nearlyFull };
}

/** The first of these that holds is what the status line says. */
function kindOf(state: State, forbidden: boolean): LineKind {
  const unsaved = unsavedEdits(state) > 0;
  const readonly = state.scope === 'readonly';
  if (state.denial !== null) return DENIALS[state.denial].kind;
  if (state.refused && (unsaved || !readonly)) return 'refused';
  if (!state.online && (unsaved || state.doubted || !isLive(state))) return 'offline';
  if (!isLive(state)) return state.reached === 'exchange' ? 'reconnecting' : 'connecting';
  if (unsaved || (state.scope === 'read-write' && state.unsynced > 0)) return 'saving';
  return readonly || forbidden ? 'read-only' : 'saved';
}

/** Return what the header has room for. */
export function headerText({ kind, waiting, nearlyFull }: StateLine): string {
  const { label } = LOOKS[kind];
  if (nearlyFull) return `${asSentence(label)} ${NEARLY_FULL}`;
  return waiting > 0 && isAway(kind) ? `${asSentence(label)} Keep this tab open.` : label;
}

function textOf(state: State, kind: LineKind): string {
  const unsaved = unsavedEdits(state) > 0;
  const { label, severity } = LOOKS[kind];
  if (severity === 'closed') return closedText(state, unsaved);
  if (state.nearlyFull && kind === 'saved') return `${asSentence(label)} ${NEARLY_FULL}`;
  return unsaved && isAway(kind) ? `${asSentence(label)} ${KEEP_OPEN}` : label;
}

function isAway(kind: LineKind): boolean {
  return kind === 'connecting' || LOOKS[kind].severity === 'trouble';
}

function asSentence(label: string): string {
  return label.endsWith('…') ? label : `${label}.`;
}

/** What happened, whether the text is safe, and what to do. */
function closedText(state: State, unsaved: boolean): string {
  const demoted = state.denial === null && state.scope === 'readonly';
  const { happened, advice } = demoted ? DEMOTED : DENIALS[state.denial ?? 'change'];
  const said = state.denial === 'other' ? sentenceOf(state.reason) || happened : happened;
  if (state.denial === 'signed-out' && unsaved) return `${said} ${SIGN_IN_TO_SAVE}`;
  return [said, unsaved ? KEEP_A_COPY : '', advice].filter(Boolean).join(' ');
}

const DEMOTED = { happened: 'You can no longer edit this document.', advice: '' };
const NEARLY_FULL = 'The document is nearly as large as it may be.';
const KEEP_OPEN = 'Your changes are not saved yet: keep this tab open.';
const SIGN_IN_TO_SAVE =
  'Your latest changes are not saved yet: sign in again to save them, or download a copy.';
const KEEP_A_COPY = 'Your latest changes are not saved: download a copy of the text.';

/** The exchange with the server is through, both ways; with unsaved edits, their answers tell the rest. */
function isLive(state: State): boolean {
  const { phase, ownText } = state.connection;
  const ours = ownText === 'acknowledged' || state.scope === 'readonly' || unsavedEdits(state) > 0;
  return phase === 'synced' && ours;
}
