import { createClient } from '@redis/client';

/** As Redis answers: text, numbers, and lists of them. */
export type Reply = string | number | null | Reply[];

/**
 * One command on a connection of its own, beside the clients under test.
 *
 * @param url as in `redis://127.0.0.1:14000`
 * @param timeoutMs bound for connecting and answering, in milliseconds: a stopped server accepts and stays silent
 * @throws Error with Redis' own words, or when it didn't answer in time
 */
export async function redisCommand(url: string, args: readonly string[], timeoutMs?: number): Promise<Reply> {
  const connection = new RedisConnection(url);
  try {
    return await connection.command(args, timeoutMs);
  } finally {
    connection.close();
  }
}

/**
 * A connection for those who ask again and again: to make a client for each question costs more than the question, and
 * takes the time of the client under test. It is opened by the first command, and afresh after one that failed.
 */
export class RedisConnection {
  #client: ReturnType<typeof clientFor> | undefined;

  constructor(private readonly url: string) {}

  /** As `redisCommand`; one at a time. */
  async command(args: readonly string[], timeoutMs = 2_000): Promise<Reply> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`${args[0]} was not answered in ${timeoutMs} ms`)),
        timeoutMs,
      );
    });
    try {
      return await Promise.race([this.#send(args), late]);
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    // A client that could not connect has closed itself.
    if (this.#client?.isOpen === true) this.#client.destroy();
    this.#client = undefined;
  }

  async #send(args: readonly string[]): Promise<Reply> {
    const isNew = this.#client === undefined;
    const client = (this.#client ??= clientFor(this.url));
    if (isNew) await client.connect();
    return client.sendCommand<Reply>(args);
  }
}

function clientFor(url: string) {
  const client = createClient({ url, disableClientInfo: true, socket: { reconnectStrategy: false } });
  // Each failure rejects the command as well.
  client.on('error', () => undefined);
  return client;
}

/** One field of a report as INFO and CLUSTER INFO give it: lines of `field:value`. */
export function infoField(report: Reply, field: string): string | undefined {
  const line = String(report)
    .split('\r\n')
    .find((each) => each.startsWith(`${field}:`));
  return line?.slice(field.length + 1);
}
