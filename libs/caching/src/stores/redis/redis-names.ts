import { RecentMap } from '../../recent-map.js';
import { digestOf, type KeyDigest } from '../digest.js';

/** How many names of views are remembered at least; twice as many at the most. */
const VIEWS = 1_000;

/**
 * What this module calls its keys in Redis. All begin with the namespace, which has no `:` and no character that a
 * glob knows, so no other namespace's keys begin alike. The state's two keys share a slot of a Cluster by their braces;
 * views go by a digest, as clients choose what is in their keys: neither their length nor their slot.
 */
export class RedisNames {
  readonly stamps: string;
  readonly position: string;
  /** The channel on which evictions are told. */
  readonly channel: string;
  readonly #namespace: string;
  /** Of keys asked for lately: the digest of a hot one is made once. */
  readonly #views = new RecentMap<string>(VIEWS);

  constructor(
    namespace: string,
    private readonly digest: KeyDigest = digestOf,
  ) {
    this.#namespace = namespace;
    this.stamps = `{${namespace}}:stamps`;
    this.position = `{${namespace}}:position`;
    this.channel = `${namespace}:evictions`;
  }

  view(key: string): string {
    const known = this.#views.get(key);
    if (known !== undefined) return known;
    const view = `${this.#namespace}:view:${this.digest(key)}`;
    this.#views.set(key, view);
    return view;
  }

  lease(key: string): string {
    return `${this.#namespace}:lease:${this.digest(key)}`;
  }

  /** Readable, as people look for values by hand; a long one goes by its digest, and so does one that looks like it. */
  value(key: string): string {
    return this.#readable('value', key);
  }

  /** What `CacheValues` keeps, by the same rules. */
  item(key: string): string {
    return this.#readable('item', key);
  }

  /** A glob for all values of this namespace. */
  get values(): string {
    return this.#glob('value');
  }

  /** A glob for all that `CacheValues` keeps in this namespace. */
  get items(): string {
    return this.#glob('item');
  }

  #readable(kind: string, key: string): string {
    const isReadable = key.length <= 512 && !key.startsWith('#');
    return `${this.#namespace}:${kind}:${isReadable ? key : `#${digestOf(key)}`}`;
  }

  #glob(kind: string): string {
    return `${this.#namespace.replace(/[[\]*?\\^-]/g, '\\$&')}:${kind}:*`;
  }
}
