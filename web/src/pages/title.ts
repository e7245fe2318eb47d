/**
 * The title of the document above its text: for who may write a field, for everybody else a heading.
 *
 * A document without a title goes by its name, which never changes. The title is no part of the shared text: it
 * is kept by REST, at once when the field is left.
 */
import { html, LitElement } from 'lit';
import { type Api, Problem } from './api';

class CollabTitle extends LitElement {
  static override properties = {
    api: { attribute: false },
    name: { attribute: false },
    writable: { attribute: false },
    text: { state: true },
  };

  declare api: Api;
  /** The document's. */
  declare name: string;
  declare writable: boolean;
  /** The title as the server has it; empty when there is none. */
  declare text: string;

  constructor() {
    super();
    this.writable = false;
    this.text = '';
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // a part of the page: its styles are the page's
  }

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#load();
    document.addEventListener(
      'visibilitychange',
      () => document.visibilityState === 'visible' && void this.#load(),
    );
  }

  protected override render() {
    const shown = this.text || this.name;
    document.title = `${shown} · collab`;
    if (!this.writable) return html`<h1 title=${this.name}>${shown}</h1>`;
    return html`
      <h1><input aria-label="Title" title=${this.name} placeholder=${this.name} maxlength="500" autocomplete="off"
        .value=${this.text} @change=${this.#commit} @input=${this.#typed} @keydown=${this.#key} /></h1>`;
  }

  get #field(): HTMLInputElement | null {
    return this.querySelector('input');
  }

  /** A document that nobody has written in is not there yet, and one that may not be read says so below. */
  async #load(): Promise<void> {
    try {
      const { title } = await this.api.find(this.name);
      if (document.activeElement !== this.#field || this.#field === null) this.text = title;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
  }

  async #commit(event: Event): Promise<void> {
    const field = event.target as HTMLInputElement;
    const title = field.value.trim();
    try {
      await this.api.retitle(this.name, title);
      this.text = title;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      field.setCustomValidity(`Not saved: ${error.message}`);
      field.reportValidity();
    }
  }

  #typed(event: InputEvent): void {
    (event.target as HTMLInputElement).setCustomValidity('');
  }

  #key(event: KeyboardEvent): void {
    const field = event.target as HTMLInputElement;
    if (event.key === 'Escape') field.value = this.text;
    if (event.key === 'Escape' || (event.key === 'Enter' && !event.isComposing)) {
      field.blur();
      this.closest('collab-editor')?.focus();
    }
  }
}

customElements.define('collab-title', CollabTitle);
