import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { colourOf, contrast, freeColour, GROUNDS, inkOn, isColour, PALETTE } from '../src/colours';

describe.each(PALETTE)('%s', colour => {
  test('is dark enough for a white name', () =>
    expect(contrast(colour, '#ffffff')).toBeGreaterThanOrEqual(4.5));

  test('is visible as a caret on a light and on a dark page', () => {
    for (const ground of GROUNDS) expect(contrast(colour, ground)).toBeGreaterThanOrEqual(3);
  });

  test('is a colour that the cursor plugin accepts', () => expect(isColour(colour)).toBe(true));
});

test('the backgrounds are those of the style sheet', () => {
  const styles = readFileSync(new URL('../src/chrome.css', import.meta.url), 'utf8');
  expect(styles).toContain(`light-dark(${GROUNDS.join(', ')})`);
});

test('the same person has the same colour everywhere, and different people mostly different ones', () => {
  expect(colourOf('ada')).toBe(colourOf('ada'));
  const used = new Set(Array.from({ length: 100 }, (_, i) => colourOf(`user-${i}`)));
  expect(used.size).toBe(PALETTE.length);
});

test('a newcomer gets a colour that is free', () => {
  const taken = new Set<string>(PALETTE.slice(0, 3));
  expect(freeColour(PALETTE[1], taken)).toBe(PALETTE[3]);
  expect(freeColour(PALETTE[5], taken)).toBe(PALETTE[5]);
  expect(freeColour(PALETTE[5], new Set(PALETTE))).toBe(PALETTE[5]);
});

test('a name is readable on any colour that another client chooses', () => {
  for (const ground of ['#ffff00', '#00ff00', '#000080', '#ff69b4', '#777777']) {
    expect(contrast(ground, inkOn(ground))).toBeGreaterThanOrEqual(4.4);
  }
});

test('only six hexadecimal digits are a colour', () => {
  for (const value of ['red', '#fff', '#12345g', 'transparent', '#1234567', null, 7])
    expect(isColour(value)).toBe(false);
});
