import { expect, test } from 'vitest';
import { denialOf } from '../src/session';

test.each([
  ['The token is missing, bad or expired.', 'signed-out'],
  ['not-authenticated', 'signed-out'],
  ['A token is needed.', 'signed-out'],
  ['Your role does not allow this.', 'forbidden'],
  ['permission-denied', 'forbidden'],
  ['There is no such document.', 'not-found'],
  ['document-deleted', 'deleted'],
  ['The document was deleted.', 'deleted'],
  ['The update was refused as harmful or too large.', 'change'],
  ['permission-denied: You have no access to this document.', 'forbidden'],
  ['You have no access to this document.', 'forbidden'],
  ['You are viewer of this document; changing it takes an editor.', 'forbidden'],
  ["The token's signature does not match.", 'signed-out'],
  ['The update nests shared types more than 32 deep.', 'change'],
  ['Your edits build on others that never arrived.', 'change'],
  ['A document name holds no control characters.', 'other'],
] as const)('"%s" is final: %s', (reason, denial) => expect(denialOf(reason)).toBe(denial));

test.each([
  'The database does not answer; nothing was saved.',
  'This replica is shutting down; reconnect.',
  'The server is overloaded; try again in a moment.',
  'store-unavailable',
  'Failed to get token during sendToken(): TypeError: Failed to fetch',
])('"%s" passes', reason => expect(denialOf(reason)).toBeNull());
