import { describe, expect, test } from 'vitest';
import {
  type Action,
  headerText,
  initialState,
  isConnected,
  isSynced,
  reduce,
  type State,
  stateLine,
  unsavedEdits,
  writable,
} from '../src/state';

const opened: Action = { type: 'opened' };
const closed: Action = { type: 'closed' };
const edited: Action = { type: 'edited' };
const synced: Action = { type: 'synced' };
const accepted: Action = { type: 'answered', accepted: true };
const refused: Action = { type: 'answered', accepted: false };
const mayWrite: Action = { type: 'authenticated', scope: 'read-write' };
const mayRead: Action = { type: 'authenticated', scope: 'readonly' };
const sent = (frame: 'step1' | 'step2' | 'update'): Action => ({ type: 'sent', frame });
const unsynced = (count: number): Action => ({ type: 'unsynced', count });
const denied = (denial: 'signed-out' | 'no-token' | 'change' | 'deleted' | 'other', reason = ''): Action => ({
  type: 'denied',
  denial,
  reason,
});

/** A first exchange with the server, up to the acknowledgement of our text. */
const handshake = [opened, sent('step1'), mayWrite, sent('step2'), synced];
const typed = [edited, sent('update')];

function stateAfter(...actions: Action[]): State {
  return actions.reduce(reduce, initialState(true));
}

const kind = (...actions: Action[]): string => stateLine(stateAfter(...actions)).kind;
const text = (...actions: Action[]): string => stateLine(stateAfter(...actions)).text;

describe('before the text has arrived', () => {
  test('the line says Connecting, even when the socket is open', () => {
    expect(kind()).toBe('connecting');
    expect(kind(opened, sent('step1'), mayWrite)).toBe('connecting');
  });

  test('the line says Offline if the browser has no network', () => {
    expect(kind({ type: 'online', online: false })).toBe('offline');
  });

  test('nothing can be written', () => {
    expect(writable(stateAfter(opened, mayWrite))).toBe(false);
    expect(writable(stateAfter(...handshake))).toBe(true);
  });
});

