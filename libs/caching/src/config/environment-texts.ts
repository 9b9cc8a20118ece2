/** Reading what stands in an environment variable. Each returns `undefined` for a text that it can't take. */

const TRUE = new Set(['true', '1', 'yes', 'on']);
const FALSE = new Set(['false', '0', 'no', 'off']);

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1_024, m: 1_024 ** 2, g: 1_024 ** 3 };

export const FLAG_RULE = "'true', 'yes', 'on' or '1', or 'false', 'no', 'off' or '0'";

export function readFlag(text: string): boolean | undefined {
  const word = text.toLowerCase();
  return TRUE.has(word) ? true : FALSE.has(word) ? false : undefined;
}

export const COUNT_RULE = 'a whole number';

export function readCount(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

export const BYTES_RULE =
  "a number of bytes, or one with its unit: '512KiB', '64MiB', '1GiB' (or Ki, Mi, Gi)";

export function readBytes(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,12}(?:\.\d{1,6})?) ?(?:([kmg])i(?:b)?|b)?$/i.exec(text) ?? [];
  return digits === undefined ? undefined : Math.floor(Number(digits) * (UNITS[unit.toLowerCase()] ?? 1));
}

/** Milliseconds where there is no unit; which others there are, the option itself says. */
export function readDuration(text: string): number | string {
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}

export const LIST_RULE = "'*', or names with commas between them";

export function readNames(text: string): '*' | string[] | undefined {
  if (text === '*') return '*';
  const names = text.split(',').map((name) => name.trim());
  return names.every((name) => name !== '') ? names : undefined;
}

export const PART_RULE = 'a number from 0 to 1';

export function readPart(text: string): number | undefined {
  return /^(?:0?\.\d{1,6}|[01])$/.test(text) ? Number(text) : undefined;
}
