/** Leaves a page for another person, or for none, without losing what is still on its way to the server. */
import type { CollabEditor } from '../collab-editor';

/** True if text on this page is not saved yet. */
export function hasUnsavedText(): boolean {
  return (editor()?.status.waiting ?? 0) > 0;
}

/** Load the page at `address`, without the browser's question: the person has been asked already. */
export async function leaveFor(address: string): Promise<void> {
  editor()?.remove();
  await Promise.resolve(); // the editor closes its session in a microtask
  if (address === location.href) location.reload();
  else location.assign(address);
}

/** Load this page again once its text is saved. */
export async function reloadWhenSaved(): Promise<void> {
  if (hasUnsavedText()) await editor()?.whenSaved();
  await leaveFor(location.href);
}

function editor(): CollabEditor | null {
  return document.querySelector('collab-editor');
}