describe('Saved', () => {
  test('is not shown once the browser has lost its network, until the server answers', () => {
    const offline: Action = { type: 'online', online: false };
    expect(kind(...handshake, accepted, offline)).toBe('offline');
    expect(kind(...handshake, accepted, offline, { type: 'online', online: true })).toBe('saved');
    expect(kind(...handshake, accepted, offline, ...typed, accepted)).toBe('saved'); // it runs on this machine
  });

  test('is not shown before the server has acknowledged our whole document', () => {
    expect(kind(...handshake)).toBe('connecting');
    expect(kind(...handshake, ...typed)).toBe('saving');
    expect(text(...handshake, accepted)).toBe('Saved');
  });

  test('is not shown while an edit is unacknowledged', () => {
    expect(kind(...handshake, accepted, edited)).toBe('saving');
    expect(kind(...handshake, accepted, ...typed)).toBe('saving');
    expect(kind(...handshake, accepted, ...typed, accepted)).toBe('saved');
  });

  test('says more when the document is nearly full', () => {
    const full: Action = { type: 'size', nearlyFull: true };
    expect(text(...handshake, accepted, full)).toBe('Saved. The document is nearly as large as it may be.');
    expect(text(...handshake, accepted, full, edited)).toBe('Saving…');
    expect(text(...handshake, accepted, full, { type: 'size', nearlyFull: false })).toBe('Saved');
  });

  test('needs every answer', () => {
    const two = [...handshake, accepted, ...typed, ...typed];
    expect(stateLine(stateAfter(...two, accepted))).toMatchObject({ kind: 'saving', waiting: 1 });
    expect(stateLine(stateAfter(...two, accepted, accepted))).toMatchObject({ kind: 'saved', waiting: 0 });
  });

  test('is not shown while the provider counts unsynced changes', () => {
    expect(kind(...handshake, accepted, unsynced(1))).toBe('saving');
  });

  test('is not shown after a reconnect before the new exchange is acknowledged', () => {
    const back = [...handshake, accepted, closed, opened, sent('step1'), mayWrite];
    expect(kind(...back)).toBe('reconnecting');
    expect(kind(...back, sent('step2'), synced)).toBe('reconnecting');
    expect(kind(...back, sent('step2'), synced, accepted)).toBe('saved');
  });

  test('is not earned by the answer to an edit that was queued offline', () => {
    const back = [...handshake, accepted, closed, edited, edited, opened, sent('step1'), mayWrite];
    const flushed = [...back, sent('update'), sent('update'), sent('step2'), synced];
    expect(stateLine(stateAfter(...flushed, accepted, accepted))).toMatchObject({
      kind: 'saving',
      waiting: 2,
    });
    expect(stateLine(stateAfter(...flushed, accepted, accepted, accepted))).toMatchObject({
      kind: 'saved',
      waiting: 0,
    });
  });

  test('is not earned by surplus answers', () => {
    const surplus = [...handshake, accepted, accepted, accepted];
    expect(kind(...surplus, ...typed)).toBe('saving');
  });

  test('needs the next exchange if an edit did not reach an open socket', () => {
    const stuck = [...handshake, accepted, edited]; // the socket was closing: no frame left
    expect(kind(...stuck, accepted)).toBe('saving');
    const back = [...stuck, closed, opened, sent('step1'), mayWrite, sent('step2'), synced];
    expect(kind(...back, accepted)).toBe('saved');
  });

  test('needs no answer to a SyncStep2 that answers a later question', () => {
    const asked = [...handshake, accepted, ...typed, sent('step2')];
    expect(kind(...asked, accepted)).toBe('saved');
    expect(stateAfter(...asked, accepted).connection.awaited).toEqual([]);
  });

  test('does not wait for answers of a lost connection', () => {
    const lost = stateAfter(...handshake, accepted, ...typed, closed, opened);
    expect(lost.connection.awaited).toEqual([]);
    expect(unsavedEdits(lost)).toBe(1);
  });
});

describe('without a connection', () => {
  test('the line asks to keep the tab open while edits are unsaved', () => {
    expect(text(...handshake, accepted, closed)).toBe('Reconnecting…');
    expect(text(...handshake, accepted, closed, edited)).toBe(
      'Reconnecting… Your changes are not saved yet: keep this tab open.',
    );
    const offline: Action = { type: 'online', online: false };
    expect(text(...handshake, accepted, closed, offline, edited, edited)).toBe(
      'Offline. Your changes are not saved yet: keep this tab open.',
    );
  });

  test('it asks so too if the first connection is lost before anything is acknowledged', () => {
    expect(text(...handshake, closed, edited)).toBe(
      'Connecting… Your changes are not saved yet: keep this tab open.',
    );
  });

  test('an edit without a network makes the line say Offline, though the socket seems open', () => {
    const offline: Action = { type: 'online', online: false };
    expect(kind(...handshake, accepted, offline, ...typed)).toBe('offline');
  });

  test('the header is short', () => {
    expect(headerText(stateLine(stateAfter(...handshake, accepted, closed, edited)))).toBe(
      'Reconnecting… Keep this tab open.',
    );
    expect(headerText(stateLine(stateAfter(denied('deleted'))))).toBe('Unavailable');
  });

  test('writing goes on', () => {
    expect(writable(stateAfter(...handshake, accepted, closed))).toBe(true);
  });
});

