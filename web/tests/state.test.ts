import { describe, expect, test } from 'vitest';
import {
  beginning,
  type Happening,
  reduce,
  type Situation,
  stateLine,
  waiting,
  writable,
} from '../src/state';

const opened: Happening = { type: 'opened' };
const closed: Happening = { type: 'closed' };
const edited: Happening = { type: 'edited' };
const synced: Happening = { type: 'synced' };
const accepted: Happening = { type: 'answered', accepted: true };
const refused: Happening = { type: 'answered', accepted: false };
const mayWrite: Happening = { type: 'authenticated', scope: 'read-write' };
const mayRead: Happening = { type: 'authenticated', scope: 'readonly' };
const sent = (frame: 'step1' | 'step2' | 'update'): Happening => ({ type: 'sent', frame });
const unsynced = (count: number): Happening => ({ type: 'unsynced', count });
const denied = (denial: 'signed-out' | 'change' | 'deleted' | 'other', reason = ''): Happening => ({
  type: 'denied',
  denial,
  reason,
});

/** A whole first exchange with the server, up to the acknowledgement of our side. */
const handshake = [opened, sent('step1'), mayWrite, sent('step2'), synced];
const typed = [edited, sent('update')];

function when(...happenings: Happening[]): Situation {
  return happenings.reduce(reduce, beginning(true));
}

const kind = (...happenings: Happening[]): string => stateLine(when(...happenings)).kind;
const text = (...happenings: Happening[]): string => stateLine(when(...happenings)).text;

describe('before the text is here', () => {
  test('it is connecting, also while the socket is open', () => {
    expect(kind()).toBe('connecting');
    expect(kind(opened, sent('step1'), mayWrite)).toBe('connecting');
  });

  test('a browser without a network is offline, not connecting', () => {
    expect(kind({ type: 'online', online: false })).toBe('offline');
  });

  test('nobody may write', () => {
    expect(writable(when(opened, mayWrite))).toBe(false);
    expect(writable(when(...handshake))).toBe(true);
  });
});

describe('saved', () => {
  test('is not said before the server acknowledged our whole document', () => {
    expect(kind(...handshake)).toBe('connecting');
    expect(kind(...handshake, ...typed)).toBe('saving');
    expect(text(...handshake, accepted)).toBe('Saved');
  });

  test('is not said while an edit is unacknowledged', () => {
    expect(kind(...handshake, accepted, edited)).toBe('saving');
    expect(kind(...handshake, accepted, ...typed)).toBe('saving');
    expect(kind(...handshake, accepted, ...typed, accepted)).toBe('saved');
  });

  test('needs every answer, in order', () => {
    const two = [...handshake, accepted, ...typed, ...typed];
    expect(stateLine(when(...two, accepted))).toMatchObject({ kind: 'saving', waiting: 1 });
    expect(stateLine(when(...two, accepted, accepted))).toMatchObject({ kind: 'saved', waiting: 0 });
  });

  test('is not said while the provider counts anything', () => {
    expect(kind(...handshake, accepted, unsynced(1))).toBe('saving');
  });

  test('is not said after a reconnect before the new exchange is acknowledged', () => {
    const back = [...handshake, accepted, closed, opened, sent('step1'), mayWrite];
    expect(kind(...back)).toBe('reconnecting');
    expect(kind(...back, sent('step2'), synced)).toBe('reconnecting');
    expect(kind(...back, sent('step2'), synced, accepted)).toBe('saved');
  });

  test('an answer to an edit queued offline proves nothing about the others', () => {
    const back = [...handshake, accepted, closed, edited, edited, opened, sent('step1'), mayWrite];
    const flushed = [...back, sent('update'), sent('update'), sent('step2'), synced];
    expect(stateLine(when(...flushed, accepted, accepted))).toMatchObject({ kind: 'saving', waiting: 2 });
    expect(stateLine(when(...flushed, accepted, accepted, accepted))).toMatchObject({
      kind: 'saved',
      waiting: 0,
    });
  });

  test('surplus answers do not pay for later edits', () => {
    const paid = [...handshake, accepted, accepted, accepted];
    expect(kind(...paid, ...typed)).toBe('saving');
  });

  test('an edit that did not reach an open socket waits for the next exchange', () => {
    const stuck = [...handshake, accepted, edited]; // the socket was closing: no frame left
    expect(kind(...stuck, accepted)).toBe('saving');
    const back = [...stuck, closed, opened, sent('step1'), mayWrite, sent('step2'), synced];
    expect(kind(...back, accepted)).toBe('saved');
  });

  test('a SyncStep2 that answers a later question brings no answer of its own', () => {
    const asked = [...handshake, accepted, ...typed, sent('step2')];
    expect(kind(...asked, accepted)).toBe('saved');
    expect(when(...asked, accepted).awaited).toEqual([]);
  });

  test('answers of a lost connection are not waited for on the next', () => {
    const lost = when(...handshake, accepted, ...typed, closed, opened);
    expect(lost.awaited).toEqual([]);
    expect(waiting(lost)).toBe(1);
  });
});

