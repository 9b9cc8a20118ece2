import { getHashes, hash } from 'node:crypto';
import { CachingConfigError } from './caching.errors.js';
import { digestOf, type KeyDigest } from './stores/digest.js';

/** What all stores take for a part of a key: one line, and no character that one of them gives a meaning. */
const SAFE = /^[\w=+.~-]{8,128}$/;

const ALLOWED =
  "the name of a hash of node:crypto ('sha256', 'sha512', 'blake2b512', …), or a function (key) => text of " +
  '8 to 128 letters, digits, "_", "-", ".", "~", "+" or "=", the same for the same key and another for others';

/**
 * How keys are turned into names in a shared store. An entry tells in full what its own key was, so keys whose hashes
 * collide miss each other's entries and are never given them: a fast hash costs no safety.
 *
 * @throws CachingConfigError where it is neither a known hash nor a function that works
 */
export function resolveKeyHash(given: unknown): KeyDigest {
  if (given === undefined || given === 'sha256') return digestOf;
  if (typeof given === 'string' && getHashes().includes(given.toLowerCase())) {
    const name = given.toLowerCase();
    const digest: KeyDigest = (key) => hash(name, key, 'base64url');
    if (works(digest)) return digest;
  }
  if (typeof given === 'function' && works(given as KeyDigest)) return checked(given as KeyDigest);
  throw new CachingConfigError('keyHash', given, ALLOWED);
}

/** Some hashes that OpenSSL knows by name can't be had in this build of it. */
function works(digest: KeyDigest): boolean {
  try {
    const names = ['', 'a', 'b'].map(digest);
    return names.every((name) => typeof name === 'string' && SAFE.test(name)) && new Set(names).size === 3;
  } catch {
    return false;
  }
}

/** A function that gives something else for some keys only fails the operation: a miss, and an event that says so. */
function checked(digest: KeyDigest): KeyDigest {
  return (key) => {
    const name: unknown = digest(key);
    if (typeof name === 'string' && SAFE.test(name)) return name;
    throw new TypeError('keyHash returned something that can not be used');
  };
}
