/** A button that opens a menu: with the mouse, by touch and by keyboard (arrow keys, Home, End, Escape). */
import { html, LitElement, svg } from 'lit';

export interface MenuItem {
  readonly label: string;
  readonly run: () => void;
  /** True for something that takes away. */
  readonly bad?: boolean;
}

const dots = svg`<svg viewBox="0 0 20 20" width="18" height="18" fill="currentColor" aria-hidden="true">
  <circle cx="4.500" cy="10" r="1.500" /><circle cx="10" cy="10" r="1.500" /><circle cx="15.500" cy="10" r="1.500" /></svg>`;

let menus = 0;

class CollabMenu extends LitElement {
  static override properties = {
    label: { attribute: false },
    items: { attribute: false },
    open: { state: true },
  };

  declare label: string;
  declare items: readonly MenuItem[];
  declare protected open: boolean;

  readonly #id = `menu-${++menus}`;

  constructor() {
    super();
    this.label = 'More';
    this.items = [];
    this.open = false;
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // part of the page, and styled by it
  }

  protected override render() {
    return html`
      <button type="button" class="quiet" aria-haspopup="menu" aria-expanded=${this.open} aria-label=${this.label}
        title=${this.label} popovertarget=${this.#id} @keydown=${this.#buttonKey}>${dots}</button>
      <div id=${this.#id} class="menu" popover role="menu" aria-label=${this.label} @toggle=${this.#toggled}
        @keydown=${this.#menuKey}>${this.items.map(item => this.#entry(item))}</div>`;
  }

  #entry(item: MenuItem) {
    const run = (): void => {
      this.#menu.hidePopover();
      item.run();
    };
    return html`<button type="button" role="menuitem" tabindex="-1" class=${item.bad ? 'takes-away' : ''}
      @click=${run}>${item.label}</button>`;
  }

  get #menu(): HTMLElement {
    return this.querySelector('.menu') as HTMLElement;
  }

  get #entries(): HTMLElement[] {
    return [...this.querySelectorAll<HTMLElement>('[role="menuitem"]')];
  }

  #toggled(event: ToggleEvent): void {
    this.open = event.newState === 'open';
    if (!this.open) return;
    this.#place();
    this.#entries[0]?.focus();
  }

  /** Put the menu below its button, or above it where there is no room below. */
  #place(): void {
    const button = (this.querySelector('button') as HTMLElement).getBoundingClientRect();
    const { offsetHeight: height, offsetWidth: width } = this.#menu;
    const below = button.bottom + 4 + height <= innerHeight;
    this.#menu.style.top = `${below ? button.bottom + 4 : Math.max(8, button.top - 4 - height)}px`;
    this.#menu.style.left = `${Math.max(8, button.right - width)}px`;
  }

  #buttonKey(event: KeyboardEvent): void {
    if (event.key !== 'ArrowDown' || this.open) return;
    event.preventDefault();
    this.#menu.showPopover();
  }

  #menuKey(event: KeyboardEvent): void {
    const entries = this.#entries;
    const at = entries.indexOf(document.activeElement as HTMLElement);
    const last = entries.length - 1;
    const to = {
      ArrowDown: at === last ? 0 : at + 1,
      ArrowUp: at <= 0 ? last : at - 1,
      Home: 0,
      End: last,
    }[event.key];
    if (event.key === 'Tab') this.#menu.hidePopover();
    if (to === undefined) return;
    event.preventDefault();
    entries[to]?.focus();
  }
}

customElements.define('collab-menu', CollabMenu);
