import type { StampPosition } from '../../cache/stamps.js';
import type { RedisReply } from './redis-link.js';

const POSITION = /^([\w-]{1,64}):(\d{1,15})$/;

/**
 * Reads where the shared sequence stands. Each look-up is told and next to none is told something new, so the last
 * answer is kept.
 */
export class PositionReader {
  #text = '';
  #position: StampPosition | undefined;

  /** `epoch:n`; whatever else stands there is nobody's position. */
  read(reply: RedisReply | undefined): StampPosition | undefined {
    const text = String(reply);
    if (text === this.#text) return this.#position;
    const [, epoch, n] = POSITION.exec(text) ?? [];
    if (epoch === undefined) return undefined;
    this.#text = text;
    this.#position = { epoch, n: Number(n) };
    return this.#position;
  }
}