describe('away', () => {
  test('it says how much waits here', () => {
    expect(text(...handshake, accepted, closed)).toBe('Reconnecting…');
    expect(text(...handshake, accepted, closed, edited)).toBe('Reconnecting… 1 change waits on this device.');
    const offline: Happening = { type: 'online', online: false };
    expect(text(...handshake, accepted, closed, offline, edited, edited)).toBe(
      'Offline. 2 changes wait on this device.',
    );
  });

  test('it says so too when the first connection was lost before anything was acknowledged', () => {
    expect(text(...handshake, closed, edited)).toBe('Connecting… 1 change waits on this device.');
  });

  test('a browser that lost its network is offline as soon as an edit waits, though the socket seems open', () => {
    const offline: Happening = { type: 'online', online: false };
    expect(kind(...handshake, accepted, offline)).toBe('saved');
    expect(kind(...handshake, accepted, offline, ...typed)).toBe('offline');
  });

  test('one goes on writing', () => {
    expect(writable(when(...handshake, accepted, closed))).toBe(true);
  });
});

describe('refusals', () => {
  test('a refused edit stays told, whatever is acknowledged after it', () => {
    const refusedEdit = [...handshake, accepted, ...typed, refused];
    expect(text(...refusedEdit)).toBe('Not saved: the server refused the change. Keep a copy.');
    expect(stateLine(when(...refusedEdit, ...typed, accepted))).toMatchObject({
      kind: 'refused',
      waiting: 2,
    });
    expect(kind(...refusedEdit, closed)).toBe('refused');
  });

  test('it is over once our whole document is acknowledged', () => {
    const back = [...handshake, accepted, ...typed, refused, closed, opened, sent('step1'), mayWrite];
    expect(kind(...back, sent('step2'), synced, accepted)).toBe('saved');
    expect(kind(...back, sent('step2'), synced, refused)).toBe('refused');
  });

  test('a change refused by a denial says so', () => {
    expect(kind(...handshake, accepted, ...typed, denied('change'))).toBe('refused');
  });
});

describe('rights', () => {
  test('a reader reads', () => {
    const reading = [opened, sent('step1'), mayRead, sent('step2'), synced, accepted];
    expect(text(...reading)).toBe('Read only');
    expect(writable(when(...reading))).toBe(false);
  });

  test('a writer who becomes a reader stops writing; what was under way may still be saved', () => {
    const demoted = [...handshake, accepted, ...typed, mayRead];
    expect(writable(when(...demoted))).toBe(false);
    expect(kind(...demoted)).toBe('saving');
    expect(kind(...demoted, accepted)).toBe('read-only');
    expect(text(...demoted, refused)).toBe('Not saved: you may only read this document now. Keep a copy.');
  });

  test('a refused token signs out and tells of text that is not saved', () => {
    expect(text(...handshake, accepted, denied('signed-out'))).toBe('Signed out. Sign in again to go on.');
    expect(text(...handshake, accepted, ...typed, denied('signed-out'))).toContain(
      '1 change is not saved: keep a copy.',
    );
    expect(writable(when(...handshake, accepted, denied('signed-out')))).toBe(false);
  });

  test('a good token ends the denial', () => {
    expect(kind(...handshake, accepted, denied('signed-out'), closed, ...handshake, accepted)).toBe('saved');
  });

  test('the server may say why in its own words', () => {
    expect(text(denied('other', 'A document name is short.'))).toBe('A document name is short.');
    expect(text(denied('other', 'invalid-name: A document name is short.'))).toBe(
      'A document name is short.',
    );
    expect(text(denied('other', 'odd-slug'))).toBe('The server refused this document.');
    expect(text(denied('deleted'))).toBe('This document was deleted.');
  });
});

/** All orders of things that can happen, short ones exhaustively: Saved is only said when it is true. */
test('saved is never said too early, in any short history', () => {
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
  const walk = (now: Situation, depth: number): void => {
    if (stateLine(now).kind === 'saved') {
      checked += 1;
      expect(now.connected && now.synced && now.confirmed && !now.refused).toBe(true);
      expect(waiting(now)).toBe(0);
    }
    if (depth > 0) for (const next of alphabet) walk(reduce(now, next), depth - 1);
  };
  walk(when(...handshake), 5);
  expect(checked).toBeGreaterThan(100);
});
