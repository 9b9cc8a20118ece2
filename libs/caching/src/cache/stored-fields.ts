import type { HeaderField } from './entry.js';

/** RFC 9110 §5.6.2. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/;

/** What node writes into a head without an error: any number of characters (RFC 9110 §5.5). */
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/**
 * Fields that no stored response has: of one connection or message (RFC 9110 §7.6.1), of one client, or of a body
 * other than the whole identity body that is stored. An expression, as hashing new texts for a set takes longer.
 */
const REFUSED_NAME =
  /^(?:connection|content-(?:encoding|range)|keep-alive|proxy-(?:authenticate|authentication-info|authorization|connection)|set-cookie2?|te|trailer|transfer-encoding|upgrade)$/i;

const CONTENT_LENGTH = /^content-length$/i;

/**
 * Whether these are fields that a stored response may have and node can send.
 *
 * @param bodyLength of the identity body, which `Content-Length` has to say
 */
export function areFields(value: unknown, bodyLength: number): value is HeaderField[] {
  return Array.isArray(value) && value.every((field) => isField(field, bodyLength));
}

function isField(field: unknown, bodyLength: number): boolean {
  if (!Array.isArray(field)) return false;
  if (field.length !== 2 && (field.length !== 3 || field[2] !== 'add')) return false;
  const name: unknown = field[0];
  const value: unknown = field[1];
  if (!isFieldName(name)) return false;
  if (REFUSED_NAME.test(name)) return false;
  if (CONTENT_LENGTH.test(name)) return isLength(value, bodyLength);
  return Array.isArray(value) ? value.every(isFieldValue) : isFieldValue(value);
}

export function isFieldName(value: unknown): value is string {
  return typeof value === 'string' && TOKEN.test(value);
}

export function isFieldValue(value: unknown): value is string {
  return typeof value === 'string' && FIELD_VALUE.test(value);
}

function isLength(value: unknown, bodyLength: number): boolean {
  return typeof value === 'string' && /^\d+$/.test(value) && Number(value) === bodyLength;
}
