/** The account menu of the header: who is signed in, a switch to somebody else, sign out. */
import { html, LitElement, nothing, svg, type TemplateResult } from 'lit';
import { claimsOf } from '../jwt';
import { initials } from '../people';
import { type Account, hasEnded, isFromProvider } from './accounts';
import { endProviderSignIn } from './api';
import { hasUnsavedText, leaveFor } from './leaving';
import { currentAccount, forgetToken, rememberedAccounts, signOut, switchTo } from './sign-in';

/** Something that takes the page from its person. */
interface Departure {
  readonly label: string;
  readonly leave: () => void;
}

class CollabAccountMenu extends LitElement {
  static override properties = {
    named: { type: Boolean },
    open: { state: true },
    unsaved: { state: true },
  };

  /** Show the name beside the initials, where there is room. */
  declare named: boolean;
  declare protected open: boolean;
  /** What the person chose while text is unsaved, and may insist on. */
  declare protected unsaved: Departure | null;

  constructor() {
    super();
    this.named = false;
    this.open = false;
    this.unsaved = null;
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // part of the page, and styled by it
  }

  override connectedCallback(): void {
    super.connectedCallback();
    document.addEventListener('pointerdown', this.#closeOutside);
    this.addEventListener('keydown', this.#keyPressed);
    this.addEventListener('focusout', this.#focusLeft);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    document.removeEventListener('pointerdown', this.#closeOutside);
  }

  protected override render() {
    const account = currentAccount();
    if (account === null) return nothing;
    return html`
      <button type="button" class="account" aria-label=${`Account: ${account.name}`} aria-expanded=${this.open}
        aria-controls="account-menu" title=${`Signed in as ${account.name}`} @click=${this.#toggle}>
        ${circle(account)}
        ${this.named ? html`<span class="account-name">${account.name}</span>` : nothing}
      </button>
      <div id="account-menu" class="menu" ?hidden=${!this.open}>${this.open ? this.#menu(account) : nothing}</div>`;
  }

  #menu(account: Account) {
    const others = rememberedAccounts().filter(({ id }) => id !== account.id);
    return html`
      <p class="who">
        ${circle(account)}
        <span><strong>${account.name}</strong><br /><span class="aside">Signed in</span></span>
      </p>
      ${this.unsaved === null ? nothing : this.#question(this.unsaved)}
      <ul>
        ${others.map(other => this.#item(departureTo(other), circle(other), hasEnded(other) ? 'Expired' : ''))}
        ${this.#item({ label: 'Add another account', leave: addAccount }, plus)}
        ${this.#item({ label: 'Sign out', leave: () => void leaveAndForget(account) }, exit)}
      </ul>`;
  }

  #item(departure: Departure, mark: TemplateResult, note = '') {
    return html`
      <li>
        <button type="button" class="item" @click=${() => this.#choose(departure)}>
          ${mark}<span>${departure.label}</span>${note === '' ? nothing : html`<span class="aside">${note}</span>`}
        </button>
      </li>`;
  }

  #question({ label, leave }: Departure) {
    return html`
      <div class="question" role="alert">
        <p>Your latest changes are not saved yet. If you leave now, they are lost.</p>
        <div class="buttons">
          <button type="button" class="stay" @click=${() => this.#show(false)}>Stay</button>
          <button type="button" class="main bad" @click=${leave}>${label} anyway</button>
        </div>
      </div>`;
  }

  #choose(departure: Departure): void {
    if (hasUnsavedText()) this.unsaved = departure;
    else departure.leave();
  }

  #toggle(): void {
    this.#show(!this.open);
  }

  #show(open: boolean): void {
    this.open = open;
    this.unsaved = null;
  }

  readonly #closeOutside = (event: PointerEvent): void => {
    if (!event.composedPath().includes(this)) this.#show(false);
  };

  readonly #focusLeft = (event: FocusEvent): void => {
    const to = event.relatedTarget;
    if (to instanceof Node && !this.contains(to)) this.#show(false);
  };

  readonly #keyPressed = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape' || !this.open) return;
    event.stopPropagation();
    this.#show(false);
    this.querySelector<HTMLElement>('button.account')?.focus();
  };
}

function departureTo(other: Account): Departure {
  return {
    label: `Switch to ${other.name}`,
    leave: () => {
      switchTo(other.id);
      void leaveFor(location.href);
    },
  };
}

function addAccount(): void {
  forgetToken();
  void leaveFor(location.href);
}

async function leaveAndForget(account: Account): Promise<void> {
  signOut(account.id);
  if (isFromProvider(claimsOf(account.token))) await endProviderSignIn(account.id).catch(() => {});
  await leaveFor(document.baseURI); // the address of a document tells its name
}

function circle(account: Account): TemplateResult {
  // Not text: what a button is called has to contain the text on it.
  return html`<span class="initials" data-initials=${initials(account.name)}></span>`;
}

const plus = icon(svg`<path d="M10 4.500v11M4.500 10h11" />`);
const exit = icon(svg`<path d="M11.500 4H5v12h6.500M9 10h8M14 7l3 3-3 3" />`);

function icon(path: TemplateResult<2>): TemplateResult {
  return html`<span class="mark" aria-hidden="true"><svg viewBox="0 0 20 20" width="18" height="18" fill="none"
    stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round">${path}</svg></span>`;
}

customElements.define('collab-account-menu', CollabAccountMenu);
