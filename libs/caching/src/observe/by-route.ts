/** Routes are finite; functions that are memoized while the application runs need not be. */
const MAX_ROUTES = 1_000;
const OTHER_ROUTES = 'other';

/** What is known of each route; of those that come when there are a thousand, together. */
export class ByRoute<T> {
  readonly #known = new Map<string, T>();

  constructor(private readonly make: (route: string) => T) {}

  of(route: string): T {
    const known = this.#known.get(route);
    if (known !== undefined) return known;
    if (this.#known.size >= MAX_ROUTES && route !== OTHER_ROUTES) return this.of(OTHER_ROUTES);
    const made = this.make(route);
    this.#known.set(route, made);
    return made;
  }

  values(): T[] {
    return [...this.#known.values()];
  }
}