describe('refusals', () => {
  test('a refused edit stays reported, whatever is acknowledged after it', () => {
    const refusedEdit = [...handshake, accepted, ...typed, refused];
    expect(text(...refusedEdit)).toBe(
      'The server did not accept a change. Your latest changes are not saved: download a copy of the text. ' +
        'Reload the page to continue.',
    );
    expect(stateLine(stateAfter(...refusedEdit, ...typed, accepted))).toMatchObject({
      kind: 'refused',
      waiting: 2,
    });
    expect(kind(...refusedEdit, closed)).toBe('refused');
  });

  test('a refusal ends once our whole document is acknowledged', () => {
    const back = [...handshake, accepted, ...typed, refused, closed, opened, sent('step1'), mayWrite];
    expect(kind(...back, sent('step2'), synced, accepted)).toBe('saved');
    expect(kind(...back, sent('step2'), synced, refused)).toBe('refused');
  });

  test('a denial can refuse a change', () => {
    expect(kind(...handshake, accepted, ...typed, denied('change'))).toBe('refused');
  });
});

describe('access', () => {
  test('a viewer can only read', () => {
    const reading = [opened, sent('step1'), mayRead, sent('step2'), synced, accepted];
    expect(text(...reading)).toBe('Read only');
    expect(writable(stateAfter(...reading))).toBe(false);
  });

  test('an editor who becomes a viewer stops writing; edits on their way may still be saved', () => {
    const demoted = [...handshake, accepted, ...typed, mayRead];
    expect(writable(stateAfter(...demoted))).toBe(false);
    expect(kind(...demoted)).toBe('saving');
    expect(kind(...demoted, accepted)).toBe('read-only');
    expect(text(...demoted, refused)).toBe(
      'You can no longer edit this document. Your latest changes are not saved: download a copy of the text.',
    );
  });

  test('a refused token signs out and says that edits are not saved', () => {
    expect(text(...handshake, accepted, denied('signed-out'))).toBe(
      'You have been signed out. Sign in again to continue.',
    );
    expect(text(...handshake, accepted, ...typed, denied('signed-out'))).toContain(
      'Your latest changes are not saved yet: sign in again to save them, or download a copy.',
    );
    expect(writable(stateAfter(...handshake, accepted, denied('signed-out')))).toBe(false);
  });

  test('a missing token does not say that somebody was signed out', () => {
    expect(text(opened, denied('no-token'))).toBe('You are not signed in. Sign in to open this document.');
    expect(kind(opened, denied('no-token'))).toBe('signed-out');
  });

  test('an accepted token ends the denial', () => {
    expect(kind(...handshake, accepted, denied('signed-out'), closed, ...handshake, accepted)).toBe('saved');
  });

  test('a denial that has no text of its own shows the sentence of the server', () => {
    expect(text(denied('other', 'A document name is short.'))).toBe('A document name is short.');
    expect(text(denied('other', 'invalid-name: A document name is short.'))).toBe(
      'A document name is short.',
    );
    expect(text(denied('other', 'odd-slug'))).toBe('The server did not open this document.');
    expect(text(denied('deleted'))).toBe('This document has been deleted.');
  });
});

test('a page that forbids editing shows Read only, but not before the edits are saved', () => {
  const line = (...actions: Action[]): string => stateLine(stateAfter(...actions), true).kind;
  expect(line(...handshake, accepted)).toBe('read-only');
  expect(line(...handshake, accepted, ...typed)).toBe('saving');
  expect(line(...handshake, accepted, closed)).toBe('reconnecting');
  expect(line(...handshake, accepted, ...typed, accepted)).toBe('read-only');
});

test('Saved is never shown too early, in any short history', () => {
  const alphabet = [
    opened,
    closed,
    edited,
    sent('step1'),
    sent('step2'),
    sent('update'),
    synced,
    accepted,
    refused,
    mayWrite,
  ];
  let checked = 0;
  const walk = (now: State, depth: number): void => {
    if (stateLine(now).kind === 'saved') {
      checked += 1;
      expect(
        isConnected(now) && isSynced(now) && now.connection.ownText === 'acknowledged' && !now.refused,
      ).toBe(true);
      expect(unsavedEdits(now)).toBe(0);
    }
    if (depth > 0) for (const next of alphabet) walk(reduce(now, next), depth - 1);
  };
  walk(stateAfter(...handshake), 5);
  expect(checked).toBeGreaterThan(100);
});
