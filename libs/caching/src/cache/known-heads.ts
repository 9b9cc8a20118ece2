import { RecentBudget, RecentMap } from '../recent-map.js';
import type { Entry } from './entry.js';
import type { Expected } from './entry-head.js';

/** How many frames are remembered at least, and how many bytes of them; twice as many at the most. */
const FRAMES = 1_000;
const BYTES = 1_024 * 1_024;

/** So that no field is forgotten. */
type AllOf<T> = { [P in keyof T]-?: T[P] | undefined };

/** A frame up to its body, and the entry that it held, without its body. */
interface KnownHead {
  readonly bytes: Buffer;
  readonly entry: Entry;
}

/**
 * Heads of frames that were read lately. A key that is asked for again and again has the same one each time, and to
 * compare bytes takes a tenth of what it takes to parse and to check them.
 */
export class KnownHeads {
  readonly #heads = new RecentMap<KnownHead>(FRAMES);
  readonly #budget = new RecentBudget(BYTES);

  constructor() {
    this.#budget.add(this.#heads);
  }

  /**
   * The entry that a frame holds which was read before; nothing where it is another one, or not its time.
   *
   * @param bodyAt where in the frame the body begins
   */
  find(frame: Buffer, bodyAt: number, body: Buffer | undefined, { key, now }: Expected): Entry | undefined {
    const known = this.#heads.get(key);
    if (known === undefined) return undefined;
    const { bytes, entry } = known;
    if (frame.compare(bytes, 0, bytes.length, 0, bodyAt) !== 0) return undefined;
    if (now < entry.storedAt || now >= entry.expiresAt) return undefined;
    // Each field by name: with each hit that comes this way, a copy whose fields have to be looked for is felt.
    return {
      key,
      variantOf: entry.variantOf,
      response: { ...entry.response, body },
      tags: entry.tags,
      start: entry.start,
      order: entry.order,
      storedAt: entry.storedAt,
      expiresAt: entry.expiresAt,
      freshness: entry.freshness,
      handlerTime: entry.handlerTime,
      validator: entry.validator,
      vary: entry.vary,
    } satisfies AllOf<Omit<Entry, 'tier'>>;
  }

  /** @param entry what a frame holds that was just read */
  remember(frame: Buffer, bodyAt: number, entry: Entry, now: number): void {
    const { response, storedAt, key } = entry;
    // A value is made of its body, and what a clock ahead of ours has stored is younger each time.
    if (response.delivery === 'value' || storedAt >= now) return;
    // Memory of its own: the frame is a part of what came from the socket.
    const bytes = Buffer.allocUnsafeSlow(bodyAt);
    frame.copy(bytes, 0, 0, bodyAt);
    this.#heads.set(key, { bytes, entry: { ...entry, response: { ...response, body: undefined } } });
    this.#budget.spend(bytes.length);
  }
}
