import type { Keyv } from 'keyv';
import { CachingConfigError } from '../../caching.errors.js';
import type { StampDelta } from '../../cache/shared-log.js';
import type { StampPosition } from '../../cache/stamps.js';
import { digestOf } from '../digest.js';
import { kindOf } from '../kind-of.js';
import { isAdapter, type KeyvAdapter } from './keyv-adapter.js';
import { decodeText, encodeText } from './keyv-expiry.js';
import { KeyvRecords, withDeadline } from './keyv-records.js';
import { KeyvState } from './keyv-state.js';
import { KeyvValues } from './keyv-values.js';
import type { ItemStorage, SharedLookup, SharedTier, SharedTierHost } from '../shared-tier.js';

/** A stamp is kept for longer than an entry lives, as an entry's life begins when its handler has ended. */
const LONGEST_FILL = 10 * 60_000;

/** Carried by all that `CacheValues` keeps, as most adapters can't tell one application's keys from another's. */
const ALL_ITEMS = '*items';

interface OpenKeyv {
  readonly host: SharedTierHost;
  readonly records: KeyvRecords;
  readonly values: KeyvValues;
  readonly items: ItemStorage;
  readonly condemned: Set<string>;
  readonly ignoreErrors: () => void;
}

/**
 * Views, values and evictions in any Keyv adapter, for one process: what was stored is there after a restart, and so is
 * what was evicted. The process rules the sequence of evictions and writes it down before it acknowledges one.
 *
 * Made with `keyv()`; one of them serves one application.
 */
export class KeyvTier implements SharedTier {
  readonly name = 'keyv';
  readonly caveat =
    'keyv(): for one process at a time. Processes that use the same store and namespace at once, also while one ' +
    "replaces another, don't see each other's evictions: use redis() for several. What the store loses or forgets " +
    'is missed, never served: with Memcached that is everything at its restart, and several servers need failover off. ' +
    'SQL adapters keep the rows of expired entries until their key is stored again.';
  readonly #given: Keyv | KeyvAdapter;
  #opened: OpenKeyv | undefined;
  #state: KeyvState | undefined;
  #loading: Promise<KeyvState> | undefined;

  constructor(given: Keyv | KeyvAdapter) {
    this.#given = given;
  }

  open(host: SharedTierHost): void {
    if (this.#opened !== undefined)
      throw new CachingConfigError('store', 'a keyv() that another application uses', 'one keyv() for each');
    const { namespace, clock } = host;
    const records = new KeyvRecords(this.#given, clock);
    this.#opened = {
      host,
      records,
      values: new KeyvValues({
        records,
        clock,
        nameOf: async (key) => `${namespace}:value:${(await this.#ready()).generation}:${digestOf(key)}`,
        rename: async () => (await this.#ready()).renewGeneration(),
      }),
      items: Object.assign(
        new KeyvValues({
          records,
          clock,
          nameOf: (key) => Promise.resolve(`${namespace}:item:${digestOf(key)}`),
          rename: () => Promise.reject(new Error('cleared by their tag')),
        }),
        { clearedBy: ALL_ITEMS },
      ),
      condemned: new Set(),
      ignoreErrors: records.onStrayError((error) => host.onError('connection', error)),
    };
    void this.#ready().catch((error: unknown) => host.onError('load', error));
  }

  get values(): KeyvValues {
    return this.#open.values;
  }

  get items(): ItemStorage {
    return this.#open.items;
  }

  async lookup(key: string): Promise<SharedLookup> {
    const { records, host } = this.#open;
    const { position } = this.#state ?? (await this.#ready());
    const text = decodeText(await records.get(this.#nameOf(key)), host.clock.now());
    return { position, frame: text === undefined ? undefined : Buffer.from(text, 'base64') };
  }

  async position(): Promise<StampPosition> {
    return (await this.#ready()).position;
  }

  async sync(known: StampPosition | undefined): Promise<StampDelta> {
    return (await this.#ready()).delta(known);
  }

  async set(key: string, frame: Buffer, life: number): Promise<void> {
    const { records, host } = this.#open;
    const text = encodeText(frame.toString('base64'), host.clock.now() + life);
    await records.set(this.#nameOf(key), text, life);
  }

  async evict(tags: readonly string[]): Promise<StampPosition> {
    return (await this.#ready()).evict(tags);
  }

  /** The adapter is the user's: it stays connected. */
  async close(): Promise<void> {
    const state = this.#state ?? (await this.#loading?.catch(() => undefined));
    await state?.settle();
    this.#opened?.ignoreErrors();
    this.#opened = undefined;
    this.#state = undefined;
  }

  get #open(): OpenKeyv {
    if (this.#opened === undefined) throw new Error('the keyv store is not open');
    return this.#opened;
  }

  /** The state, read from the store when it is first needed, and again if that failed. */
  async #ready(): Promise<KeyvState> {
    return this.#state ?? (await (this.#loading ??= this.#load()));
  }

  async #load(): Promise<KeyvState> {
    const opened = this.#open;
    const { records, condemned, host } = opened;
    const { namespace, clock, timeout } = host;
    try {
      const state = await KeyvState.load({
        records: withDeadline(records, clock, timeout),
        names: {
          main: `${namespace}:state`,
          anchor: (id) => `${namespace}:anchor:${id}`,
          part: (id) => `${namespace}:part:${id}`,
        },
        clock,
        longestLife: () => host.longestLife() + LONGEST_FILL,
        condemned,
        onError: (operation, error) => host.onError(operation, error),
      });
      if (this.#opened === opened) {
        this.#state = state;
        host.onHearing(true);
      }
      return state;
    } finally {
      this.#loading = undefined;
    }
  }

  #nameOf(key: string): string {
    const { namespace, digest = digestOf } = this.#open.host;
    return `${namespace}:view:${digest(key)}`;
  }
}

/**
 * A store on any Keyv adapter, for an application that runs as one process: entries and evictions outlive it. What an
 * adapter can't promise is told when the application starts. It is not disconnected: it is the caller's.
 *
 * @param store a Keyv, whose prefix and format are used, or an adapter such as `new KeyvSqlite('sqlite://cache.sqlite')`
 * @throws CachingConfigError where it is neither
 * @example
 * CachingModule.forRoot({ store: keyv(new KeyvSqlite('sqlite://cache.sqlite')) })
 */
export function keyv(store: Keyv | KeyvAdapter): KeyvTier {
  // A text there is likely a URL, with a password in it.
  if (!isAdapter(store))
    throw new CachingConfigError('store', kindOf(store), 'a Keyv, or a Keyv adapter', 'keyv()');
  return new KeyvTier(store);
}
