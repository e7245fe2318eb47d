/**
 * Other people's carets and selections in the text, with their names.
 *
 * A name is shown for a moment after its caret has moved, then only the thin caret stays, because a label covers
 * the line above it.
 */
import { Extension } from '@tiptap/core';
import { Plugin } from '@tiptap/pm/state';
import { yCursorPlugin } from '@tiptap/y-tiptap';
import type { Awareness } from 'y-protocols/awareness';
import { inkOn } from './colours';
import { userIn } from './people';

const NAME_SHOWN_MS = 2500;

export const Carets = Extension.create<{ awareness: Awareness | null }>({
  name: 'carets',
  priority: 999,

  addOptions() {
    return { awareness: null };
  },

  addProseMirrorPlugins() {
    const { awareness } = this.options;
    if (awareness === null) return [];
    const fading = new Map<number, ReturnType<typeof setTimeout>>();
    const caretOf = (client: number): Element | null =>
      this.editor.isDestroyed ? null : this.editor.view.dom.querySelector(`[data-caret-of="${client}"]`);

    const fadeSoon = (client: number): void => {
      clearTimeout(fading.get(client));
      const fade = (): void => {
        fading.delete(client);
        caretOf(client)?.classList.remove('named');
      };
      fading.set(client, setTimeout(fade, NAME_SHOWN_MS));
    };
    const moved = (change: { added: number[]; updated: number[] }): void => {
      for (const client of [...change.added, ...change.updated]) {
        caretOf(client)?.classList.add('named');
        fadeSoon(client);
      }
    };

    return [
      yCursorPlugin(awareness, {
        cursorBuilder: (user: unknown, client: number) => {
          fadeSoon(client);
          return caret(user, client);
        },
        selectionBuilder: (user: unknown) => ({
          class: 'collab-selection',
          style: `background-color: ${userIn({ user })?.colour ?? '#888888'}38`,
        }),
      }),
      new Plugin({
        view: () => {
          awareness.on('change', moved);
          return {
            destroy: () => {
              awareness.off('change', moved);
              for (const timer of fading.values()) clearTimeout(timer);
            },
          };
        },
      }),
    ];
  },
});

function caret(user: unknown, client: number): HTMLElement {
  const { name, colour } = userIn({ user }) ?? { name: 'Guest', colour: '#888888' };
  const mark = document.createElement('span');
  mark.className = 'collab-caret named';
  mark.dataset.caretOf = String(client);
  mark.ariaHidden = 'true';
  mark.style.setProperty('--caret', colour);
  mark.style.setProperty('--caret-ink', inkOn(colour));
  const label = document.createElement('span');
  label.className = 'collab-caret-name';
  label.textContent = name;
  // No text beside the label: a click would put the caret into it, and what is typed there is lost.
  mark.append(label);
  return mark;
}
