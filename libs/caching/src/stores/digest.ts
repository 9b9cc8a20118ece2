import { hash } from 'node:crypto';

/** Gives a text of a store's own in place of a key. */
export type KeyDigest = (key: string) => string;

/** What a key goes by in a store: clients choose what is in keys, neither their length nor their characters may matter. */
export const digestOf: KeyDigest = (key) => hash('sha256', key, 'base64url');
