/** The REST routes that the pages use, relative to the address at which the server is mounted. */
import { claimsOf } from '../jwt';
import { isFromProvider } from './accounts';

export type Role = 'viewer' | 'commenter' | 'editor' | 'owner';

export interface DocumentEntry {
  readonly name: string;
  readonly title: string;
  readonly seq: number;
  readonly created_at: string;
  readonly updated_at: string;
  /** When it was put into the bin; only in lists of the bin. */
  readonly deleted_at?: string | null;
  /** What this person may do with it. A server that does not say so answers when it is tried. */
  readonly role?: Role | null;
}

export interface DocumentPage {
  readonly documents: readonly DocumentEntry[];
  /** Cursor of the next page, for `after`; null at the end. */
  readonly next: string | null;
}

export type Sort = 'updated' | 'title';

export interface ListQuery {
  readonly sort: Sort;
  /** Words that the title or the name must contain. */
  readonly words: string;
  /** Only documents in this folder and below; empty for all. */
  readonly folder: string;
  readonly bin: boolean;
}

/** A request that failed. `message` is written for people. */
export class Problem extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class Api {
  readonly #token: () => string;

  /** `token`: the token, or a function that returns the one of the moment. */
  constructor(token: string | (() => string)) {
    this.#token = typeof token === 'string' ? () => token : token;
  }

  async list(
    { sort, words, folder, bin }: ListQuery,
    after: string | null,
    limit: number,
  ): Promise<DocumentPage> {
    const query = new URLSearchParams({ limit: String(limit), sort });
    if (words !== '') query.set('q', words);
    if (folder !== '') query.set('prefix', `${folder}/`);
    if (bin) query.set('bin', 'true');
    if (after !== null) query.set('after', after);
    return (await this.#call('GET', `documents?${query}`)).json();
  }

  async find(name: string): Promise<DocumentEntry> {
    return (await this.#call('GET', documentRoute(name))).json();
  }

  async create(name: string, title = ''): Promise<void> {
    await this.#call('POST', 'documents', { name, title });
  }

  async retitle(name: string, title: string): Promise<void> {
    await this.#call('PATCH', documentRoute(name), { title });
  }

  /** Make a document `copy` with the content of `name`. */
  async duplicate(name: string, copy: string, title: string): Promise<void> {
    const content = await (await this.#call('GET', `${documentRoute(name)}/content?format=update`)).blob();
    await this.create(copy);
    await this.#call('POST', `${documentRoute(copy)}/updates`, content);
    await this.retitle(copy, title);
  }

  /** Put a document into the bin. */
  async remove(name: string): Promise<void> {
    await this.#call('DELETE', documentRoute(name));
  }

  /** Bring a document back from the bin. */
  async restore(name: string): Promise<void> {
    await this.#call('POST', `${documentRoute(name)}/restore`);
  }

  /** Delete a document in the bin for good. */
  async purge(name: string): Promise<void> {
    await this.#call('DELETE', `${documentRoute(name)}?purge=true`);
  }

  async askForAccess(name: string): Promise<void> {
    await this.#call('POST', `${documentRoute(name)}/access-requests`, {});
  }

  /** Return a token that lasts longer than the one of this call. */
  async renewToken(): Promise<string> {
    const claims = claimsOf(this.#token());
    const answer = isFromProvider(claims)
      ? await post('sign-in/oidc/token', { user: claims.sub })
      : await this.#call('POST', 'token');
    const { token } = await answer.json();
    return token;
  }

  async #call(method: string, path: string, body?: object | Blob): Promise<Response> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.#token()}` };
    if (body !== undefined) {
      headers['Content-Type'] = body instanceof Blob ? 'application/octet-stream' : 'application/json';
    }
    let answer: Response;
    try {
      answer = await fetch(new URL(`api/v1/${path}`, document.baseURI), {
        method,
        headers,
        body: body === undefined || body instanceof Blob ? body : JSON.stringify(body),
      });
    } catch {
      throw new Problem(0, 'The server can’t be reached. Check your connection and try again.');
    }
    if (!answer.ok) throw await problemIn(answer);
    return answer;
  }
}

/** Return the name of the provider at which people can sign in, or null if there is none. */
export async function readProvider(): Promise<string | null> {
  try {
    const answer = await fetch(new URL('sign-in/ways', document.baseURI));
    const { oidc } = await answer.json();
    return oidc?.name ?? null;
  } catch {
    return null; // the page says elsewhere that the server is away
  }
}

/** Have the server delete the cookie of a person who has signed in at a provider. */
export async function endProviderSignIn(user: string): Promise<void> {
  await post('sign-in/oidc/sign-out', { user });
}

async function post(path: string, body: object): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(new URL(path, document.baseURI), {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
  } catch {
    throw new Problem(0, 'The server cannot be reached. Check your connection and try again.');
  }
  if (!answer.ok) throw await problemIn(answer);
  return answer;
}

function documentRoute(name: string): string {
  return `documents/${encodeURIComponent(name)}`;
}

/** Return the problem that the server describes (RFC 9457), or a sentence about the status. */
async function problemIn(answer: Response): Promise<Problem> {
  const problem: unknown = await answer.json().catch(() => null);
  const { detail, title } = (problem ?? {}) as { detail?: unknown; title?: unknown };
  const message = [detail, title].find(text => typeof text === 'string' && text !== '');
  return new Problem(
    answer.status,
    typeof message === 'string'
      ? message
      : `Something went wrong on the server (error ${answer.status}). Try again.`,
  );
}
