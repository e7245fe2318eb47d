/**
 * Every reason that the server gives for refusing something, and what it means to the person who is writing.
 *
 * The server says `slug: sentence`. The slug is the contract; the sentence may be reworded at any time and is only
 * ever shown. `tests/test_slugs.py` compares `OUTCOMES` with the errors of the server, in both directions.
 */

/** Why the document is closed to us. It stays closed until there is a new token or the page is reloaded. */
export type Denial =
  | 'signed-out'
  | 'no-token'
  | 'origin'
  | 'forbidden'
  | 'not-found'
  | 'deleted'
  | 'change'
  | 'full'
  | 'other';

/** `retry`: the trouble passes by itself, and the client reconnects without a word. */
export type Outcome = Denial | 'retry';

export const OUTCOMES: Readonly<Record<string, Outcome>> = {
  'not-authenticated': 'signed-out',
  'token-missing': 'no-token',
  'token-malformed': 'signed-out',
  'token-forged': 'signed-out',
  'token-key-unknown': 'signed-out',
  'token-issuer': 'signed-out',
  'token-audience': 'signed-out',
  'token-not-yet-valid': 'signed-out',
  'token-expired': 'signed-out',
  'link-invalid': 'signed-out',
  'link-expired': 'signed-out',
  'link-password': 'signed-out',
  'sign-in-failed': 'other',
  'permission-denied': 'forbidden',
  'document-not-found': 'not-found',
  'document-deleted': 'deleted',
  'update-refused': 'change',
  'document-full': 'full',
  'protocol-error': 'change',
  'too-large': 'change',
  'invalid-name': 'other',
  'invalid-request': 'other',
  'member-not-found': 'other',
  'link-not-found': 'other',
  'document-exists': 'other',
  'body-overdue': 'other',
  conflict: 'other',
  'last-owner': 'other',
  'sharing-full': 'other',
  'has-access': 'other',
  refused: 'other',
  'too-slow': 'retry',
  unavailable: 'retry',
  draining: 'retry',
  overloaded: 'retry',
  'keys-unavailable': 'retry',
  'provider-unavailable': 'retry',
  'room-closed': 'retry',
  'store-unavailable': 'retry',
  'relay-unavailable': 'retry',
};

/** What a reason that a server gave means. A slug of a newer server is final, like most that this one knows. */
export function outcomeOf(reason: string): Outcome {
  return OUTCOMES[slugOf(reason)] ?? 'other';
}

/** True if this version knows the slug of `reason`. */
export function isKnown(reason: string): boolean {
  return slugOf(reason) in OUTCOMES;
}

/** The part of a reason that is written for people; empty when there is only a slug. */
export function sentenceOf(reason: string): string {
  return reason.slice(slugOf(reason).length).replace(/^:\s*/, '');
}

interface DenialText {
  /** Which state the status line shows. */
  readonly kind: 'signed-out' | 'refused' | 'denied';
  readonly happened: string;
  /** What the person can do about it; may be empty. */
  readonly advice: string;
}

export const DENIALS: Readonly<Record<Denial, DenialText>> = {
  'signed-out': {
    kind: 'signed-out',
    happened: 'You have been signed out.',
    advice: 'Sign in again to continue.',
  },
  'no-token': {
    kind: 'signed-out',
    happened: 'You are not signed in.',
    advice: 'Sign in to open this document.',
  },
  origin: {
    kind: 'denied',
    happened: 'Documents from this server cannot be opened on this site.',
    advice: 'Ask the server’s administrator to allow it.',
  },
  forbidden: {
    kind: 'denied',
    happened: 'You don’t have access to this document.',
    advice: 'Ask its owner to share it with you.',
  },
  'not-found': {
    kind: 'denied',
    happened: 'This document does not exist.',
    advice: 'Check the link.',
  },
  deleted: { kind: 'denied', happened: 'This document has been deleted.', advice: '' },
  change: {
    kind: 'refused',
    happened: 'The server did not accept a change.',
    advice: 'Reload the page to continue.',
  },
  full: {
    kind: 'refused',
    happened: 'The document is as large as it may be.',
    advice: 'Copy what you wrote last, reload the page, and delete something.',
  },
  other: {
    kind: 'denied',
    happened: 'The server did not open this document.',
    advice: '',
  },
};

function slugOf(reason: string): string {
  return /^[a-z][a-z-]*(?=:|$)/.exec(reason)?.[0] ?? '';
}
