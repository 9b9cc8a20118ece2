import type { Clock } from '../../cache/clock.js';
import { decodeText, encodeText } from './keyv-expiry.js';
import type { KeyvRecords } from './keyv-records.js';
import type { ValueStorage } from '../shared-tier.js';

export interface KeyvValuesOptions {
  readonly records: KeyvRecords;
  readonly clock: Clock;
  /** What a value's record is called, among those that were not cleared. */
  readonly nameOf: (key: string) => Promise<string>;
  /** From now on all names are others. Resolves once that can't be lost any more. */
  readonly rename: () => Promise<void>;
}

/**
 * Plain values in a Keyv adapter. `clear` gives all that comes another name: most adapters can't tell one application's
 * keys from another's. The bytes go when their time is over, where the adapter sees to that.
 */
export class KeyvValues implements ValueStorage {
  constructor(private readonly options: KeyvValuesOptions) {}

  async get(key: string): Promise<string | undefined> {
    const { records, clock, nameOf } = this.options;
    return decodeText(await records.get(await nameOf(key)), clock.now());
  }

  async set(key: string, value: string, life: number): Promise<void> {
    const { records, clock, nameOf } = this.options;
    await records.set(await nameOf(key), encodeText(value, clock.now() + life), life);
  }

  async delete(key: string): Promise<boolean> {
    const present = await this.has(key);
    await this.options.records.delete(await this.options.nameOf(key));
    return present;
  }

  async has(key: string): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  clear(): Promise<void> {
    return this.options.rename();
  }
}
