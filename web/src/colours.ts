/**
 * The colours of people: a palette, and a stable choice from it for each name.
 *
 * A colour is used for a caret on the page (contrast at least 3:1, light or dark) and behind a white name (at
 * least 4.5:1). The cursor plugin accepts only the form `#rrggbb`.
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

/** The background behind the carets: `--_ground` in chrome.css, light and dark. */
export const GROUNDS = ['#ffffff', '#17191d'] as const;

export function isColour(value: unknown): value is string {
  return typeof value === 'string' && /^#[0-9a-f]{6}$/i.test(value);
}

/** Return the same colour for the same key, on every device. */
export function colourOf(key: string): string {
  let hash = 2166136261; // FNV-1a
  for (const character of key) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 16777619);
  }
  return PALETTE[(hash >>> 0) % PALETTE.length] ?? PALETTE[0];
}

/** Return `wanted`, or the next colour of the palette that is not taken. */
export function freeColour(wanted: string, taken: ReadonlySet<string>): string {
  const at = (PALETTE as readonly string[]).indexOf(wanted);
  const onwards = [...PALETTE.slice(at + 1), ...PALETTE.slice(0, at + 1)];
  return taken.has(wanted) ? (onwards.find(colour => !taken.has(colour)) ?? wanted) : wanted;
}

/** Return white or near-black, whichever is easier to read on `ground`: other clients choose their own colours. */
export function inkOn(ground: string): string {
  return contrast(ground, '#ffffff') >= contrast(ground, '#16181c') ? '#ffffff' : '#16181c';
}

/** Return the WCAG contrast ratio of two `#rrggbb` colours, 1 to 21. */
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
