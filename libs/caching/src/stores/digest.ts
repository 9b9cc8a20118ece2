import { hash } from 'node:crypto';

/** What a key goes by in a store: clients choose what is in keys, neither their length nor their characters may matter. */
export function digestOf(key: string): string {
  return hash('sha256', key, 'base64url');
}
