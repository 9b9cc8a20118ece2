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
export async function redisCommand(url: string, args: readonly string[], timeoutMs = 2_000): Promise<Reply> {
  const client = createClient({ url, disableClientInfo: true, socket: { reconnectStrategy: false } });
  // Each failure rejects the command as well.
  client.on('error', () => undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${args[0]} was not answered in ${timeoutMs} ms`)), timeoutMs);
  });
  const answer = async () => {
    await client.connect();
    return client.sendCommand<Reply>(args);
  };
  try {
    return await Promise.race([answer(), late]);
  } finally {
    clearTimeout(timer);
    // A client that could not connect has closed itself.
    if (client.isOpen) client.destroy();
  }
}

/** One field of a report as INFO and CLUSTER INFO give it: lines of `field:value`. */
export function infoField(report: Reply, field: string): string | undefined {
  const line = String(report)
    .split('\r\n')
    .find((each) => each.startsWith(`${field}:`));
  return line?.slice(field.length + 1);
}
