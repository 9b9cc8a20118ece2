import type { ContentCoding } from './semantics/accept-encoding.js';

/** Options of `compression`, with their defaults. */
export interface CompressionPolicy {
  /** The smallest body that is compressed, in bytes. */
  readonly minBytes: number;
  /** The server's first choice first. */
  readonly encodings: readonly ContentCoding[];
  /** What all compressed bodies may take together, in bytes. */
  readonly maxBytes: number;
}
