import { RecentMap } from '../../recent-map.js';

const WEEKDAYS = 'Mon|Tue|Wed|Thu|Fri|Sat|Sun';
const LONG_WEEKDAYS = 'Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday';
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const MONTH = `(?<month>${MONTHS.join('|')})`;
const TIME = '(?<hour>[01]\\d|2[0-3]):(?<minute>[0-5]\\d):(?<second>[0-5]\\d|60)';

/**
 * RFC 9110 §5.6.7: the one format to send and two to understand, nothing left out or added. RFC 9111 §4.2: read
 * whatever the case of their letters, and in no other zone.
 */
const FORMATS: readonly RegExp[] = [
  // IMF-fixdate: Sun, 06 Nov 1994 08:49:37 GMT
  new RegExp(`^(?:${WEEKDAYS}), (?<day>\\d\\d) ${MONTH} (?<year>\\d{4}) ${TIME} GMT$`, 'i'),
  // rfc850-date: Sunday, 06-Nov-94 08:49:37 GMT
  new RegExp(`^(?:${LONG_WEEKDAYS}), (?<day>\\d\\d)-${MONTH}-(?<year>\\d\\d) ${TIME} GMT$`, 'i'),
  // asctime-date: Sun Nov  6 08:49:37 1994
  new RegExp(`^(?:${WEEKDAYS}) ${MONTH} (?<day>\\d\\d| \\d) ${TIME} (?<year>\\d{4})$`, 'i'),
];

/** RFC 9110 §5.6.7: two digits that appear to be more than this far ahead mean the century before. */
const MOST_YEARS_AHEAD = 50;

/**
 * An HTTP date in any of its three formats, in milliseconds since the epoch; `undefined` for anything else.
 * `Date.parse` alone takes far more than these: `0` and `2050` are dates to it.
 *
 * @param now milliseconds since the epoch, for years of two digits
 * @example
 * parseHttpDate('Sun, 06 Nov 1994 08:49:37 GMT', Date.now()) // 784111777000
 */
export function parseHttpDate(text: string, now: number): number | undefined {
  for (const format of FORMATS) {
    const groups = format.exec(text)?.groups;
    if (groups === undefined) continue;
    const { year = '', month = '', day = '', hour, minute, second } = groups;
    const time: TimeOfYear = [
      MONTHS.findIndex((name) => name.toLowerCase() === month.toLowerCase()),
      Number(day),
      Number(hour),
      Number(minute),
      Number(second),
    ];
    if (year.length === 4) return timeOf(Number(year), time);
    const today = new Date(now);
    const century = today.getUTCFullYear() - (today.getUTCFullYear() % 100);
    const found = timeOf(century + Number(year), time);
    today.setUTCFullYear(today.getUTCFullYear() + MOST_YEARS_AHEAD);
    return found !== undefined && found <= today.getTime()
      ? found
      : timeOf(century - 100 + Number(year), time);
  }
  return undefined;
}

type TimeOfYear = readonly [month: number, day: number, hour: number, minute: number, second: number];

/** `undefined` where there is no such day, as the 30th of February. */
function timeOf(year: number, [month, day, hour, minute, second]: TimeOfYear): number | undefined {
  const date = new Date(0);
  // Not `Date.UTC`, to which the year 94 is 1994.
  date.setUTCFullYear(year, month, day);
  if (date.getUTCMonth() !== month || date.getUTCDate() !== day) return undefined;
  // A leap second is the first of the next minute.
  return date.setUTCHours(hour, minute, second);
}

/**
 * A time as the one format that may be sent (RFC 9110 §5.6.7, IMF-fixdate), its fraction of a second cut off.
 *
 * @param time milliseconds since the epoch, of the years 0 to 9999
 */
export function formatHttpDate(time: number): string {
  const second = Math.floor(time / 1000);
  let text = written.get(second);
  if (text === undefined) written.set(second, (text = new Date(second * 1000).toUTCString()));
  return text;
}

/** Each hit has the date of its entry, and hot entries are few. */
const written = new RecentMap<string, number>(1_000);
