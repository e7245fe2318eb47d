/**
 * The colours of people: one palette, checked for contrast by its test, and a stable choice from a name.
 *
 * A colour is a caret on the page (at least 3:1 against it, light or dark) and the ground of a white name
 * (at least 4.5:1). Always `#rrggbb`: the cursor plugin takes no other form.
 */

export const PALETTE = [
  '#2f6fd6',
  '#c2410c',
  '#0f7b6c',
  '#a93fa7',
  '#8f5f00',
  '#6d5bd0',
  '#c02a5b',
  '#3f7d20',
  '#0b7794',
  '#b3403a',
] as const;

/** The pages behind the carets: `--_ground` of chrome.css, light and dark. */
export const GROUNDS = ['#ffffff', '#17191d'] as const;

export function isColour(value: unknown): value is string {
  return typeof value === 'string' && /^#[0-9a-f]{6}$/i.test(value);
}

/** The same colour for the same key, everywhere. */
export function colourOf(key: string): string {
  let hash = 2166136261; // FNV-1a
  for (const character of key) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16777619);
  }
  return PALETTE[(hash >>> 0) % PALETTE.length] ?? PALETTE[0];
}

/** `wished`, or the next of the palette that nobody has. */
export function freeColour(wished: string, taken: ReadonlySet<string>): string {
  const at = (PALETTE as readonly string[]).indexOf(wished);
  const onwards = [...PALETTE.slice(at + 1), ...PALETTE.slice(0, at + 1)];
  return taken.has(wished) ? (onwards.find(colour => !taken.has(colour)) ?? wished) : wished;
}

/** White or near-black, whichever reads better on `ground`: other clients choose their own colours. */
export function inkOn(ground: string): string {
  return contrast(ground, '#ffffff') >= contrast(ground, '#16181c') ? '#ffffff' : '#16181c';
}

/** The WCAG contrast ratio of two `#rrggbb` colours, 1 to 21. */
export function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const channel = (at: number): number => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}
