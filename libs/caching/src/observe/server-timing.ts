/** One part of `Server-Timing` (W3C Server Timing §3): what took how long, in milliseconds. */
export interface Timing {
  readonly name: 'cache' | 'handler' | 'saved';
  readonly durationMs: number;
  /** A word. */
  readonly description?: string;
}

/**
 * The field's value: what others have said before, and then the cache.
 *
 * @param present what is there already
 */
export function serverTiming(present: unknown, timings: readonly Timing[]): string {
  const own = timings.map(({ name, durationMs, description }) => {
    const described = description === undefined ? '' : `;desc=${description}`;
    return `${name}${described};dur=${Number(durationMs.toFixed(3))}`;
  });
  const before = Array.isArray(present) ? present.map(String) : typeof present === 'string' ? [present] : [];
  return [...before, ...own].join(', ');
}
