/**
 * The heading of the page: the title of the document, a field for people who can edit.
 *
 * Every key is shared and saved like a key in the text. A document without a title shows "Untitled" in grey, or its
 * name if a person chose that.
 */
import { html, LitElement, type PropertyValues } from 'lit';
import type { Doc } from 'yjs';
import { caretAfter, oneLine, SharedTitle, TITLE_CHARACTERS_MAX } from '../shared-title';
import { titleOf } from './names';

export class CollabTitle extends LitElement {
  static override properties = {
    doc: { attribute: false },
    name: { attribute: false },
    listed: { attribute: false },
    writable: { attribute: false },
  };

  /** The shared document, once its text is here. */
  declare doc: Doc | null;
  /** Name of the document. */
  declare name: string;
  /** The title that the list has, for a document in which none is stored yet. */
  declare listed: string;
  declare writable: boolean;

  #title: SharedTitle | null = null;

  constructor() {
    super();
    this.doc = null;
    this.name = '';
    this.listed = '';
    this.writable = false;
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // part of the page, and styled by it
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#close();
  }

  /** The title, or an empty text. */
  get text(): string {
    return this.#title?.text ?? this.listed;
  }

  /** Put the caret at the end of the title. */
  override focus(): void {
    const field = this.#field;
    field?.focus();
    field?.setSelectionRange(field.value.length, field.value.length);
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('doc')) return;
    this.#close();
    if (this.doc !== null) this.#title = new SharedTitle(this.doc, () => this.requestUpdate());
  }

  #close(): void {
    this.#title?.close();
    this.#title = null;
  }

  protected override render() {
    if (this.#title === null) return null;
    const fallback = titleOf({ name: this.name, title: '' });
    if (!this.writable) {
      return html`<h1 class=${this.text === '' ? 'untitled' : ''}>${this.text || fallback}</h1>`;
    }
    return html`
      <h1><textarea rows="1" aria-label="Title" placeholder=${fallback} maxlength=${TITLE_CHARACTERS_MAX}
        autocomplete="off" enterkeyhint="next" @input=${this.#typed} @compositionend=${this.#typed}
        @keydown=${this.#keyPressed}></textarea></h1>`;
  }

  protected override updated(): void {
    if (this.#title === null) return;
    this.#show(this.text);
    this.dispatchEvent(new CustomEvent('title-shown', { detail: this.text, bubbles: true }));
  }

  get #field(): HTMLTextAreaElement | null {
    return this.querySelector('textarea');
  }

  /** Show what somebody else has typed, and leave the caret where it was in the words. */
  #show(text: string): void {
    const field = this.#field;
    if (field === null) return;
    if (field.value !== text) {
      const { value: before, selectionStart, selectionEnd } = field;
      field.value = text;
      field.setSelectionRange(
        caretAfter(before, text, selectionStart),
        caretAfter(before, text, selectionEnd),
      );
    }
    if (CSS.supports('field-sizing', 'content')) return;
    field.style.height = 'auto';
    field.style.height = `${field.scrollHeight}px`;
  }

  #typed(event: Event): void {
    if ((event as InputEvent).isComposing || this.#title === null) return;
    this.#title.text = oneLine((event.target as HTMLTextAreaElement).value);
    this.requestUpdate(); // a pasted line end is no longer there
  }

  #keyPressed(event: KeyboardEvent): void {
    if (event.isComposing) return;
    const modifier = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    const field = event.target as HTMLTextAreaElement;
    const atEnd = field.selectionStart === field.value.length;
    if (key === 'enter' || key === 'escape' || (key === 'arrowdown' && atEnd)) {
      this.closest('collab-editor')?.focus({ at: key === 'escape' ? 'caret' : 'start' });
    } else if (modifier && key === 'z' && !event.shiftKey) this.#title?.undo();
    else if (modifier && (key === 'y' || key === 'z')) this.#title?.redo();
    else return;
    event.preventDefault(); // Enter would reach the text, which has the focus by then
  }
}

customElements.define('collab-title', CollabTitle);

declare global {
  interface HTMLElementTagNameMap {
    'collab-title': CollabTitle;
  }
}
