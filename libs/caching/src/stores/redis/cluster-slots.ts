import type { NodeAddress } from './node-redis.js';
import type { RedisReply } from './redis-link.js';

export const SLOTS = 16_384;

/** Who serves a range of slots, and who could take over. */
export interface SlotRange {
  readonly from: number;
  readonly to: number;
  readonly primary: NodeAddress;
  readonly replicas: readonly NodeAddress[];
}

/**
 * Reads the reply to CLUSTER SLOTS.
 *
 * @param asked whom the question was sent to: a server that doesn't know its own name leaves it out
 * @throws Error for anything else
 */
export function readSlots(reply: RedisReply, asked: NodeAddress): readonly SlotRange[] {
  return list(reply).map((each) => {
    const [from, to, primary, ...replicas] = list(each);
    return {
      from: slot(from),
      to: slot(to),
      primary: address(primary, asked),
      replicas: replicas.map((replica) => address(replica, asked)),
    };
  });
}

/** As in `127.0.0.1:6379`; names a node. */
export function nameOf({ host, port }: NodeAddress): string {
  return `${host}:${port}`;
}

/** Where an error such as `MOVED 3999 127.0.0.1:6381` points, or undefined where it names nobody. */
export function readRedirect(
  message: string,
  asked: NodeAddress,
): { readonly kind: 'MOVED' | 'ASK'; readonly slot: number; readonly target: NodeAddress } | undefined {
  const [, kind, number, host, port] = /^(MOVED|ASK) (\d{1,5}) (.*):(\d{1,5})$/.exec(message) ?? [];
  if (kind === undefined || Number(number) >= SLOTS) return undefined;
  return {
    kind: kind as 'MOVED' | 'ASK',
    slot: Number(number),
    target: { host: host === undefined || host === '' ? asked.host : host, port: Number(port) },
  };
}

function list(reply: RedisReply | undefined): readonly RedisReply[] {
  if (Array.isArray(reply)) return reply as readonly RedisReply[];
  throw new Error('Redis answered CLUSTER SLOTS with something else than slots');
}

function slot(reply: RedisReply | undefined): number {
  const number = Number(reply);
  if (Number.isInteger(number) && number >= 0 && number < SLOTS) return number;
  throw new Error('Redis answered CLUSTER SLOTS with a slot that does not exist');
}

function address(reply: RedisReply | undefined, asked: NodeAddress): NodeAddress {
  const [host, port] = list(reply);
  const name = host === null || host === undefined ? '' : String(host);
  return { host: name === '' || name === '?' ? asked.host : name, port: Number(port) };
}
