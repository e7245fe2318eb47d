const UNITS: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['minute', 60],
  ['hour', 3600],
  ['day', 86_400],
];

const words = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
const date = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });

/** Return "just now", "5 minutes ago", "yesterday" and so on; after a week, the date. */
export function ago(then: Date, now: Date): string {
  const seconds = (now.getTime() - then.getTime()) / 1000;
  if (Number.isNaN(seconds)) return '';
  if (seconds < 60) return 'just now';
  if (seconds >= 7 * 86_400) return date.format(then);
  const [unit, size] = UNITS.findLast(([, size]) => seconds >= size) ?? ['minute', 60];
  return words.format(-Math.floor(seconds / size), unit);
}
