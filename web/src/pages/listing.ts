/**
 * A list of documents that is kept current: it is read again every few seconds while the page is looked at, and at once
 * when a person comes back to it. What was loaded with "Show more" stays.
 */
import type { ReactiveController, ReactiveControllerHost } from 'lit';
import { type Api, type DocumentEntry, type ListQuery, Problem } from './api';

const PAGE_SIZE = 100;
/** The most that one request asks for: of a longer list the first so many are kept current. */
const PAGE_SIZE_MAX = 500;
const POLL_MS = 4000;
/** While the server does not answer. */
const POLL_SLOWLY_MS = 20_000;

export class Listing implements ReactiveController {
  documents: readonly DocumentEntry[] = [];
  /** Cursor of the next page, or null if everything is loaded. */
  next: string | null = null;
  /** True before the first answer, and while another list is asked for. */
  loading = true;
  /** Why the list cannot be read; empty if it can. */
  problem = '';

  readonly #host: ReactiveControllerHost;
  readonly #api: () => Api;
  readonly #query: () => ListQuery;
  readonly #signedOut: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Grows with each request, so that a late answer to an earlier one is not shown. */
  #request = 0;

  constructor(
    host: ReactiveControllerHost,
    options: { api: () => Api; query: () => ListQuery; signedOut: () => void },
  ) {
    this.#host = host;
    this.#api = options.api;
    this.#query = options.query;
    this.#signedOut = options.signedOut;
    host.addController(this);
  }

  hostConnected(): void {
    document.addEventListener('visibilitychange', this.#lookedAt);
    addEventListener('pageshow', this.#lookedAt);
    void this.reload();
  }

  hostDisconnected(): void {
    clearTimeout(this.#timer);
    document.removeEventListener('visibilitychange', this.#lookedAt);
    removeEventListener('pageshow', this.#lookedAt);
  }

  /** Show another list: the query has changed. */
  async restart(): Promise<void> {
    this.loading = true;
    this.documents = [];
    this.next = null;
    await this.reload();
  }

  /** Read again what is loaded. */
  async reload(): Promise<void> {
    const size = Math.min(PAGE_SIZE_MAX, Math.max(PAGE_SIZE, this.documents.length));
    const known = this.documents;
    await this.#read(null, size, (documents, next) => {
      const isLonger = known.length > documents.length && next !== null && known.length > PAGE_SIZE_MAX;
      const names = new Set(documents.map(entry => entry.name));
      this.documents = isLonger
        ? [...documents, ...known.slice(documents.length).filter(entry => !names.has(entry.name))]
        : documents;
      if (!isLonger) this.next = next;
    });
  }

  /** Read the next page. */
  async more(): Promise<void> {
    const known = this.documents;
    await this.#read(this.next, PAGE_SIZE, (documents, next) => {
      this.documents = [...known, ...documents];
      this.next = next;
    });
  }

  /** Leave out a document that this person has just removed. */
  leaveOut(name: string): void {
    this.documents = this.documents.filter(entry => entry.name !== name);
    this.#host.requestUpdate();
  }

  /** Take in what this person has just changed. */
  change(name: string, title: string): void {
    this.documents = this.documents.map(entry => (entry.name === name ? { ...entry, title } : entry));
    this.#host.requestUpdate();
  }

  async #read(
    after: string | null,
    size: number,
    take: (documents: readonly DocumentEntry[], next: string | null) => void,
  ): Promise<void> {
    clearTimeout(this.#timer);
    const request = ++this.#request;
    try {
      const { documents, next } = await this.#page(after, size);
      if (request !== this.#request) return;
      take(documents, next);
      this.problem = '';
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (request !== this.#request) return;
      if (error.status === 401) this.#signedOut();
      this.problem = error.message;
    }
    this.loading = false;
    this.#host.requestUpdate();
    this.#timer = setTimeout(() => this.#poll(), this.problem === '' ? POLL_MS : POLL_SLOWLY_MS);
  }

  /** Read a page with something in it, if there is one: where most is hidden from a person, pages may be empty. */
  async #page(after: string | null, size: number) {
    let page = await this.#api().list(this.#query(), after, size);
    for (let more = 0; more < 20 && page.documents.length === 0 && page.next !== null; more++) {
      page = await this.#api().list(this.#query(), page.next, size);
    }
    return page;
  }

  #poll(): void {
    if (document.visibilityState === 'visible') void this.reload();
  }

  readonly #lookedAt = (): void => {
    if (document.visibilityState === 'visible') void this.reload();
  };
}
