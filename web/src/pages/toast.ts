/** One short message at the bottom of the page, which may offer to take something back. It goes by itself. */
import { html, LitElement, nothing } from 'lit';

const SHOWN_MS = 8000;

export interface ToastAction {
  readonly label: string;
  readonly run: () => void;
}

class CollabToast extends LitElement {
  static override properties = {
    text: { state: true },
    action: { state: true },
  };

  declare protected text: string;
  declare protected action: ToastAction | null;

  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.text = '';
    this.action = null;
  }

  show(text: string, action: ToastAction | null = null): void {
    this.text = text;
    this.action = action;
    this.#goLater();
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // part of the page, and styled by it
  }

  protected override render() {
    const { action } = this;
    return html`<div class=${this.text === '' ? 'toast gone' : 'toast'} role="status" @pointerenter=${this.#stay}
      @focusin=${this.#stay} @pointerleave=${this.#goLater} @focusout=${this.#goLater}>
      <span>${this.text}</span>
      ${
        action === null
          ? nothing
          : html`<button type="button" @click=${() => {
              this.#go();
              action.run();
            }}>${action.label}</button>`
      }
    </div>`;
  }

  #stay(): void {
    clearTimeout(this.#timer);
  }

  #goLater(): void {
    this.#stay();
    this.#timer = setTimeout(() => this.#go(), SHOWN_MS);
  }

  #go(): void {
    this.text = '';
    this.action = null;
  }
}

customElements.define('collab-toast', CollabToast);

declare global {
  interface HTMLElementTagNameMap {
    'collab-toast': CollabToast;
  }
}
