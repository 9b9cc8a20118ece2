import type { StampDelta } from '../../cache/shared-log.js';
import type { StampPosition } from '../../cache/stamps.js';
import type { RedisReply } from './redis-link.js';

/** What a script could not do, as the user of the connection may not. */
export interface Denied {
  /** Whether a restart or a failover can't be told from the server's history. */
  readonly history: boolean;
  /** Why an eviction was told to nobody; nothing where it was told. */
  readonly told?: string | undefined;
}

/** @throws Error where it is none */
export function asList(reply: RedisReply | undefined): readonly RedisReply[] {
  if (Array.isArray(reply)) return reply as readonly RedisReply[];
  throw new Error('Redis answered with something else than a list');
}

export function asBytes(reply: RedisReply | undefined): Buffer | undefined {
  return Buffer.isBuffer(reply) ? reply : undefined;
}

/** What is of another type was put there by somebody else: as if there was nothing. `MGET` sees it like that. */
export async function textOrNothing(reply: Promise<RedisReply>): Promise<RedisReply> {
  try {
    return await reply;
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    if (cause instanceof Error && cause.message.startsWith('WRONGTYPE')) return null;
    throw error;
  }
}

/** Reads what `SYNC_SCRIPT` answers. */
export function readDelta(reply: RedisReply | undefined): StampDelta & { readonly denied: Denied } {
  const answer = asList(reply).map(String);
  const [history, epoch = '', n, floor] = answer.splice(-4).toReversed();
  const stamps: [string, number][] = [];
  // Redis answers with the newest first.
  for (let i = answer.length - 2; i >= 0; i -= 2)
    stamps.push([tagOf(answer[i] as string), Number(answer[i + 1])]);
  const position = { epoch, n: Number(n) };
  return { position, floor: Number(floor), stamps, denied: { history: history === '0' } };
}

/** Reads what `EVICT_SCRIPT` answers. */
export function readEvicted(reply: RedisReply | undefined): StampPosition & { readonly denied: Denied } {
  const [epoch, n, history, told] = asList(reply).map(String);
  const denied = { history: history === '0', told: told === '' ? undefined : told };
  return { epoch: String(epoch), n: Number(n), denied };
}

/** Half of a surrogate pair has no bytes in UTF-8: such a tag is written in JSON, which has escapes. */
export function memberOf(tag: string): string {
  return /\p{Surrogate}/u.test(tag) ? `J${JSON.stringify(tag)}` : `T${tag}`;
}

/** `epoch n tags`, as the script publishes it. Anybody can publish: what can't be read is as if it was missed. */
export function parseMessage(
  message: string,
): { readonly position: StampPosition; readonly tags: readonly string[] | undefined } | undefined {
  const [, epoch, n, list = ''] = /^([\w-]{1,64}) (\d{1,15}) (.*)$/s.exec(message) ?? [];
  if (epoch === undefined) return undefined;
  const position = { epoch, n: Number(n) };
  try {
    const tags: unknown = list === '' ? undefined : JSON.parse(list);
    const isList = Array.isArray(tags) && tags.every((tag) => typeof tag === 'string');
    return { position, tags: isList ? tags : undefined };
  } catch (error) {
    if (error instanceof SyntaxError) return { position, tags: undefined };
    throw error;
  }
}

function tagOf(member: string): string {
  const written = member.slice(1);
  if (!member.startsWith('J')) return written;
  try {
    return String(JSON.parse(written));
  } catch (error) {
    // Put there by somebody else: nothing of ours.
    if (error instanceof SyntaxError) return written;
    throw error;
  }
}
