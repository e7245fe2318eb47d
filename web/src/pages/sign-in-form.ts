/** A field for a sign-in link. The server is asked about the link before it is used. */
import { html, LitElement, nothing } from 'lit';
import { type Account, accountOf, hasEnded, tokenIn } from './accounts';
import { Api, Problem } from './api';

class CollabSignInForm extends LitElement {
  static override properties = {
    person: { attribute: false },
    label: {},
    problem: { state: true },
    busy: { state: true },
  };

  /** The only person who may sign in here; null: anybody. */
  declare person: Account | null;
  declare label: string;
  declare protected problem: string;
  declare protected busy: boolean;

  constructor() {
    super();
    this.person = null;
    this.label = 'Sign-in link';
    this.problem = '';
    this.busy = false;
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // part of the page, and styled by it
  }

  override focus(): void {
    this.querySelector('input')?.focus();
  }

  protected override render() {
    return html`
      <form class="sign-in" @submit=${this.#submit} novalidate>
        <label>${this.label}
          <input name="link" inputmode="url" autocomplete="off" autocapitalize="none" spellcheck="false"
            aria-invalid=${this.problem === '' ? nothing : 'true'} placeholder="https://…#token=…"
            @input=${this.#typed} />
        </label>
        <button type="submit" class="main" ?disabled=${this.busy}>Sign in</button>
        <p class="problem" role="alert">${this.problem}</p>
      </form>`;
  }

  #typed(): void {
    this.problem = '';
  }

  async #submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const pasted = String(new FormData(event.target as HTMLFormElement).get('link') ?? '');
    const token = tokenIn(pasted);
    this.problem = problemWith(pasted, token, this.person);
    if (this.problem !== '' || token === null) return;
    this.busy = true;
    try {
      const accepted = await checked(token);
      this.dispatchEvent(new CustomEvent('signed-in', { detail: accepted, bubbles: true }));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      this.problem = error.status === 401 ? 'This link doesn’t work here. Ask for a new one.' : error.message;
    } finally {
      this.busy = false;
    }
  }
}

/** Return why the link cannot be used; empty if it can be tried. */
function problemWith(pasted: string, token: string | null, person: Account | null): string {
  if (pasted.trim() === '') return 'Paste your sign-in link first.';
  if (token === null) return 'This isn’t a sign-in link. Copy the whole link, with everything after #token=.';
  const found = accountOf(token, 0);
  if (hasEnded(found)) return 'This link has expired. Ask for a new one.';
  if (person !== null && found.id !== person.id) {
    return `This link is for ${found.name}. To continue here, sign in as ${person.name}.`;
  }
  return '';
}

/** Return the token, renewed if that is possible. Raises Problem if the server does not accept it. */
async function checked(token: string): Promise<string> {
  const api = new Api(token);
  try {
    return await api.renewToken();
  } catch (error) {
    // An application's token: good, but not to be renewed.
    if (error instanceof Problem && error.status === 403) return token;
    throw error;
  }
}

customElements.define('collab-sign-in-form', CollabSignInForm);
