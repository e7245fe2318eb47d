/** What stands in place of a document that cannot be opened: what happened, and ways on. */
import { html, nothing } from 'lit';
import type { Denial } from '../slugs';
import { card } from './card';

export interface Ways {
  readonly person: string;
  /** Restore the document from the bin; null if that is not possible here. */
  readonly restore: (() => void) | null;
  /** Ask the owners for access; null if that is not possible here. */
  readonly ask: (() => void) | null;
  readonly asked: boolean;
  readonly switchAccount: () => void;
  /** Why the last of these did not work; may be empty. */
  readonly problem: string;
}

/** The page of a document that is closed to this person. `sentence`: the server's own words. */
export function closedDocument(denial: Denial | 'unsupported', sentence: string, ways: Ways) {
  const home = html`<a class="button" href=${document.baseURI}>Go to my documents</a>`;
  const problem = ways.problem === '' ? nothing : html`<p class="problem" role="alert">${ways.problem}</p>`;
  switch (denial) {
    case 'forbidden':
      return card(
        'You don’t have access to this document',
        html`<p>You’re signed in as <strong>${ways.person}</strong>. ${
          ways.asked
            ? 'Your request is on its way. This page opens the document once an owner has said yes and you reload it.'
            : ways.ask !== null
              ? 'Ask the owner for access, or switch to an account that has it.'
              : 'Ask the person who sent you the link to share the document with you.'
        }</p>${problem}`,
        html`${
          ways.ask !== null && !ways.asked
            ? html`<button type="button" class="main" @click=${ways.ask}>Ask for access</button>`
            : nothing
        }${home}<button type="button" @click=${ways.switchAccount}>Switch account</button>`,
      );
    case 'deleted':
      return card(
        'This document is in the bin',
        html`<p>${
          ways.restore === null
            ? 'Only its owner can bring it back.'
            : 'Restore it to go on editing. Everyone who had access gets it back.'
        }</p>${problem}`,
        html`${
          ways.restore === null
            ? nothing
            : html`<button type="button" class="main" @click=${ways.restore}>Restore</button>`
        }${home}`,
      );
    case 'not-found':
      return card(
        'There is no document at this address',
        html`<p>Check the link. The document may have been deleted for good.</p>`,
        home,
      );
    case 'unsupported':
      return card('This document can’t be shown here', html`<p>${sentence}</p>`, home);
    default:
      return card(
        'This document can’t be opened',
        html`<p>${sentence || 'Something is wrong with it on the server. Your text is safe there.'}</p>`,
        html`<button type="button" class="main" @click=${() => location.reload()}>Try again</button>${home}`,
      );
  }
}
