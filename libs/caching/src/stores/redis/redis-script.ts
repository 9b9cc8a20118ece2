import { createHash } from 'node:crypto';
import type { RedisLink, RedisReply } from './redis-link.js';

/** Redis 7 runs a script that says so although its memory is full. Older ones can't read the line. */
const ALLOW_OOM = '#!lua flags=allow-oom\n';

/** One Lua script, sent by its digest, and as text to a server that has not seen it yet. */
export class RedisScript {
  #text: string;
  #digest: string;

  constructor(private readonly source: string) {
    this.#text = ALLOW_OOM + source;
    this.#digest = digestOf(this.#text);
  }

  /**
   * Runs it on the primary of `keys[0]`; `then` is a command that follows it on the same connection.
   *
   * @returns the replies of both
   */
  async run(
    link: RedisLink,
    keys: readonly [string, ...string[]],
    args: readonly string[],
    then?: readonly string[],
  ): Promise<readonly RedisReply[]> {
    const rest = [String(keys.length), ...keys, ...args];
    const send = (command: string, script: string): Promise<readonly RedisReply[]> =>
      Promise.all([
        link.send(keys[0], [command, script, ...rest]),
        ...(then === undefined ? [] : [link.send(keys[0], then)]),
      ]);
    try {
      return await send('EVALSHA', this.#digest);
    } catch (error) {
      if (!answered(error, /^NOSCRIPT/)) throw error;
    }
    try {
      return await send('EVAL', this.#text);
    } catch (error) {
      if (!answered(error, /compiling script|shebang/i) || this.#text === this.source) throw error;
    }
    this.#text = this.source;
    this.#digest = digestOf(this.#text);
    return send('EVAL', this.#text);
  }
}

function digestOf(text: string): string {
  return createHash('sha1').update(text).digest('hex');
}

/** Whether Redis itself answered with such an error: the link hands it on as the cause. */
function answered(error: unknown, pattern: RegExp): boolean {
  const { cause } = error as { cause?: unknown };
  return [error, cause].some((each) => each instanceof Error && pattern.test(each.message));
}
