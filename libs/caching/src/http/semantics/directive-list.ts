import { type FieldValue, linesOf } from './field-lines.js';

/** One member of a `Cache-Control` or `Pragma` field. */
export interface Directive {
  /** In lower case: names are case-insensitive (RFC 9111 §5.2). */
  readonly name: string;
  /** What stands behind the `=`, without quotes and escapes; `undefined` where there is none. */
  readonly argument: string | undefined;
  /** The member is not `token [ "=" ( token / quoted-string ) ]`: it may forbid, but not permit. */
  readonly malformed: boolean;
}

export interface DirectiveList {
  readonly directives: readonly Directive[];
  /** A quote stands where none can, or has no other: nobody knows what was meant to be within quotes. */
  readonly misquoted: boolean;
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/** RFC 9111 §5.2: an argument may come as a token or as a quoted string, whichever its directive defines. */
const DIRECTIVE = new RegExp(`^(${TOKEN})(?:=(?:(${TOKEN})|"((?:[^"\\\\]|\\\\.)*)"))?$`, 's');
const NAME = new RegExp(`^${TOKEN}`);

/**
 * The members of a list of directives. Never throws and drops nothing that begins with a name.
 *
 * Each line is read by itself: what is wrong with one can't hide a directive on the next.
 */
export function parseDirectives(value: FieldValue): DirectiveList {
  const directives: Directive[] = [];
  let misquoted = false;
  for (const line of linesOf(value)) {
    const members = splitMembers(line);
    misquoted ||= members === undefined;
    // Quotes that make no sense are taken for nothing: what they hid may be what forbids.
    for (const member of members ?? line.split(/[",]/)) {
      const directive = parseDirective(member.trim());
      if (directive !== undefined) directives.push(directive);
    }
  }
  return { directives, misquoted };
}

/**
 * RFC 9110 §5.6.1: what stands between commas that are not in quoted strings; `undefined` where quotes make no
 * sense. By hand and in one pass: a pattern that looks for the end of each quoted string takes quadratic time without it.
 */
function splitMembers(line: string): string[] | undefined {
  const members: string[] = [];
  let isQuoted = false;
  let start = 0;
  for (let at = 0; at < line.length; at++) {
    const char = line[at];
    if (char === '"') {
      if (!isQuoted && line[at - 1] !== '=') return undefined;
      isQuoted = !isQuoted;
    }
    if (isQuoted && char === '\\') at++;
    else if (!isQuoted && char === ',') {
      members.push(line.slice(start, at));
      start = at + 1;
    }
  }
  members.push(line.slice(start));
  return isQuoted ? undefined : members;
}

function parseDirective(member: string): Directive | undefined {
  const parts = DIRECTIVE.exec(member);
  const name = (parts?.[1] ?? NAME.exec(member)?.[0])?.toLowerCase();
  if (name === undefined) return undefined;
  if (parts === null) return { name, argument: undefined, malformed: true };
  const argument = parts[2] ?? parts[3]?.replaceAll(/\\(.)/gs, '$1');
  return { name, argument, malformed: false };
}

/** RFC 9111 §1.2.2: what is longer counts as this, about 68 years. In seconds. */
const MAX_DELTA = 2 ** 31;

/** A number of seconds (RFC 9111 §1.2.2, `delta-seconds`); `undefined` for anything but digits. */
export function parseDelta(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+$/.test(text) ? Math.min(Number(text), MAX_DELTA) : undefined;
}
