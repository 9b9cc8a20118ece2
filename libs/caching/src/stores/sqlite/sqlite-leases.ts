import type { Clock } from '../../cache/clock.js';
import type { Lease } from '../shared-tier.js';
import type { SqliteFile } from './sqlite-file.js';
import type { WriteQueue } from './write-queue.js';

/** What a lease says whose holder found that the response can't be shared. */
const UNCACHEABLE = '-';

const HOLDER = 'SELECT token FROM leases WHERE namespace = ? AND name = ? AND expires > ?';
const TAKE = 'INSERT OR REPLACE INTO leases (namespace, name, token, expires) VALUES (?, ?, ?, ?)';
const END = 'DELETE FROM leases WHERE namespace = ? AND name = ?';
const PRUNE = 'DELETE FROM leases WHERE expires <= ?';

export interface SqliteLeasesHost {
  readonly namespace: string;
  readonly writes: WriteQueue;
  readonly clock: Clock;
}

/** Who fills which key, among the processes that use the file. */
export class SqliteLeases {
  constructor(private readonly host: SqliteLeasesHost) {}

  take(name: string, token: string, life: number): Promise<Lease> {
    const { namespace, clock } = this.host;
    return this.host.writes.add((file) => {
      const holder = this.#holder(file, name);
      if (holder !== undefined) return holder === UNCACHEABLE ? 'uncacheable' : 'theirs';
      file.statement(TAKE).run(namespace, name, token, clock.now() + Math.ceil(life));
      return 'ours';
    });
  }

  giveBack(name: string, token: string, uncacheableFor?: number): Promise<void> {
    const { namespace, clock } = this.host;
    return this.host.writes.add((file) => {
      if (this.#holder(file, name) !== token) return;
      if (uncacheableFor === undefined) file.statement(END).run(namespace, name);
      else file.statement(TAKE).run(namespace, name, UNCACHEABLE, clock.now() + Math.ceil(uncacheableFor));
    });
  }

  /** Inside of a transaction. */
  prune(file: SqliteFile, now: number): void {
    file.statement(PRUNE).run(now);
  }

  #holder(file: SqliteFile, name: string): string | undefined {
    const { namespace, clock } = this.host;
    const row = file.statement(HOLDER).get(namespace, name, clock.now()) as { token: string } | undefined;
    return row?.token;
  }
}
