/**
 * The row below the toolbar in which a person types a link's address. A bubble would cover text, and a phone's
 * keyboard would cover the bubble.
 */
import type { Editor } from '@tiptap/core';
import { html, LitElement, nothing, unsafeCSS } from 'lit';
import styles from './strip.css?inline';

export class CollabLinkBar extends LitElement {
  static override properties = {
    editor: { attribute: false },
  };
  static override styles = unsafeCSS(styles);

  declare editor: Editor | null;

  constructor() {
    super();
    this.editor = null;
  }

  protected override firstUpdated(): void {
    this.#input?.focus();
    this.#input?.select();
  }

  protected override render() {
    const address = this.#address;
    return html`
      <form class="strip" @submit=${this.#submit} @keydown=${this.#keyPressed}>
        <label for="address">Link</label>
        <input id="address" type="text" inputmode="url" autocapitalize="none" autocomplete="off" spellcheck="false"
          placeholder="https://" .value=${address} />
        <button type="submit" class="main">${address === '' ? 'Add' : 'Update'}</button>
        ${address === '' ? nothing : html`<button type="button" @click=${() => this.#set('')}>Remove</button>`}
        <button type="button" @click=${this.#close}>Cancel</button>
      </form>`;
  }

  get #input(): HTMLInputElement | null {
    return this.renderRoot.querySelector('input');
  }

  get #address(): string {
    return String(this.editor?.getAttributes('link').href ?? '');
  }

  #submit(event: Event): void {
    event.preventDefault();
    this.#set(this.#input?.value.trim() ?? '');
  }

  #set(address: string): void {
    const { editor } = this;
    if (editor === null) return;
    const href = /^[a-z][a-z0-9+.-]*:|^[/#?]/i.test(address) ? address : `https://${address}`;
    const chain = editor.chain().extendMarkRange('link');
    if (address === '') chain.unsetLink().run();
    else if (editor.state.selection.empty && !editor.isActive('link')) {
      chain.insertContent({ type: 'text', text: address, marks: [{ type: 'link', attrs: { href } }] }).run();
    } else chain.setLink({ href }).run();
    this.#close();
  }

  #close(): void {
    this.editor?.commands.focus();
    this.dispatchEvent(new Event('done'));
  }

  #keyPressed(event: KeyboardEvent): void {
    if (event.key === 'Escape') this.#close();
  }
}

if (customElements.get('collab-link-bar') === undefined)
  customElements.define('collab-link-bar', CollabLinkBar);
