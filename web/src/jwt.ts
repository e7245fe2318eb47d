/** Reads what a token says about its user, to show a name. Only the server verifies tokens. */

export interface Claims {
  readonly sub?: string;
  readonly name?: string;
  readonly color?: string;
  readonly iss?: string;
  /** When the token was signed and when it ends, in seconds since 1970. */
  readonly iat?: number;
  readonly exp?: number;
  /** When the person signed in; only such tokens can be renewed. */
  readonly signedIn?: number;
  /** Pattern of document names → role. */
  readonly grants?: Readonly<Record<string, unknown>>;
}

/** Return the claims of a JWT, or none if the text is not a JWT. */
export function claimsOf(token: string): Claims {
  try {
    const payload = (token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/');
    const bytes = Uint8Array.from(atob(payload), character => character.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === 'object' && claims !== null ? pick(claims as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function pick(claims: Record<string, unknown>): Claims {
  const text = (name: string): string | undefined =>
    typeof claims[name] === 'string' ? (claims[name] as string) : undefined;
  const time = (name: string): number | undefined =>
    typeof claims[name] === 'number' ? (claims[name] as number) : undefined;
  return {
    sub: text('sub'),
    name: text('name'),
    color: text('color'),
    iss: text('iss'),
    iat: time('iat'),
    exp: time('exp'),
    signedIn: time('signed_in'),
    grants:
      typeof claims.grants === 'object' && claims.grants !== null
        ? (claims.grants as Record<string, unknown>)
        : undefined,
  };
}
