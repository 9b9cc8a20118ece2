import type { Denied } from './redis-replies.js';

const HISTORY =
  'redis(): this user may not run INFO, by which one history of a server is told from another. A restart is noticed by ' +
  'other means, but a failover that loses evictions may not be. Allow it: ACL SETUSER <user> +info';

/** Says what Redis was found to refuse, each once: what a user may not do now, it may not do the next time either. */
export class RedisCaveats {
  readonly #told = new Set<keyof Denied>();

  constructor(
    private readonly channel: string,
    private readonly tell: (caveat: string) => void,
  ) {}

  note({ history, told }: Denied): void {
    if (history) this.#once('history', HISTORY);
    if (told === undefined) return;
    const advice = `Allow it: ACL SETUSER <user> &${this.channel} +publish +subscribe`;
    this.#once(
      'told',
      `redis(): nobody is told of evictions: ${told}. Others find them with their heartbeat. ${advice}`,
    );
  }

  #once(what: keyof Denied, caveat: string): void {
    if (this.#told.has(what)) return;
    this.#told.add(what);
    this.tell(caveat);
  }
}
