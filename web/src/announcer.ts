/**
 * The one voice for screen readers: one sentence every few seconds, the newest one, politely.
 */
const BETWEEN_MS = 3000;

export class Announcer {
  readonly #region: () => Element | null;
  #waiting: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `region` finds the live region, an element that is always there. */
  constructor(region: () => Element | null) {
    this.#region = region;
  }

  say(sentence: string): void {
    this.#waiting = sentence;
    if (this.#timer === undefined) this.#speak();
  }

  #speak(): void {
    this.#timer = undefined;
    const region = this.#region();
    if (this.#waiting === null || region === null) return;
    region.textContent = this.#waiting;
    this.#waiting = null;
    this.#timer = setTimeout(() => this.#speak(), BETWEEN_MS);
  }
}
