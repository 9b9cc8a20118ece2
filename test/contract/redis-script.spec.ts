import { describe, expect, it } from 'vitest';
import type { RedisCommand, RedisLink, RedisReply } from '../../libs/caching/src/stores/redis/redis-link.js';
import { RedisScript } from '../../libs/caching/src/stores/redis/redis-script.js';
import { turns } from '../support/gate.js';

/** As a server answers that is older than Redis 7, which reads no line before the script. */
class OldServer {
  readonly #known = new Set<string>();
  readonly commands: RedisCommand[] = [];

  async send(_key: string, command: RedisCommand): Promise<RedisReply> {
    this.commands.push(command);
    await turns(2);
    const [name, script = ''] = command.map(String);
    if (name === 'EVALSHA') {
      if (this.#known.has(script)) return 'done';
      throw new Error('failed', { cause: new Error('NOSCRIPT No matching script') });
    }
    if (script.startsWith('#!'))
      throw new Error('failed', { cause: new Error('ERR Error compiling script (new function)') });
    this.#known.add('any');
    return 'done';
  }
}

describe('a script on a server older than Redis 7', () => {
  it('runs, however many are the first to run it', async () => {
    const server = new OldServer();
    const link = server as unknown as RedisLink;
    const script = new RedisScript('return 1');
    const first = Array.from({ length: 3 }, () => script.run(link, ['key'], []));
    await turns(1);
    const second = Array.from({ length: 3 }, () => script.run(link, ['key'], []));
    expect(await Promise.all([...first, ...second])).toEqual(Array(6).fill('done'));
  });

  it('is told whether the server had seen it', async () => {
    const server = new OldServer();
    await new RedisScript('return 1').run(server as unknown as RedisLink, ['key'], ['a']);
    expect(server.commands.map((command) => [command[0], command.at(-1)])).toEqual([
      ['EVALSHA', '0'],
      ['EVAL', '1'],
      ['EVAL', '1'],
    ]);
  });
});
