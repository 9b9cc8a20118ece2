import type { NodeLink } from './node-link.js';
import type { RedisReply } from './redis-link.js';

/** Keys that Redis looks at in one SCAN: a few hundred microseconds of its time. */
const COUNT = '500';

/** Keys of one server that match the glob `pattern`, a part at a time. */
export async function* scanNode(node: NodeLink, pattern: string): AsyncGenerator<readonly string[]> {
  let cursor = '0';
  do {
    const reply = await node.send(['SCAN', cursor, 'MATCH', pattern, 'COUNT', COUNT]);
    const [next, keys] = reply as readonly [RedisReply, readonly RedisReply[]];
    if (keys.length > 0) yield keys.map(String);
    cursor = String(next);
  } while (cursor !== '0');
}
