/**
 * The strip of an open document that says when a sign-in ends, and takes a new link once it has ended.
 *
 * The text stays on the page meanwhile, and what is unsaved is saved after the sign-in: here with a link, or in another
 * tab, which this one follows.
 */
import { html, LitElement, nothing } from 'lit';
import type { CollabEditor } from '../collab-editor';
import { claimsOf } from '../jwt';
import { type Account, endOf, isFromProvider, warningDue } from './accounts';
import { reloadWhenSaved } from './leaving';
import { keepSignedIn } from './renewal';
import { currentAccount, signInWith } from './sign-in';
import './provider-link';
import './sign-in-form';

const CHECK_MS_MAX = 30_000;

class CollabSignInNotice extends LitElement {
  static override properties = { kind: { state: true }, asked: { state: true } };

  declare protected kind: 'none' | 'ending' | 'ended';
  /** True if the person wants to sign in before the end. */
  declare protected asked: boolean;

  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    super();
    this.kind = 'none';
    this.asked = false;
  }

  protected override createRenderRoot(): HTMLElement {
    return this; // part of the page, and styled by it
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener('collab-token', this.#renewed);
    addEventListener('collab-signed-out', reloadWhenSaved);
    document.addEventListener('visibilitychange', this.#check);
    document.addEventListener('collab-token-expired', this.#refused);
    keepSignedIn();
    this.#check();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
    removeEventListener('collab-token', this.#renewed);
    removeEventListener('collab-signed-out', reloadWhenSaved);
    document.removeEventListener('visibilitychange', this.#check);
    document.removeEventListener('collab-token-expired', this.#refused);
  }

  protected override render() {
    const account = currentAccount();
    if (this.kind === 'none' || account === null) return nothing;
    return html`<div class="sign-in-notice ${this.kind}">${this.kind === 'ended' ? this.#form(account) : this.#warning(account)}</div>`;
  }

  #warning(account: Account) {
    const time = new Date(endOf(account)).toLocaleTimeString([], { hour: 'numeric', minute: '2-digit' });
    return html`
      <p role="status">You’ll be signed out at ${time}.</p>
      ${this.asked ? this.#form(account) : html`<button type="button" @click=${this.#ask}>Sign in again</button>`}`;
  }

  #form(account: Account) {
    if (isFromProvider(claimsOf(account.token))) {
      return html`
        <collab-provider-link beside></collab-provider-link>
        <p>It opens in another tab. This page then continues by itself.</p>`;
    }
    return html`
      <collab-sign-in-form .person=${account} .label=${`Paste a sign-in link for ${account.name}`}
        @signed-in=${(event: CustomEvent<string>) => signInWith(event.detail)}></collab-sign-in-form>
      <p>Or sign in from another tab. This page then continues by itself.</p>`;
  }

  async #ask(): Promise<void> {
    this.asked = true;
    await this.updateComplete;
    this.querySelector<HTMLElement>('collab-sign-in-form')?.focus();
  }

  /** Hand the new token to the editor, which sends what is unsaved. */
  readonly #renewed = (): void => {
    const editor = this.closest<CollabEditor>('collab-editor');
    const account = currentAccount();
    if (editor !== null && account !== null) editor.token = account.token;
    this.asked = false;
    this.kind = 'none';
    this.#check();
  };

  readonly #refused = (): void => {
    this.kind = 'ended';
  };

  readonly #check = (): void => {
    clearTimeout(this.#timer);
    const account = currentAccount();
    if (account === null || this.kind === 'ended') return;
    const due = warningDue(claimsOf(account.token));
    if (due === null) return;
    const waitMs = due - Date.now();
    // A token that can be renewed was replaced at half of its life, unless the server has been away since.
    this.kind = waitMs > 0 ? 'none' : 'ending';
    this.#timer = setTimeout(this.#check, Math.max(250, Math.min(waitMs, CHECK_MS_MAX)));
  };
}

customElements.define('collab-sign-in-notice', CollabSignInNotice);
