/**
 * The REST routes that the pages use, relative to wherever the server is mounted.
 */

export interface DocumentEntry {
  readonly name: string;
  readonly title: string;
  readonly seq: number;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface DocumentPage {
  readonly documents: readonly DocumentEntry[];
  /** What `after` takes for the next page; null at the end. */
  readonly next: string | null;
}

/** An answer that is no success. `message` is one sentence for a person. */
export class Problem extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const PAGE_SIZE = 100;

export class Api {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  async list(after: string | null): Promise<DocumentPage> {
    const query = new URLSearchParams({ limit: String(PAGE_SIZE) });
    if (after !== null) query.set('after', after);
    return (await this.#call('GET', `documents?${query}`)).json();
  }

  async find(name: string): Promise<DocumentEntry> {
    return (await this.#call('GET', documentRoute(name))).json();
  }

  async create(name: string, title = ''): Promise<void> {
    await this.#call('POST', 'documents', { name, title });
  }

  /** Gives the document a title, and brings it into being if nobody has written in it yet. */
  async retitle(name: string, title: string): Promise<void> {
    const change = (): Promise<Response> => this.#call('PATCH', documentRoute(name), { title });
    try {
      await change();
    } catch (error) {
      if (!(error instanceof Problem && error.status === 404)) throw error;
      await this.create(name, title).catch(change); // somebody was faster
    }
  }

  async remove(name: string): Promise<void> {
    await this.#call('DELETE', documentRoute(name));
  }

  async #call(method: string, path: string, body?: object): Promise<Response> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.#token}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    let answer: Response;
    try {
      answer = await fetch(new URL(`api/v1/${path}`, document.baseURI), {
        method,
        headers,
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch {
      throw new Problem(0, 'The server does not answer. Check your connection and try again.');
    }
    if (!answer.ok) throw await problemIn(answer);
    return answer;
  }
}

function documentRoute(name: string): string {
  return `documents/${encodeURIComponent(name)}`;
}

/** problem+json where the server wrote it, else the status in words. */
async function problemIn(answer: Response): Promise<Problem> {
  const problem: unknown = await answer.json().catch(() => null);
  const { detail, title } = (problem ?? {}) as { detail?: unknown; title?: unknown };
  const told = [detail, title].find(text => typeof text === 'string' && text !== '');
  return new Problem(
    answer.status,
    typeof told === 'string' ? told : `The server answered ${answer.status}.`,
  );
}
