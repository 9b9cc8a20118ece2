/**
 * Remembers what was asked for lately: at least the last `size` keys and at most twice as many. Two maps that take
 * turns: a new key costs a tenth of what an LRU takes to move its order, which counts where most keys are new.
 */
export class RecentMap<T, K = string> {
  #recent = new Map<K, T>();
  #older = new Map<K, T>();

  constructor(private readonly size: number) {}

  get(key: K): T | undefined {
    const found = this.#recent.get(key);
    if (found !== undefined) return found;
    const old = this.#older.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: T): void {
    if (this.#recent.size >= this.size) this.age();
    this.#recent.set(key, value);
  }

  /** Forgets what was not asked for since this was called last. */
  age(): void {
    this.#older = this.#recent;
    this.#recent = new Map();
  }
}

/** What several maps remember together: at least the last `weight` of it and at most twice as much. */
export class RecentBudget {
  readonly #maps: Pick<RecentMap<unknown>, 'age'>[] = [];
  #spent = 0;

  constructor(private readonly weight: number) {}

  add(map: Pick<RecentMap<unknown>, 'age'>): void {
    this.#maps.push(map);
  }

  /** One of the maps remembers something of this weight. */
  spend(weight: number): void {
    this.#spent += weight;
    if (this.#spent <= this.weight) return;
    this.#spent = weight;
    for (const map of this.#maps) map.age();
  }
}
