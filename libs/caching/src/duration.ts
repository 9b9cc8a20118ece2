/**
 * A length of time: milliseconds as a number (Nest's convention), or a number with its unit.
 *
 * @example
 * 1500, '500ms', '30s', '5m', '2h', '1d'
 */
export type Duration = number | `${number}ms` | `${number}s` | `${number}m` | `${number}h` | `${number}d`;

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The longest life of anything stored, in milliseconds: 365 days. */
export const MAX_DURATION = 365 * 86_400_000;

/** What a duration must be, for messages. */
export const DURATION_RULE =
  "a duration above 0 and at most '365d' (31536000000 ms): milliseconds as a number, or '500ms', '30s', '5m', '2h', '1d'";

/**
 * Milliseconds of a duration, rounded up to whole ones; `undefined` for anything that is not a duration.
 *
 * @example
 * toMilliseconds('5m') // 300000
 * toMilliseconds('5')  // undefined: a unit is missing
 */
export function toMilliseconds(duration: unknown): number | undefined {
  let milliseconds: number;
  if (typeof duration === 'number') {
    milliseconds = duration;
  } else if (typeof duration === 'string') {
    const parts = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(duration);
    const unit = UNITS[parts?.[2] ?? ''];
    if (parts === null || unit === undefined) return undefined;
    milliseconds = Number(parts[1]) * unit;
  } else {
    return undefined;
  }
  return milliseconds > 0 && milliseconds <= MAX_DURATION ? Math.ceil(milliseconds) : undefined;
}
