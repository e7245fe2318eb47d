/**
 * The title of the document above its text: a field for people who can edit, a heading for everybody else.
 *
 * A document without a title shows its name, which never changes. The title is not part of the shared text: it is
 * saved over REST when the field loses focus.
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
  /** Name of the document. */
  declare name: string;
  declare writable: boolean;
  /** The title that the server has; empty if there is none. */
  declare text: string;

  constructor() {
    super();
    this.writable = false;
    this.text = '';
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // part of the page, and styled by it
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
        .value=${this.text} @change=${this.#save} @input=${this.#typed} @keydown=${this.#keyPressed} /></h1>`;
  }

  get #field(): HTMLInputElement | null {
    return this.querySelector('input');
  }

  /** Read the title. Errors are ignored: a new document does not exist yet, and a denial is shown by the editor. */
  async #load(): Promise<void> {
    try {
      const { title } = await this.api.find(this.name);
      if (document.activeElement !== this.#field || this.#field === null) this.text = title;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
    }
  }

  async #save(event: Event): Promise<void> {
    const field = event.target as HTMLInputElement;
    const title = field.value.trim();
    try {
      await this.api.retitle(this.name, title);
      this.text = title;
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      field.setCustomValidity(`The title is not saved. ${error.message}`);
      field.reportValidity();
    }
  }

  #typed(event: InputEvent): void {
    (event.target as HTMLInputElement).setCustomValidity('');
  }

  #keyPressed(event: KeyboardEvent): void {
    const field = event.target as HTMLInputElement;
    if (event.key === 'Escape') field.value = this.text;
    if (event.key === 'Escape' || (event.key === 'Enter' && !event.isComposing)) {
      event.preventDefault(); // the key would reach the text, which has the focus by then
      field.blur();
      this.closest('collab-editor')?.focus();
    }
  }
}

customElements.define('collab-title', CollabTitle);
