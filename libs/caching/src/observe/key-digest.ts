import { hash, randomBytes } from 'node:crypto';

/** Whoever has a key, or guesses one, can't tell what its digest is. */
const SALT = randomBytes(16).toString('latin1');

/** 72 bits: two of a million keys have the same by a chance of one in ten thousand millions. */
const DIGEST_LENGTH = 12;

/** What stands for a key in events and logs of this process. */
export function keyDigest(key: string): string {
  return hash('sha256', SALT + key, 'base64url').slice(0, DIGEST_LENGTH);
}
