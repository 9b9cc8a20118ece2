import { createHash } from 'node:crypto';
import type { RedisCommand, RedisLink, RedisReply } from './redis-link.js';

/** Redis 7 runs a script that says so although its memory is full. Older ones can't read the line. */
const ALLOW_OOM = '#!lua flags=allow-oom\n';

/**
 * One Lua script, sent by its digest, and as text to a server that has not seen it yet. Which of the two it was is the
 * last argument that the script is given: a server forgets scripts when it ends, so '1', "not seen", may mean a restart.
 */
export class RedisScript {
  /** As the servers can read it, with its digest. */
  #known: { readonly text: string; readonly digest: string };

  constructor(private readonly source: string) {
    this.#known = withDigest(ALLOW_OOM + source);
  }

  /** Runs it on the primary of `keys[0]`. */
  async run(
    link: RedisLink,
    keys: readonly [string, ...string[]],
    args: readonly string[],
  ): Promise<RedisReply> {
    const [reply] = await this.#run(keys, args, async (command) => [await link.send(keys[0], command)]);
    return reply as RedisReply;
  }

  /** Runs it, and `follower` right after it on the same connection; gives the replies of both. */
  runBefore(
    link: RedisLink,
    keys: readonly [string, ...string[]],
    args: readonly string[],
    follower: RedisCommand,
  ): Promise<readonly RedisReply[]> {
    return this.#run(keys, args, (command) => link.sendPair(keys[0], command, follower));
  }

  async #run(
    keys: readonly string[],
    args: readonly string[],
    send: (command: RedisCommand) => Promise<readonly RedisReply[]>,
  ): Promise<readonly RedisReply[]> {
    const rest = [String(keys.length), ...keys, ...args];
    const unseen = ({ text }: { text: string }) => send(['EVAL', text, ...rest, '1']);
    // Others that run meanwhile may find out more.
    const known = this.#known;
    try {
      return await send(['EVALSHA', known.digest, ...rest, '0']);
    } catch (error) {
      if (!answered(error, /^NOSCRIPT/)) throw error;
    }
    try {
      return await unseen(known);
    } catch (error) {
      if (!answered(error, /compiling script|shebang/i) || known.text === this.source) throw error;
    }
    this.#known = withDigest(this.source);
    return unseen(this.#known);
  }
}

function withDigest(text: string): { readonly text: string; readonly digest: string } {
  return { text, digest: createHash('sha1').update(text).digest('hex') };
}

/** Whether Redis itself answered with such an error: the link hands it on as the cause. */
function answered(error: unknown, pattern: RegExp): boolean {
  const { cause } = error as { cause?: unknown };
  return [error, cause].some((each) => each instanceof Error && pattern.test(each.message));
}
