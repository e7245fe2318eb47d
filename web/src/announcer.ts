/** Announcements for screen readers: at most one sentence every few seconds, and always the newest. */
const INTERVAL_MS = 3000;

export class Announcer {
  readonly #region: () => Element | null;
  #next: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `region` returns the live region, an element that must always be on the page. */
  constructor(region: () => Element | null) {
    this.#region = region;
  }

  say(sentence: string): void {
    this.#next = sentence;
    if (this.#timer === undefined) this.#speak();
  }

  #speak(): void {
    this.#timer = undefined;
    const region = this.#region();
    if (this.#next === null || region === null) return;
    region.textContent = this.#next;
    this.#next = null;
    this.#timer = setTimeout(() => this.#speak(), INTERVAL_MS);
  }
}
