/**
 * The rich text editor on a shared document: Tiptap's StarterKit, other people's carets and a few key bindings.
 *
 * A document that holds more than `schema` describes must not be opened with it (`unsupported.ts`).
 */
import { Editor, Extension, getSchema } from '@tiptap/core';
import { Collaboration } from '@tiptap/extension-collaboration';
import { Placeholder } from '@tiptap/extensions';
import { Plugin } from '@tiptap/pm/state';
import type { EditorView } from '@tiptap/pm/view';
import { StarterKit } from '@tiptap/starter-kit';
import type { Awareness } from 'y-protocols/awareness';
import type { Doc } from 'yjs';
import { Carets } from './carets';

/** The root name of rich text in the shared document. */
export const FIELD = 'default';

const kit = StarterKit.configure({
  undoRedo: false, // the shared document has its own undo, which only reverts our own edits
  trailingNode: false, // it would edit the document by itself, once in every open editor
  link: {
    openOnClick: false,
    defaultProtocol: 'https',
    HTMLAttributes: { rel: 'noopener noreferrer nofollow', target: '_blank' },
  },
  dropcursor: { color: 'var(--_accent)', width: 2 },
});

export const schema = getSchema([kit]);

export interface RichTextOptions {
  readonly element: HTMLElement;
  readonly doc: Doc;
  readonly awareness: Awareness;
  readonly editable: boolean;
  readonly autofocus: boolean;
  readonly placeholder: () => string;
  readonly label: () => string;
  readonly onLink: () => void;
  readonly onToolbar: () => void;
}

export function createRichText(options: RichTextOptions): Editor {
  return new Editor({
    element: options.element,
    editable: options.editable,
    autofocus: options.autofocus && options.editable ? 'start' : false,
    injectCSS: false,
    extensions: [
      kit,
      Collaboration.configure({ document: options.doc, field: FIELD }),
      Carets.configure({ awareness: options.awareness }),
      Placeholder.configure({ placeholder: options.placeholder }),
      behaviour(options),
    ],
  });
}

/** The accessible name and role of the text, its key bindings and its clicks. */
function behaviour(options: RichTextOptions): Extension {
  return Extension.create({
    name: 'behaviour',

    addKeyboardShortcuts() {
      const call = (action: () => void) => () => {
        action();
        return true;
      };
      return { 'Mod-k': call(options.onLink), 'Alt-F10': call(options.onToolbar) };
    },

    addProseMirrorPlugins() {
      const { editor } = this;
      return [
        new Plugin({
          props: {
            attributes: () => ({
              role: 'textbox',
              'aria-multiline': 'true',
              'aria-label': options.label(),
              'aria-readonly': String(!editor.isEditable),
              translate: 'no', // a page translator would replace the text for everybody
            }),
            handleClick: (view, _position, event) => followLink(view, event),
            handleDOMEvents: { mousedown: (view, event) => startParagraphBelow(editor, view, event) },
          },
        }),
      ];
    },
  });
}

/** Open a link on Ctrl or ⌘ click in an editable text, and on any click in one that is read only. */
function followLink(view: EditorView, event: MouseEvent): boolean {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (link === null || (view.editable && !event.ctrlKey && !event.metaKey)) return false;
  event.preventDefault();
  window.open(link.href, '_blank', 'noopener,noreferrer');
  return true;
}

/** Start a paragraph below a divider or code block at the end of the text, where no key could do so. */
function startParagraphBelow(editor: Editor, view: EditorView, event: MouseEvent): boolean {
  const last = view.dom.lastElementChild;
  const below =
    event.target === view.dom && last !== null && event.clientY > last.getBoundingClientRect().bottom;
  if (!view.editable || !below || view.state.doc.lastChild?.type.name === 'paragraph') return false;
  event.preventDefault();
  return editor
    .chain()
    .insertContentAt(view.state.doc.content.size, { type: 'paragraph' })
    .focus('end')
    .run();
}
