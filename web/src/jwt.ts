/** Reads what a token says about its user, to show a name. Only the server verifies tokens. */

export interface Claims {
  readonly sub?: string;
  readonly name?: string;
  readonly color?: string;
  /** Seconds since 1970. */
  readonly exp?: number;
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
  const exp = typeof claims.exp === 'number' ? claims.exp : undefined;
  return { sub: text('sub'), name: text('name'), color: text('color'), exp };
}
