/** The button that switches between the system's theme, light and dark. The choice is kept in this browser. */
import { html, LitElement, svg } from 'lit';

const KEY = 'collab-theme';
const THEMES = ['system', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

const LABELS: Readonly<Record<Theme, string>> = {
  system: 'Theme: same as your device',
  light: 'Theme: light',
  dark: 'Theme: dark',
};

const drawing = (body: ReturnType<typeof svg>) => svg`
  <svg viewBox="0 0 20 20" width="18" height="18" fill="none" stroke="currentColor" stroke-width="1.5"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">${body}</svg>`;

const ICONS: Readonly<Record<Theme, ReturnType<typeof svg>>> = {
  system: drawing(
    svg`<rect x="3" y="4" width="14" height="9.500" rx="1.500" /><path d="M7.500 16.500h5M10 13.500v3" />`,
  ),
  light: drawing(
    svg`<circle cx="10" cy="10" r="3.200" /><path d="M10 3v1.500M10 15.500V17M3 10h1.500M15.500 10H17M5.050 5.050l1.060 1.060M13.890 13.890l1.060 1.060M14.950 5.050l-1.060 1.060M6.110 13.890l-1.060 1.060" />`,
  ),
  dark: drawing(
    svg`<path d="M15.800 11.900A6.300 6.300 0 0 1 8.100 4.200a6.300 6.300 0 1 0 7.700 7.700z" />`,
  ),
};

class CollabTheme extends LitElement {
  static override properties = {
    theme: { state: true },
  };

  declare theme: Theme;

  constructor() {
    super();
    this.theme = chosenTheme();
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // part of the page, and styled by it
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener('storage', this.#chosenElsewhere);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener('storage', this.#chosenElsewhere);
  }

  protected override render() {
    return html`
      <button type="button" class="quiet" aria-label=${LABELS[this.theme]} title=${LABELS[this.theme]}
        @click=${this.#next}>${ICONS[this.theme]}</button>`;
  }

  #next(): void {
    const next = THEMES[(THEMES.indexOf(this.theme) + 1) % THEMES.length] ?? 'system';
    this.#show(next);
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // storage is blocked: the choice lasts as long as the page
    }
  }

  #show(theme: Theme): void {
    this.theme = theme;
    document.documentElement.dataset.theme = theme;
  }

  readonly #chosenElsewhere = (event: StorageEvent): void => {
    if (event.key === KEY) this.#show(asTheme(event.newValue));
  };
}

function chosenTheme(): Theme {
  return asTheme(document.documentElement.dataset.theme ?? null);
}

function asTheme(text: string | null): Theme {
  return THEMES.find(theme => theme === text) ?? 'system';
}

customElements.define('collab-theme', CollabTheme);
